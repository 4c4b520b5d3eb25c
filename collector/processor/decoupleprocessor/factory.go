// Package decoupleprocessor lets the function go on while the components behind it work.
package decoupleprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/processor"

	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/staged"
)

// NewFactory makes the factory.
func NewFactory() processor.Factory {
	return processor.NewFactory(
		component.MustNewType("decouple"),
		createDefaultConfig,
		processor.WithTraces(func(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
			return newProcessor(set, cfg.(*Config), staged.Next{Signal: pipeline.SignalTraces, Traces: next}), nil
		}, component.StabilityLevelBeta),
		processor.WithMetrics(func(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
			return newProcessor(set, cfg.(*Config), staged.Next{Signal: pipeline.SignalMetrics, Metrics: next}), nil
		}, component.StabilityLevelBeta),
		processor.WithLogs(func(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
			return newProcessor(set, cfg.(*Config), staged.Next{Signal: pipeline.SignalLogs, Logs: next}), nil
		}, component.StabilityLevelBeta),
	)
}
