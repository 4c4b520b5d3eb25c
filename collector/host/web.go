package host

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

// web gets configurations from http and https URLs, as the stock providers do, but within its context's time and a bounded size.
type web string

func webFactory(scheme string) confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return web(scheme) })
}

// fromText parses what a source holds, unless it is so much that parsing alone would take seconds.
func fromText(name string, source io.Reader) (*confmap.Retrieved, error) {
	text, err := io.ReadAll(io.LimitReader(source, maxConfig+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(text) > maxConfig:
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxConfig)
	case bytes.Count(text, []byte("\n"))+bytes.Count(text, []byte(",")) > maxNodes: // YAML compares each key of a mapping with each other
		return nil, fmt.Errorf("%s %w", name, errLarge)
	}
	return confmap.NewRetrievedFromYAML(text)
}

func (w web) Retrieve(ctx context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	if !strings.HasPrefix(uri, string(w)+"://") {
		return nil, fmt.Errorf("%q is not a URL", uri)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", request.URL.Redacted(), response.Status)
	}
	return fromText(request.URL.Redacted(), response.Body)
}

func (w web) Scheme() string { return string(w) }

func (web) Shutdown(context.Context) error { return nil }
