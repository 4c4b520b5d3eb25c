package otlpclient_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlphttpexporter"
	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

func TestHTTPExporterShowsItsCertificate(t *testing.T) {
	me, other := trial.NewIdentity(t), trial.NewIdentity(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { _, _ = io.Copy(io.Discard, q.Body) }))
	s.TLS = me.Server(t, tls.RequireAndVerifyClientCert)
	s.StartTLS()
	defer s.Close()
	files := t.TempDir()
	certificate, key := filepath.Join(files, "cert.pem"), filepath.Join(files, "key.pem")
	for file, text := range map[string]string{certificate: me.Certificate, key: me.Key} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		set           func(*otlphttpexporter.Config)
		sent, dropped int64
	}{
		"as text":            {func(c *otlphttpexporter.Config) { c.TLS.CertPem, c.TLS.KeyPem = me.Certificate, me.Key }, 2, 0},
		"from files":         {func(c *otlphttpexporter.Config) { c.TLS.CertFile, c.TLS.KeyFile = certificate, key }, 2, 0},
		"none":               {func(*otlphttpexporter.Config) {}, 0, 0},
		"of another":         {func(c *otlphttpexporter.Config) { c.TLS.CertPem, c.TLS.KeyPem = other.Certificate, other.Key }, 0, 0},
		"with another's key": {func(c *otlphttpexporter.Config) { c.TLS.CertPem, c.TLS.KeyPem = me.Certificate, other.Key }, 0, 2},
		"file is missing":    {func(c *otlphttpexporter.Config) { c.TLS.CertFile, c.TLS.KeyFile = certificate, key+"x" }, 0, 2},
	} {
		f := otlphttpexporter.NewFactory()
		cfg := f.CreateDefaultConfig().(*otlphttpexporter.Config)
		cfg.Endpoint, cfg.TLS.CAPem = s.URL, me.Certificate
		c.set(cfg)
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		made, err := f.CreateTraces(t.Context(), exporter.Settings{ID: component.MustNewID("otlphttp"), TelemetrySettings: trial.Telemetry()}, cfg)
		h := &trial.Host{}
		if err != nil || made.Start(t.Context(), h) != nil {
			t.Fatal(err)
		}
		spans := ptrace.NewTraces()
		list := spans.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		list.AppendEmpty()
		list.AppendEmpty()
		if err := made.ConsumeTraces(t.Context(), spans); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		made.(delivery.Flusher).Flush(ctx)
		cancel()
		held := made.(delivery.Flusher).Held().Spans
		if sent, dropped := h.Tally().Sent.Counts().Spans, h.Tally().Dropped.Counts().Spans; sent != c.sent || dropped != c.dropped || held != 2-sent-dropped {
			t.Errorf("%s: sent %d, dropped %d, held %d", name, sent, dropped, held)
		}
		if err := made.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
