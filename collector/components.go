package main

import (
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/receiver"

	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/debugexporter"
	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlphttpexporter"
	"github.com/open-telemetry/opentelemetry-lambda/collector/host"
	"github.com/open-telemetry/opentelemetry-lambda/collector/receiver/otlpreceiver"
)

// factories are the components of this binary.
func factories() host.Factories {
	return host.Factories{
		Receivers: []receiver.Factory{otlpreceiver.NewFactory()},
		Exporters: []exporter.Factory{otlphttpexporter.NewFactory(), debugexporter.NewFactory()},
	}
}
