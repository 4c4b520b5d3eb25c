package host

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"
)

func TestLoadFromURLs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/config":
			_, _ = w.Write([]byte("a: {b: 1}\n"))
		case "/word":
			_, _ = w.Write([]byte("word"))
		case "/huge":
			_, _ = w.Write([]byte("a: " + strings.Repeat("x", maxConfig)))
		case "/slow":
			<-q.Context().Done()
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	conf, err := Load(t.Context(), []string{server.URL + "/config", "yaml:c: ${" + server.URL + "/word}"}, zap.NewNop())
	if err != nil || conf.Get("a::b") != 1 || conf.Get("c") != "word" {
		t.Fatalf("%v %v", conf, err)
	}
	for path, cause := range map[string]string{"/none": "404", "/huge": "larger than", "/slow": "deadline exceeded"} {
		var p *Problem
		if _, err := Load(t.Context(), []string{server.URL + path}, zap.NewNop()); !errors.As(err, &p) || p.Source != server.URL+path || !strings.Contains(p.Cause, cause) || p.Remedy == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestNearestName(t *testing.T) {
	known := []string{"endpoint", "headers", "timeout", "tls"}
	for given, want := range map[string]string{"endpiont": "endpoint", "header": "headers", "timeuot": "timeout", "tsl": "tls", "compression": "", "x": ""} {
		if got := nearest(given, known); got != want {
			t.Errorf("%s: %q", given, got)
		}
	}
}

// Whatever a configuration holds: it is good, or there is a problem that says why in one line.
func FuzzLoad(f *testing.F) {
	f.Add(twoPipelines)
	f.Add("receivers: {in: {word: '${env:X:-y}'}}\nexporters: {out: }\nservice: {pipelines: {traces: {receivers: [in], exporters: [out]}}}")
	f.Add("a: &a [*a]\n")
	f.Add("receivers::in::word: ${yaml:${env:A}}\nservice: {pipelines: {traces/: }}")
	f.Add("service: {extensions: [aid], telemetry: {logs: {level: loud}}}\nextensions: {aid: }\n? [x]\n: y")
	f.Setenv("A", "${env:A}${env:A}")
	f.Setenv("B", "[{c: '${env:B}'}]")
	f.Add("receivers: {in: {word: '${A}'}, '${env:B}': ${B}}")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "http") || strings.Contains(text, "file") {
			t.Skip("reads from elsewhere")
		}
		uris := []string{"yaml:" + text}
		conf, err := Load(t.Context(), uris, zap.NewNop())
		if err == nil {
			_, err = New(t.Context(), conf, newWorld().factories(), component.BuildInfo{}, zap.NewNop(), func(string) error { return nil })
		}
		if err == nil {
			return
		}
		Locate(err, uris)
		var p *Problem
		if !errors.As(err, &p) || p.Cause == "" || p.Remedy == "" || p.Source == "" || strings.Contains(p.Error(), "\n") {
			t.Errorf("%q: %#v", text, err)
		}
	})
}
