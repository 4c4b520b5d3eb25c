package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/debugexporter"
)

func records(t *testing.T, out *bytes.Buffer) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out.String()) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, one)
	}
	return all
}

func TestLogLinesAreJSONWhateverIsInThem(t *testing.T) {
	var out bytes.Buffer
	logger, level := newLogger(&out, "")
	logger.Debug("not at this level")
	logger.With(zap.String("who", "me")).Warn("quote \" slash \\ line\nbell\a bad \xff ü 😀",
		zap.Int("int", -3), zap.Bool("yes", true), zap.Duration("d", 1500*time.Millisecond), zap.Error(errors.New("why")), zap.Strings("list", []string{"a", "b"}),
		zap.Reflect("map", map[string]any{"z": int64(1), "a": []any{"x", nil, false}}), zap.Float64("f", 0.5), zap.Skip())
	if err := level.Set("debug"); err != nil {
		t.Fatal(err)
	}
	logger.Debug("now")
	got := records(t, &out)
	want := map[string]any{
		"level": "warn", "msg": "quote \" slash \\ line\nbell\a bad \ufffd ü 😀", "who": "me", "int": -3.0, "yes": true, "d": "1.5s", "error": "why",
		"list": []any{"a", "b"}, "map": map[string]any{"z": 1.0, "a": []any{"x", nil, false}}, "f": "0.5",
	}
	if len(got) != 2 || !reflect.DeepEqual(got[0], want) || got[1]["msg"] != "now" {
		t.Errorf("got %v", got)
	}
}

func TestDebugExporterWritesWhatPasses(t *testing.T) {
	var out bytes.Buffer
	logger, _ := newLogger(&out, "info")
	f := debugexporter.NewFactory()
	cfg := f.CreateDefaultConfig().(*debugexporter.Config)
	cfg.Verbosity = "detailed"
	set := exporter.Settings{ID: component.MustNewID("debug"), TelemetrySettings: component.TelemetrySettings{Logger: logger}}
	traces, _ := f.CreateTraces(t.Context(), set, cfg)
	metrics, _ := f.CreateMetrics(t.Context(), set, cfg)
	logs, _ := f.CreateLogs(t.Context(), set, cfg)
	td, md, ld := ptrace.NewTraces(), pmetric.NewMetrics(), plog.NewLogs()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("GET /x")
	span.Attributes().PutInt("http.response.status_code", 200)
	md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetName("faas.invocations")
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("hello")
	if err := errors.Join(traces.ConsumeTraces(t.Context(), td), metrics.ConsumeMetrics(t.Context(), md), logs.ConsumeLogs(t.Context(), ld)); err != nil {
		t.Fatal(err)
	}
	got := records(t, &out)
	if len(got) != 6 || got[0]["spans"] != 1.0 || got[1]["name"] != "GET /x" || got[3]["name"] != "faas.invocations" || got[5]["body"] != "hello" ||
		!reflect.DeepEqual(got[1]["attributes"], map[string]any{"http.response.status_code": 200.0}) {
		t.Errorf("got %v", got)
	}
	cfg.Verbosity = "loud"
	if cfg.Validate() == nil {
		t.Error("any verbosity is good")
	}
}
