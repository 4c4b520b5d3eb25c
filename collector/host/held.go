package host

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

const (
	heldBytes   = 8 << 20 // kept for each signal of an exporter
	heldRequest = 1 << 20 // joined into one call
)

// held stands in front of an exporter that knows nothing of freezes. Data waits here, encoded, in a lane: the giver never waits, the
// host's flush waits for the exporter's answer, and what it does not take now is kept for the next invocation.
type held struct {
	delivery.Lanes

	host  *Host
	use   use
	inner component.Component
	lane  *delivery.Lane
}

func newHeld(h *Host, u use, inner component.Component) *held {
	return &held{host: h, use: u, inner: inner}
}

// Start starts the exporter, then the lane.
func (e *held) Start(ctx context.Context, host component.Host) error {
	if err := e.inner.Start(ctx, host); err != nil {
		return err
	}
	to := sinkOf(e.inner)
	e.open(func(ctx context.Context, bodies [][]byte) delivery.Outcome {
		_, err := consume(ctx, e.use.signal, to, bodies)
		return judge(err)
	})
	return nil
}

func (e *held) open(send delivery.Send) {
	e.lane = delivery.NewLane(delivery.Settings{
		Signal: e.use.signal, Send: send, Logger: e.host.telemetry(e.use.id).Logger, MaxHeld: heldBytes, MaxRequest: heldRequest, Retry: true,
	}, &e.host.tally)
	e.Lanes = delivery.Lanes{e.lane}
}

// Shutdown drops and counts what the host's last flush left, then ends the exporter.
func (e *held) Shutdown(ctx context.Context) error {
	e.Stop()
	return e.inner.Shutdown(ctx)
}

// Capabilities says that data is only read: the exporter gets its own.
func (*held) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeRaw queues encoded data.
func (e *held) ConsumeRaw(_ context.Context, _ pipeline.Signal, body []byte, records int) error {
	e.lane.Put(delivery.Item{Body: body, Records: records})
	return nil
}

// ConsumeTraces queues spans.
func (e *held) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	return e.put(ctx, body, td.SpanCount(), err)
}

// ConsumeMetrics queues metric data points.
func (e *held) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	body, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	return e.put(ctx, body, md.DataPointCount(), err)
}

// ConsumeLogs queues log records.
func (e *held) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	body, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	return e.put(ctx, body, ld.LogRecordCount(), err)
}

func (e *held) put(ctx context.Context, body []byte, records int, err error) error {
	if err != nil || len(body) == 0 {
		return err
	}
	return e.ConsumeRaw(ctx, e.use.signal, body, records)
}

// consume decodes messages of one signal and hands them on as one; repeated fields of protobuf messages merge when put in a row.
func consume(ctx context.Context, signal pipeline.Signal, to sink, bodies [][]byte) (records int, err error) {
	body := bodies[0]
	if len(bodies) > 1 {
		body = nil
		for _, b := range bodies {
			body = append(body, b...)
		}
	}
	switch signal {
	case pipeline.SignalTraces:
		d, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
		if err != nil {
			return 0, unreadable{err}
		}
		n := d.SpanCount()
		return n, to.traces.ConsumeTraces(ctx, d)
	case pipeline.SignalMetrics:
		d, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(body)
		if err != nil {
			return 0, unreadable{err}
		}
		n := d.DataPointCount()
		return n, to.metrics.ConsumeMetrics(ctx, d)
	default:
		d, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(body)
		if err != nil {
			return 0, unreadable{err}
		}
		n := d.LogRecordCount()
		return n, to.logs.ConsumeLogs(ctx, d)
	}
}

// unreadable is data that cannot be decoded: no retry helps.
type unreadable struct{ error }

// judge tells what became of data from the error of a stock exporter. Package consumererror, which knows its kinds, would bring grpc in;
// what its errors say is the same for every exporter that is built with exporterhelper.
func judge(err error) delivery.Outcome {
	if err == nil {
		return delivery.Outcome{Verdict: delivery.Delivered}
	}
	outcome := delivery.Outcome{Verdict: delivery.Busy, Err: err}
	text := err.Error()
	var netError interface{ Timeout() bool }
	switch {
	case errors.As(err, new(unreadable)) || strings.Contains(text, "Permanent error: ") || unauthorized(err):
		outcome.Verdict = delivery.Refused
	case errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(text, "connection refused") || strings.Contains(text, "no such host"):
		outcome.Verdict = delivery.Unreachable
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || strings.Contains(text, "DeadlineExceeded") ||
		(errors.As(err, &netError) && netError.Timeout()) || strings.Contains(text, "EOF") || strings.Contains(text, "connection reset"):
		outcome.Verdict = delivery.Cut
	default:
		if _, rest, throttled := strings.Cut(text, "Throttle ("); throttled {
			pause, _, _ := strings.Cut(rest, ")")
			outcome.RetryAfter, _ = time.ParseDuration(pause) // 0 when it does not say
		}
	}
	return outcome
}

// unauthorized tells whether an exporter's error says that its credentials are not good (any more). Stock ones tell it by their text.
func unauthorized(err error) bool {
	if errors.Is(err, delivery.ErrUnauthorized) {
		return true
	}
	text := err.Error()
	for _, sign := range []string{"HTTP Status Code 401", "401 Unauthorized", "status code 401", "code = Unauthenticated", "UnrecognizedClientException", "ExpiredToken"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
