package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// vault is a remote source of values: slow, failing, or with another value than before, as the test says.
type vault struct {
	mu     sync.Mutex
	value  string
	err    error
	delay  time.Duration
	asked  []string
	answer chan struct{} // when not nil: answers wait for it
}

func (v *vault) Retrieve(ctx context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	v.mu.Lock()
	v.asked = append(v.asked, uri)
	value, err, delay, answer := v.value, v.err, v.delay, v.answer
	v.mu.Unlock()
	if answer != nil {
		<-answer
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return confmap.NewRetrieved(value)
}

func (*vault) Scheme() string { return "vault" }

func (*vault) Shutdown(context.Context) error { return nil }

func (v *vault) set(value string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.value, v.err = value, err
}

func (v *vault) requests() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.asked)
}

// guarded is an exporter whose backend takes one key only.
type guarded struct {
	recorder
	key  string
	gate *gate
}

type gate struct {
	mu    sync.Mutex
	key   string
	no    error // to any other
	got   []string
	built []string
}

func (*guarded) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (e *guarded) ConsumeTraces(_ context.Context, d ptrace.Traces) error {
	e.gate.mu.Lock()
	defer e.gate.mu.Unlock()
	if e.key != e.gate.key {
		return e.gate.no
	}
	for _, rs := range d.ResourceSpans().All() {
		e.gate.got = append(e.gate.got, rs.ScopeSpans().At(0).Spans().At(0).Name())
	}
	return nil
}

func (g *gate) names() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.got)
}

const lateConfig = `
receivers: {in: }
exporters: {out: {word: "key ${vault:the-key}"}}
service: {pipelines: {traces: {receivers: [in], exporters: [out]}}}
`

func lateHostOf(t *testing.T, v *vault, g *gate, text string, logger *zap.Logger) (*Host, *world, error) {
	t.Helper()
	w := newWorld()
	f := w.factories()
	f.Providers = []confmap.ProviderFactory{confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return v })}
	f.Exporters = []exporter.Factory{exporter.NewFactory(component.MustNewType("out"), func() component.Config { return &words{} }, exporter.WithTraces(
		func(_ context.Context, _ exporter.Settings, cfg component.Config) (exporter.Traces, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.built = append(g.built, cfg.(*words).Word)
			return &guarded{recorder{"out", newWorld()}, cfg.(*words).Word, g}, nil
		}, component.StabilityLevelBeta))}
	loaded, err := Load(t.Context(), []string{"yaml:" + text}, logger, f.Providers...)
	if err != nil {
		return nil, w, err
	}
	h, err := New(t.Context(), loaded, f, component.BuildInfo{}, logger, func(string) error { return nil })
	if err == nil {
		err = h.Start(t.Context())
	}
	return h, w, err
}

func flush(t *testing.T, h *Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	h.Flush(ctx)
}

func TestValuesOfExportersAreFetchedBesideTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, g := &vault{value: "k", answer: make(chan struct{})}, &gate{key: "key k"}
		h, w, err := lateHostOf(t, v, g, lateConfig, zap.NewNop()) // would hang here, were it on the way
		if err != nil {
			t.Fatal(err)
		}
		if err := w.next["in"].ConsumeTraces(t.Context(), span("a")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if h.Held().Spans != 1 || v.requests() != 1 {
			t.Errorf("held %d, %d requests", h.Held().Spans, v.requests())
		}
		close(v.answer)
		flush(t, h)
		if got := g.names(); !slices.Equal(got, []string{"a"}) || h.Held().Spans != 0 || h.Tally().Sent.Counts().Spans != 1 {
			t.Errorf("got %q, held %d", got, h.Held().Spans)
		}
		if err := h.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestValuesThatCannotBeFetchedAreTriedAgainAndDataIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, g := &vault{err: errors.New("no network")}, &gate{key: "key k"}
		core, lines := observer.New(zapcore.WarnLevel)
		h, w, err := lateHostOf(t, v, g, lateConfig, zap.New(core))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			h.Resume(false)
			if err := w.next["in"].ConsumeTraces(t.Context(), span(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			flush(t, h)
		}
		if h.Held().Spans != 3 || len(g.built) != 0 || v.requests() < 2 {
			t.Errorf("held %d, built %q, %d requests", h.Held().Spans, g.built, v.requests())
		}
		if n := lines.FilterMessageSnippet("cannot be fetched").Len(); n != 1 {
			t.Errorf("%d lines", n)
		}
		v.set("k", nil)
		h.Resume(true)
		synctest.Wait()
		flush(t, h)
		if got := g.names(); !slices.Equal(got, []string{"0", "1", "2"}) || h.Tally().Dropped.Counts().Spans != 0 {
			t.Errorf("got %q, dropped %+v", got, h.Tally().Dropped.Counts())
		}
		if err := h.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestRefusedCredentialsAreFetchedAgain(t *testing.T) {
	for name, no := range map[string]error{
		"stock": errors.New("request to http://b responded with HTTP Status Code 401"), "ours": fmt.Errorf("b: %w", delivery.ErrUnauthorized),
	} {
		t.Run(name, func(t *testing.T) { refuse(t, no) })
	}
}

func refuse(t *testing.T, no error) {
	synctest.Test(t, func(t *testing.T) {
		v, g := &vault{value: "old"}, &gate{key: "key old", no: no}
		h, w, err := lateHostOf(t, v, g, lateConfig, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		give := func(name string) {
			h.Resume(false)
			if err := w.next["in"].ConsumeTraces(t.Context(), span(name)); err != nil {
				t.Fatal(err)
			}
			flush(t, h)
		}
		give("a")
		time.Sleep(time.Hour)
		g.mu.Lock()
		g.key = "key new" // rotated
		g.mu.Unlock()
		v.set("new", nil)
		give("b")
		synctest.Wait()
		give("c")
		if got := g.names(); !slices.Equal(got, []string{"a", "b", "c"}) || !slices.Equal(g.built, []string{"key old", "key new"}) || h.Tally().Dropped.Counts().Sum() != 0 {
			t.Errorf("got %q with %q, dropped %+v", got, g.built, h.Tally().Dropped.Counts())
		}
		g.mu.Lock()
		g.key = "another" // and nobody knows it
		g.mu.Unlock()
		before := v.requests()
		for range 10 {
			give("d")
			synctest.Wait()
		}
		if n := v.requests() - before; n > 2 || h.Tally().Dropped.Counts().Spans == 0 {
			t.Errorf("%d more requests, dropped %d", n, h.Tally().Dropped.Counts().Spans)
		}
		if err := h.Close(t.Context()); err != nil {
			t.Error(err)
		}
		c := h.Tally()
		if c.Received.Counts().Spans != c.Sent.Counts().Spans+c.Dropped.Counts().Spans {
			t.Errorf("received %+v, sent %+v, dropped %+v", c.Received.Counts(), c.Sent.Counts(), c.Dropped.Counts())
		}
	})
}

func TestValuesThatOthersNeedAreFetchedAtOnceWithinATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const text = "{receivers: {in: {word: '${vault:w}'}}, exporters: {out: {word: '${vault:x}'}}, service: {pipelines: {traces: {receivers: [in], exporters: [out]}}}}"
		v := &vault{value: "k"}
		h, _, err := lateHostOf(t, v, &gate{}, text, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		v.mu.Lock()
		first := v.asked[0]
		v.mu.Unlock()
		if first != "vault:w" {
			t.Errorf("asked for %q first", first)
		}
		_ = h.Close(t.Context())
		v = &vault{delay: time.Hour}
		began := time.Now()
		var p *Problem
		if _, _, err := lateHostOf(t, v, &gate{}, text, zap.NewNop()); !errors.As(err, &p) || p.Remedy == "" || time.Since(began) > loadTime {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestWrongKeysOfLateExportersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{value: "k"}
		core, lines := observer.New(zapcore.WarnLevel)
		h, w, err := lateHostOf(t, v, &gate{}, strings.Replace(lateConfig, "word:", "wrod: 1, word:", 1), zap.New(core))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.next["in"].ConsumeTraces(t.Context(), span("a")); err != nil {
			t.Fatal(err)
		}
		flush(t, h)
		_ = h.Close(t.Context())
		if all := fmt.Sprint(lines.All()); !strings.Contains(all, "did you mean word?") || h.Tally().Dropped.Counts().Spans != 1 {
			t.Errorf("%s", all)
		}
	})
}

func TestRefusedValuesAreAskedForOnceAndOnlyNewerOnesAreGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		value, fetches := "old", 0
		k := newKeeper(zap.NewNop(), func(context.Context) (component.Config, error) {
			fetches++
			time.Sleep(time.Second)
			return value, nil
		})
		defer k.stop()
		k.start(func() {})
		_, version, err := k.config(t.Context())
		if err != nil || version != 1 {
			t.Fatal(version, err)
		}
		host := lateHost{exporter: &lateExporter{keeper: k}, version: version}
		if cfg, err := host.Refresh(t.Context(), "exporters", component.ID{}); err == nil {
			t.Errorf("fetched again at once: %v", cfg)
		}
		time.Sleep(fetchPause)
		if cfg, err := host.Refresh(t.Context(), "exporters", component.ID{}); err == nil || fetches != 2 {
			t.Errorf("%v after %d fetches, though nothing has changed", cfg, fetches)
		}
		time.Sleep(fetchPause)
		value = "new"
		for range 2 { // the second time it is there already
			if cfg, err := host.Refresh(t.Context(), "exporters", component.ID{}); err != nil || cfg != "new" || fetches != 3 {
				t.Errorf("%v, %v after %d fetches", cfg, err, fetches)
			}
		}
	})
}
