package host

import (
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

const maxConfig = 4 << 20

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
	text, err := io.ReadAll(io.LimitReader(response.Body, maxConfig+1))
	if err == nil && len(text) > maxConfig {
		err = fmt.Errorf("%s is larger than %d bytes", request.URL.Redacted(), maxConfig)
	}
	if err != nil {
		return nil, err
	}
	return confmap.NewRetrievedFromYAML(text)
}

func (w web) Scheme() string { return string(w) }

func (web) Shutdown(context.Context) error { return nil }
