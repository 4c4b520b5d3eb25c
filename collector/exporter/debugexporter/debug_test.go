package debugexporter

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

func TestConfig(t *testing.T) {
	if cfg := trial.Documented[*Config](t, createDefaultConfig)["debug/all"]; *cfg != (Config{"detailed", 5, 200, false}) {
		t.Errorf("%+v", cfg)
	}
	for _, bad := range []string{"{verbosity: loud}", "{sampling_initial: -1}", "{sampling_thereafter: -1}", "{output_paths: [stderr]}"} {
		if _, err := trial.Config[*Config](t, createDefaultConfig, bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func at(second int) pcommon.Timestamp {
	return pcommon.NewTimestampFromTime(time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC))
}

func someSpans() ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "orders")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("lib")
	span := ss.Spans().AppendEmpty()
	span.SetName("GET /x")
	span.SetTraceID(pcommon.TraceID{15: 1})
	span.SetSpanID(pcommon.SpanID{7: 2})
	span.SetKind(ptrace.SpanKindServer)
	span.SetStartTimestamp(at(1))
	span.SetEndTimestamp(at(2))
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Status().SetMessage("broken")
	span.Attributes().PutInt("http.response.status_code", 500)
	span.Events().AppendEmpty().SetName("exception")
	span.Links().AppendEmpty().SetSpanID(pcommon.SpanID{7: 3})
	return td
}

func someMetrics() pmetric.Metrics {
	md := pmetric.NewMetrics()
	list := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	add := func(name string) pmetric.Metric {
		m := list.AppendEmpty()
		m.SetName(name)
		m.SetUnit("s")
		return m
	}
	add("gauge").SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(0.5)
	sum := add("sum").SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.DataPoints().AppendEmpty().SetIntValue(7)
	sum.DataPoints().AppendEmpty().SetIntValue(8)
	h := add("histogram").SetEmptyHistogram().DataPoints().AppendEmpty()
	h.SetCount(3)
	h.ExplicitBounds().FromRaw([]float64{1, 2})
	h.BucketCounts().FromRaw([]uint64{1, 1, 1})
	add("exponential").SetEmptyExponentialHistogram().DataPoints().AppendEmpty().Positive().BucketCounts().FromRaw([]uint64{4})
	q := add("summary").SetEmptySummary().DataPoints().AppendEmpty().QuantileValues().AppendEmpty()
	q.SetQuantile(0.99)
	q.SetValue(12)
	return md
}

func someLogs() plog.Logs {
	ld := plog.NewLogs()
	r := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.Body().SetStr("hello")
	r.SetSeverityText("WARN")
	return ld
}

// passes gives all signals to exporters of a configuration, and returns what is logged: message and fields.
func passes(t *testing.T, cfg *Config) (lines []string) {
	t.Helper()
	core, log := observer.New(zap.InfoLevel)
	set := exporter.Settings{ID: component.MustNewID("debug"), TelemetrySettings: component.TelemetrySettings{Logger: zap.New(core)}}
	f := NewFactory()
	traces, err1 := f.CreateTraces(t.Context(), set, cfg)
	metrics, err2 := f.CreateMetrics(t.Context(), set, cfg)
	logs, err3 := f.CreateLogs(t.Context(), set, cfg)
	if err := errors.Join(err1, err2, err3, traces.ConsumeTraces(t.Context(), someSpans()), metrics.ConsumeMetrics(t.Context(), someMetrics()), logs.ConsumeLogs(t.Context(), someLogs())); err != nil {
		t.Fatal(err)
	}
	for _, entry := range log.All() {
		line := entry.Message
		for _, field := range entry.Context {
			line += fmt.Sprintf(" %s=%v", field.Key, field.Interface)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestVerbosity(t *testing.T) {
	basic := []string{"Traces resource spans=1 spans=1", "Metrics resource metrics=1 metrics=5 data points=6", "Logs resource logs=1 log records=1"}
	normal := []string{
		basic[0], "Span name=GET /x trace=00000000000000000000000000000001 span=0000000000000002 attributes=map[http.response.status_code:500] resource=map[service.name:orders]",
		basic[1], "DataPoint name=gauge attributes=map[] value=0.5 resource=map[]",
		"DataPoint name=sum attributes=map[] value=7 monotonic=true temporality=Unspecified resource=map[]",
		"DataPoint name=sum attributes=map[] value=8 monotonic=true temporality=Unspecified resource=map[]",
		"DataPoint name=histogram attributes=map[] count=3 sum=0 min=0 max=0 bounds=[1 2] buckets=[1 1 1] temporality=Unspecified resource=map[]",
		"DataPoint name=exponential attributes=map[] count=0 sum=0 min=0 max=0 scale=0 zeros=0 positive_offset=0 positive=[4] negative_offset=0 negative=[] temporality=Unspecified resource=map[]",
		"DataPoint name=summary attributes=map[] count=0 sum=0 quantiles=map[0.99:12] resource=map[]",
		basic[2], "LogRecord body=hello attributes=map[] resource=map[]",
	}
	for verbosity, want := range map[string][]string{"basic": basic, "normal": normal} {
		cfg := createDefaultConfig().(*Config)
		cfg.Verbosity = verbosity
		if got := passes(t, cfg); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s", verbosity, strings.Join(got, "\n"))
		}
	}
	cfg := createDefaultConfig().(*Config)
	cfg.Verbosity = "detailed"
	got := passes(t, cfg)
	if len(got) != len(normal) {
		t.Fatalf("%q", got)
	}
	for n, more := range map[int]string{
		1: " parent= kind=Server start=2026-01-02 03:04:01 +0000 UTC end=2026-01-02 03:04:02 +0000 UTC status=Error message=broken events=[map[attributes:map[] name:exception time:1970-01-01 00:00:00 +0000 UTC]] " +
			"links=[map[attributes:map[] span:0000000000000003 trace:]] scope=lib scope_version=",
		3:  " type=Gauge unit=s description= start=1970-01-01 00:00:00 +0000 UTC time=1970-01-01 00:00:00 +0000 UTC scope= scope_version=",
		10: " severity=Unspecified severity_text=WARN time=1970-01-01 00:00:00 +0000 UTC observed=1970-01-01 00:00:00 +0000 UTC event= trace= span= scope= scope_version=",
	} {
		if got[n] != normal[n]+more {
			t.Errorf("%s\nis not\n%s", got[n], normal[n]+more)
		}
	}
}

func TestSampling(t *testing.T) {
	for _, c := range []struct {
		initial, thereafter, want int // of 10 batches in one second
	}{{2, 1, 10}, {2, 0, 2}, {2, 4, 4}, {0, 5, 2}, {100, 0, 10}} {
		synctest.Test(t, func(t *testing.T) {
			core, log := observer.New(zap.InfoLevel)
			cfg := &Config{Verbosity: "normal", SamplingInitial: c.initial, SamplingThereafter: c.thereafter, UseInternalLogger: true}
			e := newExporter(exporter.Settings{TelemetrySettings: component.TelemetrySettings{Logger: zap.New(core)}}, cfg)
			for second := range 3 {
				for range 10 {
					if err := e.ConsumeLogs(t.Context(), someLogs()); err != nil {
						t.Error(err)
					}
				}
				if got := log.Len() / 2; got != c.want*(second+1) {
					t.Errorf("%+v: %d batches after %d seconds", c, got, second+1)
				}
				time.Sleep(time.Second)
			}
		})
	}
}

func TestWithoutTheLoggerLinesAreWrittenAsTheyAre(t *testing.T) {
	var out bytes.Buffer
	cfg := &Config{Verbosity: "normal", SamplingInitial: 2, SamplingThereafter: 1}
	e := newExporter(exporter.Settings{TelemetrySettings: trial.Telemetry()}, cfg)
	if e.out == nil {
		t.Fatal("by the logger")
	}
	e.out = &out
	if err := e.ConsumeTraces(t.Context(), someSpans()); err != nil {
		t.Fatal(err)
	}
	want := "Traces\t{\"resource spans\": 1, \"spans\": 1}\n" +
		"Span\t{\"name\": \"GET /x\", \"trace\": \"00000000000000000000000000000001\", \"span\": \"0000000000000002\", \"attributes\": {\"http.response.status_code\":500}, \"resource\": {\"service.name\":\"orders\"}}\n"
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}
