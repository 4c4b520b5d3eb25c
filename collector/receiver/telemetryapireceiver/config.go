package telemetryapireceiver

import (
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/component"
)

// Config has the keys of the receiver; any other is an error.
type Config struct {
	// Port that Lambda sends its events to; 0 is any free one.
	Port int `mapstructure:"port"`
	// Types of events to ask for: platform, function, extension. Empty means what the pipelines need: all three for logs, else platform.
	Types []string `mapstructure:"types"`
	// MaxItems is how many events Lambda buffers, 1000 to 10000; 0 is Lambda's least.
	MaxItems int `mapstructure:"maxItems"`
	// MaxBytes is how much Lambda buffers, 262144 to 1048576; 0 is Lambda's least.
	MaxBytes int `mapstructure:"maxBytes"`
	// TimeoutMs is how long Lambda buffers, 25 to 30000; 0 is Lambda's least. Without a language layer of this project it also delays the end of each invocation.
	TimeoutMs int `mapstructure:"timeoutMs"`
	// LogReport makes a log record of each platform.report, with the text of the REPORT line.
	LogReport bool `mapstructure:"logReport"`
	// MetricsTemporality is delta or cumulative.
	MetricsTemporality string `mapstructure:"metricsTemporality"`
	// InitSpan gives a span of each init, and of each restore from a snapshot.
	InitSpan bool `mapstructure:"initSpan"`
	// FailureSpans gives the span of an invocation that ended by time-out, lack of memory or a crash.
	FailureSpans bool `mapstructure:"failureSpans"`
}

var eventTypes = []string{"platform", "function", "extension"}

func createDefaultConfig() component.Config {
	return &Config{LogReport: true, MetricsTemporality: "delta", InitSpan: true, FailureSpans: true}
}

// Validate is called by the host once the configuration is read.
func (c *Config) Validate() error {
	var errs []error
	for _, kind := range c.Types {
		if !slices.Contains(eventTypes, kind) {
			errs = append(errs, fmt.Errorf("types holds %q, it may hold platform, function and extension", kind))
		}
	}
	for _, bound := range []struct {
		key              string
		value, low, high int
	}{{"port", c.Port, 1, 65535}, {"maxItems", c.MaxItems, 1000, 10000}, {"maxBytes", c.MaxBytes, 262144, 1048576}, {"timeoutMs", c.TimeoutMs, 25, 30000}} {
		if bound.value != 0 && (bound.value < bound.low || bound.value > bound.high) {
			errs = append(errs, fmt.Errorf("%s must be %d to %d", bound.key, bound.low, bound.high))
		}
	}
	if c.MetricsTemporality != "delta" && c.MetricsTemporality != "cumulative" {
		errs = append(errs, errors.New("metricsTemporality must be delta or cumulative"))
	}
	return errors.Join(errs...)
}
