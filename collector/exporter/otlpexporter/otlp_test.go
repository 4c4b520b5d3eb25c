package otlpexporter

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

func TestDocumentation(t *testing.T) {
	all := trial.Documented[*Config](t, createDefaultConfig)["otlp/all"]
	if all.Timeout != 3*time.Second || all.TLS.MinVersion != "1.3" || all.RetryOnFailure.Multiplier != 1.5 || all.SendingQueue.Sizer != "requests" {
		t.Errorf("%+v", all)
	}
}

func TestEndpoints(t *testing.T) {
	const path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
	for text, want := range map[string]string{
		"{endpoint: 'a:4317'}":                                  "https://a:4317",
		"{endpoint: 'a:4317', tls: {insecure: true}}":           "http://a:4317",
		"{endpoint: 'https://a:1/', tls: {insecure: true}}":     "https://a:1",
		"{endpoint: 'dns:///a:4317', tls: {insecure: true}}":    "http://a:4317",
		"{endpoint: 'http://[::1]:4317'}":                       "http://[::1]:4317",
		"{endpoint: a}":                                         "https://a:443",
		"{}":                                                    "",
		"{endpoint: 'https://a:1/path'}":                        "",
		"{endpoint: 'a:1', compression: zstd}":                  "",
		"{endpoint: 'a:1', keepalive: {time: 1s}}":              "",
		"{endpoint: 'a:1', sending_queue: {num_consumers: 2}}":  "",
		"{endpoint: 'a:1', tls: {cert_file: /c}}":               "",
		"{endpoint: 'a:1', tls: {cert_file: /c, key_file: /k}}": "https://a:1",
		"{endpoint: 'a:1', tls: {ca_file: /c, ca_pem: c}}":      "",
		"{endpoint: 'a:1', tls: {min_version: '1.0'}}":          "",
		"{endpoint: 'a:1', retry_on_failure: {multiplier: 0}}":  "",
	} {
		cfg, err := trial.Config[*Config](t, createDefaultConfig, text)
		if want == "" {
			if err == nil {
				t.Errorf("%s is taken", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := cfg.target(pipeline.SignalLogs); err != nil || got != want+path {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func TestVerdictsOfStatuses(t *testing.T) {
	// google.rpc.Status with RetryInfo of 2.5 s, by hand.
	kind := "type.googleapis.com/google.rpc.RetryInfo"
	delay := "\x08\x02\x10\x80\xca\xb5\xee\x01"
	info := "\x0a" + string(rune(len(kind))) + kind + "\x12" + string(rune(len(delay)+2)) + "\x0a" + string(rune(len(delay))) + delay
	details := base64.RawStdEncoding.EncodeToString([]byte("\x08\x0e\x1a" + string(rune(len(info))) + info))
	for _, c := range []struct {
		name, status, details string
		want                  delivery.Verdict
		wait                  time.Duration
	}{
		{"ok", "0", "", delivery.Delivered, 0},
		{"bad message", "3", "", delivery.Refused, 0},
		{"exhausted for good", "8", "", delivery.Refused, 0},
		{"exhausted for now", "8", details, delivery.Busy, 2500 * time.Millisecond},
		{"unavailable", "14", "", delivery.Busy, 0},
		{"throttled", "14", details, delivery.Busy, 2500 * time.Millisecond},
		{"internal", "13", "", delivery.Refused, 0},
		{"aborted", "10", "not base64!", delivery.Busy, 0},
		{"bad key", "16", "", delivery.Denied, 0},
		{"forbidden", "7", "", delivery.Denied, 0},
		{"no such service", "12", "", delivery.Denied, 0},
		{"no status", "", "", delivery.Cut, 0},
		{"nonsense", "x", "", delivery.Cut, 0},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", c.status)
			w.Header().Set("Grpc-Status-Details-Bin", c.details)
		}))
		response, err := http.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		got := judge(response)
		_ = response.Body.Close()
		s.Close()
		if got.Verdict != c.want || got.RetryAfter != c.wait || (c.status == "16") != errors.Is(got.Err, delivery.ErrUnauthorized) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestRepliesThatAreNotOfGRPC(t *testing.T) {
	for status, want := range map[int]delivery.Verdict{200: delivery.Refused, 401: delivery.Denied, 404: delivery.Denied, 429: delivery.Busy, 500: delivery.Busy, 400: delivery.Refused} {
		response := &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("<html>")), Request: httptest.NewRequest(http.MethodPost, "/", nil)}
		if got := judge(response); got.Verdict != want || !strings.Contains(got.Err.Error(), "4317") {
			t.Errorf("%d: %+v", status, got)
		}
	}
}
