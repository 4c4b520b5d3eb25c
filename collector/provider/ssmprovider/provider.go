// Package ssmprovider gets values from the Parameter Store of AWS Systems Manager: ${ssm:NAME}, ${ssm:NAME#KEY}, ${ssm:NAME:-DEFAULT}.
package ssmprovider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"go.opentelemetry.io/collector/confmap"
)

const scheme = "ssm"

type provider struct {
	mu     sync.Mutex
	client *ssm.Client
}

// NewFactory makes the factory of the provider.
func NewFactory() confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return &provider{} })
}

// Retrieve gets a parameter, decrypted; NAME may be a path, an ARN, or have a version (NAME:3). KEY is a member of a JSON object.
// DEFAULT stands for a parameter that does not exist.
func (p *provider) Retrieve(ctx context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	name, found := strings.CutPrefix(uri, scheme+":")
	if !found || name == "" {
		return nil, fmt.Errorf("%q is not ssm:NAME", uri)
	}
	name, otherwise, optional := strings.Cut(name, ":-")
	name, key, member := strings.Cut(name, "#")
	client, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	decrypt := true
	got, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: &decrypt})
	if missing := (*types.ParameterNotFound)(nil); errors.As(err, &missing) && optional {
		return confmap.NewRetrievedFromYAML([]byte(otherwise))
	}
	if err != nil {
		return nil, fmt.Errorf("parameter %q: %w", name, err)
	}
	if got.Parameter == nil || got.Parameter.Value == nil {
		return nil, fmt.Errorf("parameter %q has no value", name)
	}
	if !member {
		return confmap.NewRetrievedFromYAML([]byte(*got.Parameter.Value))
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(*got.Parameter.Value), &object); err != nil {
		return nil, fmt.Errorf("parameter %q is not a JSON object", name) // the error would show the secret
	}
	value, ok := object[key]
	if !ok {
		return nil, fmt.Errorf("parameter %q has no key %q", name, key)
	}
	return confmap.NewRetrieved(value)
}

func (p *provider) connect(ctx context.Context) (*ssm.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client == nil {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, err
		}
		p.client = ssm.NewFromConfig(cfg)
	}
	return p.client, nil
}

// Scheme is ssm.
func (*provider) Scheme() string { return scheme }

// Shutdown has nothing to do.
func (*provider) Shutdown(context.Context) error { return nil }
