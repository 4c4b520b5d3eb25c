package host

import (
	"context"

	"go.opentelemetry.io/collector/component"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// implementing are the components that have an interface, each once though several signals use it.
func implementing[I any](h *Host) (found []I) {
	seen := map[component.Component]bool{}
	for _, p := range h.parts {
		if one, ok := p.Component.(I); ok && !seen[p.Component] {
			seen[p.Component] = true
			found = append(found, one)
		}
	}
	return found
}

// TelemetryWanted is the union of what the components want of Lambda's telemetry events.
func (h *Host) TelemetryWanted() (wish delivery.TelemetryWish) {
	for _, l := range implementing[delivery.TelemetryListener](h) {
		wish = wish.Join(l.TelemetryWanted())
	}
	return wish
}

// ConsumeTelemetry gives a batch of Lambda's telemetry events to the components that want any.
func (h *Host) ConsumeTelemetry(events []delivery.TelemetryEvent) {
	for _, l := range implementing[delivery.TelemetryListener](h) {
		h.guard(func() { l.ConsumeTelemetry(events) })
	}
}

// InvocationBegan tells the components.
func (h *Host) InvocationBegan(i delivery.Invocation) {
	for _, l := range implementing[delivery.LifeListener](h) {
		h.guard(func() { l.InvocationBegan(i) })
	}
}

// EnvironmentEnds tells the components, while everything still runs.
func (h *Host) EnvironmentEnds(ctx context.Context, reason string) {
	for _, l := range implementing[delivery.LifeListener](h) {
		h.guard(func() { l.EnvironmentEnds(ctx, reason) })
	}
}
