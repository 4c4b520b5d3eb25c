package debugexporter

import (
	"context"
	"encoding/json"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
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

// ConsumeTraces logs spans.
func (e *debugExporter) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	return e.write("traces", func() ([]byte, error) { return (&ptrace.JSONMarshaler{}).MarshalTraces(td) }, zap.Int("spans", td.SpanCount()))
}

// ConsumeMetrics logs metrics.
func (e *debugExporter) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	return e.write("metrics", func() ([]byte, error) { return (&pmetric.JSONMarshaler{}).MarshalMetrics(md) },
		zap.Int("metrics", md.MetricCount()), zap.Int("data points", md.DataPointCount()))
}

// ConsumeLogs logs log records.
func (e *debugExporter) ConsumeLogs(_ context.Context, ld plog.Logs) error {
	return e.write("logs", func() ([]byte, error) { return (&plog.JSONMarshaler{}).MarshalLogs(ld) }, zap.Int("log records", ld.LogRecordCount()))
}

func (e *debugExporter) write(what string, marshal func() ([]byte, error), counts ...zap.Field) error {
	if e.cfg.Verbosity == "detailed" {
		body, err := marshal()
		if err != nil {
			return err
		}
		counts = append(counts, zap.Reflect("data", json.RawMessage(body)))
	}
	e.logger.Info(what, counts...)
	return nil
}
