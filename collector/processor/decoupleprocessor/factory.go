// Package decoupleprocessor lets the function go on while the components behind it work.
package decoupleprocessor

import (
	"go.opentelemetry.io/collector/processor"

	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/staged"
)

// NewFactory makes the factory.
func NewFactory() processor.Factory {
	return staged.NewFactory("decouple", createDefaultConfig, newProcessor)
}
