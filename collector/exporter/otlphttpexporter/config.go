package otlphttpexporter

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpclient"
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
	// Encoding is proto, which every OTLP/HTTP backend must take; writing JSON would add 0.4 MB to the binary.
	Encoding string `mapstructure:"encoding"`
	// ProxyURL is the proxy, instead of what HTTP_PROXY, HTTPS_PROXY and NO_PROXY say.
	ProxyURL string `mapstructure:"proxy_url"`

	otlpclient.Config `mapstructure:",squash"`
}

func createDefaultConfig() component.Config {
	return &Config{Encoding: "proto", Config: otlpclient.Default(30 * time.Second)}
}

// Validate is called by the host once the configuration is read.
func (c *Config) Validate() error {
	var errs []error
	if c.Endpoint == "" && c.TracesEndpoint == "" && c.MetricsEndpoint == "" && c.LogsEndpoint == "" {
		errs = append(errs, errors.New("endpoint is missing"))
	}
	for key, value := range c.endpoints() {
		if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
			errs = append(errs, fmt.Errorf("%s is %q, it must be a URL like https://host:4318", key, value))
		}
	}
	if c.Encoding != "proto" {
		errs = append(errs, fmt.Errorf("encoding is %q, it must be proto", c.Encoding))
	}
	if u, err := url.Parse(c.ProxyURL); err != nil || (c.ProxyURL != "" && u.Host == "") {
		errs = append(errs, errors.New("proxy_url must be a URL like http://host:3128"))
	}
	return errors.Join(append(errs, c.Config.Validate())...)
}

// endpoints are the URLs by key; "" is not set.
func (c *Config) endpoints() map[string]string {
	return map[string]string{
		"endpoint": c.Endpoint, "traces_endpoint": c.TracesEndpoint, "metrics_endpoint": c.MetricsEndpoint, "logs_endpoint": c.LogsEndpoint,
	}
}

// Destinations are the addresses that are sent to, by key.
func (c *Config) Destinations() map[string]string {
	found := map[string]string{}
	for key, value := range c.endpoints() {
		if u, err := url.Parse(value); err == nil && u.Host != "" {
			found[key] = u.Host
		}
	}
	return found
}

// target is where a signal goes; "" when the configuration names no place for it.
func (c *Config) target(signal pipeline.Signal) (string, error) {
	if own := c.endpoints()[signal.String()+"_endpoint"]; own != "" {
		return own, nil
	}
	if c.Endpoint == "" {
		return "", fmt.Errorf("neither endpoint nor %s_endpoint is set", signal)
	}
	return url.JoinPath(c.Endpoint, "v1", signal.String())
}
