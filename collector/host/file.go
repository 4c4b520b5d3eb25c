package host

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

// file reads configurations and values from files, as the stock provider does, but within a bounded size: a device has no end.
type file struct{}

func fileFactory() confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return file{} })
}

func (file) Retrieve(_ context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	opened, err := os.Open(strings.TrimPrefix(uri, "file:"))
	if err != nil {
		return nil, fmt.Errorf("unable to read the file %s: %w", uri, err)
	}
	defer opened.Close()
	return fromText(uri, opened)
}

func (file) Scheme() string { return "file" }

func (file) Shutdown(context.Context) error { return nil }
