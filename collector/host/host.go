// Package host runs the Collector's components without the Collector's service: it reads the usual configuration, connects the
// pipelines, starts and stops them, and counts what passes.
package host

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pcommon"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// Host is a set of connected components.
type Host struct {
	// OnInvocationEnd is called with the request id when the language layer has sent the last request of an invocation; may be nil.
	OnInvocationEnd func(requestID string)

	info       component.BuildInfo
	logger     *zap.Logger
	parts      []part
	extensions map[component.ID]component.Component
	tally      delivery.Tally
}

type part struct {
	section string
	id      component.ID
	component.Component
}

// New makes the components that the configuration asks for; nothing runs yet. Its errors are Problems.
func New(ctx context.Context, conf *confmap.Conf, f Factories, info component.BuildInfo, logger *zap.Logger, setLevel func(string) error) (*Host, error) {
	c, err := decode(conf, f)
	if err != nil {
		return nil, err
	}
	if name := c.service.Telemetry.Logs.Level; name != "" {
		if err := setLevel(name); err != nil {
			return nil, problem("service::telemetry::logs::level", err, "one of debug, info, warn, error")
		}
	}
	h := &Host{info: info, logger: logger, extensions: map[component.ID]component.Component{}}
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

func (h *Host) add(section string, id component.ID, made component.Component) {
	h.parts = append(h.parts, part{section, id, made})
}

// GetExtensions is what components may ask their host for.
func (h *Host) GetExtensions() map[component.ID]component.Component { return h.extensions }

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

// Start starts takers before givers. When one cannot start, all are shut down.
func (h *Host) Start(ctx context.Context) error {
	for _, p := range h.parts {
		if err := p.Start(ctx, h); err != nil {
			return errors.Join(problem(p.section+"::"+p.id.String(), err, ""), h.Shutdown(ctx))
		}
	}
	return nil
}

// Resume says to the components that an invocation begins.
func (h *Host) Resume(idle bool) {
	for _, f := range h.flushers() {
		f.Resume(idle)
	}
}

// Flush returns when everything received is delivered or given up for now, or when ctx ends.
func (h *Host) Flush(ctx context.Context) { h.flush(func(f delivery.Flusher) { f.Flush(ctx) }) }

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

// Close ends everything: the receivers close, what they gave is delivered as far as ctx allows, the rest is dropped and counted.
func (h *Host) Close(ctx context.Context) error {
	for _, p := range slices.Backward(h.parts) {
		if p.section == "receivers" {
			if err := p.Shutdown(ctx); err != nil {
				h.logger.Warn("receiver did not close", zap.String("component", p.id.String()), zap.Error(err))
			}
		}
	}
	h.flush(func(f delivery.Flusher) { f.FlushLast(ctx) })
	return h.Shutdown(ctx)
}

// Shutdown stops givers before takers. It may be called again.
func (h *Host) Shutdown(ctx context.Context) error {
	var errs []error
	for _, p := range slices.Backward(h.parts) {
		if err := p.Shutdown(ctx); err != nil {
			errs = append(errs, problem(p.section+"::"+p.id.String(), err, ""))
		}
	}
	return errors.Join(errs...)
}

// flush empties receivers and processors one after the other, since one feeds the next, and then the exporters at once.
func (h *Host) flush(one func(delivery.Flusher)) {
	var exporters sync.WaitGroup
	for _, section := range []string{"receivers", "processors", "exporters"} {
		for _, f := range h.flushers(section) {
			if section == "exporters" {
				exporters.Go(func() { one(f) })
			} else {
				one(f)
			}
		}
	}
	exporters.Wait()
}

// flushers are the components that hold data, each once though several signals use it, in the order in which data passes.
func (h *Host) flushers(sections ...string) (found []delivery.Flusher) {
	seen := map[component.Component]bool{}
	for _, p := range slices.Backward(h.parts) {
		f, ok := p.Component.(delivery.Flusher)
		if ok && !seen[p.Component] && (len(sections) == 0 || slices.Contains(sections, p.section)) {
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
