package host

import (
	"sort"

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

// plain forgets the kind of the factories.
func plain[F component.Factory](factories []F) []component.Factory {
	all := make([]component.Factory, len(factories))
	for i, f := range factories {
		all[i] = f
	}
	return all
}

func find(factories []component.Factory, kind component.Type) component.Factory {
	for _, f := range factories {
		if f.Type() == kind {
			return f
		}
	}
	return nil
}

// Names lists the types of the factories.
func (f Factories) Names(section string) []string {
	return names(map[string][]component.Factory{
		"receivers": plain(f.Receivers), "processors": plain(f.Processors), "exporters": plain(f.Exporters),
		"extensions": plain(f.Extensions), "connectors": plain(f.Connectors),
	}[section])
}

func names(factories []component.Factory) []string {
	found := make([]string, 0, len(factories))
	for _, f := range factories {
		found = append(found, f.Type().String())
	}
	sort.Strings(found)
	return found
}
