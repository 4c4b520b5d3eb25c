package host

import (
	"context"
	"errors"
	"reflect"
	"sync"

	"go.opentelemetry.io/collector/component"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// lateExporter takes data before its exporter can be made, keeps it in its lane, and hands it on to the exporter of the newest values.
type lateExporter struct {
	held

	keeper *keeper
	make   func(context.Context, component.Config) (component.Component, error)
	start  component.Host

	mu      sync.Mutex
	made    component.Component
	version int
}

func newLateExporter(h *Host, u use, k *keeper, create func(context.Context, component.Config) (component.Component, error)) *lateExporter {
	return &lateExporter{held: held{host: h, use: u}, keeper: k, make: create}
}

// Start begins to fetch; it does not wait.
func (e *lateExporter) Start(_ context.Context, host component.Host) error {
	e.start = host
	e.open(e.send)
	e.keeper.start(func() { e.Lanes.Resume(false) })
	return nil
}

// Shutdown drops and counts what is left.
func (e *lateExporter) Shutdown(ctx context.Context) error {
	e.keeper.stop()
	e.Stop()
	if made := e.current(); made != nil {
		return made.Shutdown(ctx)
	}
	return nil
}

func (e *lateExporter) send(ctx context.Context, bodies [][]byte) delivery.Outcome {
	cfg, version, err := e.keeper.config(ctx)
	if err != nil {
		return delivery.Outcome{Verdict: delivery.Unreachable, Err: err}
	}
	made, err := e.of(ctx, cfg, version)
	if err != nil {
		return delivery.Outcome{Verdict: delivery.Refused, Err: problem("exporters::"+e.use.id.String(), err, "")}
	}
	n, err := consume(ctx, e.use.signal, sinkOf(made), bodies)
	outcome := judge(err)
	if _, flushes := made.(delivery.Flusher); flushes && err == nil {
		e.host.tally.Sent.Add(e.use.signal, -n) // the exporter counts them once they are sent
	}
	if err != nil && unauthorized(err) && e.keeper.refused(version) {
		outcome.Verdict = delivery.Busy // it may do with newer values
	}
	return outcome
}

// of is the exporter of a version of the values.
func (e *lateExporter) of(ctx context.Context, cfg component.Config, version int) (component.Component, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.made != nil && e.version == version {
		return e.made, nil
	}
	made, err := e.make(ctx, copied(cfg))
	if err != nil {
		return nil, err
	}
	if err := made.Start(context.WithoutCancel(ctx), lateHost{e.start, e, version}); err != nil {
		return nil, errors.Join(err, made.Shutdown(ctx))
	}
	if old := e.made; old != nil {
		if f, ok := old.(delivery.Flusher); ok {
			f.FlushLast(ctx)
		}
		_ = old.Shutdown(ctx)
	}
	e.made, e.version = made, version
	return made, nil
}

// copied is a configuration of one signal alone: factories make one exporter of all signals that come with the same configuration, and
// that one would be started, and with newer values stopped, by the first of them.
func copied(cfg component.Config) component.Config {
	v := reflect.ValueOf(cfg)
	if v.Kind() != reflect.Pointer {
		return cfg
	}
	own := reflect.New(v.Elem().Type())
	own.Elem().Set(v.Elem())
	return own.Interface()
}

func (e *lateExporter) current() component.Component {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.made
}

func (e *lateExporter) flusher() delivery.Flusher {
	f, _ := e.current().(delivery.Flusher)
	return f
}

// Resume lets what failed be tried again: fetching and sending.
func (e *lateExporter) Resume(idle bool) {
	e.keeper.wake()
	e.Lanes.Resume(idle)
	if f := e.flusher(); f != nil {
		f.Resume(idle)
	}
}

// Flush empties the lane, then the exporter.
func (e *lateExporter) Flush(ctx context.Context) {
	e.Lanes.Flush(ctx)
	if f := e.flusher(); f != nil {
		f.Flush(ctx)
	}
}

// FlushLast is Flush for the last time.
func (e *lateExporter) FlushLast(ctx context.Context) {
	e.Lanes.FlushLast(ctx)
	if f := e.flusher(); f != nil {
		f.FlushLast(ctx)
	}
}

// Held counts what waits in both.
func (e *lateExporter) Held() delivery.Counts {
	counts := e.Lanes.Held()
	if f := e.flusher(); f != nil {
		more := f.Held()
		counts.Spans, counts.Metrics, counts.Logs = counts.Spans+more.Spans, counts.Metrics+more.Metrics, counts.Logs+more.Logs
	}
	return counts
}

// lateHost is the host as the exporter of a version of the values sees it.
type lateHost struct {
	component.Host
	exporter *lateExporter
	version  int
}

// Tally is the account of records.
func (h lateHost) Tally() *delivery.Tally { return &h.exporter.host.tally }

// Refresh waits for values that are newer than the exporter's own, which the backend has refused.
func (h lateHost) Refresh(ctx context.Context, _ string, _ component.ID) (component.Config, error) {
	return h.exporter.keeper.newer(ctx, h.version)
}
