package otlpreceiver

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/wire"
)

var (
	errTooLarge = errors.New("message is too large")
	errEncoding = errors.New("unknown compression")
)

type badMessage struct{ cause error }

func (b badMessage) Error() string { return "not an OTLP message: " + b.cause.Error() }

// A message of this size cannot be nested so deeply that decoding it needs much stack.
const harmless = 64 << 10

// accept hands one message on: as it is when the pipeline takes that, else decoded. The caller gets an error only for what is wrong
// with its message; rejected are records of a good one that the pipeline did not take, counted and logged.
func (r *otlpReceiver) accept(ctx context.Context, signal pipeline.Signal, body []byte, json bool) (rejected int, err error) {
	next := r.next(signal)
	raw, forwards := next.(delivery.RawConsumer)
	if !json && (forwards || next == nil || len(body) > harmless) {
		switch n, err := wire.Count(signal, body); {
		case errors.Is(err, wire.ErrNested):
			return 0, badMessage{err}
		case err == nil && next == nil:
			return r.handled(signal, n, nil, true), nil
		case err == nil && forwards && n > 0:
			return r.handled(signal, n, raw.ConsumeRaw(ctx, signal, body, n), false), nil
		}
	}
	n, consume, err := r.decode(ctx, signal, body, json)
	switch {
	case err != nil:
		return 0, badMessage{err}
	case next == nil:
		return r.handled(signal, n, nil, true), nil
	case n == 0:
		return 0, nil
	default:
		return r.handled(signal, n, consume(), false), nil
	}
}

// next is the consumer of a signal, or nil when no pipeline takes it.
func (r *otlpReceiver) next(signal pipeline.Signal) (next any) {
	switch {
	case signal == pipeline.SignalTraces && r.Traces != nil:
		next = r.Traces
	case signal == pipeline.SignalMetrics && r.Metrics != nil:
		next = r.Metrics
	case signal == pipeline.SignalLogs && r.Logs != nil:
		next = r.Logs
	}
	return next
}

// decode returns the number of records and what hands them on.
func (r *otlpReceiver) decode(ctx context.Context, signal pipeline.Signal, body []byte, json bool) (records int, consume func() error, err error) {
	switch signal {
	case pipeline.SignalTraces:
		unmarshal := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces
		if json {
			unmarshal = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces
		}
		data, err := unmarshal(body)
		if err != nil {
			return 0, nil, err
		}
		return data.SpanCount(), func() error { return r.Traces.ConsumeTraces(ctx, data) }, nil
	case pipeline.SignalMetrics:
		unmarshal := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics
		if json {
			unmarshal = (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics
		}
		data, err := unmarshal(body)
		if err != nil {
			return 0, nil, err
		}
		return data.DataPointCount(), func() error { return r.Metrics.ConsumeMetrics(ctx, data) }, nil
	default:
		unmarshal := (&plog.ProtoUnmarshaler{}).UnmarshalLogs
		if json {
			unmarshal = (&plog.JSONUnmarshaler{}).UnmarshalLogs
		}
		data, err := unmarshal(body)
		if err != nil {
			return 0, nil, err
		}
		return data.LogRecordCount(), func() error { return r.Logs.ConsumeLogs(ctx, data) }, nil
	}
}

// handled counts what was not taken: all of a signal without a pipeline, whose sender need not hear of it, or what a pipeline refused.
func (r *otlpReceiver) handled(signal pipeline.Signal, n int, err error, nowhere bool) (rejected int) {
	if nowhere {
		r.tally.Received.Add(signal, n)
		r.tally.Drop(delivery.NoPipeline, signal, n)
	}
	if err == nil {
		return 0
	}
	r.tally.Drop(delivery.Failed, signal, n)
	r.logger.Warn("pipeline failed, records are dropped", zap.String("signal", signal.String()), zap.Int("dropped", n), zap.Error(err))
	return n
}
