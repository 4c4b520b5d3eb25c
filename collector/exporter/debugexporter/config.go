package debugexporter

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
)

// Config has the keys of the stock debug exporter that this one knows; any other is an error.
type Config struct {
	// Verbosity is basic (one line a batch with its counts), normal (also a line for every span, data point and log record) or detailed (with all that they hold).
	Verbosity string `mapstructure:"verbosity"`
	// SamplingInitial is how many batches of each signal are written in each second.
	SamplingInitial int `mapstructure:"sampling_initial"`
	// SamplingThereafter makes that every so manieth batch after those is written too; 1 is all, 0 none.
	SamplingThereafter int `mapstructure:"sampling_thereafter"`
	// UseInternalLogger writes by the extension's logger, with its level and format; false writes to standard output as it is.
	UseInternalLogger bool `mapstructure:"use_internal_logger"`
}

func createDefaultConfig() component.Config {
	return &Config{Verbosity: "basic", SamplingInitial: 2, SamplingThereafter: 1, UseInternalLogger: true}
}

// Validate is called by the host once the configuration is read.
func (c *Config) Validate() error {
	var errs []error
	if c.Verbosity != "basic" && c.Verbosity != "normal" && c.Verbosity != "detailed" {
		errs = append(errs, fmt.Errorf("verbosity is %q, it must be basic, normal or detailed", c.Verbosity))
	}
	if c.SamplingInitial < 0 || c.SamplingThereafter < 0 {
		errs = append(errs, errors.New("sampling_initial and sampling_thereafter must not be negative"))
	}
	return errors.Join(errs...)
}
