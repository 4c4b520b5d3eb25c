package app

import (
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/receiver"

	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/debugexporter"
	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpexporter"
	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlphttpexporter"
	"github.com/open-telemetry/opentelemetry-lambda/collector/host"
	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/batchprocessor"
	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/coldstartprocessor"
	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/decoupleprocessor"
	"github.com/open-telemetry/opentelemetry-lambda/collector/receiver/otlpreceiver"
	"github.com/open-telemetry/opentelemetry-lambda/collector/receiver/telemetryapireceiver"
)

// Builtin are the components of the default flavour; every other has them too.
func Builtin() host.Factories {
	return host.Factories{
		Receivers:  []receiver.Factory{otlpreceiver.NewFactory(), telemetryapireceiver.NewFactory()},
		Processors: []processor.Factory{batchprocessor.NewFactory(), coldstartprocessor.NewFactory(), decoupleprocessor.NewFactory()},
		Exporters:  []exporter.Factory{otlphttpexporter.NewFactory(), otlpexporter.NewFactory(), debugexporter.NewFactory()},
	}
}
