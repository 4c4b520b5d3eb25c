// Package debugexporter writes what passes through into the extension's log. It is not a delivery and counts as none.
package debugexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
)

// NewFactory makes the factory.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(
		component.MustNewType("debug"),
		createDefaultConfig,
		exporter.WithTraces(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
			return newExporter(set, cfg.(*Config)), nil
		}, component.StabilityLevelBeta),
		exporter.WithMetrics(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
			return newExporter(set, cfg.(*Config)), nil
		}, component.StabilityLevelBeta),
		exporter.WithLogs(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
			return newExporter(set, cfg.(*Config)), nil
		}, component.StabilityLevelBeta),
	)
}
