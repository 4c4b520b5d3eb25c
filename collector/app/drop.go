package app

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// drop stands in for exporters that cannot be made: the function's telemetry is taken, so that its SDK does not wait, and counted.
type drop struct {
	component.ShutdownFunc
	tally *delivery.Tally
}

func newDropFactory() exporter.Factory {
	return exporter.NewFactory(component.MustNewType("drop"), func() component.Config { return &struct{}{} },
		exporter.WithTraces(func(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) {
			return &drop{}, nil
		}, component.StabilityLevelBeta),
		exporter.WithMetrics(func(context.Context, exporter.Settings, component.Config) (exporter.Metrics, error) {
			return &drop{}, nil
		}, component.StabilityLevelBeta),
		exporter.WithLogs(func(context.Context, exporter.Settings, component.Config) (exporter.Logs, error) { return &drop{}, nil }, component.StabilityLevelBeta))
}

func (d *drop) Start(_ context.Context, h component.Host) error {
	d.tally = delivery.TallyOf(h)
	return nil
}

// Direct says that nothing need wait for it.
func (*drop) Direct() {}

func (*drop) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (d *drop) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	d.tally.Drop(delivery.NoPipeline, pipeline.SignalTraces, td.SpanCount())
	return nil
}

func (d *drop) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	d.tally.Drop(delivery.NoPipeline, pipeline.SignalMetrics, md.DataPointCount())
	return nil
}

func (d *drop) ConsumeLogs(_ context.Context, ld plog.Logs) error {
	d.tally.Drop(delivery.NoPipeline, pipeline.SignalLogs, ld.LogRecordCount())
	return nil
}

// ConsumeRaw counts any signal.
func (d *drop) ConsumeRaw(_ context.Context, signal pipeline.Signal, _ []byte, records int) error {
	d.tally.Drop(delivery.NoPipeline, signal, records)
	return nil
}
