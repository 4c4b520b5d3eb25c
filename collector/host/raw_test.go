package host

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// decodes takes decoded data of every signal and counts the calls.
type decodes struct{ calls int }

func (*decodes) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (d *decodes) ConsumeTraces(context.Context, ptrace.Traces) error { d.calls++; return nil }

func (d *decodes) ConsumeMetrics(context.Context, pmetric.Metrics) error { d.calls++; return nil }

func (d *decodes) ConsumeLogs(context.Context, plog.Logs) error { d.calls++; return nil }

// forwards takes encoded data as well.
type forwards struct {
	decodes
	bodies []*byte // the first byte of each body, to see whether it is shared
	fails  error
}

func (f *forwards) ConsumeRaw(_ context.Context, _ pipeline.Signal, body []byte, _ int) error {
	f.bodies = append(f.bodies, &body[0])
	return f.fails
}

func of(signal pipeline.Signal, s sink) any {
	return map[pipeline.Signal]any{pipeline.SignalTraces: s.traces, pipeline.SignalMetrics: s.metrics, pipeline.SignalLogs: s.logs}[signal]
}

// only keeps the field of one signal, as a component made for that signal has it.
func only(signal pipeline.Signal, c interface {
	consumer.Traces
	consumer.Metrics
	consumer.Logs
}) (s sink) {
	switch s.raw, _ = c.(delivery.RawConsumer); signal {
	case pipeline.SignalTraces:
		s.traces = c
	case pipeline.SignalMetrics:
		s.metrics = c
	case pipeline.SignalLogs:
		s.logs = c
	}
	return s
}

func TestEncodedDataReachesEveryTakerAndIsCounted(t *testing.T) {
	for _, signal := range []pipeline.Signal{pipeline.SignalTraces, pipeline.SignalMetrics, pipeline.SignalLogs} {
		var tally delivery.Tally
		bad := errors.New("full")
		a, b := &forwards{fails: bad}, &forwards{}
		inner := join(signal, []sink{only(signal, a), only(signal, b)})
		head, raw := of(signal, counted(join(signal, []sink{inner}), signal, &tally)).(delivery.RawConsumer)
		if !raw {
			t.Fatalf("%s: a fan-out to takers of encoded data takes none", signal)
		}
		body := []byte{1}
		if err := head.ConsumeRaw(t.Context(), signal, body, 3); !errors.Is(err, bad) {
			t.Errorf("%s: error %v", signal, err)
		}
		if len(a.bodies) != 1 || len(b.bodies) != 1 || a.bodies[0] != &body[0] || b.bodies[0] != &body[0] || a.calls+b.calls != 0 {
			t.Errorf("%s: taken by %+v and %+v", signal, a, b)
		}
		if got := tally.Received.Counts(); got.Sum() != 3 {
			t.Errorf("%s: counted %+v", signal, got)
		}
	}
}

func TestOneTakerOfDecodedDataIsEnoughToDecode(t *testing.T) {
	for _, signal := range []pipeline.Signal{pipeline.SignalTraces, pipeline.SignalMetrics, pipeline.SignalLogs} {
		var tally delivery.Tally
		a, b := &forwards{}, &decodes{}
		head := of(signal, counted(join(signal, []sink{only(signal, a), only(signal, b)}), signal, &tally))
		if _, raw := head.(delivery.RawConsumer); raw {
			t.Errorf("%s: it takes encoded data that one of its followers cannot read", signal)
		}
		var err error
		switch next := head.(type) {
		case consumer.Traces:
			err = next.ConsumeTraces(t.Context(), ptrace.NewTraces())
		case consumer.Metrics:
			err = next.ConsumeMetrics(t.Context(), pmetric.NewMetrics())
		case consumer.Logs:
			err = next.ConsumeLogs(t.Context(), plog.NewLogs())
		}
		if err != nil || a.calls != 1 || b.calls != 1 {
			t.Errorf("%s: %v, %d and %d calls", signal, err, a.calls, b.calls)
		}
	}
}
