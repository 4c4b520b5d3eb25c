// Package batchprocessor gathers data into batches, and keeps none of it across a freeze.
package batchprocessor

import (
	"go.opentelemetry.io/collector/processor"

	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/staged"
)

// NewFactory makes the factory.
func NewFactory() processor.Factory {
	return staged.NewFactory("batch", createDefaultConfig, newProcessor)
}
