// Package staged is what the processors that keep data have in common: consumers of the three signals in front of stages.
package staged

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/processor"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// MaxBytes is what one stage keeps at most, about, as lanes do.
const MaxBytes = 8 << 20

// Next is the next consumer: the field of the signal is set.
type Next struct {
	Signal  pipeline.Signal
	Traces  consumer.Traces
	Metrics consumer.Metrics
	Logs    consumer.Logs
}

// Raw is the next consumer when it takes encoded data, else nil.
func (n Next) Raw() (raw delivery.RawConsumer) {
	switch n.Signal {
	case pipeline.SignalTraces:
		raw, _ = n.Traces.(delivery.RawConsumer)
	case pipeline.SignalMetrics:
		raw, _ = n.Metrics.(delivery.RawConsumer)
	default:
		raw, _ = n.Logs.(delivery.RawConsumer)
	}
	return raw
}

// Consume hands data on: ptrace.Traces, pmetric.Metrics or plog.Logs.
func (n Next) Consume(ctx context.Context, data any) error {
	switch d := data.(type) {
	case ptrace.Traces:
		return n.Traces.ConsumeTraces(ctx, d)
	case pmetric.Metrics:
		return n.Metrics.ConsumeMetrics(ctx, d)
	case plog.Logs:
		return n.Logs.ConsumeLogs(ctx, d)
	}
	return fmt.Errorf("no telemetry: %T", data)
}

// Processor is a processor of each of the three signals.
type Processor interface {
	component.Component
	consumer.Traces
	consumer.Metrics
	consumer.Logs
}

// NewFactory makes the factory of a type that takes the three signals.
func NewFactory(name string, defaults component.CreateDefaultConfigFunc, create func(processor.Settings, component.Config, Next) Processor) processor.Factory {
	return processor.NewFactory(component.MustNewType(name), defaults,
		processor.WithTraces(func(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
			return create(set, cfg, Next{Signal: pipeline.SignalTraces, Traces: next}), nil
		}, component.StabilityLevelBeta),
		processor.WithMetrics(func(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
			return create(set, cfg, Next{Signal: pipeline.SignalMetrics, Metrics: next}), nil
		}, component.StabilityLevelBeta),
		processor.WithLogs(func(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
			return create(set, cfg, Next{Signal: pipeline.SignalLogs, Logs: next}), nil
		}, component.StabilityLevelBeta),
	)
}

// Consumer takes data of any signal. Processors embed it.
type Consumer struct {
	Take func(ctx context.Context, load delivery.Load) error
}

// Capabilities says that data is changed: who keeps it must own it.
func (Consumer) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

// ConsumeTraces takes spans.
func (c Consumer) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	return c.Take(ctx, delivery.Load{Data: td, Records: td.SpanCount(), Bytes: (&ptrace.ProtoMarshaler{}).TracesSize(td)})
}

// ConsumeMetrics takes metric data points.
func (c Consumer) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	return c.Take(ctx, delivery.Load{Data: md, Records: md.DataPointCount(), Bytes: (&pmetric.ProtoMarshaler{}).MetricsSize(md)})
}

// ConsumeLogs takes log records.
func (c Consumer) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	return c.Take(ctx, delivery.Load{Data: ld, Records: ld.LogRecordCount(), Bytes: (&plog.ProtoMarshaler{}).LogsSize(ld)})
}

// Through is a processor that keeps nothing, since what stands behind it does: it passes data on as it came.
type Through struct {
	component.StartFunc
	component.ShutdownFunc
	Consumer
	delivery.RawConsumer
}

// NewThrough makes one.
func NewThrough(next Next) *Through {
	return &Through{
		Consumer:    Consumer{func(ctx context.Context, load delivery.Load) error { return next.Consume(ctx, load.Data) }},
		RawConsumer: next.Raw(),
	}
}

// Capabilities says that data is only read.
func (*Through) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }
