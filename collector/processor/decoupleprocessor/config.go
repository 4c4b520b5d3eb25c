package decoupleprocessor

import (
	"errors"

	"go.opentelemetry.io/collector/component"
)

// Config of the processor.
type Config struct {
	// MaxQueueSize is how many requests wait at most; then the oldest is dropped and counted, since the function never waits.
	MaxQueueSize int `mapstructure:"max_queue_size"`
}

func createDefaultConfig() component.Config { return &Config{MaxQueueSize: 200} }

// Validate is called by the host once the configuration is read.
func (c *Config) Validate() error {
	if c.MaxQueueSize <= 0 {
		return errors.New("max_queue_size must be more than 0")
	}
	return nil
}
