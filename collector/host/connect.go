package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pipeline"
)

// link is an instance of a connector: from pipelines of one signal to those of one, the same or another.
type link struct {
	id       component.ID
	from, to pipeline.Signal
}

// connectors are the sinks of a connector for a pipeline that exports to it, one for each signal of the pipelines that it feeds.
func (b *builder) connectors(ctx context.Context, id component.ID, exporting pipeline.ID) (sinks []sink, err error) {
	for _, to := range []pipeline.Signal{pipeline.SignalTraces, pipeline.SignalMetrics, pipeline.SignalLogs} {
		l := link{id, exporting.Signal(), to}
		if _, made := b.links[l]; !made {
			if err := b.link(ctx, l); err != nil {
				return nil, err
			}
		}
		if s := b.links[l]; s != nil {
			sinks = append(sinks, *s)
		}
	}
	if sinks == nil {
		return nil, &Problem{Key: "service::pipelines::" + exporting.String() + "::exporters", Cause: fmt.Sprintf("connector %q is in the receivers of no pipeline that it can feed from %s", id, exporting.Signal()),
			Remedy: "name it in the receivers of another pipeline", item: id.String()}
	}
	return sinks, nil
}

// link makes one instance; none when nothing takes its data or the connector cannot do it.
func (b *builder) link(ctx context.Context, l link) error {
	takers := b.c.using("receivers", use{l.id, l.to})
	if len(takers) == 0 {
		b.links[l] = nil
		return nil
	}
	heads := map[pipeline.ID]sink{}
	mutates := false
	for _, id := range takers {
		head, err := b.head(ctx, id)
		if err != nil {
			return err
		}
		heads[id] = head
		mutates = mutates || head.mutates
	}
	made, err := b.connector(ctx, l, heads)
	if errors.Is(err, pipeline.ErrSignalNotSupported) {
		b.links[l] = nil
		return nil
	}
	if err != nil {
		return problem("connectors::"+l.id.String(), err, "")
	}
	b.h.add(part{section: "connectors", id: l.id, signal: l.from, Component: made}, append(b.c.using("exporters", use{l.id, l.from}), takers...)...)
	s := sinkOf(made)
	s.mutates = s.mutates || (mutates && l.from == l.to) // it may pass on the very data that it gets
	b.links[l] = &s
	return nil
}

func (b *builder) connector(ctx context.Context, l link, heads map[pipeline.ID]sink) (made component.Component, err error) {
	f := find(plain(b.f.Connectors), l.id.Type()).(connector.Factory)
	set := connector.Settings{ID: l.id, TelemetrySettings: b.h.telemetry(l.id), BuildInfo: b.h.info}
	cfg := b.c.connectors[l.id]
	switch l.to {
	case pipeline.SignalTraces:
		next := connector.NewTracesRouter(takers(heads, func(s sink) consumer.Traces { return tracesSink{s.traces.ConsumeTraces, s.mutates} }))
		made, err = pick(l.from,
			func() (component.Component, error) { return f.CreateTracesToTraces(ctx, set, cfg, next) },
			func() (component.Component, error) { return f.CreateMetricsToTraces(ctx, set, cfg, next) },
			func() (component.Component, error) { return f.CreateLogsToTraces(ctx, set, cfg, next) })
	case pipeline.SignalMetrics:
		next := connector.NewMetricsRouter(takers(heads, func(s sink) consumer.Metrics { return metricsSink{s.metrics.ConsumeMetrics, s.mutates} }))
		made, err = pick(l.from,
			func() (component.Component, error) { return f.CreateTracesToMetrics(ctx, set, cfg, next) },
			func() (component.Component, error) { return f.CreateMetricsToMetrics(ctx, set, cfg, next) },
			func() (component.Component, error) { return f.CreateLogsToMetrics(ctx, set, cfg, next) })
	default:
		next := connector.NewLogsRouter(takers(heads, func(s sink) consumer.Logs { return logsSink{s.logs.ConsumeLogs, s.mutates} }))
		made, err = pick(l.from,
			func() (component.Component, error) { return f.CreateTracesToLogs(ctx, set, cfg, next) },
			func() (component.Component, error) { return f.CreateMetricsToLogs(ctx, set, cfg, next) },
			func() (component.Component, error) { return f.CreateLogsToLogs(ctx, set, cfg, next) })
	}
	return whole(made, err)
}

func takers[C any](heads map[pipeline.ID]sink, of func(sink) C) map[pipeline.ID]C {
	all := make(map[pipeline.ID]C, len(heads))
	for id, s := range heads {
		all[id] = of(s)
	}
	return all
}

func pick(from pipeline.Signal, traces, metrics, logs func() (component.Component, error)) (component.Component, error) {
	switch from {
	case pipeline.SignalTraces:
		return traces()
	case pipeline.SignalMetrics:
		return metrics()
	default:
		return logs()
	}
}

// unlinked finds connectors that a pipeline receives from and that get nothing.
func (b *builder) unlinked() error {
	for _, id := range b.c.pipelines() {
		for _, name := range b.c.service.Pipelines[id].Receivers {
			if _, connected := b.c.connectors[name]; !connected {
				continue
			}
			fed := slices.ContainsFunc([]pipeline.Signal{pipeline.SignalTraces, pipeline.SignalMetrics, pipeline.SignalLogs},
				func(from pipeline.Signal) bool { return b.links[link{name, from, id.Signal()}] != nil })
			if !fed {
				return &Problem{Key: "service::pipelines::" + id.String() + "::receivers", Cause: fmt.Sprintf("connector %q gets nothing that it can turn into %s", name, id.Signal()),
					Remedy: "name it in the exporters of another pipeline", item: name.String()}
			}
		}
	}
	return nil
}
