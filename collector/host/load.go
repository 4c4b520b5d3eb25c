package host

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/startup"
)

// Longest time that the sources of a configuration may take: the function waits for it.
const loadTime = 3 * time.Second

// Loaded is a configuration in which remote values of exporters may still be missing.
type Loaded struct {
	*confmap.Conf
	// OnFetch is told what the configuration has become whenever remote values have come; may be nil.
	OnFetch func(configuration map[string]any)
	// fetch resolves the sources again, with these remote values.
	fetch func(ctx context.Context, wanted []string) (*confmap.Conf, error)
}

// builtin are the providers that every binary has.
func builtin() []confmap.ProviderFactory {
	return []confmap.ProviderFactory{fileFactory(), envprovider.NewFactory(), yamlprovider.NewFactory(), webFactory("http"), webFactory("https")}
}

// Load reads and merges the configurations at the URIs (a plain path is a file) and fills in ${...}. Besides the built-in providers there
// are remote ones: their values are fetched here only when something other than an exporter needs them.
func Load(ctx context.Context, uris []string, logger *zap.Logger, remote ...confmap.ProviderFactory) (*Loaded, error) {
	l := &Loaded{fetch: func(ctx context.Context, wanted []string) (*confmap.Conf, error) {
		providers := builtin()
		for _, f := range remote {
			providers = append(providers, laterFactory(f, slices.Concat(wanted, uris)))
		}
		return resolve(ctx, uris, providers, logger)
	}}
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	var err error
	if l.Conf, err = l.fetch(ctx, nil); err != nil {
		return nil, err
	}
	var now []string
	for section, value := range l.ToStringMap() {
		if section != "exporters" {
			now = append(now, lateIn(value)...)
		}
	}
	if len(now) > 0 {
		l.Conf, err = l.fetch(ctx, now)
	}
	return l, err
}

func resolve(ctx context.Context, uris []string, providers []confmap.ProviderFactory, logger *zap.Logger) (*confmap.Conf, error) {
	limits := &bounds{providers: map[string]confmap.Provider{}, roots: len(uris), left: maxFetched}
	for i, f := range providers {
		providers[i] = limits.factory(f)
	}
	resolver, err := confmap.NewResolver(confmap.ResolverSettings{URIs: uris, ProviderFactories: providers, DefaultScheme: "env", ProviderSettings: confmap.ProviderSettings{Logger: logger}})
	if err != nil {
		return nil, unloadable(uris, err)
	}
	type result struct {
		conf *confmap.Conf
		err  error
	}
	resolved := make(chan result, 1)
	go func() { // a provider may not heed its context: then this ends with what it gives next
		startup.Room()
		conf, err := resolver.Resolve(ctx)
		resolved <- result{conf, errors.Join(err, resolver.Shutdown(ctx))}
	}()
	select {
	case r := <-resolved:
		if r.err == nil {
			return r.conf, nil
		}
		err = r.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, unloadable(uris, err)
}

func unloadable(uris []string, err error) *Problem {
	p := problem("", err, "")
	for _, uri := range uris {
		if scheme, _, _ := strings.Cut(uri, ":"); scheme != "yaml" && strings.Contains(p.Cause, strings.TrimPrefix(uri, "file:")) {
			p.Source = brief(uri)
		}
	}
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(p.Cause, w) })
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded) || says("deadline exceeded"):
		p.Source, p.Remedy = brief(strings.Join(uris, ", ")), "every source must answer within "+loadTime.String()+" and be reachable from the function's network"
	case errors.Is(err, errGrows) || errors.Is(err, errItself):
		p.Remedy = "end the circle of ${...}, or write the value out"
	case errors.Is(err, errLarge) || errors.Is(err, errDeep):
		p.Remedy = "write what is meant without YAML aliases that repeat each other, or split it over several sources"
	case says("scheme"):
		p.Remedy = "sources are file:PATH, env:NAME, yaml:TEXT, http: and https: URLs; s3, secretsmanager and others come with " + onDemand
	case says("no such file"):
		p.Remedy = "the file must be in the function or a layer (/var/task/..., /opt/...)"
	case says("permission denied"):
		p.Remedy = "make the file readable for everyone (chmod a+r) before it is packed into the layer or function"
	case says("is a directory", "not a directory"):
		p.Remedy = "name a file; of the folder /opt/collector-config every *.yaml is read"
	case says("yaml", "YAML", "cannot be used as a Conf"):
		p.Remedy = "the source must hold a YAML mapping: receivers, exporters, service"
	case says("http"):
		p.Remedy = "the URL must answer 200 and be reachable from the function's network"
	default:
		p.Remedy = "check the source, and each ${...} in it"
	}
	return p
}
