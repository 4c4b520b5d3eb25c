package batchprocessor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
)

// Config of the processor, as the stock one has it.
type Config struct {
	// Timeout is how long data waits for a batch to fill; 0 is not at all. A flush does not wait for it.
	Timeout time.Duration `mapstructure:"timeout"`
	// SendBatchSize is how many spans, data points or log records go at once without waiting for the timeout; 0 is any number.
	SendBatchSize int `mapstructure:"send_batch_size"`
	// SendBatchMaxSize is the size above which batches are split; 0 splits none.
	SendBatchMaxSize int `mapstructure:"send_batch_max_size"`
	// MetadataKeys are request headers whose values make batches of their own, where the receiver keeps them.
	MetadataKeys []string `mapstructure:"metadata_keys"`
	// MetadataCardinalityLimit is how many combinations of those values there may be; data of further ones is dropped and counted.
	MetadataCardinalityLimit int `mapstructure:"metadata_cardinality_limit"`
}

func createDefaultConfig() component.Config {
	return &Config{Timeout: 200 * time.Millisecond, SendBatchSize: 8192, MetadataCardinalityLimit: 1000}
}

// Validate is called by the host once the configuration is read.
func (c *Config) Validate() error {
	var errs []error
	if c.Timeout < 0 {
		errs = append(errs, errors.New("timeout must not be negative"))
	}
	if c.SendBatchSize < 0 || c.SendBatchMaxSize < 0 || c.MetadataCardinalityLimit < 0 {
		errs = append(errs, errors.New("send_batch_size, send_batch_max_size and metadata_cardinality_limit must not be negative"))
	}
	if c.SendBatchMaxSize > 0 && c.SendBatchMaxSize < c.SendBatchSize {
		errs = append(errs, fmt.Errorf("send_batch_max_size is %d, it must be 0 or at least send_batch_size (%d)", c.SendBatchMaxSize, c.SendBatchSize))
	}
	for i, key := range c.MetadataKeys {
		if slices.ContainsFunc(c.MetadataKeys[:i], func(other string) bool { return strings.EqualFold(key, other) }) {
			errs = append(errs, fmt.Errorf("metadata_keys names %q twice", key))
		}
	}
	return errors.Join(errs...)
}
