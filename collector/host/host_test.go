package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
)

// world holds components made with the Collector's own constructors, which write down what happens to them.
type world struct {
	mu      sync.Mutex // of got
	log     []string
	next    map[string]consumer.Traces // of receivers
	got     map[string][]string        // span names by exporter
	failing string
}

type recorder struct {
	name string
	w    *world
}

func (p recorder) Start(context.Context, component.Host) error {
	if p.w.failing == p.name {
		return errors.New("cannot")
	}
	p.w.log = append(p.w.log, "start "+p.name)
	return nil
}

func (p recorder) Shutdown(context.Context) error {
	p.w.log = append(p.w.log, "stop "+p.name)
	return nil
}

type words struct {
	Word string `mapstructure:"word"`
}

type exporterPart struct {
	recorder
	consumer.Traces
}

func (w *world) factories() Factories {
	kind := component.MustNewType
	config := func() component.Config { return &words{} }
	return Factories{
		Receivers: []receiver.Factory{receiver.NewFactory(kind("in"), config, receiver.WithTraces(
			func(_ context.Context, set receiver.Settings, _ component.Config, next consumer.Traces) (receiver.Traces, error) {
				w.next[set.ID.String()] = next
				return recorder{set.ID.String(), w}, nil
			}, component.StabilityLevelBeta))},
		Processors: []processor.Factory{processor.NewFactory(kind("mark"), config, processor.WithTraces(
			func(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
				c, err := consumer.NewTraces(func(ctx context.Context, d ptrace.Traces) error {
					span := d.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
					span.SetName(span.Name() + cfg.(*words).Word)
					return next.ConsumeTraces(ctx, d)
				}, consumer.WithCapabilities(consumer.Capabilities{MutatesData: true}))
				return exporterPart{recorder{set.ID.String(), w}, c}, err
			}, component.StabilityLevelBeta))},
		Exporters: []exporter.Factory{exporter.NewFactory(kind("out"), config, exporter.WithTraces(
			func(_ context.Context, set exporter.Settings, _ component.Config) (exporter.Traces, error) {
				c, err := consumer.NewTraces(func(_ context.Context, d ptrace.Traces) error {
					w.mu.Lock()
					defer w.mu.Unlock()
					for _, rs := range d.ResourceSpans().All() {
						w.got[set.ID.String()] = append(w.got[set.ID.String()], rs.ScopeSpans().At(0).Spans().At(0).Name())
					}
					return nil
				})
				return exporterPart{recorder{set.ID.String(), w}, c}, err
			}, component.StabilityLevelBeta))},
		Extensions: []extension.Factory{extension.NewFactory(kind("aid"), config,
			func(_ context.Context, set extension.Settings, _ component.Config) (extension.Extension, error) {
				return recorder{set.ID.String(), w}, nil
			}, component.StabilityLevelBeta)},
	}
}

func (w *world) host(t *testing.T, text string) (*Host, error) {
	t.Helper()
	conf, err := Load(t.Context(), []string{"yaml:" + text}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return New(t.Context(), conf, w.factories(), component.BuildInfo{}, zap.NewNop(), func(string) error { return nil })
}

func newWorld() *world { return &world{next: map[string]consumer.Traces{}, got: map[string][]string{}} }

const twoPipelines = `
receivers: {in: }
processors: {mark: {word: "+"}, mark/twice: {word: "*"}}
exporters: {out: , out/a: , out/b: }
extensions: {aid: }
service:
  extensions: [aid]
  pipelines:
    traces: {receivers: [in], exporters: [out, out/a]}
    traces/marked: {receivers: [in], processors: [mark, mark/twice], exporters: [out/b, out]}
`

func TestPipelinesShareReceiversAndExportersAndNotTheirData(t *testing.T) {
	w := newWorld()
	h, err := w.host(t, twoPipelines)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := ptrace.NewTraces()
	d.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("x")
	if err := w.next["in"].ConsumeTraces(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := map[string][]string{"out": {"x+*", "x"}, "out/a": {"x"}, "out/b": {"x+*"}}; !reflect.DeepEqual(w.got, want) {
		t.Errorf("got %v", w.got)
	}
	if n := h.Tally().Received.Counts().Spans; n != 1 {
		t.Errorf("received %d", n)
	}
	starts := []string{}
	for _, line := range w.log {
		if name, found := strings.CutPrefix(line, "start "); found {
			starts = append(starts, name)
		}
	}
	if want := []string{"aid", "out", "out/a", "out/b", "mark/twice", "mark", "in"}; !reflect.DeepEqual(starts, want) {
		t.Errorf("started %v", starts)
	}
	if w.log[len(starts)] != "stop in" {
		t.Errorf("the receiver does not stop first: %v", w.log)
	}
}

func TestFailedStartStopsEverything(t *testing.T) {
	w := newWorld()
	w.failing = "mark"
	h, err := w.host(t, twoPipelines)
	if err != nil {
		t.Fatal(err)
	}
	var p *Problem
	if err := h.Start(t.Context()); !errors.As(err, &p) || p.Key != "processors::mark" {
		t.Errorf("%v", err)
	}
	if w.log[len(w.log)-1] != "stop aid" {
		t.Errorf("%v", w.log)
	}
}

func TestProblemsNameTheKey(t *testing.T) {
	const rest = "service: {pipelines: {traces: {receivers: [in], exporters: [out]}}}}"
	for text, want := range map[string]string{
		"{recievers: {}}":                           "recievers",
		"{receivers: {in: {wrod: x}}, " + rest:      "receivers::in::wrod",
		"{receivers: {in: }, exporters: {smoke: }}": "exporters::smoke",
		"{receivers: {in: }, " + rest:               "service::pipelines::traces::exporters",
		"{receivers: {in: }, exporters: {out: }, service: {pipelines: {traces: {receivers: [in]}}}}":                                      "service::pipelines::traces",
		"{receivers: {in: }, exporters: {out: }, service: {pipelines: {traces: {receivers: [in], exporters: [out, out]}}}}":               "service::pipelines::traces::exporters",
		"{receivers: {in: }, exporters: {out: }, service: {pipelines: {metrics: {receivers: [in], exporters: [out]}}}}":                   "exporters::out",
		"{receivers: {in: }, exporters: {out: }, service: {pipelines: {traces: {receivers: [in], exporters: [out]}}, pipes: {}}}":         "service::pipes",
		"{receivers: {in: }, exporters: {out: }, service: {extensions: [aid], pipelines: {traces: {receivers: [in], exporters: [out]}}}}": "service::extensions",
		"{receivers: {in: }}": "service::pipelines",
	} {
		var p *Problem
		if _, err := newWorld().host(t, text); !errors.As(err, &p) || p.Key != want || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestLoadMergesSourcesAndFillsInVariables(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("a: {b: '${env:SET_WORD}', c: '${env:UNSET_WORD:-other}'}\nd: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SET_WORD", "word")
	conf, err := Load(t.Context(), []string{"file:" + file, "yaml:d: 2"}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if conf.Get("a::b") != "word" || conf.Get("a::c") != "other" || conf.Get("d") != 2 {
		t.Errorf("%v", conf.ToStringMap())
	}
	var p *Problem
	if _, err := Load(t.Context(), []string{"s3://bucket/key"}, zap.NewNop()); !errors.As(err, &p) || p.Source != "s3://bucket/key" || p.Remedy == "" {
		t.Errorf("%v", err)
	}
}

func TestFromEnvironment(t *testing.T) {
	const p = "OTEL_EXPORTER_OTLP_"
	for _, c := range []struct {
		name    string
		env     map[string]string
		want    map[string]any // exporters
		nowhere []string       // beginnings
	}{
		{"nothing", nil, map[string]any{}, []string{"no destination"}},
		{"one endpoint", map[string]string{p + "ENDPOINT": "http://b:14318/", p + "HEADERS": "a=b%20c, D = e=f"}, map[string]any{"otlphttp": map[string]any{
			"compression": "none", "timeout": "10s", "headers": map[string]any{"a": "b c", "D": "e=f"},
			"traces_endpoint": "http://b:14318/v1/traces", "metrics_endpoint": "http://b:14318/v1/metrics", "logs_endpoint": "http://b:14318/v1/logs",
		}}, nil},
		{"own receiver", map[string]string{p + "ENDPOINT": "http://localhost:4318", p + "LOGS_ENDPOINT": "http://127.0.0.1:4318/v1/logs"}, map[string]any{},
			[]string{p + "ENDPOINT is the collector's own receiver", p + "LOGS_ENDPOINT is the collector's own receiver"}},
		{"loopback elsewhere", map[string]string{p + "TRACES_ENDPOINT": "http://127.0.0.1:14318/x"}, map[string]any{"otlphttp": map[string]any{
			"compression": "none", "timeout": "10s", "traces_endpoint": "http://127.0.0.1:14318/x",
		}}, []string{"no destination"}},
		{"a signal of its own", map[string]string{p + "ENDPOINT": "https://b", p + "METRICS_HEADERS": "k=v", p + "TIMEOUT": "1500", p + "COMPRESSION": "gzip", p + "PROTOCOL": "http/protobuf"},
			map[string]any{
				"otlphttp":         map[string]any{"compression": "gzip", "timeout": "1500ms", "traces_endpoint": "https://b/v1/traces", "logs_endpoint": "https://b/v1/logs"},
				"otlphttp/metrics": map[string]any{"compression": "gzip", "timeout": "1500ms", "headers": map[string]any{"k": "v"}, "metrics_endpoint": "https://b/v1/metrics"},
			}, nil},
		{"grpc with a client certificate", map[string]string{p + "ENDPOINT": "http://b:14317", p + "PROTOCOL": "grpc", p + "CLIENT_CERTIFICATE": "/c", p + "CLIENT_KEY": "/k"}, map[string]any{
			"otlp": map[string]any{"compression": "none", "timeout": "10s", "endpoint": "http://b:14317", "tls": map[string]any{"cert_file": "/c", "key_file": "/k"}},
		}, nil},
		{"grpc for one signal", map[string]string{p + "ENDPOINT": "http://b:14318", p + "METRICS_PROTOCOL": "grpc", p + "METRICS_ENDPOINT": "m:4317", p + "INSECURE": "true"}, map[string]any{
			"otlp":     map[string]any{"compression": "none", "timeout": "10s", "endpoint": "http://m:4317"},
			"otlphttp": map[string]any{"compression": "none", "timeout": "10s", "traces_endpoint": "http://b:14318/v1/traces", "logs_endpoint": "http://b:14318/v1/logs"},
		}, nil},
		{"unknown protocol", map[string]string{p + "ENDPOINT": "http://b:4317", p + "PROTOCOL": "udp"}, map[string]any{}, []string{p + "PROTOCOL=udp is not known"}},
		{"no URL", map[string]string{p + "ENDPOINT": "b:4318"}, map[string]any{}, []string{p + "ENDPOINT is not a URL"}},
	} {
		conf, nowhere := FromEnvironment(func(name string) string { return c.env[name] })
		got, _ := conf.ToStringMap()["exporters"].(map[string]any)
		if len(got) != len(c.want) || (len(got) > 0 && !reflect.DeepEqual(got, c.want)) {
			t.Errorf("%s: %v", c.name, got)
		}
		if len(nowhere) != len(c.nowhere) {
			t.Errorf("%s: nowhere %q", c.name, nowhere)
			continue
		}
		for i, beginning := range c.nowhere {
			if !strings.HasPrefix(nowhere[i], beginning) {
				t.Errorf("%s: nowhere %q", c.name, nowhere)
			}
		}
	}
}

func TestBudget(t *testing.T) {
	now := time.Unix(1000, 0)
	for remaining, want := range map[time.Duration]time.Duration{
		time.Minute: 2 * time.Second, 2 * time.Second: 1500 * time.Millisecond, 400 * time.Millisecond: 0, -time.Second: 0,
	} {
		if got := Budget(now, now.Add(remaining), 500*time.Millisecond, 2*time.Second); got != want {
			t.Errorf("%s left: %s", remaining, got)
		}
	}
}
