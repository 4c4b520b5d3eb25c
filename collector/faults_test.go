package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// In every fault here the function goes on: the extension asks for the next event, its receiver answers, and it lives until SHUTDOWN.

// says fails unless exactly one line above INFO has this in its cause, and a remedy; no other line may be there.
func (e *extension) says(cause string) account {
	e.t.Helper()
	a, lines := e.end()
	told := 0
	for _, line := range lines {
		if line.Msg == "shutdown" {
			continue
		}
		if told++; !strings.Contains(fmt.Sprint(line.Cause), cause) || line.Remedy == "" || (line.Level != "WARN" && line.Level != "ERROR") {
			e.t.Errorf("not a line with the cause %q and a remedy: %+v", cause, line)
		}
	}
	if (cause == "") != (told == 0) || told > 1 {
		e.t.Errorf("%d lines: %s", told, e.out.String())
	}
	return a
}

// works is an invocation whose span arrives, now or at the latest at the end.
func (f *fakeLambda) works(e *extension, ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		f.one(e, id)
	}
}

func status(code int) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool { w.WriteHeader(code); return true }
}

// times makes a fault of the first n calls.
func (broken fault) times(n int) fault {
	return func(w http.ResponseWriter, q *http.Request, call int) bool { return call <= n && broken(w, q, call) }
}

func cut(w http.ResponseWriter, _ *http.Request, _ int) bool {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = connection.Close()
	return true
}

func garbage(w http.ResponseWriter, _ *http.Request, _ int) bool {
	_, _ = w.Write([]byte(`{"eventType":"INV`))
	return true
}

func TestNextFails(t *testing.T) {
	for name, c := range map[string]struct {
		broken fault
		cause  string
	}{
		"500":     {status(500), "500"},
		"403":     {status(403), "403"},
		"cut":     {cut, "EOF"},
		"garbage": {garbage, "not an event as JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lambda, b := newLambda(t, true), newBackend(t)
			lambda.breaks("next", func(w http.ResponseWriter, q *http.Request, n int) bool {
				return (n <= 3 || (n >= 5 && n <= 7)) && c.broken(w, q, n) // before the first event, and between two
			})
			e := run(t, lambda, fmt.Sprintf(through, b.URL))
			lambda.next()
			lambda.works(e, "one", "two", "three")
			lambda.shutdown("spindown")
			if a := e.says(c.cause); a.Sent.Spans != 3 {
				t.Errorf("%+v", a)
			}
			b.has(t, 3)
		})
	}
}

func TestRegisteringFails(t *testing.T) {
	for name, c := range map[string]struct {
		broken fault
		cause  string
	}{
		"500 for a while": {status(500).times(6), "500"},
		"403 for a while": {status(403).times(6), "403"},
		"cut for a while": {fault(cut).times(6), "EOF"},
		"slow": {func(http.ResponseWriter, *http.Request, int) bool {
			time.Sleep(1500 * time.Millisecond)
			return false
		}, ""},
		"no identifier": {func(_ http.ResponseWriter, _ *http.Request, n int) bool { return n <= 6 }, "Lambda-Extension-Identifier"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lambda, b := newLambda(t, true), newBackend(t)
			lambda.breaks("register", c.broken)
			e := run(t, lambda, fmt.Sprintf(through, b.URL))
			lambda.next()
			lambda.works(e, "one", "two")
			lambda.shutdown("spindown")
			if a := e.says(c.cause); a.Sent.Spans != 2 {
				t.Errorf("%+v", a)
			}
		})
	}
}

// Lambda that never takes the extension: telemetry is taken and delivered all the same, until SIGTERM.
func TestRegisteringFailsForEver(t *testing.T) {
	t.Parallel()
	lambda, b := newLambda(t, true), newBackend(t)
	tried := make(chan bool, 1000)
	lambda.breaks("register", func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.WriteHeader(http.StatusForbidden)
		tried <- true
		return true
	})
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	for range 5 {
		<-tried
	}
	e.listens()
	e.send("one")
	b.arrive(t, 1)
	_ = e.Process.Signal(syscall.SIGTERM)
	if a := e.says("403"); a.Sent.Spans != 1 {
		t.Errorf("%+v", a)
	}
}

func TestSubscribingFails(t *testing.T) {
	for name, c := range map[string]struct {
		broken fault
		cause  string
	}{
		"400":   {status(400), "400"},
		"403":   {status(403), "403"},
		"500":   {status(500), "500"},
		"202":   {status(202), ""},
		"cut":   {cut, "EOF"},
		"hangs": {func(_ http.ResponseWriter, q *http.Request, _ int) bool { <-q.Context().Done(); return true }, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lambda, b := newLambda(t, true), newBackend(t)
			lambda.breaks("telemetry", c.broken)
			e := run(t, lambda, fmt.Sprintf(through, b.URL))
			lambda.next()
			lambda.unheard(e, 3)
			lambda.shutdown("spindown")
			if a := e.says(c.cause); a.Sent.Spans != 3 {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestWithFewFileDescriptors(t *testing.T) {
	t.Parallel()
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL), "LIMITED=16")
	lambda.next()
	lambda.works(e, "one")
	var held []net.Conn
	for range 40 { // a function that opens connections and never closes one
		c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(e.url, "http://"), "/v1/traces"))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	for i := range 5 {
		id := fmt.Sprint("full-", i)
		lambda.invoke(id, time.Minute)
		lambda.done(id)
		lambda.next()
	}
	for _, c := range held {
		_ = c.Close()
	}
	lambda.works(e, "two", "three")
	lambda.shutdown("spindown")
	if a, _ := e.end(); a.Sent.Spans != 3 || a.Dropped.Spans != 0 {
		t.Errorf("%s", e.out.String())
	}
}

// A log that nobody reads, and one on a full disk.
func TestLogsCannotBeWritten(t *testing.T) {
	for _, kind := range []string{"closed", "broken pipe", "full"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			lambda, b := newLambda(t, true), newBackend(t)
			b.answer = func(w http.ResponseWriter, n int) bool { // a reason to write
				if n == 1 {
					w.WriteHeader(503)
				}
				return n == 1
			}
			e := run(t, lambda, fmt.Sprintf(through, b.URL), "STDOUT="+kind)
			lambda.next()
			lambda.works(e, "one", "two")
			b.arrive(t, 2)
			lambda.shutdown("spindown")
			_, _ = e.end()
			b.has(t, 2)
		})
	}
}

// Lambda's clock and the environment's differ: deadlines long over or far away neither end the extension nor hold the function.
func TestClocksDiffer(t *testing.T) {
	t.Parallel()
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	for i, ahead := range []time.Duration{-time.Hour, 1000 * time.Hour, -100_000 * time.Hour, 0, time.Hour} {
		id := fmt.Sprint("r", i)
		lambda.invoke(id, ahead)
		e.send(id)
		lambda.done(id)
		lambda.next()
	}
	lambda.events <- `{"eventType":"SHUTDOWN","deadlineMs":1,"shutdownReason":"spindown"}`
	if a := e.says(""); a.Received.Spans != 5 || a.Sent.Spans+a.Dropped.Spans != 5 {
		t.Errorf("%+v", a)
	}
}

// Stopped for up to a second and more at random instants: at the start, while asking, sending, flushing, ending.
func TestStoppedAtRandomInstants(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	over := make(chan struct{})
	go func() {
		defer close(over)
		for range 15 {
			time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
			e.freeze(time.Duration(random.IntN(random.IntN(1200)+1)) * time.Millisecond)
		}
	}()
	lambda.next()
	all := 0
	for stopping := true; stopping; all++ {
		select {
		case <-over:
			stopping = false // one more
		default:
		}
		lambda.one(e, fmt.Sprint("r", all))
	}
	lambda.shutdown("spindown")
	a, _ := e.end()
	different, total := b.counts()
	if a.Received.Spans != all || a.Sent.Spans != all || different != all || total-different > a.Resent.Spans {
		t.Errorf("%d spans, %d different: %s", total, different, e.out.String())
	}
}

// SIGTERM while the extension starts: it ends as at SHUTDOWN, and blames nothing.
func TestSIGTERMWhileStarting(t *testing.T) {
	for _, call := range []string{"register", "telemetry"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			lambda, b := newLambda(t, true), newBackend(t)
			reached := make(chan bool, 1)
			lambda.breaks(call, func(_ http.ResponseWriter, q *http.Request, _ int) bool {
				reached <- true
				<-q.Context().Done()
				return true
			})
			e := run(t, lambda, fmt.Sprintf(through, b.URL))
			<-reached
			_ = e.Process.Signal(syscall.SIGTERM)
			if a := e.says(""); a.Reason != "signal" {
				t.Errorf("%s", e.out.String())
			}
		})
	}
	t.Run("configuration", func(t *testing.T) {
		t.Parallel()
		lambda := newLambda(t, true)
		reached := make(chan bool, 1)
		source := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { reached <- true; <-q.Context().Done() }))
		t.Cleanup(func() { source.CloseClientConnections(); source.Close() })
		e := start(t, lambda, source.URL)
		<-reached
		_ = e.Process.Signal(syscall.SIGTERM)
		e.says("")
	})
}

// An extension whose ports are all taken, by whoever takes them first: telemetry goes elsewhere, the function works.
func TestEveryPortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	usual, err := net.Listen("tcp", "127.0.0.1:4318")
	if err == nil {
		defer usual.Close()
	}
	lambda := newLambda(t, true)
	e := start(t, lambda, "yaml:"+strings.Replace(goodConfig, "localhost:14318", taken.Addr().String(), 1))
	lambda.next()
	for i := range 3 {
		id := fmt.Sprint("r", i)
		lambda.invoke(id, time.Minute)
		lambda.done(id)
		lambda.next()
	}
	lambda.shutdown("spindown")
	_, lines := e.end()
	for _, line := range lines {
		if !strings.Contains(fmt.Sprint(line.Cause), "address already in use") || line.Remedy == "" {
			t.Errorf("%+v", line)
		}
	}
	if len(lines) == 0 || len(lines) > 2 {
		t.Errorf("%s", e.out.String())
	}
}

// A configuration in the layer that the extension may not read, as its own user.
func TestConfigurationIsUnreadable(t *testing.T) {
	folder := t.TempDir()
	for _, dir := range []string{folder, filepath.Dir(folder)} {
		if err := os.Chmod(dir, 0o755); err != nil { // another user passes through
			t.Fatal(err)
		}
	}
	secret := filepath.Join(folder, "secret.yaml")
	if err := os.WriteFile(secret, []byte(goodConfig), 0); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ uri, cause, remedy string }{
		"file":   {secret, "permission denied", "chmod a+r"},
		"folder": {folder, "is a directory", "name a file"},
	} {
		t.Run(name, func(t *testing.T) {
			lambda := newLambda(t, true)
			e := start(t, lambda, c.uri, "USER=993")
			lambda.next()
			lambda.invoke("one", time.Minute)
			lambda.done("one")
			lambda.next()
			lambda.shutdown("spindown")
			e.says(c.cause)
			if !strings.Contains(e.out.String(), c.remedy) || !strings.Contains(e.out.String(), c.uri) {
				t.Error(e.out.String())
			}
		})
	}
}

// prepare makes the command run as the variables LIMITED (file descriptors), STDOUT and USER say.
func prepare(t *testing.T, e *extension) {
	if os.Getuid() == 0 && slices.Contains(e.Env, "USER=993") {
		e.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 993, Gid: 993}}
	}
	for _, setting := range e.Env {
		if limit, found := strings.CutPrefix(setting, "LIMITED="); found {
			limited := exec.Command("/bin/sh", "-c", `ulimit -n "$1"; exec "$2"`, "sh", limit, binary)
			limited.Env = e.Env
			e.Cmd = limited
		}
	}
	e.Stdout, e.Stderr = &e.out, &e.err
	for _, setting := range e.Env {
		switch setting {
		case "STDOUT=full":
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = full.Close() })
			e.Stdout, e.Stderr = full, full
		case "STDOUT=broken pipe":
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			_ = r.Close()
			t.Cleanup(func() { _ = w.Close() })
			e.Stdout, e.Stderr = w, w
		case "STDOUT=closed":
			closed := exec.Command("/bin/sh", "-c", `exec "$1" >&- 2>&-`, "sh", binary)
			closed.Env = e.Env
			e.Cmd = closed
		}
	}
}
