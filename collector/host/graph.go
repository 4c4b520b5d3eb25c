package host

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
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

// build makes the components and connects them, from the exporters back to the receivers. h.parts is in the order of starting.
func (h *Host) build(ctx context.Context, c *config, f Factories) error {
	for _, id := range c.service.Extensions {
		factory := find(plain(f.Extensions), id.Type()).(extension.Factory)
		made, err := factory.Create(ctx, extension.Settings{ID: id, TelemetrySettings: h.telemetry(id), BuildInfo: h.info}, c.extensions[id])
		if err != nil {
			return problem("extensions::"+id.String(), err, "")
		}
		h.extensions[id] = made
		h.add("extensions", id, made)
	}
	ids := make([]pipeline.ID, 0, len(c.service.Pipelines))
	for id := range c.service.Pipelines {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i].String() < ids[j].String() })
	exporters, receivers := map[use]sink{}, map[use][]sink{}
	var order []use
	for _, id := range ids {
		p := c.service.Pipelines[id]
		var ends []sink
		for _, name := range p.Exporters {
			u := use{name, id.Signal()}
			if _, made := exporters[u]; !made {
				s, err := h.exporter(ctx, u, c.exporters[name], f)
				if err != nil {
					return problem("exporters::"+name.String(), err, "")
				}
				exporters[u] = s
			}
			ends = append(ends, exporters[u])
		}
		head := join(id.Signal(), ends)
		for _, name := range slices.Backward(p.Processors) {
			s, err := h.processor(ctx, use{name, id.Signal()}, c.processors[name], f, head)
			if err != nil {
				return problem("processors::"+name.String(), err, "")
			}
			s.mutates = s.mutates || head.mutates // what stands behind it may change the same data
			head = s
		}
		for _, name := range p.Receivers {
			u := use{name, id.Signal()}
			if receivers[u] == nil {
				order = append(order, u)
			}
			receivers[u] = append(receivers[u], head)
		}
	}
	for _, u := range order {
		if err := h.receiver(ctx, u, c.receivers[u.id], f, counted(join(u.signal, receivers[u]), u.signal, &h.tally)); err != nil {
			return problem("receivers::"+u.id.String(), err, "")
		}
	}
	return nil
}

func (h *Host) exporter(ctx context.Context, u use, cfg component.Config, f Factories) (sink, error) {
	factory := find(plain(f.Exporters), u.id.Type()).(exporter.Factory)
	set := exporter.Settings{ID: u.id, TelemetrySettings: h.telemetry(u.id), BuildInfo: h.info}
	var made component.Component
	var err error
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
	if err != nil {
		return sink{}, err
	}
	h.add("exporters", u.id, made)
	return sinkOf(made), nil
}

func (h *Host) processor(ctx context.Context, u use, cfg component.Config, f Factories, next sink) (sink, error) {
	factory := find(plain(f.Processors), u.id.Type()).(processor.Factory)
	set := processor.Settings{ID: u.id, TelemetrySettings: h.telemetry(u.id), BuildInfo: h.info}
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
	if err != nil {
		return sink{}, err
	}
	h.add("processors", u.id, made)
	return sinkOf(made), nil
}

func (h *Host) receiver(ctx context.Context, u use, cfg component.Config, f Factories, next sink) error {
	factory := find(plain(f.Receivers), u.id.Type()).(receiver.Factory)
	set := receiver.Settings{ID: u.id, TelemetrySettings: h.telemetry(u.id), BuildInfo: h.info}
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
	if err == nil {
		h.add("receivers", u.id, made)
	}
	return err
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
