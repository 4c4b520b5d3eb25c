package host

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlphttpexporter"
)

// An exporter of ours whose headers are secrets, used by all three signals: each must get there, whichever comes first, also with
// newer values.
func TestEverySignalOfALateExporterOfOursIsDelivered(t *testing.T) {
	var mu sync.Mutex
	key, got := "one", map[string]int{}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if q.Header.Get("Api-Key") != key {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		got[q.URL.Path]++
	}))
	defer backend.Close()
	v := &vault{value: "one"}
	h, traces := lateOfOurs(t, v, backend.URL, pipeline.SignalMetrics, pipeline.SignalLogs)
	exporters := h.GetExporters()
	metrics, logs := exporters[pipeline.SignalMetrics][traces.use.id].(consumer.Metrics), exporters[pipeline.SignalLogs][traces.use.id].(consumer.Logs)
	k := traces.keeper
	md := pmetric.NewMetrics()
	md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	ld := plog.NewLogs()
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	give := func() {
		for _, err := range []error{traces.ConsumeTraces(t.Context(), span("a")), metrics.ConsumeMetrics(t.Context(), md), logs.ConsumeLogs(t.Context(), ld)} {
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			h.Flush(ctx)
			cancel()
		}
	}
	give()
	mu.Lock()
	key = "two"
	mu.Unlock()
	v.set("two", nil)
	k.mu.Lock()
	k.ended = k.ended.Add(-2 * fetchPause) // long ago
	k.mu.Unlock()
	give()
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/v1/traces", "/v1/metrics", "/v1/logs"} {
		if got[path] != 2 {
			t.Errorf("%s: %d requests were taken, not 2; dropped %+v", path, got[path], h.Tally().Dropped.Counts())
		}
	}
	if s := h.Tally().Sent.Counts(); s.Spans != 2 || s.Metrics != 2 || s.Logs != 2 {
		t.Errorf("sent %+v, dropped %+v", s, h.Tally().Dropped.Counts())
	}
}

// What is held is held once: released data does not wait a second time in the exporter that was made meanwhile.
func TestReleasedDataOfALateExporterOfOursIsSent(t *testing.T) {
	arrived := make(chan struct{}, 8)
	backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
	defer backend.Close()
	h, traces := lateOfOurs(t, &vault{value: "one"}, backend.URL)
	for range 2 { // the second time the exporter is there
		h.Hold(true)
		if err := traces.ConsumeTraces(t.Context(), span("a")); err != nil {
			t.Fatal(err)
		}
		h.Release()
		select {
		case <-arrived:
		case <-t.Context().Done():
			t.Fatal("still held")
		case <-time.After(10 * time.Second):
			t.Fatal("still held")
		}
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// lateOfOurs is a started host with an exporter of ours, for spans, whose header is a secret.
func lateOfOurs(t *testing.T, v *vault, endpoint string, more ...pipeline.Signal) (*Host, *lateExporter) {
	t.Helper()
	f := newWorld().factories()
	f.Providers = []confmap.ProviderFactory{confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return v })}
	f.Exporters = []exporter.Factory{otlphttpexporter.NewFactory()}
	loaded, err := Load(t.Context(), []string{`yaml:{receivers: {in: }, exporters: {otlphttp: {endpoint: "` + endpoint + `", headers: {api-key: "${vault:k}"}}},
		service: {pipelines: {traces: {receivers: [in], exporters: [otlphttp]}}}}`}, zap.NewNop(), f.Providers...)
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(t.Context(), loaded, f, component.BuildInfo{}, zap.NewNop(), func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	traces := h.parts[0].Component.(*lateExporter)
	for _, signal := range more {
		u := use{traces.use.id, signal}
		h.add(part{section: "exporters", id: u.id, signal: signal, Component: newLateExporter(h, u, traces.keeper, func(ctx context.Context, cfg component.Config) (component.Component, error) {
			return h.makeExporter(ctx, f, u, cfg)
		})})
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h, traces
}
