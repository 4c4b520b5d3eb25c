package debugexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

type debugExporter struct {
	component.StartFunc
	component.ShutdownFunc
	lines

	cfg *Config
}

// Capabilities says that data is only read.
func (*debugExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// Direct says that nothing need wait for it.
func (*debugExporter) Direct() {}

// batch writes the line of a batch; it tells whether its records are to be written.
func (e *debugExporter) batch(message string, counts pairs) bool {
	if !e.sampled(e.cfg) {
		return false
	}
	e.write(message, counts)
	return e.cfg.Verbosity != "basic"
}

// record writes the line of a record; more is only for the detailed one.
func (e *debugExporter) record(kind string, resource pcommon.Resource, scope pcommon.InstrumentationScope, with pairs, more func() pairs) {
	with = append(with, "resource", resource.Attributes().AsRaw())
	if e.cfg.Verbosity == "detailed" {
		with = append(with, more()...)
		with = append(with, "scope", scope.Name(), "scope_version", scope.Version())
	}
	e.write(kind, with)
}

// ConsumeTraces writes spans.
func (e *debugExporter) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	if !e.batch("Traces", pairs{"resource spans", int64(td.ResourceSpans().Len()), "spans", int64(td.SpanCount())}) {
		return nil
	}
	for n := range td.ResourceSpans().Len() {
		rs := td.ResourceSpans().At(n)
		for n := range rs.ScopeSpans().Len() {
			ss := rs.ScopeSpans().At(n)
			for n := range ss.Spans().Len() {
				span := ss.Spans().At(n)
				e.record("Span", rs.Resource(), ss.Scope(),
					pairs{"name", span.Name(), "trace", span.TraceID(), "span", span.SpanID(), "attributes", span.Attributes().AsRaw()},
					func() pairs { return spanDetails(span) })
			}
		}
	}
	return nil
}

func spanDetails(span ptrace.Span) pairs {
	events, links := []any{}, []any{}
	for n := range span.Events().Len() {
		event := span.Events().At(n)
		events = append(events, map[string]any{"name": event.Name(), "time": event.Timestamp(), "attributes": event.Attributes().AsRaw()})
	}
	for n := range span.Links().Len() {
		link := span.Links().At(n)
		links = append(links, map[string]any{"trace": link.TraceID(), "span": link.SpanID(), "attributes": link.Attributes().AsRaw()})
	}
	return pairs{
		"parent", span.ParentSpanID(), "kind", span.Kind(), "start", span.StartTimestamp(), "end", span.EndTimestamp(),
		"status", span.Status().Code(), "message", span.Status().Message(), "events", events, "links", links,
	}
}

// ConsumeMetrics writes data points.
func (e *debugExporter) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	if !e.batch("Metrics", pairs{"resource metrics", int64(md.ResourceMetrics().Len()), "metrics", int64(md.MetricCount()), "data points", int64(md.DataPointCount())}) {
		return nil
	}
	for n := range md.ResourceMetrics().Len() {
		rm := md.ResourceMetrics().At(n)
		for n := range rm.ScopeMetrics().Len() {
			sm := rm.ScopeMetrics().At(n)
			for n := range sm.Metrics().Len() {
				m := sm.Metrics().At(n)
				each(m, func(p point, value pairs) {
					e.record("DataPoint", rm.Resource(), sm.Scope(), append(pairs{"name", m.Name(), "attributes", p.Attributes().AsRaw()}, value...), func() pairs {
						return pairs{"type", m.Type(), "unit", m.Unit(), "description", m.Description(), "start", p.StartTimestamp(), "time", p.Timestamp()}
					})
				})
			}
		}
	}
	return nil
}

// ConsumeLogs writes log records.
func (e *debugExporter) ConsumeLogs(_ context.Context, ld plog.Logs) error {
	if !e.batch("Logs", pairs{"resource logs", int64(ld.ResourceLogs().Len()), "log records", int64(ld.LogRecordCount())}) {
		return nil
	}
	for n := range ld.ResourceLogs().Len() {
		rl := ld.ResourceLogs().At(n)
		for n := range rl.ScopeLogs().Len() {
			sl := rl.ScopeLogs().At(n)
			for n := range sl.LogRecords().Len() {
				r := sl.LogRecords().At(n)
				e.record("LogRecord", rl.Resource(), sl.Scope(), pairs{"body", r.Body().AsRaw(), "attributes", r.Attributes().AsRaw()}, func() pairs {
					return pairs{
						"severity", r.SeverityNumber(), "severity_text", r.SeverityText(), "time", r.Timestamp(), "observed", r.ObservedTimestamp(),
						"event", r.EventName(), "trace", r.TraceID(), "span", r.SpanID(),
					}
				})
			}
		}
	}
	return nil
}
