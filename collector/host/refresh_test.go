package host

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpexporter"
	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlphttpexporter"
)

// locked is a backend of OTLP over HTTP and gRPC that takes the newest key only, and the server that tells the key.
type locked struct {
	mu      sync.Mutex
	key     string
	told    int
	taken   []string // Content-Type of each request that was taken
	refused int
}

func (l *locked) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	_, _ = io.Copy(io.Discard, q.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.URL.Path == "/key" {
		l.told++
		if l.key == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, l.key)
		return
	}
	kind := q.Header.Get("Content-Type")
	grpc := kind == "application/grpc"
	good := q.Header.Get("Authorization") == "Bearer "+l.key
	switch {
	case grpc && good:
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(make([]byte, 5))
		w.Header().Set("Grpc-Status", "0")
	case grpc:
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Grpc-Status", "16")
	case !good:
		w.WriteHeader(http.StatusUnauthorized)
	}
	if good {
		l.taken = append(l.taken, kind)
	} else {
		l.refused++
	}
}

func (l *locked) rotate(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.key = key
}

func (l *locked) counts() (told, refused int, taken []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told, l.refused, slices.Clone(l.taken)
}

// remote gets values from the web, as the providers of an on-demand build do from AWS.
type remote struct{ confmap.Provider }

func (r remote) Retrieve(ctx context.Context, uri string, watch confmap.WatcherFunc) (*confmap.Retrieved, error) {
	return r.Provider.Retrieve(ctx, strings.TrimPrefix(uri, "remote:"), watch)
}

func (remote) Scheme() string { return "remote" }

func TestExportersOfOursGetNewKeysWhenTheBackendRefusesTheOld(t *testing.T) {
	before := fetchPause
	fetchPause = 0
	defer func() { fetchPause = before }()
	for name, want := range map[string]string{"otlphttp": "application/x-protobuf", "otlp": "application/grpc"} {
		t.Run(name, func(t *testing.T) {
			l := &locked{}
			s := httptest.NewUnstartedServer(l)
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetHTTP1(true)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			s.Start()
			defer s.Close()
			w := newWorld()
			f := w.factories()
			f.Exporters = []exporter.Factory{otlphttpexporter.NewFactory(), otlpexporter.NewFactory()}
			text := fmt.Sprintf("receivers: {in: }\nexporters: {%s: {endpoint: '%s', headers: {authorization: 'Bearer ${remote:%s/key}'}}}\n"+
				"service: {pipelines: {traces: {receivers: [in], exporters: [%[1]s]}}}", name, s.URL, s.URL)
			f.Providers = []confmap.ProviderFactory{confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return remote{web("http")} })}
			loaded, err := Load(t.Context(), []string{"yaml:" + text}, zap.NewNop(), f.Providers...)
			if err != nil {
				t.Fatal(err)
			}
			h, err := New(t.Context(), loaded, f, component.BuildInfo{}, zap.NewNop(), func(string) error { return nil })
			if err == nil {
				err = h.Start(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			give := func() {
				h.Resume(false)
				if err := w.next["in"].ConsumeTraces(t.Context(), span("a")); err != nil {
					t.Fatal(err)
				}
				flush(t, h)
			}
			give() // the key cannot be had: kept
			if told, _, taken := l.counts(); told == 0 || len(taken) > 0 || h.Held().Spans != 1 {
				t.Errorf("asked for the key %d times, taken %q, held %+v", told, taken, h.Held())
			}
			for n, key := range []string{"first", "second", "third"} {
				l.rotate(key)
				give()
				for tries := 0; h.Held().Spans > 0 && tries < 100; tries++ { // a fetch may take longer than a flush
					time.Sleep(20 * time.Millisecond)
					h.Resume(false)
					flush(t, h)
				}
				if _, refused, taken := l.counts(); refused < n || len(taken) == 0 || taken[len(taken)-1] != want {
					t.Errorf("%s: refused %d, taken %q", key, refused, taken)
				}
			}
			if err := h.Close(t.Context()); err != nil {
				t.Error(err)
			}
			sent, dropped := h.Tally().Sent.Counts().Spans, h.Tally().Dropped.Counts().Spans
			if told, refused, taken := l.counts(); sent != 4 || dropped != 0 || told < 4 || refused > 6 {
				t.Errorf("sent %d, dropped %d, told %d, refused %d, taken %s", sent, dropped, told, refused, strings.Join(taken, " "))
			}
		})
	}
}
