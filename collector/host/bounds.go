package host

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

const (
	maxConfig   = 4 << 20  // bytes of one source
	maxNodes    = 20_000   // values in one source; YAML's aliases make millions of a few lines
	maxDepth    = 100      // levels in one source
	maxExpanded = 1 << 20  // bytes that one value becomes with what it refers to
	maxFetched  = 16 << 20 // bytes of all values together
	maxSteps    = 1000     // references that one value leads to, the resolver's own limit
)

// The resolver replaces ${...} until none is left, whatever that makes: these end it, in place of the memory's end.
var (
	errGrows  = errors.New("grows beyond what a configuration needs")
	errItself = errors.New("refers to itself")
	errLarge  = fmt.Errorf("has more than %d values", maxNodes)
	errDeep   = fmt.Errorf("is more than %d levels deep", maxDepth)
)

// bounds are the limits of one resolution.
type bounds struct {
	providers map[string]confmap.Provider
	roots     int // whole configurations that are still to come, before any value
	left      int // bytes
}

func (b *bounds) factory(f confmap.ProviderFactory) confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider {
		p := f.Create(set)
		b.providers[p.Scheme()] = p
		return bounded{p, b}
	})
}

// bounded is a provider whose values stay within bounds, and that gives none any more when the wait for the configuration is over.
type bounded struct {
	confmap.Provider
	bounds *bounds
}

func (p bounded) Retrieve(ctx context.Context, uri string, watch confmap.WatcherFunc) (*confmap.Retrieved, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := p.Provider.Retrieve(ctx, uri, watch)
	if err != nil {
		return nil, err
	}
	w := weighing{ctx: ctx, bounds: p.bounds, root: p.bounds.roots > 0}
	p.bounds.roots--
	raw, err := r.AsRaw()
	if err == nil {
		err = w.weigh(raw, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %w", brief(uri), err)
	}
	return r, nil
}

// weighing goes once through what a provider gave.
type weighing struct {
	ctx    context.Context
	bounds *bounds
	root   bool
	nodes  int
}

func (w *weighing) weigh(value any, depth int) error {
	if w.nodes++; w.nodes > maxNodes {
		return errLarge
	}
	if depth > maxDepth {
		return errDeep
	}
	switch v := value.(type) {
	case string:
		if !w.root { // what a configuration itself refers to is weighed when it is asked for
			return w.bounds.expand(w.ctx, v)
		}
	case []any:
		for _, element := range v {
			if err := w.weigh(element, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, element := range v {
			if err := w.weigh(element, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// expand does with a text what the resolver is about to do, to see where that leads. What cannot be had is the resolver's to tell.
func (b *bounds) expand(ctx context.Context, text string) error {
	for range maxSteps {
		if len(text) > maxExpanded {
			return errGrows
		}
		reference := innermost(text)
		scheme, _, _ := strings.Cut(reference, ":")
		provider := b.providers[scheme]
		if provider == nil || ctx.Err() != nil {
			b.left -= len(text)
			if b.left < 0 {
				return errGrows
			}
			return ctx.Err()
		}
		put, readable := asText(provider.Retrieve(ctx, reference, func(*confmap.ChangeEvent) {}))
		if !readable {
			return nil
		}
		written := "${" + reference + "}"
		if !strings.Contains(text, written) { // the scheme env may be left out
			written = "${" + strings.TrimPrefix(reference, "env:") + "}"
		}
		if n := strings.Count(text, written); len(text)+n*len(put) > 2*maxExpanded {
			return errGrows
		}
		text = strings.ReplaceAll(text, written, put)
	}
	return errItself
}

// asText is what a provider gave as text; false when there is none.
func asText(r *confmap.Retrieved, err error) (string, bool) {
	if err != nil {
		return "", false
	}
	text, err := r.AsString()
	return text, err == nil
}

// innermost is the URI of the ${...} that the resolver replaces next, or "".
func innermost(text string) string {
	for {
		before, after, found := strings.Cut(text, "}")
		if !found {
			return ""
		}
		if at := strings.LastIndex(before, "${"); at >= 0 {
			dollars := at - len(strings.TrimRight(before[:at], "$"))
			if uri := before[at+2:]; dollars%2 == 0 { // $${...} is no reference
				if !strings.Contains(uri, ":") {
					uri = "env:" + uri
				}
				return uri
			}
		}
		text = after
	}
}
