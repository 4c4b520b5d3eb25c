// Package telemetryapireceiver makes spans, metrics and log records of what Lambda tells about the function.
package telemetryapireceiver

import (
	"context"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

// NewFactory makes the factory. The receivers of the three signals that one configuration makes are one.
func NewFactory() receiver.Factory {
	made := &shared{receivers: map[*Config]*telemetryReceiver{}}
	return receiver.NewFactory(
		component.MustNewType("telemetryapi"),
		createDefaultConfig,
		receiver.WithTraces(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Traces) (receiver.Traces, error) {
			r := made.get(set, cfg.(*Config))
			r.traces = next
			return r, nil
		}, component.StabilityLevelBeta),
		receiver.WithMetrics(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
			r := made.get(set, cfg.(*Config))
			r.metrics = next
			return r, nil
		}, component.StabilityLevelBeta),
		receiver.WithLogs(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
			r := made.get(set, cfg.(*Config))
			r.logs = next
			return r, nil
		}, component.StabilityLevelBeta),
	)
}

type shared struct {
	mu        sync.Mutex
	receivers map[*Config]*telemetryReceiver
}

func (s *shared) get(set receiver.Settings, cfg *Config) *telemetryReceiver {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receivers[cfg] == nil {
		s.receivers[cfg] = newReceiver(cfg, set.Logger, os.Getenv, time.Now())
	}
	return s.receivers[cfg]
}
