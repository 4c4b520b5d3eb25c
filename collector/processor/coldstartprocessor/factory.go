// Package coldstartprocessor puts the span of a cold start into the trace of the invocation that caused it.
package coldstartprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
)

// NewFactory makes the factory.
func NewFactory() processor.Factory {
	return processor.NewFactory(component.MustNewType("coldstart"), createDefaultConfig,
		processor.WithTraces(func(_ context.Context, _ processor.Settings, _ component.Config, next consumer.Traces) (processor.Traces, error) {
			return &coldstart{next: next}, nil
		}, component.StabilityLevelBeta))
}
