// Package otlpclient is what the exporters of OTLP over HTTP and over gRPC share: keys, connections, requests, and the lanes that keep
// what could not be sent.
package otlpclient

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// Config has the keys that both exporters know.
type Config struct {
	// Headers are sent with every request (gRPC: metadata).
	Headers map[string]string `mapstructure:"headers"`
	// Timeout bounds one request; only time in which the environment runs counts, not freezes.
	Timeout time.Duration `mapstructure:"timeout"`
	// Compression is gzip or none.
	Compression string `mapstructure:"compression"`
	// Auth adds credentials to requests.
	Auth AuthConfig `mapstructure:"auth"`
	// TLS of the connection.
	TLS TLSConfig `mapstructure:"tls"`
	// RetryOnFailure keeps what the backend does not take now.
	RetryOnFailure RetryConfig `mapstructure:"retry_on_failure"`
	// SendingQueue bounds what is kept.
	SendingQueue QueueConfig `mapstructure:"sending_queue"`
}

// AuthConfig names who has the credentials.
type AuthConfig struct {
	// Authenticator is an extension of the same configuration, as basicauth, oauth2client or sigv4auth; layers that are built on demand have them.
	Authenticator string `mapstructure:"authenticator"`
}

// RetryConfig says how long what failed is kept. It is tried at every invocation, and between them after a growing pause.
type RetryConfig struct {
	// Enabled false drops what the first request does not deliver.
	Enabled bool `mapstructure:"enabled"`
	// InitialInterval is the pause after the first failure.
	InitialInterval time.Duration `mapstructure:"initial_interval"`
	// MaxInterval bounds the pause.
	MaxInterval time.Duration `mapstructure:"max_interval"`
	// MaxElapsedTime drops what is older, in wall time: freezes count. 0 keeps it as long as there is room.
	MaxElapsedTime time.Duration `mapstructure:"max_elapsed_time"`
	// Multiplier is by how much each pause is longer than the one before.
	Multiplier float64 `mapstructure:"multiplier"`
	// RandomizationFactor shortens or lengthens each pause at random, by at most this part of it.
	RandomizationFactor float64 `mapstructure:"randomization_factor"`
}

// QueueConfig bounds the memory of what waits, for each signal.
type QueueConfig struct {
	// Enabled false keeps nothing that a request did not deliver.
	Enabled bool `mapstructure:"enabled"`
	// QueueSize in what sizer counts. In requests and items, 8 MiB are the most all the same.
	QueueSize int `mapstructure:"queue_size"`
	// Sizer is bytes, requests (messages received) or items (spans, data points, log records).
	Sizer string `mapstructure:"sizer"`
}

// MaxBytes of a lane, unless queue_size in bytes says otherwise.
const MaxBytes = 8 << 20

// Default is the common part of the default configurations.
func Default(timeout time.Duration) Config {
	return Config{
		Timeout:        timeout,
		Compression:    "gzip",
		RetryOnFailure: RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 30 * time.Second, Multiplier: 2},
		SendingQueue:   QueueConfig{Enabled: true, QueueSize: MaxBytes, Sizer: "bytes"},
	}
}

// Validate checks the common keys.
func (c *Config) Validate() error {
	var errs []error
	if !slices.Contains([]string{"gzip", "none", ""}, c.Compression) {
		errs = append(errs, fmt.Errorf("compression is %q, it must be gzip or none; build a layer with the stock exporter for others (collector/run.sh build --config FILE --with ...)", c.Compression))
	}
	if c.Timeout <= 0 {
		errs = append(errs, errors.New("timeout must be more than 0"))
	}
	r := c.RetryOnFailure
	if r.InitialInterval <= 0 || r.MaxInterval < r.InitialInterval || r.MaxElapsedTime < 0 || r.Multiplier < 1 || r.RandomizationFactor < 0 || r.RandomizationFactor > 1 {
		errs = append(errs, errors.New("retry_on_failure needs 0 < initial_interval <= max_interval, max_elapsed_time >= 0, multiplier >= 1, 0 <= randomization_factor <= 1"))
	}
	if c.SendingQueue.QueueSize <= 0 {
		errs = append(errs, errors.New("sending_queue::queue_size must be more than 0"))
	}
	if !slices.Contains([]string{"bytes", "requests", "items"}, c.SendingQueue.Sizer) {
		errs = append(errs, fmt.Errorf("sending_queue::sizer is %q, it must be bytes, requests or items", c.SendingQueue.Sizer))
	}
	return errors.Join(append(errs, c.TLS.check())...)
}

// bounds sets what a lane may keep.
func (c *Config) bounds(set *delivery.Settings) {
	r, q := c.RetryOnFailure, c.SendingQueue
	set.Retry, set.MaxAge, set.MaxHeld = r.Enabled && q.Enabled, r.MaxElapsedTime, MaxBytes
	set.Pause = r.pause
	switch q.Sizer {
	case "bytes":
		set.MaxHeld = q.QueueSize
	case "requests":
		set.MaxUnits, set.Units = q.QueueSize, func(delivery.Item) int { return 1 }
	case "items":
		set.MaxUnits, set.Units = q.QueueSize, func(item delivery.Item) int { return item.Records }
	}
}

func (r RetryConfig) pause(fails int) time.Duration {
	pause := float64(r.InitialInterval)
	for range min(fails-1, 100) {
		pause = min(pause*r.Multiplier, float64(r.MaxInterval))
	}
	return time.Duration(pause * (1 + r.RandomizationFactor*(2*rand.Float64()-1)))
}
