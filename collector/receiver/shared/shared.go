// Package shared makes one receiver of those of the three signals that one configuration asks for.
package shared

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

// Next are the consumers behind a receiver, which embeds it; nil where no pipeline takes the signal.
type Next struct {
	Traces  consumer.Traces
	Metrics consumer.Metrics
	Logs    consumer.Logs
}

func (n *Next) consumers() *Next { return n } //nolint:unused // of the interface below

// Receiver is one that embeds Next. Its Start is called once for every signal.
type Receiver interface {
	component.Component
	consumers() *Next
}

// NewFactory makes the factory of a type.
func NewFactory(name string, defaults component.CreateDefaultConfigFunc, create func(receiver.Settings, component.Config) Receiver) receiver.Factory {
	made := &instances{create: create, of: map[component.Config]Receiver{}}
	return receiver.NewFactory(component.MustNewType(name), defaults,
		receiver.WithTraces(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Traces) (receiver.Traces, error) {
			r := made.get(set, cfg)
			r.consumers().Traces = next
			return r, nil
		}, component.StabilityLevelBeta),
		receiver.WithMetrics(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
			r := made.get(set, cfg)
			r.consumers().Metrics = next
			return r, nil
		}, component.StabilityLevelBeta),
		receiver.WithLogs(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
			r := made.get(set, cfg)
			r.consumers().Logs = next
			return r, nil
		}, component.StabilityLevelBeta),
	)
}

type instances struct {
	create func(receiver.Settings, component.Config) Receiver
	mu     sync.Mutex
	of     map[component.Config]Receiver
}

func (i *instances) get(set receiver.Settings, cfg component.Config) Receiver {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.of[cfg] == nil {
		i.of[cfg] = i.create(set, cfg)
	}
	return i.of[cfg]
}
