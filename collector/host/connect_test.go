package host

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// switchboard passes traces on to one pipeline, as routing connectors do, and counts spans as metrics.
func (w *world) connectors() []connector.Factory {
	config := func() component.Config { return &words{} }
	return []connector.Factory{connector.NewFactory(component.MustNewType("switch"), config,
		connector.WithTracesToTraces(func(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Traces) (connector.Traces, error) {
			to := next
			if word := cfg.(*words).Word; word != "" {
				var err error
				if to, err = next.(connector.TracesRouterAndConsumer).Consumer(pipeline.NewIDWithName(pipeline.SignalTraces, word)); err != nil {
					return nil, err
				}
			}
			return exporterPart{recorder{set.ID.String(), w}, to}, nil
		}, component.StabilityLevelBeta),
		connector.WithTracesToMetrics(func(_ context.Context, set connector.Settings, _ component.Config, next consumer.Metrics) (connector.Traces, error) {
			c, err := consumer.NewTraces(func(ctx context.Context, d ptrace.Traces) error {
				m := pmetric.NewMetrics()
				m.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptySum().DataPoints().AppendEmpty().SetIntValue(int64(d.SpanCount()))
				return next.ConsumeMetrics(ctx, m)
			})
			return exporterPart{recorder{set.ID.String(), w}, c}, err
		}, component.StabilityLevelBeta))}
}

type metricsPart struct {
	recorder
	consumer.Metrics
}

// gauge is an exporter of metrics that adds up what it gets.
func (w *world) gauge(sum *int64) exporter.Factory {
	return exporter.NewFactory(component.MustNewType("gauge"), func() component.Config { return &words{} }, exporter.WithMetrics(
		func(_ context.Context, set exporter.Settings, _ component.Config) (exporter.Metrics, error) {
			c, err := consumer.NewMetrics(func(_ context.Context, d pmetric.Metrics) error {
				for _, rm := range d.ResourceMetrics().All() {
					*sum += rm.ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).IntValue()
				}
				return nil
			})
			return metricsPart{recorder{set.ID.String(), w}, c}, err
		}, component.StabilityLevelBeta))
}

func hostOf(t *testing.T, text string, f Factories, logger *zap.Logger) (*Host, error) {
	t.Helper()
	conf, err := Load(t.Context(), []string{"yaml:" + text}, logger)
	if err != nil {
		t.Fatal(err)
	}
	return New(t.Context(), conf, f, component.BuildInfo{}, logger, func(string) error { return nil })
}

func span(name string) ptrace.Traces {
	d := ptrace.NewTraces()
	d.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName(name)
	return d
}

func TestConnectorsJoinPipelinesOfTheSameAndOfOtherSignals(t *testing.T) {
	w, sum := newWorld(), int64(0)
	f := w.factories()
	f.Connectors, f.Exporters = w.connectors(), append(f.Exporters, w.gauge(&sum))
	h, err := hostOf(t, `
receivers: {in: }
processors: {mark: {word: "+"}}
exporters: {out/a: , out/b: , gauge: }
connectors: {switch: {word: b}}
service:
  pipelines:
    traces: {receivers: [in], exporters: [switch]}
    traces/a: {receivers: [switch], exporters: [out/a]}
    traces/b: {receivers: [switch], processors: [mark], exporters: [out/b]}
    metrics: {receivers: [switch], exporters: [gauge]}
`, f, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.next["in"].ConsumeTraces(t.Context(), span("x")); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.got["out/a"]) != 0 || !slices.Equal(w.got["out/b"], []string{"x+"}) || sum != 1 {
		t.Errorf("traces %v, metrics %d", w.got, sum)
	}
	at := func(line string) int { return slices.Index(w.log, line) }
	if at("start out/b") > at("start mark") || at("start mark") > at("start switch") || at("start switch") > at("start in") ||
		at("stop in") > at("stop switch") || at("stop switch") > at("stop mark") || at("stop mark") > at("stop out/b") {
		t.Errorf("order: %q", w.log)
	}
}

func TestConnectorsThatCannotBeConnected(t *testing.T) {
	const parts = "receivers: {in: }\nexporters: {out: , gauge: }\nconnectors: {switch: , switch/2: }\nservice:\n  pipelines:\n"
	for name, c := range map[string]struct{ pipelines, key, cause string }{
		"cycle": {`
    traces: {receivers: [in, switch/2], exporters: [switch]}
    traces/2: {receivers: [switch], exporters: [switch/2]}`, "service::pipelines::traces", "cycle"},
		"itself": {`
    traces: {receivers: [in, switch], exporters: [switch]}`, "service::pipelines::traces", "cycle"},
		"no taker": {`
    traces: {receivers: [in], exporters: [switch]}`, "service::pipelines::traces::exporters", "in the receivers of no pipeline"},
		"no giver": {`
    traces: {receivers: [switch], exporters: [out]}`, "service::pipelines::traces::receivers", "gets nothing"},
		"wrong signal": {`
    metrics: {receivers: [in], exporters: [switch]}
    traces: {receivers: [switch], exporters: [out]}`, "service::pipelines::metrics::exporters", "in the receivers of no pipeline"},
	} {
		w, sum := newWorld(), int64(0)
		f := w.factories()
		f.Connectors, f.Exporters = w.connectors(), append(f.Exporters, w.gauge(&sum))
		var p *Problem
		if _, err := hostOf(t, parts+strings.TrimPrefix(c.pipelines, "\n"), f, zap.NewNop()); !errors.As(err, &p) || p.Key != c.key || !strings.Contains(p.Cause, c.cause) || p.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// helper is an extension with all that extensions may have.
type helper struct {
	recorder
	needs []component.ID
}

func (a helper) Dependencies() []component.ID { return a.needs }

func (a helper) Ready() error { a.w.log = append(a.w.log, "ready "+a.name); return nil }

func (a helper) NotReady() error { a.w.log = append(a.w.log, "not ready "+a.name); return nil }

func (a helper) ComponentStatusChanged(source *componentstatus.InstanceID, event *componentstatus.Event) {
	a.w.log = append(a.w.log, source.ComponentID().String()+" "+event.Status().String())
}

func (a helper) NotifyConfigSnapshot(_ context.Context, c extensioncapabilities.ConfigSnapshot) error {
	if !c.Effective().IsSet("receivers::in") {
		return errors.New("not the configuration")
	}
	a.w.log = append(a.w.log, "configuration")
	return nil
}

func (w *world) helpers() []extension.Factory {
	return []extension.Factory{extension.NewFactory(component.MustNewType("helper"), func() component.Config { return &words{} },
		func(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
			var needs []component.ID
			for name := range strings.FieldsSeq(cfg.(*words).Word) {
				needs = append(needs, component.MustNewIDWithName("helper", name))
			}
			return helper{recorder{set.ID.String(), w}, needs}, nil
		}, component.StabilityLevelBeta)}
}

func TestExtensionsStartAfterThoseTheyNeedAndWatchThePipelines(t *testing.T) {
	w := newWorld()
	f := w.factories()
	f.Extensions = w.helpers()
	h, err := hostOf(t, `
receivers: {in: }
exporters: {out: }
extensions: {helper/a: {word: b}, helper/b: }
service: {extensions: [helper/a, helper/b], pipelines: {traces: {receivers: [in], exporters: [out]}}}
`, f, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := func(line string) int { return slices.Index(w.log, line) }
	order := []int{at("start helper/b"), at("start helper/a"), at("start out"), at("start in"), at("in StatusOK"), at("configuration"), at("ready helper/b"),
		at("not ready helper/b"), at("stop in"), at("in StatusStopped"), at("stop out"), at("stop helper/a"), at("stop helper/b")}
	if !slices.IsSorted(order) || order[0] < 0 {
		t.Errorf("%v of %q", order, w.log)
	}
}

func TestExtensionsThatNeedWhatIsNotThere(t *testing.T) {
	for words, cause := range map[string]string{"{helper/a: {word: c}}": "needs", "{helper/a: {word: b}, helper/b: {word: a}}": "circle"} {
		w := newWorld()
		f := w.factories()
		f.Extensions = w.helpers()
		names := "[helper/a]"
		if cause == "circle" {
			names = "[helper/a, helper/b]"
		}
		var p *Problem
		_, err := hostOf(t, "{receivers: {in: }, exporters: {out: }, extensions: "+words+", service: {extensions: "+names+", pipelines: {traces: {receivers: [in], exporters: [out]}}}}", f, zap.NewNop())
		if !errors.As(err, &p) || !strings.Contains(p.Cause, cause) {
			t.Errorf("%s: %v", words, err)
		}
	}
}

// reports lets a test report as a component does.
type reports struct {
	recorder
	host *component.Host
}

func (r reports) Start(_ context.Context, host component.Host) error { *r.host = host; return nil }

func TestStatusGoesToTheLogOnceAndEndsNothing(t *testing.T) {
	w := newWorld()
	var given component.Host
	f := w.factories()
	f.Extensions = []extension.Factory{extension.NewFactory(component.MustNewType("reports"), func() component.Config { return &words{} },
		func(context.Context, extension.Settings, component.Config) (extension.Extension, error) {
			return reports{recorder{"reports", w}, &given}, nil
		}, component.StabilityLevelBeta)}
	core, lines := observer.New(zapcore.WarnLevel)
	h, err := hostOf(t, "{receivers: {in: }, exporters: {out: }, extensions: {reports: }, service: {extensions: [reports], pipelines: {traces: {receivers: [in], exporters: [out]}}}}", f, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		componentstatus.ReportStatus(given, componentstatus.NewRecoverableErrorEvent(errors.New("flaky")))
	}
	componentstatus.ReportStatus(given, componentstatus.NewFatalErrorEvent(errors.New("broken")))
	componentstatus.ReportStatus(given, componentstatus.NewEvent(componentstatus.StatusOK)) // nothing follows a fatal error
	if got := lines.All(); len(got) != 2 || got[0].Level != zapcore.WarnLevel || got[1].Level != zapcore.ErrorLevel {
		t.Errorf("%v", got)
	}
	if err := w.next["in"].ConsumeTraces(t.Context(), span("x")); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(t.Context()); err != nil || !slices.Equal(w.got["out"], []string{"x"}) {
		t.Errorf("%v %v", err, w.got)
	}
	exposed := given.(interface {
		GetExporters() map[pipeline.Signal]map[component.ID]component.Component
		GetFactory(component.Kind, component.Type) component.Factory
	})
	if len(exposed.GetExporters()[pipeline.SignalTraces]) != 1 || exposed.GetFactory(component.KindReceiver, component.MustNewType("in")) == nil {
		t.Error("the host hides exporters or factories")
	}
}

func TestOlderNamesOfTypes(t *testing.T) {
	made := exporter.NewFactory(component.MustNewType("otlphttp"), func() component.Config { return &words{} }, exporter.WithTraces(
		func(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) {
			c, err := consumer.NewTraces(func(context.Context, ptrace.Traces) error { return nil })
			return exporterPart{recorder{"", newWorld()}, c}, err
		}, component.StabilityLevelBeta))
	for _, name := range []string{"otlphttp", "otlp_http", "otlp_http/x"} {
		f := newWorld().factories()
		f.Exporters = []exporter.Factory{made}
		if _, err := hostOf(t, "{receivers: {in: }, exporters: {"+name+": }, service: {pipelines: {traces: {receivers: [in], exporters: ["+name+"]}}}}", f, zap.NewNop()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQueuesThatHideDataAreOffUnlessAskedFor(t *testing.T) {
	type queue = struct {
		Enabled bool `mapstructure:"enabled"`
		Size    int  `mapstructure:"size"`
	}
	theirs := exporter.NewFactory(component.MustNewType("q"), func() component.Config {
		return &struct { // without a name it is of no package, so not ours
			Queue queue  `mapstructure:"sending_queue"`
			Word  string `mapstructure:"word"`
		}{queue{true, 7}, ""}
	})
	for text, want := range map[string]queue{"{}": {false, 7}, "{sending_queue: {size: 3}}": {false, 3}, "{sending_queue: {enabled: true}}": {true, 7}} {
		conf, err := Load(t.Context(), []string{"yaml:" + text}, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := unmarshal(conf.Conf, theirs, "exporters")
		if got := reflect.ValueOf(cfg).Elem().Field(0).Interface(); err != nil || got != want {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
	t.Setenv("NUMBER", "0123")
	conf, _ := Load(t.Context(), []string{"yaml:{sending_queue: {}, word: '${env:NUMBER}'}"}, zap.NewNop())
	if cfg, err := unmarshal(conf.Conf, theirs, "exporters"); err != nil || reflect.ValueOf(cfg).Elem().Field(1).Interface() != "0123" {
		t.Errorf("%+v %v", cfg, err)
	}
	conf, _ = Load(t.Context(), []string{"yaml:{wrong: 1}"}, zap.NewNop())
	if _, err := unmarshal(conf.Conf, theirs, "exporters"); err == nil || !strings.Contains(err.Error(), "wrong") {
		t.Errorf("%v", err)
	}
}
