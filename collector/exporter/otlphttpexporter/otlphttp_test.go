package otlphttpexporter

import (
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpclient"
	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

// start runs the exporter for three signals.
func start(t *testing.T, text string) (*otlpclient.Exporter, *trial.Host) {
	t.Helper()
	h := &trial.Host{}
	e, err := startIn(t, text, h)
	if err != nil {
		t.Fatal(err)
	}
	return e, h
}

func startIn(t *testing.T, text string, h *trial.Host) (*otlpclient.Exporter, error) {
	t.Helper()
	cfg, err := trial.Config[*Config](t, createDefaultConfig, text)
	if err != nil {
		t.Fatal(err)
	}
	f := NewFactory()
	set := exporter.Settings{
		ID: component.MustNewID("otlphttp"), TelemetrySettings: trial.Telemetry(),
		BuildInfo: component.BuildInfo{Command: "c", Version: "1"},
	}
	made, err := f.CreateTraces(t.Context(), set, cfg)
	_, err2 := f.CreateMetrics(t.Context(), set, cfg)
	_, err3 := f.CreateLogs(t.Context(), set, cfg)
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Shutdown(context.Background()) })
	return made.(*otlpclient.Exporter), made.Start(t.Context(), h)
}

func consume(t *testing.T, e *otlpclient.Exporter, n int) {
	t.Helper()
	td, md, ld := ptrace.NewTraces(), pmetric.NewMetrics(), plog.NewLogs()
	for range n {
		td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("span")
		md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptySum().DataPoints().AppendEmpty().SetIntValue(1)
		ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("line")
	}
	if err := errors.Join(e.ConsumeTraces(t.Context(), td), e.ConsumeMetrics(t.Context(), md), e.ConsumeLogs(t.Context(), ld)); err != nil {
		t.Fatal(err)
	}
}

func flush(e *otlpclient.Exporter) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	e.Flush(ctx)
}

func TestSendsThreeSignalsCompressedWithHeaders(t *testing.T) {
	var spans, points, records atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		plain, err := gzip.NewReader(q.Body)
		if err != nil || q.Header.Get("Content-Encoding") != "gzip" || q.Header.Get("Api-Key") != "secret" || q.Header.Get("User-Agent") != "c/1" ||
			q.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %v: %v", q.URL, q.Header, err)
			return
		}
		body, err := io.ReadAll(plain)
		if err != nil {
			t.Error(err)
		}
		switch q.URL.Path {
		case "/base/v1/traces":
			var d ptrace.Traces
			d, err = (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
			spans.Add(int64(d.SpanCount()))
		case "/base/v1/metrics":
			var d pmetric.Metrics
			d, err = (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(body)
			points.Add(int64(d.DataPointCount()))
		case "/elsewhere":
			var d plog.Logs
			d, err = (&plog.ProtoUnmarshaler{}).UnmarshalLogs(body)
			records.Add(int64(d.LogRecordCount()))
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer s.Close()
	e, h := start(t, "{endpoint: '"+s.URL+"/base', logs_endpoint: '"+s.URL+"/elsewhere', headers: {api-key: secret}}")
	for range 5 {
		consume(t, e, 2)
	}
	flush(e)
	if spans.Load() != 10 || points.Load() != 10 || records.Load() != 10 {
		t.Errorf("%d spans, %d points, %d records", spans.Load(), points.Load(), records.Load())
	}
	if sent := h.Tally().Sent.Counts(); sent != (delivery.Counts{Spans: 10, Metrics: 10, Logs: 10}) {
		t.Errorf("sent %+v", sent)
	}
}

func TestVerdicts(t *testing.T) {
	// A partial success by hand: field 1 { field 1 varint 2, field 2 "why" }.
	partial := []byte{0x0a, 7, 0x08, 2, 0x12, 3, 'w', 'h', 'y'}
	for _, c := range []struct {
		name                string
		status              int
		body                []byte
		sent, dropped, held int64
	}{
		{"ok", 200, nil, 3, 0, 0},
		{"accepted", 202, []byte("garbage that is no OTLP response"), 3, 0, 0},
		{"partial success", 200, partial, 1, 2, 0},
		{"moved", 301, nil, 0, 3, 0},
		{"bad", 400, nil, 0, 3, 0},
		{"key", 401, []byte("no such key\n"), 0, 3, 0},
		{"not found", 404, nil, 0, 3, 0},
		{"throttled", 429, nil, 0, 0, 3},
		{"error", 500, nil, 0, 0, 3},
		{"unavailable", 503, nil, 0, 0, 3},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			_, _ = io.Copy(io.Discard, q.Body)
			w.Header().Set("Location", "/other")
			w.WriteHeader(c.status)
			_, _ = w.Write(c.body)
		}))
		e, h := start(t, "{endpoint: '"+s.URL+"'}")
		consume(t, e, 3)
		flush(e)
		if sent, dropped, held := h.Tally().Sent.Counts(), h.Tally().Dropped.Counts(), e.Held(); sent.Spans != c.sent || dropped.Spans != c.dropped || held.Spans != c.held {
			t.Errorf("%s: sent %+v, dropped %+v, held %+v", c.name, sent, dropped, held)
		}
		s.Close()
	}
}

func TestRefusedConnectionKeepsAndDeadConnectionIsReplaced(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	e, h := start(t, "{endpoint: 'http://"+address+"'}")
	consume(t, e, 1)
	flush(e)
	if e.Held().Sum() != 3 || h.Tally().Dropped.Counts().Sum() != 0 {
		t.Fatalf("held %+v, dropped %+v", e.Held(), h.Tally().Dropped.Counts())
	}
	// The backend comes up, and closes every connection on which it sees a second request, as a peer does that forgot it in a freeze.
	if l, err = net.Listen("tcp", address); err != nil {
		t.Skipf("the port was taken meanwhile: %v", err)
	}
	var requests atomic.Int64
	type seen struct{}
	s := &http.Server{
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, seen{}, new(atomic.Bool))
		},
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
			if q.Context().Value(seen{}).(*atomic.Bool).Swap(true) {
				panic(http.ErrAbortHandler)
			}
			_, _ = io.Copy(io.Discard, q.Body)
			requests.Add(1)
		}),
	}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	e.Resume(true)
	flush(e)
	for range 3 {
		consume(t, e, 1)
		flush(e)
	}
	if h.Tally().Sent.Counts().Sum() != 12 || e.Held().Sum() != 0 || requests.Load() != 12 {
		t.Errorf("sent %+v, held %+v in %d requests", h.Tally().Sent.Counts(), e.Held(), requests.Load())
	}
}

func TestTLSWithItsOwnAuthority(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { _, _ = io.Copy(io.Discard, q.Body) }))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	trusting, h := start(t, "{endpoint: '"+s.URL+"', tls: {ca_file: '"+file+"'}}")
	consume(t, trusting, 1)
	flush(trusting)
	if h.Tally().Sent.Counts().Sum() != 3 {
		t.Errorf("sent %+v", h.Tally().Sent.Counts())
	}
	strict, h := start(t, "{endpoint: '"+s.URL+"'}")
	consume(t, strict, 1)
	flush(strict)
	if h.Tally().Sent.Counts().Sum() != 0 {
		t.Error("it trusts any certificate")
	}
}

func TestDocumentation(t *testing.T) {
	all := trial.Documented[*Config](t, createDefaultConfig)["otlphttp/all"]
	if all.Timeout != 3*time.Second || all.TLS.MinVersion != "1.3" || all.RetryOnFailure.Multiplier != 1.5 || all.SendingQueue.Sizer != "requests" {
		t.Errorf("%+v", all)
	}
}

func TestConfig(t *testing.T) {
	for text, want := range map[string]string{
		"{endpoint: 'http://a:1'}": "",
		"{logs_endpoint: 'https://a/x', retry_on_failure: {enabled: false}}": "",
		"{}":                "endpoint is missing",
		"{endpoint: 'a:1'}": "must be a URL",
		"{endpoint: 'http://a', compression: zstd}":                 "compression",
		"{endpoint: 'http://a', encoding: json}":                    "encoding",
		"{endpoint: 'http://a', timeout: 0s}":                       "timeout",
		"{endpoint: 'http://a', sending_queue: {num_consumers: 3}}": "num_consumers",
		"{endpoint: 'http://a', sending_queue: {queue_size: 0}}":    "queue_size",
		"{endpoint: 'http://a', auth: {authenticator: sigv4auth}}":  "",
		"{endpoint: 'http://a', auth: {authentikator: sigv4auth}}":  "authentikator",
	} {
		if _, err := trial.Config[*Config](t, createDefaultConfig, text); (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRetryAfterIsReadWithoutOverflow(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"3": 3 * time.Second, "99999999999999999999": math.MaxInt32 * time.Second, "-99999999999999999999": math.MinInt32 * time.Second, "soon": 0, "": 0,
	} {
		if got := retryAfter(value); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
}
