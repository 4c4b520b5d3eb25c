package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// everything is a backend of three signals.
type everything struct {
	*httptest.Server
	mu      sync.Mutex
	spans   []string         // trace span name error.type
	logs    map[string]int   // by body
	metrics map[string]int64 // counters, summed
}

func newEverything(t *testing.T) *everything {
	b := &everything{logs: map[string]int{}, metrics: map[string]int64{}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(func() { b.CloseClientConnections(); b.Close() })
	return b
}

func (b *everything) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch q.URL.Path {
	case "/v1/traces":
		data, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, rs := range data.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					kind := ""
					if value, ok := s.Attributes().Get("error.type"); ok {
						kind = value.Str()
					}
					b.spans = append(b.spans, fmt.Sprintf("%s %s %s %s", s.TraceID(), s.SpanID(), s.Name(), kind))
				}
			}
		}
	case "/v1/metrics":
		data, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, rm := range data.ResourceMetrics().All() {
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				if m.Type() == pmetric.MetricTypeSum {
					b.metrics[m.Name()] += m.Sum().DataPoints().At(0).IntValue()
				}
			}
		}
	case "/v1/logs":
		data, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, rl := range data.ResourceLogs().All() {
			for _, record := range rl.ScopeLogs().At(0).LogRecords().All() {
				b.logs[record.Body().AsString()]++
			}
		}
	}
}

func (b *everything) state() (spans []string, invocations int64, lines int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append(spans, b.spans...), b.metrics["faas.invocations"], b.logs["a line"]
}

// tell sends a batch of events as Lambda does.
func (f *fakeLambda) tell(batch string) {
	f.t.Helper()
	f.mu.Lock()
	sink := f.sink
	f.mu.Unlock()
	response, err := http.Post(sink, "application/json", strings.NewReader(batch))
	if err != nil || response.StatusCode != 200 {
		f.t.Errorf("telemetry: %v %v", response, err)
	}
}

// announcer says what a language layer says, at a port of the test's own.
func announcer(t *testing.T) (variable string, announce func(request string)) {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := c.LocalAddr().String()
	_ = c.Close()
	_, port, _ := net.SplitHostPort(address)
	return "OTEL_LAMBDA_ANNOUNCEMENT_PORT=" + port, func(request string) {
		c, err := net.Dial("udp4", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = fmt.Fprintf(c, "otel-lambda-1 %s 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 - %d other orders", request, time.Now().UnixNano())
	}
}

const telemetryToo = `exporters: {otlphttp: {endpoint: %q, compression: none}}, service: {pipelines: {
	traces: {receivers: [otlp, telemetryapi], exporters: [otlphttp]}, metrics: {receivers: [telemetryapi], exporters: [otlphttp]}, logs: {receivers: [telemetryapi], exporters: [otlphttp]}}}`

func runTelemetry(t *testing.T, lambda *fakeLambda, b *everything, env ...string) *extension {
	t.Helper()
	return run(t, lambda, strings.Join(strings.Fields(fmt.Sprintf(telemetryToo, b.URL)), " "), env...)
}

func TestWhatAnInvocationTellsIsInItsFlush(t *testing.T) {
	lambda, b := newLambda(t, true), newEverything(t)
	variable, _ := announcer(t)
	e := runTelemetry(t, lambda, b, variable)
	lambda.next()
	for n := range 3 {
		id := fmt.Sprint("request-", n)
		lambda.invoke(id, time.Minute)
		e.send("span")
		lambda.done(id) // with a line of the function
		lambda.next()
		if spans, invocations, lines := b.state(); invocations != int64(n+1) || lines != n+1 || len(spans) != n+1 {
			t.Fatalf("after invocation %d: %d counted, %d lines, spans %v", n, invocations, lines, spans)
		}
	}
	lambda.tell(`[{"time":"2026-01-01T00:00:01Z","type":"function","record":"after the last one"}]`)
	lambda.shutdown("spindown")
	a, lines := e.end()
	if b.logs["after the last one"] != 1 || a.Dropped.Logs+a.Dropped.Metrics+a.Dropped.Spans != 0 || a.Received.Logs != a.Sent.Logs || a.Received.Metrics != a.Sent.Metrics || len(lines) != 1 {
		t.Errorf("%+v, %v: %s", a, b.logs, e.out.String())
	}
}

func TestEndsThatNobodySees(t *testing.T) {
	const announced = "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 orders "
	for name, c := range map[string]struct {
		telemetry bool
		tell      string
		reason    string
		want      string
	}{
		"time-out":                   {true, `{"type":"platform.runtimeDone","record":{"requestId":"two","status":"timeout"}}`, "timeout", "Sandbox.Timedout"},
		"crash":                      {true, `{"type":"platform.runtimeDone","record":{"requestId":"two","status":"failure","errorType":"Runtime.ExitError"}}`, "failure", "Runtime.ExitError"},
		"out of memory":              {true, `{"type":"platform.runtimeDone","record":{"requestId":"two","status":"failure","errorType":"Runtime.OutOfMemory"}}`, "failure", "Runtime.OutOfMemory"},
		"no word but the reason":     {true, "", "timeout", "Sandbox.Timedout"},
		"without the Telemetry API":  {false, "", "failure", "Runtime.ExitError"},
		"nothing wrong, Ctrl-C came": {true, "", "spindown", ""},
	} {
		t.Run(name, func(t *testing.T) {
			lambda, b := newLambda(t, c.telemetry), newEverything(t)
			variable, announce := announcer(t)
			e := runTelemetry(t, lambda, b, variable)
			lambda.next()
			lambda.invoke("one", time.Minute)
			announce("one")
			e.sendLast("one", "fine")
			lambda.next()
			limit := time.Minute
			if c.tell == "" {
				limit = time.Second // nobody says that the function is done: the deadline passes
			}
			lambda.invoke("two", limit)
			announce("two")
			e.send("child")
			if c.tell != "" {
				lambda.tell("[" + c.tell + "]")
			}
			lambda.next()
			lambda.shutdown(c.reason)
			e.end()
			spans, _, _ := b.state()
			var failures []string
			for _, s := range spans {
				if strings.Contains(s, " orders ") {
					failures = append(failures, s)
				}
			}
			if c.want == "" && len(failures) == 0 {
				return
			}
			if len(failures) != 1 || failures[0] != announced+c.want {
				t.Errorf("spans %q", spans)
			}
		})
	}
}
