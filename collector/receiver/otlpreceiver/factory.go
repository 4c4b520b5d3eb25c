// Package otlpreceiver receives OTLP over HTTP (protobuf and JSON) and gRPC, without the gRPC library.
package otlpreceiver

import (
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/receiver"

	"github.com/open-telemetry/opentelemetry-lambda/collector/receiver/shared"
)

// NewFactory makes the factory. The receivers of the three signals that one configuration makes share their ports.
func NewFactory() receiver.Factory {
	return shared.NewFactory("otlp", createDefaultConfig, func(set receiver.Settings, cfg component.Config) shared.Receiver {
		return &otlpReceiver{cfg: cfg.(*Config), logger: set.Logger, turn: newTurn(patience)}
	})
}
