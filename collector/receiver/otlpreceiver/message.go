package otlpreceiver

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"
)

var (
	errTooLarge = errors.New("message is too large")
	errEncoding = errors.New("unknown compression")
)

type badMessage struct{ cause error }

func (b badMessage) Error() string { return "not an OTLP message: " + b.cause.Error() }

// accept decodes one message and hands it on. The caller gets an error only for what is wrong with its message: what our side
// cannot do with it is counted, never the function's problem.
func (r *otlpReceiver) accept(ctx context.Context, signal pipeline.Signal, body []byte, json bool) error {
	switch signal {
	case pipeline.SignalTraces:
		unmarshal := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces
		if json {
			unmarshal = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces
		}
		data, err := unmarshal(body)
		if err != nil {
			return badMessage{err}
		}
		n := data.SpanCount()
		if r.traces == nil {
			return r.lost(signal, n)
		}
		return r.handled(signal, n, r.traces.ConsumeTraces(ctx, data))
	case pipeline.SignalMetrics:
		unmarshal := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics
		if json {
			unmarshal = (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics
		}
		data, err := unmarshal(body)
		if err != nil {
			return badMessage{err}
		}
		n := data.DataPointCount()
		if r.metrics == nil {
			return r.lost(signal, n)
		}
		return r.handled(signal, n, r.metrics.ConsumeMetrics(ctx, data))
	default:
		unmarshal := (&plog.ProtoUnmarshaler{}).UnmarshalLogs
		if json {
			unmarshal = (&plog.JSONUnmarshaler{}).UnmarshalLogs
		}
		data, err := unmarshal(body)
		if err != nil {
			return badMessage{err}
		}
		n := data.LogRecordCount()
		if r.logs == nil {
			return r.lost(signal, n)
		}
		return r.handled(signal, n, r.logs.ConsumeLogs(ctx, data))
	}
}

func (r *otlpReceiver) handled(signal pipeline.Signal, n int, err error) error {
	if err != nil {
		r.tally.Dropped.Add(signal, n)
		r.logger.Warn("pipeline failed, records are dropped", zap.String("signal", signal.String()), zap.Int("dropped", n), zap.Error(err))
	}
	return nil
}

// lost counts records of a signal that no pipeline takes.
func (r *otlpReceiver) lost(signal pipeline.Signal, n int) error {
	r.tally.Received.Add(signal, n)
	r.tally.Dropped.Add(signal, n)
	return nil
}

// readAll reads at most limit bytes of the decompressed message.
func readAll(body io.Reader, encoding string, limit int64) ([]byte, error) {
	plain := body
	var err error
	switch encoding {
	case "", "identity":
	case "gzip":
		plain, err = gzip.NewReader(body)
	case "deflate", "zlib":
		plain, err = zlib.NewReader(body)
	default:
		return nil, fmt.Errorf("%w %q: gzip and deflate are known", errEncoding, encoding)
	}
	if err != nil {
		return nil, badMessage{err}
	}
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(plain, limit+1))
	if n > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	if err != nil {
		return nil, badMessage{err}
	}
	return out.Bytes(), nil
}
