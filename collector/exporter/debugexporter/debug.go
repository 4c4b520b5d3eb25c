package debugexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

type debugExporter struct {
	component.StartFunc
	component.ShutdownFunc

	cfg    *Config
	logger *zap.Logger
}

// Capabilities says that data is only read.
func (*debugExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// Direct says that nothing need wait for it.
func (*debugExporter) Direct() {}

// ConsumeTraces logs spans.
func (e *debugExporter) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	e.logger.Info("traces", zap.Int("spans", td.SpanCount()))
	if !e.detailed() {
		return nil
	}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				e.logger.Info("span", zap.String("name", span.Name()), zap.Stringer("kind", span.Kind()), zap.Stringer("trace", span.TraceID()),
					zap.Stringer("span", span.SpanID()), zap.Stringer("parent", span.ParentSpanID()), zap.Stringer("status", span.Status().Code()),
					zap.Duration("duration", span.EndTimestamp().AsTime().Sub(span.StartTimestamp().AsTime())),
					attributes("attributes", span.Attributes()), zap.String("scope", ss.Scope().Name()), attributes("resource", rs.Resource().Attributes()))
			}
		}
	}
	return nil
}

// ConsumeMetrics logs metrics.
func (e *debugExporter) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	e.logger.Info("metrics", zap.Int("metrics", md.MetricCount()), zap.Int("points", md.DataPointCount()))
	if !e.detailed() {
		return nil
	}
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				e.logger.Info("metric", zap.String("name", metric.Name()), zap.Stringer("type", metric.Type()), zap.String("unit", metric.Unit()),
					zap.String("scope", sm.Scope().Name()), attributes("resource", rm.Resource().Attributes()))
			}
		}
	}
	return nil
}

// ConsumeLogs logs log records.
func (e *debugExporter) ConsumeLogs(_ context.Context, ld plog.Logs) error {
	e.logger.Info("logs", zap.Int("records", ld.LogRecordCount()))
	if !e.detailed() {
		return nil
	}
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				e.logger.Info("record", zap.Reflect("body", record.Body().AsRaw()), zap.Stringer("severity", record.SeverityNumber()),
					zap.Stringer("trace", record.TraceID()), zap.Stringer("span", record.SpanID()), attributes("attributes", record.Attributes()),
					zap.String("scope", sl.Scope().Name()), attributes("resource", rl.Resource().Attributes()))
			}
		}
	}
	return nil
}

func (e *debugExporter) detailed() bool { return e.cfg.Verbosity == "detailed" }

func attributes(key string, m pcommon.Map) zap.Field { return zap.Reflect(key, m.AsRaw()) }
