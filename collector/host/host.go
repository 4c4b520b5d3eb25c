// Package host runs the Collector's components without the Collector's service: it reads the usual configuration, connects the
// pipelines, starts and stops them, and counts what passes.
package host

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pipeline"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// Even at the very end a component gets this long to shut down.
const leastShutdown = 50 * time.Millisecond

// Host is a set of connected components.
type Host struct {
	// OnInvocationEnd is called with the request id when the language layer has sent the last request of an invocation; may be nil.
	OnInvocationEnd func(requestID string)

	info       component.BuildInfo
	logger     *zap.Logger
	factories  Factories
	conf       *confmap.Conf
	parts      []*part
	extensions map[component.ID]component.Component
	tally      delivery.Tally
	metrics    sink       // what takes the account as metrics; empty where nothing does
	account    *account   // nil when nobody asks for it as metrics
	statuses   sync.Mutex // of the parts' status and logged
}

// part is one instance of a component.
type part struct {
	section string
	id      component.ID
	signal  pipeline.Signal
	component.Component

	instance *componentstatus.InstanceID
	status   componentstatus.Status
	logged   time.Time
	began    bool // Start was called
	ended    bool // Shutdown was called
}

// New makes the components that the configuration asks for; nothing runs yet. Its errors are Problems.
func New(ctx context.Context, loaded *Loaded, f Factories, info component.BuildInfo, logger *zap.Logger, setLevel func(string) error) (*Host, error) {
	c, err := decode(loaded, f, logger)
	if err != nil {
		return nil, err
	}
	if name := c.service.Telemetry.Logs.Level; name != "" {
		if err := setLevel(name); err != nil {
			return nil, problem("service::telemetry::logs::level", err, "one of debug, info, warn, error")
		}
	}
	h := &Host{info: info, logger: logger, factories: f, conf: loaded.Conf, extensions: map[component.ID]component.Component{}}
	if err := h.build(ctx, c, f); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *Host) telemetry(id component.ID) component.TelemetrySettings {
	return component.TelemetrySettings{
		Logger:         h.logger.With(zap.String("component", id.String())),
		TracerProvider: tracenoop.NewTracerProvider(),
		MeterProvider:  metricnoop.NewMeterProvider(),
		Resource:       pcommon.NewResource(),
	}
}

func (h *Host) add(p part, in ...pipeline.ID) {
	p.instance = instance(p.section, p.id, in)
	h.parts = append(h.parts, &p)
}

// every goes through the components of a section, in the order of starting.
func (h *Host) every(section string) iter.Seq[*part] {
	return func(yield func(*part) bool) {
		for _, p := range h.parts {
			if p.section == section && !yield(p) {
				return
			}
		}
	}
}

// GetExtensions is what components may ask their host for.
func (h *Host) GetExtensions() map[component.ID]component.Component { return h.extensions }

// GetFactory is for components that make others (receiver_creator and its like).
func (h *Host) GetFactory(kind component.Kind, name component.Type) component.Factory {
	for section, k := range kinds {
		if k == kind {
			return find(h.factories.of(section), name)
		}
	}
	return nil
}

// GetExporters is what some stock components still ask for.
func (h *Host) GetExporters() map[pipeline.Signal]map[component.ID]component.Component {
	all := map[pipeline.Signal]map[component.ID]component.Component{}
	for p := range h.every("exporters") {
		if all[p.signal] == nil {
			all[p.signal] = map[component.ID]component.Component{}
		}
		all[p.signal][p.id] = p.Component
	}
	return all
}

// Tally is the account of records.
func (h *Host) Tally() *delivery.Tally { return &h.tally }

// InvocationEnded is for receivers: they were told that nothing more comes of the invocation.
func (h *Host) InvocationEnded(requestID string) {
	for _, l := range implementing[delivery.LifeListener](h) {
		l.InvocationDelivered(requestID)
	}
	if h.OnInvocationEnd != nil {
		h.OnInvocationEnd(requestID)
	}
}

// Start starts takers before givers. When one cannot start, those that have begun are shut down.
func (h *Host) Start(ctx context.Context) error {
	for _, p := range h.parts {
		p.began = true
		h.report(p, componentstatus.NewEvent(componentstatus.StatusStarting))
		if err := delivery.Safely(func() error { return p.Start(ctx, partHost{h, p}) }); err != nil {
			return errors.Join(h.startProblem(p, err), h.Shutdown(ctx))
		}
		h.reportStarted(p)
	}
	h.ready(ctx)
	return nil
}

func (h *Host) startProblem(p *part, err error) *Problem {
	remedy := ""
	if errors.Is(err, syscall.EADDRINUSE) {
		remedy = "something else listens there: name a free port at this key, and the same in the function's OTEL_EXPORTER_OTLP_ENDPOINT"
	}
	key := p.section + "::" + p.id.String()
	found := problem(key, err, remedy)
	if sub, err := h.conf.Sub(key); err == nil {
		if at := mentioned(sub, found.Cause); at != "" {
			found.Key = joinKey(key, at)
		}
	}
	return found
}

// Resume says to the components that an invocation begins.
func (h *Host) Resume(idle bool) {
	for _, f := range h.flushers() {
		h.guard(func() { f.Resume(idle) })
	}
}

// Hold makes the components that can hold data back until Release or a flush, or send it as it comes.
func (h *Host) Hold(on bool) {
	for _, holder := range h.holders() {
		h.guard(func() { holder.Hold(on) })
	}
}

// Release sends what is held, without waiting.
func (h *Host) Release() {
	h.tellAccount(context.Background(), false)
	for _, holder := range h.holders() {
		h.guard(holder.Release)
	}
}

// Oldest is the wall time at which the oldest data that is held was taken; zero when there is none.
func (h *Host) Oldest() (oldest time.Time) {
	for _, holder := range h.holders() {
		oldest = delivery.Older(oldest, holder.Oldest())
	}
	return oldest
}

func (h *Host) holders() (found []delivery.Holder) {
	for _, f := range h.flushers() {
		if holder, ok := f.(delivery.Holder); ok {
			found = append(found, holder)
		}
	}
	return found
}

// Flush returns when everything received is delivered or given up for now, or when ctx ends.
func (h *Host) Flush(ctx context.Context) {
	h.tellAccount(ctx, false)
	h.flush(func(f delivery.Flusher) { f.Flush(ctx) })
}

// Held is the number of records that wait for their backend.
func (h *Host) Held() (held delivery.Counts) {
	for _, f := range h.flushers() {
		counts := f.Held()
		held.Spans += counts.Spans
		held.Metrics += counts.Metrics
		held.Logs += counts.Logs
	}
	return held
}

// Close ends everything in the order in which data passes: receivers close, processors and connectors hand on what they hold, exporters
// deliver as far as ctx allows, and drop and count the rest; extensions are last.
func (h *Host) Close(ctx context.Context) error {
	h.notReady(ctx)
	h.lastAccount(ctx)
	var errs []error
	last := h.flushers("receivers")
	for _, p := range slices.Backward(h.parts) {
		if p.section == "receivers" {
			errs = append(errs, h.shut(ctx, p))
		}
	}
	for _, f := range last {
		h.guard(func() { f.FlushLast(ctx) }) // a closed receiver may still hold what it got
	}
	for _, p := range slices.Backward(h.parts) {
		if p.section == "processors" || p.section == "connectors" {
			if f, ok := p.Component.(delivery.Flusher); ok && p.began {
				h.guard(func() { f.FlushLast(ctx) })
			}
			errs = append(errs, h.shut(ctx, p))
		}
	}
	h.flush(func(f delivery.Flusher) { f.FlushLast(ctx) })
	return errors.Join(append(errs, h.Shutdown(ctx))...)
}

// Shutdown stops givers before takers, each that has begun and not ended.
func (h *Host) Shutdown(ctx context.Context) error {
	var errs []error
	for _, p := range slices.Backward(h.parts) {
		errs = append(errs, h.shut(ctx, p))
	}
	return errors.Join(errs...)
}

func (h *Host) shut(ctx context.Context, p *part) error {
	if !p.began || p.ended {
		return nil
	}
	p.ended = true
	h.report(p, componentstatus.NewEvent(componentstatus.StatusStopping))
	if err := within(ctx, p.Shutdown); err != nil {
		h.report(p, componentstatus.NewPermanentErrorEvent(err))
		return problem(p.section+"::"+p.id.String(), err, "")
	}
	h.report(p, componentstatus.NewEvent(componentstatus.StatusStopped))
	return nil
}

// within gives one component a part of the time that is left, heeds it the context or not: what comes after it has to be flushed.
func within(ctx context.Context, end func(context.Context) error) error {
	ended := make(chan error, 1)
	go func() { ended <- delivery.Safely(func() error { return end(ctx) }) }()
	var over <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		timer := time.NewTimer(max(leastShutdown, time.Until(deadline)/4))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case err := <-ended:
		return err
	case <-over:
		return errors.New("it does not end, nobody waits for it")
	}
}

// guard keeps the panic of one component from what the others have to do.
func (h *Host) guard(do func()) {
	if err := delivery.Safely(func() error { do(); return nil }); err != nil {
		h.logger.Error("a component failed, the others go on", zap.Error(err))
	}
}

// flush empties receivers, processors and connectors one after the other, since one feeds the next, and then the exporters at once.
func (h *Host) flush(one func(delivery.Flusher)) {
	var exporters sync.WaitGroup
	for _, f := range h.flushers("receivers", "processors", "connectors") {
		h.guard(func() { one(f) })
	}
	for _, f := range h.flushers("exporters") {
		exporters.Go(func() { h.guard(func() { one(f) }) })
	}
	exporters.Wait()
}

// flushers are the components that hold data, each once though several signals use it, in the order in which data passes.
func (h *Host) flushers(sections ...string) (found []delivery.Flusher) {
	seen := map[component.Component]bool{}
	for _, p := range slices.Backward(h.parts) {
		f, ok := p.Component.(delivery.Flusher)
		if ok && p.began && !p.ended && !seen[p.Component] && (len(sections) == 0 || slices.Contains(sections, p.section)) {
			seen[p.Component] = true
			found = append(found, f)
		}
	}
	return found
}

// Budget is how long a flush may hold the environment, from now: at most limit, and ending well before the deadline.
func Budget(now, deadline time.Time, reserve, limit time.Duration) time.Duration {
	return max(0, min(deadline.Sub(now)-reserve, limit))
}
