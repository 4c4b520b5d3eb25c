// Package otlpexporter sends OTLP over gRPC without the gRPC library: one message each way behind five bytes, over HTTP/2.
package otlpexporter

import (
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"

	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpclient"
)

// NewFactory makes the factory.
func NewFactory() exporter.Factory {
	return otlpclient.NewFactory("otlp", "otlp_grpc", createDefaultConfig, func(cfg component.Config) (*otlpclient.Config, otlpclient.Protocol) {
		c := cfg.(*Config)
		return &c.Config, otlpclient.Protocol{Target: c.target, Decorate: decorate, Judge: judge, Prefix: 5, Frame: frame, HTTP2: true}
	})
}
