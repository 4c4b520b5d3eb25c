package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// These tests run the real binary against a server that speaks Lambda's APIs and a backend that decodes what arrives.

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "collector")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "collector")
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.version=1.2.3", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Printf("%s\n", out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

type fakeLambda struct {
	*httptest.Server
	t           *testing.T
	noTelemetry bool
	mu          sync.Mutex
	calls       []string
	sink        string      // where telemetry goes
	events      chan string // what next returns
	asked       chan bool   // next was called
}

func newLambda(t *testing.T, telemetry bool) *fakeLambda {
	f := &fakeLambda{t: t, noTelemetry: !telemetry, events: make(chan string), asked: make(chan bool, 1000)}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() { f.CloseClientConnections(); f.Close() })
	return f
}

func (f *fakeLambda) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	f.mu.Lock()
	f.calls = append(f.calls, q.Method+" "+q.URL.Path)
	f.mu.Unlock()
	switch q.URL.Path {
	case "/2020-01-01/extension/register":
		if q.Header.Get("Lambda-Extension-Name") != "collector" || string(body) != `{"events":["INVOKE","SHUTDOWN"]}` {
			f.t.Errorf("register: %v %s", q.Header, body)
		}
		w.Header().Set("Lambda-Extension-Identifier", "the-id")
		_, _ = w.Write([]byte(`{"functionName":"f"}`))
		return
	}
	if q.Header.Get("Lambda-Extension-Identifier") != "the-id" {
		f.t.Errorf("%s without the identifier", q.URL.Path)
	}
	switch q.URL.Path {
	case "/2022-07-01/telemetry":
		var want struct {
			SchemaVersion string
			Types         []string
			Buffering     map[string]int
			Destination   struct{ Protocol, URI string }
		}
		if err := json.Unmarshal(body, &want); err != nil || want.SchemaVersion != "2022-12-13" || want.Buffering["timeoutMs"] != 25 {
			f.t.Errorf("subscription %s: %v", body, err)
		}
		if f.noTelemetry {
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(`{"errorType":"Telemetry.NotSupported"}`))
			return
		}
		f.mu.Lock()
		f.sink = want.Destination.URI
		f.mu.Unlock()
		_, _ = w.Write([]byte("OK"))
	case "/2020-01-01/extension/event/next":
		f.asked <- true
		select {
		case event := <-f.events:
			_, _ = w.Write([]byte(event))
		case <-q.Context().Done():
		}
	default:
		f.t.Errorf("unexpected call %s %s", q.Method, q.URL.Path)
	}
}

// next waits until the extension has asked for the next event: the environment may be frozen then.
func (f *fakeLambda) next() {
	f.t.Helper()
	select {
	case <-f.asked:
	case <-time.After(20 * time.Second):
		f.t.Fatal("the extension does not ask for the next event")
	}
}

func (f *fakeLambda) invoke(id string, limit time.Duration) {
	f.events <- fmt.Sprintf(`{"eventType":"INVOKE","deadlineMs":%d,"requestId":%q,"invokedFunctionArn":"arn","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1"}}`,
		time.Now().Add(limit).UnixMilli(), id)
}

func (f *fakeLambda) done(id string) {
	f.mu.Lock()
	sink := f.sink
	f.mu.Unlock()
	batch := fmt.Sprintf(`[{"time":"2026-01-01T00:00:00Z","type":"function","record":"a line\n"},{"type":"platform.runtimeDone","record":{"requestId":%q,"status":"success"}}]`, id)
	response, err := http.Post(sink, "application/json", strings.NewReader(batch))
	if err != nil || response.StatusCode != 200 {
		f.t.Errorf("telemetry: %v %v", response, err)
	}
}

func (f *fakeLambda) shutdown(reason string) {
	f.events <- fmt.Sprintf(`{"eventType":"SHUTDOWN","deadlineMs":%d,"shutdownReason":%q}`, time.Now().Add(2*time.Second).UnixMilli(), reason)
}

type backend struct {
	*httptest.Server
	mu       sync.Mutex
	spans    map[string]int // by name: how often
	requests int
	answer   func(w http.ResponseWriter, request int) bool // true: the request is refused
}

func newBackend(t *testing.T) *backend {
	b := &backend{spans: map[string]int{}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(func() { b.CloseClientConnections(); b.Close() })
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	compressed, _ := io.ReadAll(q.Body)
	body := []byte{}
	if plain, err := gzip.NewReader(bytes.NewReader(compressed)); err == nil {
		body, _ = io.ReadAll(plain)
	}
	if len(body) == 0 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	b.requests++
	n, answer := b.requests, b.answer
	b.mu.Unlock()
	if answer != nil && answer(w, n) {
		return
	}
	data, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
	if err != nil || q.URL.Path != "/v1/traces" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rs := range data.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				b.spans[span.Name()]++
			}
		}
	}
}

func (b *backend) counts() (different, all int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.spans {
		different, all = different+1, all+n
	}
	return different, all
}

func spans(names ...string) []byte {
	data := ptrace.NewTraces()
	list := data.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for _, name := range names {
		list.AppendEmpty().SetName(name)
	}
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(data)
	if err != nil {
		panic(err)
	}
	return body
}

type extension struct {
	*exec.Cmd
	t    *testing.T
	out  bytes.Buffer
	url  string
	gone chan struct{}
}

// run starts the binary with a receiver at a free port and the rest of the configuration after it.
func run(t *testing.T, lambda *fakeLambda, exporters string, env ...string) *extension {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	config := fmt.Sprintf("yaml:{receivers: {otlp: {protocols: {http: {endpoint: %q}}}}, %s}", address, exporters)
	e := &extension{Cmd: exec.Command(binary), t: t, url: "http://" + address + "/v1/traces", gone: make(chan struct{})}
	e.Env = append([]string{"OPENTELEMETRY_COLLECTOR_CONFIG_URI=" + config, "AWS_LAMBDA_RUNTIME_API=" + lambda.Listener.Addr().String()}, env...)
	e.Stdout, e.Stderr = &e.out, os.Stderr
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = e.Wait(); close(e.gone) }()
	t.Cleanup(func() { _ = e.Process.Kill(); <-e.gone })
	return e
}

func (e *extension) send(names ...string) { e.sendLast("", names...) }

// sendLast sends as the language layer does at the end of the invocation id; an empty id is in the middle of one.
func (e *extension) sendLast(id string, names ...string) {
	e.t.Helper()
	request, err := http.NewRequest(http.MethodPost, e.url, bytes.NewReader(spans(names...)))
	if err != nil {
		e.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if id != "" {
		request.Header.Set("X-Otel-Lambda-Invocation-End", id)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		e.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		e.t.Fatalf("the receiver answered %s", response.Status)
	}
}

type account struct {
	Level, Msg, Reason            string
	Received, Sent, Dropped       struct{ Spans, Metrics, Logs int }
	Key, Cause, Remedy, Component string
}

// end waits for the process and returns its account and all its lines.
func (e *extension) end() (a account, lines []account) {
	e.t.Helper()
	select {
	case <-e.gone:
	case <-time.After(10 * time.Second):
		e.t.Fatal("the extension does not end")
	}
	if !e.ProcessState.Success() {
		e.t.Errorf("exit: %s", e.ProcessState)
	}
	for line := range strings.Lines(e.out.String()) {
		var one account
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			e.t.Errorf("not JSON: %q", line)
		}
		lines = append(lines, one)
		if one.Msg == "shutdown" {
			a = one
		}
	}
	return a, lines
}

const through = "exporters: {otlphttp: {endpoint: %q}}, service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}"

func TestDeliversEveryInvocationBeforeTheFreeze(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	for i := range 5 {
		id := fmt.Sprint("request-", i)
		lambda.invoke(id, time.Minute)
		e.send(id+"a", id+"b")
		select {
		case <-lambda.asked:
			t.Fatal("the extension lets the environment freeze while the function runs")
		case <-time.After(20 * time.Millisecond):
		}
		e.send(id + "c")
		lambda.done(id)
		lambda.next()
		if different, all := b.counts(); different != 3*(i+1) || all != different {
			t.Fatalf("after invocation %d: %d spans, %d different", i, all, different)
		}
	}
	lambda.shutdown("spindown")
	a, lines := e.end()
	if a.Received.Spans != 15 || a.Sent.Spans != 15 || a.Dropped.Spans != 0 || a.Level != "info" || a.Reason != "spindown" {
		t.Errorf("account: %+v", a)
	}
	if len(lines) != 1 {
		t.Errorf("more lines than the account: %s", e.out.String())
	}
	if register, subscribe, next := slices.Index(lambda.calls, "POST /2020-01-01/extension/register"), slices.Index(lambda.calls, "PUT /2022-07-01/telemetry"),
		slices.Index(lambda.calls, "GET /2020-01-01/extension/event/next"); register != 0 || subscribe != 1 || next != 2 {
		t.Errorf("calls: %v", lambda.calls)
	}
}

func TestTheLastRequestOfAnInvocationEndsIt(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	for i := range 40 {
		id := fmt.Sprint("request-", i)
		lambda.invoke(id, time.Minute)
		e.send(id + "a")
		e.sendLast(id, id+"b") // Lambda has not said that the function is done
		lambda.next()
		if different, all := b.counts(); different != 2*(i+1) || all != different {
			t.Fatalf("after invocation %d: %d spans, %d different", i, all, different)
		}
		lambda.done(id) // late, when the invocation is over
	}
	lambda.shutdown("spindown")
	if a, _ := e.end(); a.Received.Spans != 80 || a.Sent.Spans != 80 {
		t.Errorf("account: %+v", a)
	}
}

func TestWithoutTelemetryAPINothingHangsAndNothingIsLost(t *testing.T) {
	lambda, b := newLambda(t, false), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	for i := range 5 {
		lambda.invoke(fmt.Sprint("r", i), time.Minute)
		lambda.next() // at once: nobody says when the function is done
		e.send(fmt.Sprint("span", i))
	}
	lambda.shutdown("spindown")
	if a, _ := e.end(); a.Sent.Spans != 5 {
		t.Errorf("account: %+v", a)
	}
	if different, all := b.counts(); different != 5 || all != 5 {
		t.Errorf("%d spans, %d different", all, different)
	}
}

func TestKeepsWhatTheBackendDoesNotTakeAndSendsItLater(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	b.answer = func(w http.ResponseWriter, request int) bool {
		if request <= 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return request <= 1
	}
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	for _, id := range []string{"one", "two"} {
		lambda.invoke(id, time.Minute)
		e.send(id)
		lambda.done(id)
		lambda.next()
	}
	if different, all := b.counts(); different != 2 || all != 2 {
		t.Errorf("%d spans, %d different", all, different)
	}
	lambda.shutdown("spindown")
	if a, lines := e.end(); a.Sent.Spans != 2 || len(lines) != 2 || lines[0].Level != "warn" {
		t.Errorf("account: %+v, %s", a, e.out.String())
	}
}

func TestHangingBackendHoldsNothingForEver(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	heal := make(chan struct{})
	b.answer = func(http.ResponseWriter, int) bool { <-heal; return false }
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	for i := range 10 {
		id := fmt.Sprint("r", i)
		lambda.invoke(id, time.Minute)
		e.send(id)
		lambda.done(id)
		lambda.next()
	}
	close(heal)
	lambda.shutdown("spindown")
	a, _ := e.end()
	if different, all := b.counts(); a.Sent.Spans != 10 || different != 10 || all != 10 {
		t.Errorf("%d spans, %d different; %+v", all, different, a)
	}
}

func TestFreezeInTheMiddleOfARequestSendsNothingTwice(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	arrived, reply := make(chan bool, 100), make(chan struct{})
	b.answer = func(_ http.ResponseWriter, request int) bool {
		arrived <- true
		if request == 1 {
			<-reply
		}
		return false
	}
	e := run(t, lambda, strings.Replace(fmt.Sprintf(through, b.URL), "{endpoint:", "{timeout: 1s, endpoint:", 1))
	lambda.next()
	lambda.invoke("one", time.Second) // leaves half a second for the flush
	e.send("one")
	<-arrived
	lambda.done("one")
	lambda.next()
	_ = e.Process.Signal(syscall.SIGSTOP)
	close(reply) // the backend answers into the frozen process's socket
	time.Sleep(1500 * time.Millisecond)
	_ = e.Process.Signal(syscall.SIGCONT)
	lambda.invoke("two", time.Minute)
	e.send("two")
	lambda.done("two")
	lambda.next()
	lambda.shutdown("spindown")
	a, _ := e.end()
	if different, all := b.counts(); different != 2 || all != 2 || a.Sent.Spans != 2 {
		t.Errorf("%d spans, %d different; %s", all, different, e.out.String())
	}
}

func TestShutdownSendsWhatCameAfterTheLastInvocation(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	b.answer = func(w http.ResponseWriter, request int) bool {
		if request <= 2 {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return request <= 2
	}
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	lambda.invoke("one", time.Minute)
	e.send("one")
	lambda.done("one")
	lambda.next()
	e.send("two")
	lambda.shutdown("timeout") // tries again in spite of Retry-After, is refused again, and gives up
	if a, _ := e.end(); a.Received.Spans != 2 || a.Dropped.Spans != 2 || a.Sent.Spans != 0 || a.Reason != "timeout" {
		t.Errorf("account: %+v", a)
	}
}

func TestBadConfigurationNeverFailsTheFunction(t *testing.T) {
	for name, c := range map[string]struct{ config, key, cause string }{
		"unknown component": {"exporters: {kafka: {}}, service: {}", "exporters::kafka", `no component "kafka"`},
		"unknown key":       {"exporters: {otlphttp: {endpoint: 'http://a', endpont: b}}, service: {}", "exporters::otlphttp", "endpont"},
		"bad value":         {"exporters: {otlphttp: {endpoint: 'nowhere'}}, service: {}", "exporters::otlphttp", "must be a URL"},
		"unknown reference": {"exporters: {debug: {}}, service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}", "service::pipelines::traces::exporters", `"otlphttp" is not configured`},
		"not YAML":          {"exporters: [", "", "yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			lambda := newLambda(t, true)
			e := run(t, lambda, c.config)
			lambda.next()
			lambda.invoke("one", time.Minute)
			lambda.done("one")
			lambda.next()
			lambda.shutdown("spindown")
			_, lines := e.end()
			if len(lines) == 0 || lines[0].Level != "error" || lines[0].Key != c.key || !strings.Contains(lines[0].Cause, c.cause) || lines[0].Remedy == "" {
				t.Errorf("no clear error: %s", e.out.String())
			}
		})
	}
}

func TestSIGTERMFlushes(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	e.send("one")
	_ = e.Process.Signal(syscall.SIGTERM)
	if a, _ := e.end(); a.Sent.Spans != 1 || a.Reason != "signal" {
		t.Errorf("account: %+v", a)
	}
}

func TestPlainCollectorOutsideLambda(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL), "AWS_LAMBDA_RUNTIME_API=")
	for deadline := time.Now().Add(10 * time.Second); ; {
		if response, err := http.Post(e.url, "application/x-protobuf", bytes.NewReader(spans("one"))); err == nil {
			_ = response.Body.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	_ = e.Process.Signal(os.Interrupt)
	if a, lines := e.end(); a.Sent.Spans != 1 || !strings.Contains(lines[0].Msg, "not in Lambda") {
		t.Errorf("%s", e.out.String())
	}
	if len(lambda.calls) > 0 {
		t.Errorf("calls: %v", lambda.calls)
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{"-v"}, 0, "collector 1.2.3"},
		{[]string{"--help"}, 0, "OTEL_EXPORTER_OTLP_"},
		{[]string{"components"}, 0, "exporters: debug, otlphttp"},
		{[]string{"validate", "--config", "yaml:{exporters: {x: {}}}"}, 2, `no component "x"`},
		{[]string{"validate", "--config=/nowhere.yaml"}, 2, "/nowhere.yaml"},
		{[]string{"validate", "--config", "yaml:" + `{receivers: {otlp: {protocols: {grpc: }}}, exporters: {otlphttp: {endpoint: "${env:WHERE:-http://a:1}"}}, service: {pipelines: {logs: {receivers: [otlp], exporters: [otlphttp]}}}}`}, 0, "good"},
		{[]string{"bogus"}, 2, `unknown argument "bogus"`},
	} {
		cmd := exec.Command(binary, c.args...)
		cmd.Env = []string{}
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.out) {
			t.Errorf("%q: exit %d\n%s", c.args, cmd.ProcessState.ExitCode(), out)
		}
	}
}

func TestLinksNeitherGRPCNorAnAWSSDK(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "go.opentelemetry.io/collector/pdata/ptrace") {
		t.Fatal("the list of packages is not complete")
	}
	for _, pkg := range strings.Fields(string(out)) {
		for _, heavy := range []string{"google.golang.org/grpc", "github.com/aws/", "google.golang.org/protobuf", "exporterhelper", "confighttp", "text/template"} {
			if strings.Contains(pkg, heavy) {
				t.Errorf("%s is linked", pkg)
			}
		}
	}
}
