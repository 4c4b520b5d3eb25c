package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// foreignExporter is as stock ones are: it knows nothing of freezes, and answers what the test says.
type foreignExporter struct {
	recorder
	mu     sync.Mutex
	answer func() error
	got    []string
}

func (*foreignExporter) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

func (e *foreignExporter) ConsumeTraces(_ context.Context, d ptrace.Traces) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.answer(); err != nil {
		return err
	}
	for _, rs := range d.ResourceSpans().All() {
		e.got = append(e.got, rs.ScopeSpans().At(0).Spans().At(0).Name())
		rs.ScopeSpans().At(0).Spans().At(0).SetName("changed")
	}
	return nil
}

// behind is a host with one receiver and this exporter.
func behind(t *testing.T, e *foreignExporter) (*Host, consumer.Traces) {
	t.Helper()
	w := newWorld()
	e.recorder = recorder{"out", w}
	f := w.factories()
	f.Exporters = []exporter.Factory{exporter.NewFactory(component.MustNewType("out"), func() component.Config { return &words{} }, exporter.WithTraces(
		func(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) { return e, nil }, component.StabilityLevelBeta))}
	h, err := hostOf(t, "{receivers: {in: }, exporters: {out: }, service: {pipelines: {traces: {receivers: [in], exporters: [out]}}}}", f, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h, w.next["in"]
}

func TestTheGiverDoesNotWaitForAForeignExporterAndTheFlushDoes(t *testing.T) {
	gate := make(chan bool)
	e := &foreignExporter{answer: func() error { <-gate; return nil }}
	h, in := behind(t, e)
	data := span("a")
	if err := in.ConsumeTraces(t.Context(), data); err != nil { // would hang here
		t.Fatal(err)
	}
	if held := h.Held().Spans; held != 1 {
		t.Errorf("held %d", held)
	}
	go close(gate)
	h.Flush(t.Context())
	if h.Held().Spans != 0 || h.Tally().Sent.Counts().Spans != 1 || !slices.Equal(e.got, []string{"a"}) {
		t.Errorf("held %d, sent %+v, got %q", h.Held().Spans, h.Tally().Sent.Counts(), e.got)
	}
	if data.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Name() != "a" {
		t.Error("the exporter changed the giver's data")
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatAForeignExporterDoesNotTakeIsKeptForTheNextInvocation(t *testing.T) {
	fails := 2
	e := &foreignExporter{answer: func() error {
		if fails > 0 {
			fails--
			return errors.New("rpc error: code = Unavailable desc = later")
		}
		return nil
	}}
	h, in := behind(t, e)
	for i := range 4 {
		h.Resume(false)
		if err := in.ConsumeTraces(t.Context(), span(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		h.Flush(ctx)
		cancel()
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if sent, dropped := h.Tally().Sent.Counts().Spans, h.Tally().Dropped.Counts().Spans; sent != 4 || dropped != 0 || !slices.Equal(e.got, []string{"0", "1", "2", "3"}) {
		t.Errorf("sent %d, dropped %d: %q", sent, dropped, e.got)
	}
}

func TestWhatAForeignExporterRefusesIsDroppedAndCounted(t *testing.T) {
	e := &foreignExporter{answer: func() error { return errors.New("Permanent error: bad data") }}
	h, in := behind(t, e)
	if err := in.ConsumeTraces(t.Context(), span("a")); err != nil {
		t.Fatal(err)
	}
	h.Flush(t.Context())
	if got := h.Tally().Dropped.Counts().Spans; got != 1 || h.Held().Spans != 0 {
		t.Errorf("dropped %d, held %d", got, h.Held().Spans)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestVerdictsOnTheErrorsOfStockExporters(t *testing.T) {
	for _, c := range []struct {
		err     error
		verdict delivery.Verdict
		pause   time.Duration
	}{
		{nil, delivery.Delivered, 0},
		{errors.New("not retryable error: Permanent error: rpc error: code = InvalidArgument"), delivery.Refused, 0},
		{errors.New("error exporting items, request to http://b responded with HTTP Status Code 401"), delivery.Refused, 0},
		{unreadable{errors.New("proto")}, delivery.Refused, 0},
		{fmt.Errorf("post: %w", syscall.ECONNREFUSED), delivery.Unreachable, 0},
		{errors.New("dial tcp: lookup b: no such host"), delivery.Unreachable, 0},
		{fmt.Errorf("post: %w", context.DeadlineExceeded), delivery.Cut, 0},
		{errors.New(`Post "http://b": EOF`), delivery.Cut, 0},
		{errors.New("Throttle (30s), error: 429"), delivery.Busy, 30 * time.Second},
		{errors.New("anything else"), delivery.Busy, 0},
	} {
		if got := judge(c.err); got.Verdict != c.verdict || got.RetryAfter != c.pause {
			t.Errorf("%v: %+v", c.err, got)
		}
	}
}
