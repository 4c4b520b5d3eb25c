package otlphttpexporter

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pipeline"
)

// Config has the keys of the stock otlphttp exporter that this one knows; any other is an error.
type Config struct {
	// Endpoint is the base URL; /v1/traces, /v1/metrics and /v1/logs are appended.
	Endpoint string `mapstructure:"endpoint"`
	// TracesEndpoint is the whole URL for traces, instead of endpoint.
	TracesEndpoint string `mapstructure:"traces_endpoint"`
	// MetricsEndpoint is the whole URL for metrics, instead of endpoint.
	MetricsEndpoint string `mapstructure:"metrics_endpoint"`
	// LogsEndpoint is the whole URL for logs, instead of endpoint.
	LogsEndpoint string `mapstructure:"logs_endpoint"`
	// Headers are sent with every request.
	Headers map[string]string `mapstructure:"headers"`
	// Timeout bounds one request; only time in which the environment runs counts, not freezes.
	Timeout time.Duration `mapstructure:"timeout"`
	// Compression is gzip or none.
	Compression string `mapstructure:"compression"`
	// Encoding is proto, which every OTLP/HTTP backend must take; writing JSON would add 0.4 MB to the binary.
	Encoding string `mapstructure:"encoding"`
	// TLS of https endpoints.
	TLS TLSConfig `mapstructure:"tls"`
	// RetryOnFailure keeps what the backend does not take now, for the next invocation.
	RetryOnFailure RetryConfig `mapstructure:"retry_on_failure"`
	// SendingQueue bounds what is kept.
	SendingQueue QueueConfig `mapstructure:"sending_queue"`
}

// TLSConfig has the usual keys of TLS clients, but for client certificates.
type TLSConfig struct {
	Insecure           bool   `mapstructure:"insecure"`
	InsecureSkipVerify bool   `mapstructure:"insecure_skip_verify"`
	ServerName         string `mapstructure:"server_name_override"`
	CAFile             string `mapstructure:"ca_file"`
}

// RetryConfig switches keeping on or off; when it is tried again follows the invocations, not a timer.
type RetryConfig struct {
	Enabled bool `mapstructure:"enabled"`
}

// QueueConfig bounds the memory of what waits, for each signal.
type QueueConfig struct {
	// QueueSize in bytes.
	QueueSize int `mapstructure:"queue_size"`
	// Sizer is the unit of queue_size: only bytes.
	Sizer string `mapstructure:"sizer"`
}

func createDefaultConfig() component.Config {
	return &Config{
		Timeout:        30 * time.Second,
		Compression:    "gzip",
		Encoding:       "proto",
		RetryOnFailure: RetryConfig{Enabled: true},
		SendingQueue:   QueueConfig{QueueSize: 8 << 20, Sizer: "bytes"},
	}
}

// Validate is called by the host once the configuration is read.
func (c *Config) Validate() error {
	var errs []error
	if c.Endpoint == "" && c.TracesEndpoint == "" && c.MetricsEndpoint == "" && c.LogsEndpoint == "" {
		errs = append(errs, errors.New("endpoint is missing"))
	}
	for key, value := range map[string]string{
		"endpoint": c.Endpoint, "traces_endpoint": c.TracesEndpoint, "metrics_endpoint": c.MetricsEndpoint, "logs_endpoint": c.LogsEndpoint,
	} {
		if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
			errs = append(errs, fmt.Errorf("%s is %q, it must be a URL like https://host:4318", key, value))
		}
	}
	errs = append(errs, oneOf("compression", c.Compression, "gzip", "none", ""), oneOf("encoding", c.Encoding, "proto"),
		oneOf("sending_queue::sizer", c.SendingQueue.Sizer, "bytes"))
	if c.Timeout <= 0 {
		errs = append(errs, errors.New("timeout must be more than 0"))
	}
	if c.SendingQueue.QueueSize <= 0 {
		errs = append(errs, errors.New("sending_queue::queue_size must be more than 0"))
	}
	return errors.Join(errs...)
}

func oneOf(key, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return fmt.Errorf("%s is %q, it must be one of %q", key, value, allowed)
}

// target is where a signal goes; "" when the configuration names no place for it.
func (c *Config) target(signal pipeline.Signal) (string, error) {
	own := map[pipeline.Signal]string{
		pipeline.SignalTraces: c.TracesEndpoint, pipeline.SignalMetrics: c.MetricsEndpoint, pipeline.SignalLogs: c.LogsEndpoint,
	}[signal]
	if own != "" {
		return own, nil
	}
	if c.Endpoint == "" {
		return "", fmt.Errorf("neither endpoint nor %s_endpoint is set", signal)
	}
	return url.JoinPath(c.Endpoint, "v1", signal.String())
}
