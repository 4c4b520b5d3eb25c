package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/receiver"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// use is a component as one signal uses it: each has its own instance, as the Collector's interfaces want it.
type use struct {
	id     component.ID
	signal pipeline.Signal
}

// builder makes the components and connects them, from the exporters back to the receivers. h.parts is in the order of starting.
type builder struct {
	h         *Host
	c         *config
	f         Factories
	heads     map[pipeline.ID]*sink // nil while it is being built
	exporters map[use]sink
	links     map[link]*sink // nil when the connector cannot
	receivers map[use][]sink
}

func (h *Host) build(ctx context.Context, c *config, f Factories) error {
	if err := h.extend(ctx, c, f); err != nil {
		return err
	}
	b := &builder{h: h, c: c, f: f, heads: map[pipeline.ID]*sink{}, exporters: map[use]sink{}, links: map[link]*sink{}, receivers: map[use][]sink{}}
	var order []use
	for _, id := range c.pipelines() {
		head, err := b.head(ctx, id)
		if err != nil {
			return err
		}
		for _, name := range c.service.Pipelines[id].Receivers {
			u := use{name, id.Signal()}
			if _, connected := c.connectors[name]; connected {
				continue
			}
			if b.receivers[u] == nil {
				order = append(order, u)
			}
			b.receivers[u] = append(b.receivers[u], head)
		}
	}
	if err := b.unlinked(); err != nil {
		return err
	}
	h.metrics = b.accountHead()
	for _, u := range order {
		if err := b.receiver(ctx, u, counted(join(u.signal, b.receivers[u]), u.signal, &h.tally)); err != nil {
			return problem("receivers::"+u.id.String(), err, "")
		}
	}
	return nil
}

// pipelines are the configured pipelines, always in the same order.
func (c *config) pipelines() []pipeline.ID {
	ids := make([]pipeline.ID, 0, len(c.service.Pipelines))
	for id := range c.service.Pipelines {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i].String() < ids[j].String() })
	return ids
}

// head is what a pipeline's receivers give to.
func (b *builder) head(ctx context.Context, id pipeline.ID) (sink, error) {
	if made, begun := b.heads[id]; begun {
		if made == nil {
			return sink{}, &Problem{Key: "service::pipelines::" + id.String(), Cause: "its connectors lead back to it: a cycle", Remedy: "take a connector out of the exporters or the receivers"}
		}
		return *made, nil
	}
	b.heads[id] = nil
	p := b.c.service.Pipelines[id]
	var ends []sink
	for _, name := range p.Exporters {
		if _, connected := b.c.connectors[name]; connected {
			linked, err := b.connectors(ctx, name, id)
			if err != nil {
				return sink{}, err
			}
			ends = append(ends, linked...)
			continue
		}
		u := use{name, id.Signal()}
		if _, made := b.exporters[u]; !made {
			s, err := b.exporter(ctx, u)
			if err != nil {
				return sink{}, problem("exporters::"+name.String(), err, "")
			}
			b.exporters[u] = s
		}
		ends = append(ends, b.exporters[u])
	}
	head := join(id.Signal(), ends)
	for _, name := range slices.Backward(p.Processors) {
		s, err := b.processor(ctx, use{name, id.Signal()}, id, head)
		if err != nil {
			return sink{}, problem("processors::"+name.String(), err, "")
		}
		s.mutates = s.mutates || head.mutates // what stands behind it may change the same data
		head = s
	}
	b.heads[id] = &head
	return head, nil
}

func (b *builder) exporter(ctx context.Context, u use) (sink, error) {
	if k := b.c.late[u.id]; k != nil {
		made := newLateExporter(b.h, u, k, func(ctx context.Context, cfg component.Config) (component.Component, error) {
			return b.h.makeExporter(ctx, b.f, u, cfg)
		})
		b.h.add(part{section: "exporters", id: u.id, signal: u.signal, Component: made}, b.c.using("exporters", u)...)
		return sinkOf(made), nil
	}
	made, err := b.h.makeExporter(ctx, b.f, u, b.c.exporters[u.id])
	if err != nil {
		return sink{}, err
	}
	if _, flushes := made.(delivery.Flusher); !flushes {
		if _, direct := made.(delivery.Direct); !direct {
			made = newHeld(b.h, u, made)
		}
	}
	b.h.add(part{section: "exporters", id: u.id, signal: u.signal, Component: made}, b.c.using("exporters", u)...)
	return sinkOf(made), nil
}

func (h *Host) makeExporter(ctx context.Context, f Factories, u use, cfg component.Config) (made component.Component, err error) {
	factory := find(plain(f.Exporters), u.id.Type()).(exporter.Factory)
	set := exporter.Settings{ID: u.id, TelemetrySettings: h.telemetry(u.id), BuildInfo: h.info}
	switch u.signal {
	case pipeline.SignalTraces:
		made, err = factory.CreateTraces(ctx, set, cfg)
	case pipeline.SignalMetrics:
		made, err = factory.CreateMetrics(ctx, set, cfg)
	case pipeline.SignalLogs:
		made, err = factory.CreateLogs(ctx, set, cfg)
	default:
		err = unknown(u.signal)
	}
	return whole(made, err)
}

func (b *builder) processor(ctx context.Context, u use, in pipeline.ID, next sink) (sink, error) {
	factory := find(plain(b.f.Processors), u.id.Type()).(processor.Factory)
	set := processor.Settings{ID: u.id, TelemetrySettings: b.h.telemetry(u.id), BuildInfo: b.h.info}
	cfg := b.c.processors[u.id]
	var made component.Component
	var err error
	switch u.signal {
	case pipeline.SignalTraces:
		made, err = factory.CreateTraces(ctx, set, cfg, next.traces)
	case pipeline.SignalMetrics:
		made, err = factory.CreateMetrics(ctx, set, cfg, next.metrics)
	case pipeline.SignalLogs:
		made, err = factory.CreateLogs(ctx, set, cfg, next.logs)
	default:
		err = unknown(u.signal)
	}
	if made, err = whole(made, err); err != nil {
		return sink{}, err
	}
	b.h.add(part{section: "processors", id: u.id, signal: u.signal, Component: made}, in)
	return sinkOf(made), nil
}

func (b *builder) receiver(ctx context.Context, u use, next sink) error {
	factory := find(plain(b.f.Receivers), u.id.Type()).(receiver.Factory)
	set := receiver.Settings{ID: u.id, TelemetrySettings: b.h.telemetry(u.id), BuildInfo: b.h.info}
	cfg := b.c.receivers[u.id]
	var made component.Component
	var err error
	switch u.signal {
	case pipeline.SignalTraces:
		made, err = factory.CreateTraces(ctx, set, cfg, next.traces)
	case pipeline.SignalMetrics:
		made, err = factory.CreateMetrics(ctx, set, cfg, next.metrics)
	case pipeline.SignalLogs:
		made, err = factory.CreateLogs(ctx, set, cfg, next.logs)
	default:
		err = unknown(u.signal)
	}
	if made, err = whole(made, err); err == nil {
		b.h.add(part{section: "receivers", id: u.id, signal: u.signal, Component: made}, b.c.using("receivers", u)...)
	}
	return err
}

// whole refuses what a broken factory may return: no error and nothing made.
func whole(made component.Component, err error) (component.Component, error) {
	if err == nil && made == nil {
		err = errors.New("its factory made nothing")
	}
	return made, err
}

// using are the pipelines in which a component has its instance.
func (c *config) using(section string, u use) (ids []pipeline.ID) {
	for _, id := range c.pipelines() {
		if id.Signal() == u.signal && slices.Contains(c.service.Pipelines[id].of(section), u.id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func unknown(signal pipeline.Signal) error {
	return fmt.Errorf("signal %s is not supported, only traces, metrics and logs", signal)
}

func sinkOf(made component.Component) (s sink) {
	s.traces, _ = made.(consumer.Traces)
	s.metrics, _ = made.(consumer.Metrics)
	s.logs, _ = made.(consumer.Logs)
	s.raw, _ = made.(delivery.RawConsumer)
	if c, ok := made.(interface{ Capabilities() consumer.Capabilities }); ok {
		s.mutates = c.Capabilities().MutatesData
	}
	return s
}
