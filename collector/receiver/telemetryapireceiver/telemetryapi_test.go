package telemetryapireceiver

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	jsoniter "github.com/json-iterator/go"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// kit is a receiver with what it handed on.
type kit struct {
	*telemetryReceiver
	spans   []ptrace.Span
	records []plog.LogRecord
	points  map[string]pmetric.Metric
	taken   int // times that metrics were handed on
}

func environment(extra ...string) func(string) string {
	all := map[string]string{"AWS_LAMBDA_FUNCTION_NAME": "orders", "AWS_REGION": "eu-west-1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}
	for n := 0; n < len(extra); n += 2 {
		all[extra[n]] = extra[n+1]
	}
	return func(name string) string { return all[name] }
}

func newKit(t *testing.T, change func(*Config), env ...string) *kit {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	k := &kit{telemetryReceiver: newReceiver(cfg, zap.NewNop(), environment(env...), time.Now()), points: map[string]pmetric.Metric{}}
	k.tally = &delivery.Tally{}
	k.Traces, _ = consumer.NewTraces(func(_ context.Context, td ptrace.Traces) error {
		for _, rs := range td.ResourceSpans().All() {
			if name, _ := rs.Resource().Attributes().Get("service.name"); name.Str() != "orders" {
				t.Errorf("resource %v", rs.Resource().Attributes().AsRaw())
			}
			for _, span := range rs.ScopeSpans().At(0).Spans().All() {
				k.spans = append(k.spans, span)
			}
		}
		return nil
	})
	k.Metrics, _ = consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		k.taken++
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			k.points[m.Name()] = m
		}
		return nil
	})
	k.Logs, _ = consumer.NewLogs(func(_ context.Context, ld plog.Logs) error {
		for _, record := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			k.records = append(k.records, record)
		}
		return nil
	})
	return k
}

func event(kind, record string) delivery.TelemetryEvent {
	return delivery.TelemetryEvent{Time: time.Date(2026, 1, 2, 3, 4, 9, 0, time.UTC), Type: kind, Record: []byte(record)}
}

func batch(t *testing.T, name string) (events []delivery.TelemetryEvent) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	doc := jsoniter.ParseBytes(jsoniter.ConfigFastest, raw)
	doc.ReadArrayCB(func(doc *jsoniter.Iterator) bool {
		var e delivery.TelemetryEvent
		object(doc, func(key string) {
			switch key {
			case "time":
				e.Time, err = time.Parse(time.RFC3339, doc.ReadString())
			case "type":
				e.Type = doc.ReadString()
			default:
				e.Record = doc.SkipAndReturnBytes()
			}
		})
		events = append(events, e)
		return true
	})
	if err != nil || len(events) == 0 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	return events
}

const (
	told  = "0af7651916cd43dd8448eb211c80319c"
	below = "b7ad6b7169203331"
)

func announcementOf(request, flags string) *announcement {
	return parseAnnouncement(fmt.Sprintf("otel-lambda-1 %s 00-%s-%s-%s 00f067aa0ba902b7 1767323040500000000 http /orders/{id}", request, told, below, flags))
}

func TestFailureSpanContinuesWhatWasAnnounced(t *testing.T) {
	k := newKit(t, nil)
	k.announced(announcementOf("r", "01"))
	k.InvocationBegan(delivery.Invocation{RequestID: "r", ARN: "arn:aws:lambda:eu-west-1:123456789012:function:orders:live", Deadline: time.Now()})
	k.ConsumeTelemetry([]delivery.TelemetryEvent{event("platform.start", `{"requestId":"r"}`), event("platform.runtimeDone", `{"requestId":"r","status":"timeout"}`)})
	k.ConsumeTelemetry([]delivery.TelemetryEvent{event("platform.report", `{"requestId":"r","status":"timeout","metrics":{"durationMs":3000}}`)})
	k.EnvironmentEnds(t.Context(), "timeout")
	if len(k.spans) != 1 {
		t.Fatalf("%d spans", len(k.spans))
	}
	span := k.spans[0]
	got := span.Attributes().AsRaw()
	if span.TraceID().String() != told || span.SpanID().String() != below || span.ParentSpanID().String() != "00f067aa0ba902b7" || span.Name() != "/orders/{id}" ||
		span.Kind() != ptrace.SpanKindServer || span.Status().Code() != ptrace.StatusCodeError || span.StartTimestamp() != 1767323040500000000 ||
		span.EndTimestamp().AsTime().Second() != 9 || span.Events().Len() != 1 {
		t.Errorf("%s %s %s %s %s %s", span.TraceID(), span.SpanID(), span.ParentSpanID(), span.Name(), span.StartTimestamp(), span.EndTimestamp())
	}
	for key, want := range map[string]any{"error.type": "Sandbox.Timedout", "faas.invocation_id": "r", "faas.trigger": "http", "faas.coldstart": true,
		"cloud.resource_id": "arn:aws:lambda:eu-west-1:123456789012:function:orders", "cloud.account.id": "123456789012"} {
		if got[key] != want {
			t.Errorf("%s is %v", key, got[key])
		}
	}
}

func TestWhichEndsGiveASpan(t *testing.T) {
	done := func(status, kind string) delivery.TelemetryEvent {
		return event("platform.runtimeDone", fmt.Sprintf(`{"requestId":"r","status":%q,"errorType":%q}`, status, kind))
	}
	report := func(kind string, used int) delivery.TelemetryEvent {
		return event("platform.report", fmt.Sprintf(`{"requestId":"r","status":"failure","errorType":%q,"metrics":{"memorySizeMB":256,"maxMemoryUsedMB":%d}}`, kind, used))
	}
	for name, c := range map[string]struct {
		events []delivery.TelemetryEvent
		told   string // flags of the announcement
		sent   bool   // the language layer delivered
		reason string
		want   string // error.type, empty for no span
	}{
		"success":                                {[]delivery.TelemetryEvent{done("success", "")}, "01", true, "spindown", ""},
		"success that sent nothing":              {[]delivery.TelemetryEvent{done("success", "")}, "01", false, "failure", ""},
		"exception of the handler":               {[]delivery.TelemetryEvent{done("error", "KeyError")}, "01", false, "spindown", ""},
		"crash":                                  {[]delivery.TelemetryEvent{done("failure", "Runtime.ExitError"), report("Runtime.ExitError", 40)}, "01", false, "failure", "Runtime.ExitError"},
		"crash, as older runtimes say it":        {[]delivery.TelemetryEvent{done("error", "Runtime.ExitError")}, "01", false, "failure", "Runtime.ExitError"},
		"crash without a report":                 {[]delivery.TelemetryEvent{done("failure", "Runtime.ExitError")}, "01", false, "failure", "Runtime.ExitError"},
		"out of memory":                          {[]delivery.TelemetryEvent{done("failure", "Runtime.OutOfMemory"), report("Runtime.OutOfMemory", 256)}, "01", false, "failure", "Runtime.OutOfMemory"},
		"only the report knows":                  {[]delivery.TelemetryEvent{done("failure", "Runtime.ExitError"), report("Runtime.OutOfMemory", 256)}, "01", false, "failure", "Runtime.OutOfMemory"},
		"only the report's figures know":         {[]delivery.TelemetryEvent{done("failure", "Runtime.ExitError"), report("", 256)}, "01", false, "failure", "Runtime.OutOfMemory"},
		"only a report":                          {[]delivery.TelemetryEvent{report("Runtime.ExitError", 40)}, "01", false, "failure", "Runtime.ExitError"},
		"time-out, and no event came":            {nil, "01", false, "timeout", "Sandbox.Timedout"},
		"failure, and no event came":             {nil, "01", false, "failure", "Runtime.ExitError"},
		"no event, no announcement":              {nil, "", false, "timeout", "Sandbox.Timedout"},
		"delivered, then an extension held":      {[]delivery.TelemetryEvent{done("success", "")}, "01", true, "timeout", ""},
		"delivered, then a crash":                {[]delivery.TelemetryEvent{done("failure", "Runtime.ExitError"), report("", 40)}, "01", true, "failure", ""},
		"not sampled":                            {[]delivery.TelemetryEvent{done("timeout", "")}, "00", false, "timeout", ""},
		"ended well, without a language layer":   {[]delivery.TelemetryEvent{done("success", "")}, "", false, "spindown", ""},
		"time-out, without a language layer":     {[]delivery.TelemetryEvent{done("timeout", "")}, "", false, "timeout", "Sandbox.Timedout"},
		"spindown in the middle of an emulation": {nil, "01", false, "spindown", ""},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t, func(c *Config) { c.InitSpan = false })
			k.InvocationBegan(delivery.Invocation{RequestID: "r", Deadline: time.Now()})
			if c.told != "" {
				k.announced(announcementOf("r", c.told))
			}
			if c.sent {
				k.InvocationDelivered("r")
			}
			k.ConsumeTelemetry(c.events)
			k.EnvironmentEnds(t.Context(), c.reason)
			k.EnvironmentEnds(t.Context(), c.reason) // nothing twice
			if c.want == "" {
				if len(k.spans) > 0 {
					t.Errorf("a span: %v", k.spans[0].Attributes().AsRaw())
				}
				return
			}
			if len(k.spans) != 1 {
				t.Fatalf("%d spans", len(k.spans))
			}
			if got, _ := k.spans[0].Attributes().Get("error.type"); got.Str() != c.want {
				t.Errorf("error.type %s", got.Str())
			}
			if c.told != "" && k.spans[0].SpanID().String() != below {
				t.Errorf("span id %s", k.spans[0].SpanID())
			}
		})
	}
}

func TestWithoutAnnouncementASampledXRayContextIsTheParent(t *testing.T) {
	const header = "Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled="
	for flag, parent := range map[string]string{"1": "0efbd19962d95b05", "0": ""} {
		k := newKit(t, nil)
		k.InvocationBegan(delivery.Invocation{RequestID: "r", TraceHeader: header + flag})
		k.EnvironmentEnds(t.Context(), "timeout")
		if len(k.spans) != 1 || k.spans[0].ParentSpanID().String() != parent || k.spans[0].SpanID().IsEmpty() || k.spans[0].TraceID().IsEmpty() {
			t.Fatalf("Sampled=%s: %d spans", flag, len(k.spans))
		}
		span := k.spans[0]
		if sampled := flag == "1"; (span.TraceID().String() == "62e900b2710d76f009d6e7785905449a") != sampled || (span.Links().Len() == 0) != sampled {
			t.Errorf("Sampled=%s: trace %s, %d links", flag, span.TraceID(), span.Links().Len())
		}
	}
}

func TestInitThatFailsInsideAnInvocationIsOneSpan(t *testing.T) {
	for phase, want := range map[string]int{"init": 0, "invoke": 1} {
		k := newKit(t, func(c *Config) { c.InitSpan = false })
		failed := fmt.Sprintf(`{"initializationType":"on-demand","phase":%q,"status":"error","errorType":"Runtime.ImportModuleError","metrics":{"durationMs":3}}`, phase)
		k.ConsumeTelemetry([]delivery.TelemetryEvent{event("platform.initStart", fmt.Sprintf(`{"initializationType":"on-demand","phase":%q}`, phase)),
			event("platform.initRuntimeDone", failed), event("platform.initReport", failed)})
		k.EnvironmentEnds(t.Context(), "failure")
		if len(k.spans) != want {
			t.Fatalf("phase %s: %d spans", phase, len(k.spans))
		}
		if want == 1 {
			if got, _ := k.spans[0].Attributes().Get("error.type"); got.Str() != "Runtime.ImportModuleError" {
				t.Errorf("error.type %s", got.Str())
			}
		}
	}
}

func TestInitSpanIsInTheTraceOfTheFirstInvocation(t *testing.T) {
	k := newKit(t, nil)
	k.announced(announcementOf("6d68ca91-49c9-448d-89b8-7ca3e6dc66aa", "01"))
	k.ConsumeTelemetry(batch(t, "2022-12-13"))
	k.EnvironmentEnds(t.Context(), "spindown")
	if len(k.spans) != 1 {
		t.Fatalf("%d spans", len(k.spans))
	}
	span := k.spans[0]
	if span.Name() != "init" || span.TraceID().String() != told || span.ParentSpanID().String() != below || span.EndTimestamp().AsTime().Sub(span.StartTimestamp().AsTime()) != 125*time.Millisecond {
		t.Errorf("%s in %s below %s, %s", span.Name(), span.TraceID(), span.ParentSpanID(), span.EndTimestamp().AsTime().Sub(span.StartTimestamp().AsTime()))
	}
}

func TestLogRecords(t *testing.T) {
	k := newKit(t, nil)
	k.ConsumeTelemetry(batch(t, "2022-12-13"))
	bodies := map[string]plog.LogRecord{}
	for _, record := range k.records {
		bodies[record.Body().AsString()] = record
	}
	const request, root, parent = "6d68ca91-49c9-448d-89b8-7ca3e6dc66aa", "62e900b2710d76f009d6e7785905449a", "0efbd19962d95b05"
	for body, want := range map[string]struct {
		severity, request, trace, span string
		attributes                     map[string]any
	}{
		"stock is low":                {"WARNING", request, root, parent, map[string]any{"aws.lambda.event.type": "function"}},
		"no price":                    {"ERROR", request, root, parent, map[string]any{"exception.type": "KeyError", "exception.message": "'x1'", "logger": "root"}},
		"from a library":              {"INFO", request, told, below, nil},
		"a line":                      {"", request, root, parent, nil},
		"another extension's line":    {"", "", "", "", map[string]any{"aws.lambda.event.type": "extension"}},
		"START RequestId: " + request: {"INFO", request, root, parent, nil},
		"END RequestId: " + request:   {"INFO", request, root, parent, nil},
		"REPORT RequestId: " + request + " Duration: 148.00 ms Billed Duration: 274 ms Memory Size: 256 MB Max Memory Used: 66 MB Init Duration: 125.33 ms": {
			"INFO", request, root, parent, map[string]any{"aws.lambda.report.billedDurationMs": 274.0}},
	} {
		record, ok := bodies[body]
		if !ok {
			t.Errorf("no record %q", body)
			continue
		}
		id, _ := record.Attributes().Get("faas.invocation_id")
		if record.SeverityText() != want.severity || id.Str() != want.request || record.TraceID().String() != want.trace || record.SpanID().String() != want.span {
			t.Errorf("%q: %s, request %s, trace %s, span %s", body, record.SeverityText(), id.Str(), record.TraceID(), record.SpanID())
		}
		for key, value := range want.attributes {
			if got := record.Attributes().AsRaw()[key]; got != value {
				t.Errorf("%q: %s is %v", body, key, got)
			}
		}
	}
	if got := fmt.Sprint(bodies["no price"].Attributes().AsRaw()["item"]); got != "map[left:3 price:2.5 sku:x1 tags:[a <nil>]]" {
		t.Errorf("nested: %s", got)
	}
	if bodies["stock is low"].Timestamp().AsTime().Nanosecond() != 9_000_000 || bodies["stock is low"].ObservedTimestamp().AsTime().Nanosecond() != 10_000_000 {
		t.Error("the function's own time is not kept beside Lambda's")
	}
}

func TestMetricsMergeUntilTheyAreFlushed(t *testing.T) {
	for _, temporality := range []string{"delta", "cumulative"} {
		k := newKit(t, func(c *Config) { c.MetricsTemporality = temporality })
		events := batch(t, "2022-12-13")
		k.ConsumeTelemetry(events)
		for _, status := range []string{"success", "timeout", "error"} {
			k.ConsumeTelemetry([]delivery.TelemetryEvent{event("platform.runtimeDone", fmt.Sprintf(`{"requestId":%q,"status":%q,"metrics":{"durationMs":20000}}`, status, status))})
		}
		k.Flush(t.Context())
		for name, want := range map[string]int64{"faas.invocations": 2, "faas.errors": 1, "faas.timeouts": 1, "faas.coldstarts": 1} {
			if k.points[name].Type() != pmetric.MetricTypeSum || k.points[name].Sum().DataPoints().At(0).IntValue() != want {
				t.Errorf("%s: %v", name, k.points[name])
			}
		}
		for name, want := range map[string]float64{"faas.invoke_duration": 60.14, "faas.init_duration": 0.12533, "faas.mem_usage": 66 << 20, "aws.lambda.billed_duration": 0.274,
			"aws.lambda.extension_overhead": 0.008, "aws.lambda.runtime_overhead": 0.0124, "aws.lambda.response_latency": 0.1005} {
			m := k.points[name]
			if m.Type() != pmetric.MetricTypeHistogram {
				t.Errorf("%s is missing", name)
				continue
			}
			if p := m.Histogram().DataPoints().At(0); p.Sum() < want*0.999 || p.Sum() > want*1.001 || p.BucketCounts().Len() != p.ExplicitBounds().Len()+1 {
				t.Errorf("%s: sum %v", name, p.Sum())
			}
		}
		p := k.points["faas.invoke_duration"].Histogram().DataPoints().At(0)
		if buckets := p.BucketCounts().AsRaw(); buckets[6] != 1 || buckets[14] != 3 || p.Count() != 4 || p.Max() != 20 {
			t.Errorf("buckets %v", buckets)
		}
		clear(k.points)
		k.Flush(t.Context())
		if len(k.points) > 0 {
			t.Errorf("%d metrics though nothing happened", len(k.points))
		}
		k.ConsumeTelemetry([]delivery.TelemetryEvent{event("platform.runtimeDone", `{"requestId":"last","status":"success"}`)})
		k.Flush(t.Context())
		if got := k.points["faas.invocations"].Sum().DataPoints().At(0).IntValue(); got != map[string]int64{"delta": 1, "cumulative": 3}[temporality] {
			t.Errorf("%s: %d", temporality, got)
		}
	}
}

func TestManagedInstancesSchema(t *testing.T) {
	k := newKit(t, nil, "AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances")
	k.announced(announcementOf("two", "01"))
	k.ConsumeTelemetry(batch(t, "2025-01-29"))
	k.EnvironmentEnds(t.Context(), "spindown")
	names := []string{}
	for _, span := range k.spans {
		names = append(names, span.Name())
	}
	slices.Sort(names)
	if strings.Join(names, " ") != "/orders/{id} init" {
		t.Errorf("spans %v", names)
	}
	if k.points["faas.timeouts"].Sum().DataPoints().At(0).IntValue() != 1 || k.points["faas.invocations"].Sum().DataPoints().At(0).IntValue() != 1 {
		t.Errorf("metrics %v", k.points)
	}
	for _, record := range k.records {
		id, found := record.Attributes().Get("faas.invocation_id")
		switch body := record.Body().AsString(); body {
		case `{"sku":"x1"}`:
			if id.Str() != "one" {
				t.Errorf("%s belongs to %q", body, id.Str())
			}
		case "nobody knows whose line this is":
			if found {
				t.Errorf("%s belongs to %q", body, id.Str())
			}
		}
	}
}

func TestAnnouncementsAreHeardBeforeTheEventThatComesAfterThem(t *testing.T) {
	var heard atomic.Int32
	e, err := listen(freePort(t), func(*announcement) { heard.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	for n := range 50 {
		e.say("")
		e.say("nonsense")
		e.say(fmt.Sprintf("otel-lambda-1 r%d 00-%s-%s-01 - 1 - f", n, told, below))
		if e.settle(); int(heard.Load()) != n+1 {
			t.Fatalf("%d of %d heard", heard.Load(), n+1)
		}
	}
	e.close()
	e.settle() // returns
}

func TestConfigIsValidated(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"types": func(c *Config) { c.Types = []string{"platforms"} }, "maxItems": func(c *Config) { c.MaxItems = 1 }, "maxBytes": func(c *Config) { c.MaxBytes = 1 << 30 },
		"timeoutMs": func(c *Config) { c.TimeoutMs = 5 }, "port": func(c *Config) { c.Port = -1 }, "metricsTemporality": func(c *Config) { c.MetricsTemporality = "no" },
	} {
		cfg := createDefaultConfig().(*Config)
		change(cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzEvents: whatever Lambda or a loopback neighbour says, nothing panics, and what is kept stays bounded.
func FuzzEvents(f *testing.F) {
	for _, kind := range []string{"function", "platform.runtimeDone", "platform.report", "platform.initReport"} {
		f.Add(kind, []byte(`{"requestId":"r","status":"timeout","tracing":{"value":"Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05"},"metrics":{"durationMs":1},"spans":[{"name":"a","durationMs":1}]}`), "otel-lambda-1 r 00-1-2-01 - 1 - f")
		f.Add(kind, []byte(`"[INFO]\t2026-01-02T03:04:05Z\tr\tx"`), told)
	}
	f.Fuzz(func(t *testing.T, kind string, record []byte, datagram string) {
		cfg := createDefaultConfig().(*Config)
		r := newReceiver(cfg, zap.NewNop(), environment(), time.Now())
		r.tally = &delivery.Tally{}
		r.Traces, _ = consumer.NewTraces(func(context.Context, ptrace.Traces) error { return nil })
		r.Metrics, _ = consumer.NewMetrics(func(context.Context, pmetric.Metrics) error { return nil })
		r.Logs, _ = consumer.NewLogs(func(context.Context, plog.Logs) error { return nil })
		if a := parseAnnouncement(datagram); a != nil {
			r.announced(a)
		}
		r.ConsumeTelemetry([]delivery.TelemetryEvent{{Type: kind, Record: record}, {Type: "platform.runtimeDone", Record: record}})
		r.EnvironmentEnds(context.Background(), "spindown")
		if len(r.invocations.list) > remembered {
			t.Errorf("%d invocations are kept", len(r.invocations.list))
		}
	})
}

// FuzzAnnouncement: a datagram from anybody on loopback is an announcement or nothing, and what it says is fit for telemetry.
func FuzzAnnouncement(f *testing.F) {
	f.Add(told)
	f.Add("otel-lambda-1 r 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 - 1 - f")
	f.Add("otel-lambda-1 r 00-1-2-01 - 1 - f")
	f.Add("otel-lambda-1 r 00-00000000000000000000000000000000-0000000000000000-01 - 1 - f")
	f.Add(mark + "x")
	f.Fuzz(func(t *testing.T, datagram string) {
		a := parseAnnouncement(datagram)
		if a == nil {
			return
		}
		if a.request == "" || strings.Contains(a.request, " ") || len(a.name)+len(a.trigger) > 3*len(datagram) || !utf8.ValidString(a.name) || !utf8.ValidString(a.trigger) {
			t.Errorf("%q: %+v", datagram, a)
		}
		if a.trace.IsEmpty() || a.span.IsEmpty() {
			t.Errorf("%q: no span can have this context: %+v", datagram, a)
		}
	})
}
