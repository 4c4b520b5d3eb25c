package host

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

const fetchTime = 5 * time.Second // of running time, for the values of one exporter

// fetchPause is how long values are not fetched again; tests with real servers cannot wait for it.
var fetchPause = 30 * time.Second

// A value that is not there yet stands as its URI between these two.
const lateBegin, lateEnd = "\x02", "\x03"

// later stands in for a provider of remote values: it fetches only what is wanted and leaves the rest for later.
type later struct {
	confmap.Provider
	wanted []string
}

func (l later) Retrieve(ctx context.Context, uri string, watch confmap.WatcherFunc) (*confmap.Retrieved, error) {
	if slices.Contains(l.wanted, uri) {
		return l.Provider.Retrieve(ctx, uri, watch)
	}
	return confmap.NewRetrieved(lateBegin + uri + lateEnd)
}

func laterFactory(f confmap.ProviderFactory, wanted []string) confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider { return later{f.Create(set), wanted} })
}

// lateIn are the URIs of the values that are not there yet.
func lateIn(value any) (uris []string) {
	switch v := value.(type) {
	case string:
		for rest := v; ; {
			_, after, found := strings.Cut(rest, lateBegin)
			if !found {
				return uris
			}
			uri, tail, _ := strings.Cut(after, lateEnd)
			uris, rest = append(uris, uri), tail
		}
	case []any:
		for _, element := range v {
			uris = append(uris, lateIn(element)...)
		}
	case map[string]any:
		for _, element := range v {
			uris = append(uris, lateIn(element)...)
		}
	}
	return uris
}

// keeper has the configuration of one exporter whose values come from remote sources: fetched beside the start, tried again until they
// are there, and fetched anew when the backend says that they are not good any more.
type keeper struct {
	fetch func(ctx context.Context) (component.Config, error)
	log   *zap.Logger

	mu      sync.Mutex
	tell    []func() // called when a configuration has come
	cfg     component.Config
	version int
	err     error         // of the last fetch; nil while the next is due
	failing bool          // the failure has been logged
	tried   chan struct{} // closed when a fetch has ended
	ended   time.Time     // wall time of the last fetch
	again   chan bool
	stop    context.CancelFunc
	stopped context.Context
}

func newKeeper(log *zap.Logger, fetch func(context.Context) (component.Config, error)) *keeper {
	k := &keeper{fetch: fetch, log: log, tried: make(chan struct{}), again: make(chan bool, 1)}
	k.stopped, k.stop = context.WithCancel(context.Background())
	return k
}

// start begins to fetch, with the first call; tell is called whenever a configuration has come.
func (k *keeper) start(tell func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tell = append(k.tell, tell); len(k.tell) == 1 {
		go k.run()
	}
}

func (k *keeper) run() {
	for pause := time.Second; k.stopped.Err() == nil; {
		ctx, cancel := delivery.WithRunningTime(k.stopped, fetchTime)
		cfg, err := k.fetch(ctx)
		cancel()
		k.took(cfg, err)
		if err == nil {
			k.mu.Lock()
			told := slices.Clone(k.tell)
			k.mu.Unlock()
			for _, tell := range told {
				tell()
			}
			pause = time.Second
			select {
			case <-k.again:
			case <-k.stopped.Done():
			}
			continue
		}
		select {
		case <-time.After(pause):
		case <-k.again:
		case <-k.stopped.Done():
		}
		pause = min(2*pause, fetchPause)
	}
}

func (k *keeper) took(cfg component.Config, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil && !k.failing && k.stopped.Err() == nil {
		k.log.Warn("values of the configuration cannot be fetched, telemetry is kept until they are there", zap.Error(err))
	}
	k.err, k.failing = err, err != nil
	if err == nil && !reflect.DeepEqual(cfg, k.cfg) {
		k.cfg = cfg
		k.version++
	}
	k.ended = time.Now().Round(0)
	close(k.tried)
	k.tried = make(chan struct{})
}

// config waits for the first values; with an error when they are not to be had now.
func (k *keeper) config(ctx context.Context) (component.Config, int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cfg == nil && k.err == nil {
		tried := k.tried
		k.mu.Unlock()
		select {
		case <-tried:
		case <-ctx.Done():
		}
		k.mu.Lock()
	}
	if k.cfg != nil {
		return k.cfg, k.version, nil
	}
	if k.err != nil {
		return nil, 0, k.err
	}
	return nil, 0, ctx.Err()
}

// refused says that the backend does not accept the credentials of a version. It tells whether there is hope: newer values are there or
// are being fetched.
func (k *keeper) refused(version int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.version != version {
		return true
	}
	if time.Since(k.ended) < fetchPause {
		return false
	}
	select {
	case k.again <- true:
	default:
	}
	return true
}

// newer waits for a configuration that is newer than a refused one; with an error when there is none and none is to be had soon.
func (k *keeper) newer(ctx context.Context, version int) (component.Config, error) {
	for waited := false; ; waited = true {
		k.mu.Lock()
		cfg, now, tried, err := k.cfg, k.version, k.tried, k.err
		k.mu.Unlock()
		switch {
		case now != version:
			return cfg, nil
		case waited && err != nil:
			return nil, err
		case waited || !k.refused(version):
			return nil, errors.New("the values have not changed")
		}
		select {
		case <-tried:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// wake tries at once what failed: an invocation begins. Who asks for the configuration waits for that.
func (k *keeper) wake() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		k.err = nil
		select {
		case k.again <- true:
		default:
		}
	}
}
