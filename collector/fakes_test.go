package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
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
	if err := os.Chmod(dir, 0o755); err != nil { // another user runs it
		panic(err)
	}
	binary = filepath.Join(dir, "collector")
	build := []string{"build", "-ldflags", "-X main.version=1.2.3", "-o", binary, "."}
	if raced {
		build = slices.Insert(build, 1, "-race")
	}
	if out, err := exec.Command("go", build...).CombinedOutput(); err != nil {
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
	strict      bool // only the name of the sandbox is taken for a destination, as by AWS
	mu          sync.Mutex
	calls       []string
	sink        string      // where telemetry goes
	events      chan string // what next returns
	asked       chan bool   // next was called

	fault map[string]fault // by the last part of the path: register, telemetry, next
	count map[string]int
}

// fault answers the nth call, from 1, in Lambda's place when it returns true.
type fault func(w http.ResponseWriter, q *http.Request, n int) bool

func newLambda(t *testing.T, telemetry bool) *fakeLambda {
	f := &fakeLambda{t: t, noTelemetry: !telemetry, events: make(chan string), asked: make(chan bool, 1000), fault: map[string]fault{}, count: map[string]int{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() { f.CloseClientConnections(); f.Close() })
	return f
}

func (f *fakeLambda) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	f.mu.Lock()
	f.calls = append(f.calls, q.Method+" "+q.URL.Path)
	name := path.Base(q.URL.Path)
	f.count[name]++
	n, broken := f.count[name], f.fault[name]
	f.mu.Unlock()
	if broken != nil && broken(w, q, n) {
		return
	}
	if q.URL.Path == "/2020-01-01/extension/register" {
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
		f.mu.Lock()
		strict := f.strict
		f.mu.Unlock()
		if strict && !strings.HasPrefix(want.Destination.URI, "http://sandbox.localdomain:") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"errorType":"ValidationError"}`))
			return
		}
		if f.noTelemetry {
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(`{"errorType":"Telemetry.NotSupported"}`))
			return
		}
		f.mu.Lock()
		f.sink = strings.Replace(want.Destination.URI, "sandbox.localdomain", "127.0.0.1", 1) // this machine need not know the name
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

// breaks makes a call fail: register, telemetry or next.
func (f *fakeLambda) breaks(call string, how fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault[call] = how
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

// unheard are n invocations with a span each of which nobody says when the function is done: the next is asked for at once.
func (f *fakeLambda) unheard(e *extension, n int) {
	f.t.Helper()
	for i := range n {
		f.invoke(fmt.Sprint("r", i), time.Minute)
		f.next()
		e.send(fmt.Sprint("span", i))
	}
}

func (f *fakeLambda) shutdown(reason string) {
	f.events <- fmt.Sprintf(`{"eventType":"SHUTDOWN","deadlineMs":%d,"shutdownReason":%q}`, time.Now().Add(2*time.Second).UnixMilli(), reason)
}

// one is an invocation with one span; it returns when the environment may be frozen.
func (f *fakeLambda) one(e *extension, id string) {
	f.t.Helper()
	f.invoke(id, time.Minute)
	e.send(id)
	f.done(id)
	f.next()
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

// arrive waits until the backend has n different spans.
func (b *backend) arrive(t *testing.T, n int) {
	t.Helper()
	for range 2000 {
		if different, _ := b.counts(); different >= n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	different, _ := b.counts()
	t.Fatalf("the backend has %d spans, not %d", different, n)
}

// has fails unless the backend has exactly n spans, each once.
func (b *backend) has(t *testing.T, n int) {
	t.Helper()
	if different, all := b.counts(); different != n || all != n {
		t.Fatalf("the backend has %d spans, %d different, not %d", all, different, n)
	}
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
	err  bytes.Buffer
	url  string
	gone chan struct{}

	started account // its first line
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
	config := fmt.Sprintf("yaml:{receivers: {telemetryapi: {initSpan: false}, otlp: {protocols: {http: {endpoint: %q}}}}, %s}", address, exporters)
	e := &extension{Cmd: exec.Command(binary), t: t, url: "http://" + address + "/v1/traces", gone: make(chan struct{})}
	e.Env = append([]string{"OPENTELEMETRY_COLLECTOR_CONFIG_URI=" + config, "AWS_LAMBDA_RUNTIME_API=" + lambda.Listener.Addr().String(), "OTEL_LAMBDA_ACCOUNT=true"}, env...)
	prepare(t, e)
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = e.Wait(); close(e.gone) }()
	t.Cleanup(func() {
		_ = e.Process.Kill()
		<-e.gone
		if t.Failed() {
			t.Log(e.err.String())
		}
	})
	return e
}

// listens waits until the receiver takes connections.
func (e *extension) listens() {
	for range 2000 {
		if c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(e.url, "http://"), "/v1/traces")); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	e.t.Fatal("the receiver does not listen")
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

// freeze stops the process as Lambda does between invocations.
func (e *extension) freeze(d time.Duration) {
	_ = e.Process.Signal(syscall.SIGSTOP)
	time.Sleep(d)
	_ = e.Process.Signal(syscall.SIGCONT)
}

type account struct {
	Level, Msg, Reason      string
	Retried, Resent         struct{ Spans, Metrics, Logs int }
	Why                     map[string]struct{ Spans, Metrics, Logs int }
	Received, Sent, Dropped struct{ Spans, Metrics, Logs int }
	Key, Remedy, Component  string
	Cause                   any
	Version, Flush          string
}

// end waits for the process and returns its account and all its lines but the first.
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
		var otherwise *json.UnmarshalTypeError // other lines have numbers where the account has more
		if err := json.Unmarshal([]byte(line), &one); err != nil && !(errors.As(err, &otherwise) && one.Msg != "shutdown") {
			e.t.Errorf("not JSON: %q", line)
		}
		if one.Msg == "started" {
			e.started = one
			continue
		}
		lines = append(lines, one)
		if one.Msg == "shutdown" {
			a = one
		}
	}
	return a, lines
}

const through = "exporters: {otlphttp: {endpoint: %q}}, service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}"
