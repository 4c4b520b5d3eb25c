package delivery

import (
	"context"
	"slices"
	"time"
)

// TelemetryEvent is one event of Lambda's Telemetry API.
type TelemetryEvent struct {
	Time   time.Time // zero when Lambda gave none
	Type   string    // platform.start and the like, function, extension
	Record []byte    // JSON: an object, or a string for a line of text
}

// TelemetryWish is what a component wants to be subscribed to; a zero leaves the choice to others.
type TelemetryWish struct {
	Types     []string // platform, function, extension
	Port      int      // of the server that Lambda sends to
	MaxItems  int
	MaxBytes  int
	TimeoutMs int
}

// Join makes one subscription of two wishes: all types, the larger buffer, the shorter time-out.
func (w TelemetryWish) Join(other TelemetryWish) TelemetryWish {
	joined := TelemetryWish{Types: slices.Clone(w.Types), Port: w.Port, MaxItems: max(w.MaxItems, other.MaxItems), MaxBytes: max(w.MaxBytes, other.MaxBytes), TimeoutMs: w.TimeoutMs}
	for _, kind := range other.Types {
		if !slices.Contains(joined.Types, kind) {
			joined.Types = append(joined.Types, kind)
		}
	}
	if joined.Port == 0 {
		joined.Port = other.Port
	}
	if other.TimeoutMs > 0 && (joined.TimeoutMs == 0 || other.TimeoutMs < joined.TimeoutMs) {
		joined.TimeoutMs = other.TimeoutMs
	}
	return joined
}

// TelemetryListener is a component that wants Lambda's telemetry events. The host finds it by this interface.
type TelemetryListener interface {
	// TelemetryWanted is asked once, after the components are made and before they start.
	TelemetryWanted() TelemetryWish
	// ConsumeTelemetry gets each batch, one at a time, in order, of all types that anybody asked for. Lambda has its answer by then.
	ConsumeTelemetry(events []TelemetryEvent)
}

// Invocation is what an extension is told when one begins.
type Invocation struct {
	RequestID   string
	ARN         string
	TraceHeader string // X-Ray's
	Deadline    time.Time
}

// LifeListener is a component that wants to know how the environment lives. The host finds it by this interface.
type LifeListener interface {
	InvocationBegan(Invocation)
	// InvocationDelivered says that the language layer has sent all that it has of the invocation.
	InvocationDelivered(requestID string)
	// EnvironmentEnds comes before the receivers close; the reason is Lambda's: spindown, timeout or failure.
	EnvironmentEnds(ctx context.Context, reason string)
}
