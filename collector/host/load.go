package host

import (
	"context"
	"strings"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.uber.org/zap"
)

// Load reads and merges the configurations at the URIs (a plain path is a file) and fills in ${...}.
func Load(ctx context.Context, uris []string, logger *zap.Logger) (*confmap.Conf, error) {
	source := strings.Join(uris, ", ")
	resolver, err := confmap.NewResolver(confmap.ResolverSettings{
		URIs:              uris,
		ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory(), envprovider.NewFactory(), yamlprovider.NewFactory()},
		DefaultScheme:     "env",
		ProviderSettings:  confmap.ProviderSettings{Logger: logger},
	})
	if err != nil {
		return nil, &Problem{Source: source, Cause: oneLine(err.Error()), Remedy: "sources are file:PATH, env:NAME and yaml:TEXT"}
	}
	conf, err := resolver.Resolve(ctx)
	if err != nil {
		return nil, &Problem{Source: source, Cause: oneLine(err.Error()), Remedy: "the file must be in the function or a layer (/var/task/..., /opt/...) and be YAML"}
	}
	return conf, nil
}
