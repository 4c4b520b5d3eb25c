// Package otlphttpexporter sends OTLP over HTTP, and keeps what could not be sent across freezes.
package otlphttpexporter

import (
	"net/url"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"

	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpclient"
)

// NewFactory makes the factory.
func NewFactory() exporter.Factory {
	return otlpclient.NewFactory("otlphttp", "otlp_http", createDefaultConfig, func(cfg component.Config) (*otlpclient.Config, otlpclient.Protocol) {
		c := cfg.(*Config)
		protocol := otlpclient.Protocol{Target: c.target, Decorate: decorate, Judge: judge}
		if c.ProxyURL != "" {
			protocol.Proxy, _ = url.Parse(c.ProxyURL) // Validate has seen it
		}
		return &c.Config, protocol
	})
}
