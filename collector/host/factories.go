package host

import (
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/receiver"
)

// Factories are the components that a binary holds, as the Collector's own interfaces: stock ones fit as they are.
type Factories struct {
	Receivers  []receiver.Factory
	Processors []processor.Factory
	Exporters  []exporter.Factory
	Extensions []extension.Factory
	Connectors []connector.Factory
}

func find[F component.Factory](factories []F, kind component.Type) (found F, ok bool) {
	for _, f := range factories {
		if f.Type() == kind {
			return f, true
		}
	}
	return found, false
}

// Names lists the types of the factories.
func Names[F component.Factory](factories []F) []string {
	names := make([]string, 0, len(factories))
	for _, f := range factories {
		names = append(names, f.Type().String())
	}
	slices.Sort(names)
	return names
}
