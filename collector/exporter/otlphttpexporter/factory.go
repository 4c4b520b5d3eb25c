// Package otlphttpexporter sends OTLP over HTTP, and keeps what could not be sent across freezes.
package otlphttpexporter

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pipeline"
)

// NewFactory makes the factory. The exporters of the three signals that one configuration makes share their connections.
func NewFactory() exporter.Factory {
	made := &shared{exporters: map[*Config]*otlpExporter{}}
	return exporter.NewFactory(
		component.MustNewType("otlphttp"),
		createDefaultConfig,
		exporter.WithTraces(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
			return made.get(set, cfg.(*Config), pipeline.SignalTraces)
		}, component.StabilityLevelBeta),
		exporter.WithMetrics(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
			return made.get(set, cfg.(*Config), pipeline.SignalMetrics)
		}, component.StabilityLevelBeta),
		exporter.WithLogs(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
			return made.get(set, cfg.(*Config), pipeline.SignalLogs)
		}, component.StabilityLevelBeta),
	)
}

type shared struct {
	mu        sync.Mutex
	exporters map[*Config]*otlpExporter
}

func (s *shared) get(set exporter.Settings, cfg *Config, signal pipeline.Signal) (*otlpExporter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, found := s.exporters[cfg]
	if !found {
		e = &otlpExporter{cfg: cfg, set: set, lanes: map[pipeline.Signal]*lane{}}
		s.exporters[cfg] = e
	}
	return e, e.serve(signal)
}
