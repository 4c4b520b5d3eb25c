package debugexporter

import (
	"fmt"

	"go.opentelemetry.io/collector/component"
)

// Config has the keys of the stock debug exporter that this one knows; any other is an error.
type Config struct {
	// Verbosity is basic (one line a batch with its counts) or detailed (also a line for every span, data point and record).
	Verbosity string `mapstructure:"verbosity"`
}

func createDefaultConfig() component.Config { return &Config{Verbosity: "basic"} }

// Validate is called by the host once the configuration is read.
func (c *Config) Validate() error {
	if c.Verbosity != "basic" && c.Verbosity != "detailed" {
		return fmt.Errorf("verbosity is %q, it must be basic or detailed", c.Verbosity)
	}
	return nil
}
