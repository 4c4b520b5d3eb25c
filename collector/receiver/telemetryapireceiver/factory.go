// Package telemetryapireceiver makes spans, metrics and log records of what Lambda tells about the function.
package telemetryapireceiver

import (
	"os"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/receiver"

	"github.com/open-telemetry/opentelemetry-lambda/collector/receiver/shared"
)

// NewFactory makes the factory. The receivers of the three signals that one configuration makes are one.
func NewFactory() receiver.Factory {
	return shared.NewFactory("telemetryapi", createDefaultConfig, func(set receiver.Settings, cfg component.Config) shared.Receiver {
		return newReceiver(cfg.(*Config), set.Logger, os.Getenv, time.Now())
	})
}
