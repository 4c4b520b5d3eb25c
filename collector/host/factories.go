package host

import (
	"slices"
	"sort"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
)

// Factories are the components that a binary holds, as the Collector's own interfaces: stock ones fit as they are.
type Factories struct {
	Receivers  []receiver.Factory
	Processors []processor.Factory
	Exporters  []exporter.Factory
	Extensions []extension.Factory
	Connectors []connector.Factory
	// Providers are sources of configuration beside file, env, yaml, http and https: remote ones, which may be slow or down.
	Providers []confmap.ProviderFactory
	// Modules are the modules of the components, as "path version" by "kind type" (exporter kafka); those of the layer itself are not listed.
	Modules map[string]string
}

// plain forgets the kind of the factories.
func plain[F component.Factory](factories []F) []component.Factory {
	all := make([]component.Factory, len(factories))
	for i, f := range factories {
		all[i] = f
	}
	return all
}

func (f Factories) of(section string) []component.Factory {
	switch section {
	case "receivers":
		return plain(f.Receivers)
	case "processors":
		return plain(f.Processors)
	case "exporters":
		return plain(f.Exporters)
	case "extensions":
		return plain(f.Extensions)
	case "connectors":
		return plain(f.Connectors)
	}
	return nil
}

// aliased is a factory that also answers to an older name, as the Collector's factories can.
type aliased interface {
	DeprecatedAlias() component.Type
	SetDeprecatedAlias(component.Type)
}

// The stock exporters have two names each; ours answer to both as well.
var otherNames = map[string]string{"otlphttp": "otlp_http", "otlp": "otlp_grpc"}

func (f Factories) alias() {
	for _, e := range f.Exporters {
		if a, ok := e.(aliased); ok && a.DeprecatedAlias().String() == "" && otherNames[e.Type().String()] != "" {
			a.SetDeprecatedAlias(component.MustNewType(otherNames[e.Type().String()]))
		}
	}
}

func find(factories []component.Factory, kind component.Type) component.Factory {
	for _, f := range factories {
		if f.Type() == kind {
			return f
		}
	}
	for _, f := range factories {
		if a, ok := f.(aliased); ok && a.DeprecatedAlias() == kind {
			return f
		}
	}
	return nil
}

// With adds factories; one of a type that is there already takes its place.
func (f Factories) With(more Factories) Factories {
	return Factories{
		Receivers:  merged(f.Receivers, more.Receivers),
		Processors: merged(f.Processors, more.Processors),
		Exporters:  merged(f.Exporters, more.Exporters),
		Extensions: merged(f.Extensions, more.Extensions),
		Connectors: merged(f.Connectors, more.Connectors),
		Providers:  slices.Concat(f.Providers, more.Providers),
		Modules:    more.Modules,
	}
}

func merged[F component.Factory](have, more []F) []F {
	kept := slices.DeleteFunc(slices.Clone(have), func(one F) bool {
		return slices.ContainsFunc(more, func(other F) bool { return other.Type() == one.Type() })
	})
	return append(kept, more...)
}

// Names lists the types of the factories of a section.
func (f Factories) Names(section string) []string { return names(f.of(section)) }

// Schemes lists the schemes of the sources of configuration.
func (f Factories) Schemes() (schemes []string) {
	for _, p := range append(builtin(), f.Providers...) {
		schemes = append(schemes, p.Create(confmap.ProviderSettings{Logger: zap.NewNop()}).Scheme())
	}
	sort.Strings(schemes)
	return schemes
}

func names(factories []component.Factory) []string {
	found := make([]string, 0, len(factories))
	for _, f := range factories {
		found = append(found, f.Type().String())
	}
	sort.Strings(found)
	return found
}
