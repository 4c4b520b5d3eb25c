package host

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
)

// bad is a component that panics, or hangs at its end, wherever it is called from outside of its pipeline.
type bad struct {
	panics bool
	hangs  chan struct{} // nil: it does not
}

func (b bad) fail() {
	if b.hangs != nil {
		<-b.hangs
	}
	if b.panics {
		panic("a component of somebody else")
	}
}

func (bad) Start(context.Context, component.Host) error { return nil }
func (b bad) Shutdown(context.Context) error            { b.fail(); return nil }
func (b bad) Ready() error                              { b.fail(); return nil }
func (b bad) NotReady() error                           { b.fail(); return nil }

func (b bad) ComponentStatusChanged(*componentstatus.InstanceID, *componentstatus.Event) {
	bad{panics: b.panics}.fail()
}

// endingAt are components whose only exporter is e.
func endingAt(w *world, e *foreignExporter) Factories {
	f := w.factories()
	f.Exporters = []exporter.Factory{exporter.NewFactory(component.MustNewType("out"), func() component.Config { return &words{} }, exporter.WithTraces(
		func(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) { return e, nil }, component.StabilityLevelBeta))}
	return f
}

const withAid = "{receivers: {in: }, exporters: {out: }, extensions: {aid: }, service: {extensions: [aid], pipelines: {traces: {receivers: [in], exporters: [out]}}}}"

func TestAPanicOfAnExtensionCostsNeitherTheStartNorTheLastFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, e := newWorld(), &foreignExporter{recorder: recorder{"out", newWorld()}, answer: func() error { return nil }}
		f := endingAt(w, e)
		f.Extensions = []extension.Factory{extension.NewFactory(component.MustNewType("aid"), func() component.Config { return &words{} },
			func(context.Context, extension.Settings, component.Config) (extension.Extension, error) {
				return bad{panics: true}, nil
			}, component.StabilityLevelBeta)}
		h, err := hostOf(t, withAid, f, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.Hold(true)
		if err := w.next["in"].ConsumeTraces(t.Context(), span("a")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_ = h.Close(ctx)
		if n := h.Tally().Sent.Counts().Spans; n != 1 {
			t.Errorf("sent %d", n)
		}
	})
}

func TestAComponentThatDoesNotShutDownDoesNotCostTheLastFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, e, hang := newWorld(), &foreignExporter{recorder: recorder{"out", newWorld()}, answer: func() error { return nil }}, make(chan struct{})
		defer close(hang)
		hanging := bad{hangs: hang}
		f := endingAt(w, e)
		f.Receivers = []receiver.Factory{receiver.NewFactory(component.MustNewType("in"), func() component.Config { return &words{} }, receiver.WithTraces(
			func(_ context.Context, set receiver.Settings, _ component.Config, next consumer.Traces) (receiver.Traces, error) {
				w.next[set.ID.String()] = next
				return hanging, nil
			}, component.StabilityLevelBeta))}
		h, err := hostOf(t, withAid, f, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.extensions[component.MustNewID("aid")], h.parts[0].Component = hanging, hanging // from now on
		h.Hold(true)
		if err := w.next["in"].ConsumeTraces(t.Context(), span("a")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := h.Close(ctx); err == nil {
			t.Error("nobody says that it did not shut down")
		}
		if n := h.Tally().Sent.Counts().Spans; n != 1 || time.Since(began) >= 2*time.Second {
			t.Errorf("sent %d in %s", n, time.Since(began))
		}
	})
}
