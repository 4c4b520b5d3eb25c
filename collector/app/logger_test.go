package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
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

type variables map[string]string

func (v variables) get(name string) string { return v[name] }

func TestLogLevelAndFormatAreLambdasUnlessToldOtherwise(t *testing.T) {
	for _, c := range []struct {
		env  variables
		want int // records of debug, info, warn, error that are written
	}{
		{variables{}, 3},
		{variables{"AWS_LAMBDA_LOG_LEVEL": "TRACE"}, 4},
		{variables{"AWS_LAMBDA_LOG_LEVEL": "ERROR"}, 1},
		{variables{"AWS_LAMBDA_LOG_LEVEL": "FATAL"}, 0},
		{variables{"AWS_LAMBDA_LOG_LEVEL": "ERROR", "OPENTELEMETRY_EXTENSION_LOG_LEVEL": "warn"}, 2},
		{variables{"AWS_LAMBDA_LOG_LEVEL": "ERROR", "OPENTELEMETRY_EXTENSION_LOG_LEVEL": "loud"}, 1},
	} {
		var out bytes.Buffer
		logger, _, _ := newLogger(&out, c.env.get, nil)
		logger.Debug("a")
		logger.Info("b")
		logger.Warn("c")
		logger.Error("d")
		if got := len(records(t, &out)); got != c.want {
			t.Errorf("%v: %d records", c.env, got)
		}
	}
	var out bytes.Buffer
	logger, _, _ := newLogger(&out, variables{"AWS_LAMBDA_LOG_FORMAT": "Text"}.get, nil)
	logger.With(zap.String("component", "otlp")).Warn("two\nlines", zap.Int("n", 1), zap.Error(errors.New("a \"b\"\nc")))
	if want := `collector WARN two lines component="otlp" n=1 error="a \"b\"\nc"` + "\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestWhatRepeatsItselfIsWrittenOnceAMinuteWithACount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		logger, _, _ := newLogger(&out, variables{}.get, nil)
		for range 5 {
			logger.Warn("again")
			logger.Info("each time")
		}
		logger.With(zap.String("component", "other")).Warn("again")
		time.Sleep(time.Minute)
		logger.Warn("again")
		logger.Warn("again")
		var warnings []any
		for _, one := range records(t, &out) {
			if one["level"] == "WARN" {
				warnings = append(warnings, one["suppressed"])
			}
		}
		if len(records(t, &out)) != 8 || !reflect.DeepEqual(warnings, []any{nil, nil, 4.0}) {
			t.Errorf("%s", out.String())
		}
		for i := range 10 * calmMost {
			logger.Warn(strconv.Itoa(i))
		}
		if n := len(logger.Core().(*lines).calm.seen); n > calmMost {
			t.Errorf("%d messages are remembered", n)
		}
	})
}

func TestSecretsAreNotInTheLog(t *testing.T) {
	for _, format := range []string{"JSON", "Text"} {
		var out bytes.Buffer
		environment := []string{`OTEL_EXPORTER_OTLP_HEADERS=api-key=hunter%3D22,x=y`, "AWS_SESSION_TOKEN=sessiontoken", "HOME=/root", "PLAIN=plainvalue"}
		logger, _, log := newLogger(&out, variables{"AWS_LAMBDA_LOG_FORMAT": format}.get, environment)
		log.secrets.configuration(map[string]any{
			"exporters": map[string]any{"a": map[string]any{"endpoint": "http://visible", "headers": map[string]any{"Authorization": `Bearer abc"defgh`, "n": 1}},
				"b": map[string]any{"endpoint": "https://visible-too:4318/v1?api-key=query%2Bkey", "proxy_url": "http://visible-user:proxyword@proxy:3128"}},
			"extensions": map[string]any{"b": map[string]any{"client_auth": map[string]any{"username": "visible-user", "password": "swordfish"}, "list": []any{map[string]any{"token": "tokens-too"}}}},
		}, false)
		log.secrets.address("https://bucket/config.yaml?X-Amz-Signature=5ec4e7")
		for i, text := range []string{"https://bucket/config.yaml?X-Amz-Signature=5ec4e7", "v1?api-key=query%2Bkey", "query+key", "visible-user:proxyword@proxy", "hunter%3D22", "hunter=22", "sessiontoken", `Bearer abc"defgh`, `abc"defgh`, "swordfish", "tokens-too"} {
			logger.Warn(fmt.Sprint(i), zap.Error(errors.New("server said: "+text)), zap.Any("any", map[string]any{"x": text}))
			logger.Warn(fmt.Sprint(i, text))
		}
		logger.Warn("http://visible visible-user /root plainvalue y")
		for _, hidden := range []string{"hunter", "sessiontoken", "defgh", "swordfish", "tokens-too", "5ec4e7", "query", "proxyword"} {
			if strings.Contains(out.String(), hidden) {
				t.Errorf("%s is in %s", hidden, out.String())
			}
		}
		if !strings.Contains(out.String(), "http://visible visible-user /root plainvalue y") {
			t.Errorf("more is hidden than secrets: %s", out.String())
		}
	}
}

func TestLogLinesAreJSONWhateverIsInThem(t *testing.T) {
	var out bytes.Buffer
	logger, level, _ := newLogger(&out, variables{}.get, nil)
	logger.Debug("not at this level")
	logger.With(zap.String("who", "me")).Warn("quote \" slash \\ line\nbell\a bad \xff ü 😀",
		zap.Int("int", -3), zap.Bool("yes", true), zap.Duration("d", 1500*time.Millisecond), zap.Error(errors.New("why")), zap.Strings("list", []string{"a", "b"}),
		zap.Reflect("map", map[string]any{"z": int64(1), "a": []any{"x", nil, false}}), zap.Float64("f", 0.5), zap.Skip())
	if err := level.Set("debug"); err != nil {
		t.Fatal(err)
	}
	logger.Debug("now")
	got := records(t, &out)
	for _, one := range got {
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(one["timestamp"])); err != nil {
			t.Error(err)
		}
		delete(one, "timestamp")
	}
	want := map[string]any{
		"level": "WARN", "msg": "quote \" slash \\ line\nbell\a bad \ufffd ü 😀", "who": "me", "int": -3.0, "yes": true, "d": "1.5s", "error": "why",
		"list": []any{"a", "b"}, "map": map[string]any{"z": 1.0, "a": []any{"x", nil, false}}, "f": "0.5",
	}
	if len(got) != 2 || !reflect.DeepEqual(got[0], want) || got[1]["msg"] != "now" {
		t.Errorf("got %v", got)
	}
}

func TestDebugExporterWritesWhatPasses(t *testing.T) {
	var out bytes.Buffer
	logger, _, _ := newLogger(&out, variables{}.get, nil)
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
	metric := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName("faas.invocations")
	metric.SetEmptySum().DataPoints().AppendEmpty().SetIntValue(3)
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("hello")
	if err := errors.Join(traces.ConsumeTraces(t.Context(), td), metrics.ConsumeMetrics(t.Context(), md), logs.ConsumeLogs(t.Context(), ld)); err != nil {
		t.Fatal(err)
	}
	got := records(t, &out)
	if len(got) != 6 || got[0]["spans"] != 1.0 || got[1]["name"] != "GET /x" || got[3]["name"] != "faas.invocations" || got[3]["value"] != 3.0 || got[5]["body"] != "hello" ||
		!reflect.DeepEqual(got[1]["attributes"], map[string]any{"http.response.status_code": 200.0}) {
		t.Errorf("got %v", got)
	}
}

func TestSecretsThatAreFetchedAgainAreKeptOnce(t *testing.T) {
	var s secrets
	for range 100 {
		s.configuration(map[string]any{"headers": map[string]any{"Authorization": `Bearer abc"defgh`}}, false)
	}
	if len(s.values) != 4 { // with the word before and without, as it is and as JSON has it
		t.Errorf("%d values", len(s.values))
	}
}

func TestFatalOfAComponentEndsNothing(t *testing.T) {
	var out bytes.Buffer
	logger, _, _ := newLogger(&out, variables{}.get, nil)
	err := delivery.Safely(func() error { logger.Fatal("cannot go on"); return nil })
	if err == nil || !strings.Contains(out.String(), "cannot go on") {
		t.Errorf("%v, %s", err, out.String())
	}
}
