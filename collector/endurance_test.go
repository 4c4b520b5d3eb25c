package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

var (
	invocations = flag.Int("invocations", 1000, "of the environment that must not grow; 20000 take half a minute")
	seed        = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of its backend's faults")
)

// unreliable is in front of a backend: one request in four fails before the backend has read it.
type unreliable struct {
	http.Handler
	dice   chan *rand.Rand
	healed atomic.Bool
}

func (u *unreliable) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	dice := <-u.dice
	thrown := dice.IntN(100)
	u.dice <- dice
	switch {
	case u.healed.Load() || thrown >= 25:
		u.Handler.ServeHTTP(w, q)
	case thrown < 10:
		w.WriteHeader(http.StatusServiceUnavailable)
	case thrown < 15:
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
	case thrown < 20:
		panic(http.ErrAbortHandler) // the connection ends without a reply
	default:
		time.Sleep(20 * time.Millisecond)
		u.Handler.ServeHTTP(w, q)
	}
}

// A function with little memory shares it with the extension: what waits is bounded, and garbage is collected before it is as much again.
func TestFullQueuesLeaveTheFunctionItsMemory(t *testing.T) {
	if raced {
		t.Skip("the race detector takes several times the memory")
	}
	lambda := newLambda(t, true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	e := run(t, lambda, strings.ReplaceAll(strings.Join(strings.Fields(fmt.Sprintf(telemetryToo, server.URL)), " "), "[telemetryapi]", "[otlp]"), "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128")
	lambda.next()
	lambda.invoke("one", time.Minute)
	text := strings.Repeat("x", 8000)
	md, ld := pmetric.NewMetrics(), plog.NewLogs()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(text)
	m.SetEmptyGauge().DataPoints().AppendEmpty()
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(text)
	metrics, _ := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	logs, _ := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	for range 3 * (8 << 20) / len(text) { // three times what is kept
		for path, body := range map[string][]byte{"traces": spans(text), "metrics": metrics, "logs": logs} {
			response, err := http.Post(strings.Replace(e.url, "traces", path, 1), "application/x-protobuf", bytes.NewReader(body))
			if err != nil || response.StatusCode != http.StatusOK {
				t.Fatal(response, err)
			}
			_ = response.Body.Close()
		}
	}
	kB, _ := e.usage()
	lambda.done("one")
	lambda.next()
	t.Logf("%d kB", kB)
	if kB > 56<<10 {
		t.Errorf("the extension has %d kB of a function's 128 MB", kB)
	}
}

// usage is what the process has: kB of memory, and open files.
func (e *extension) usage() (kB, files int) {
	e.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", e.Process.Pid))
	if err != nil {
		e.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kB, _ = strconv.Atoi(strings.Fields(rest)[0])
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", e.Process.Pid))
	if err != nil {
		e.t.Fatal(err)
	}
	return kB, len(list)
}

// Through many invocations with everything that comes in one (an announcement, spans over a connection of its own now and then, events
// of the Telemetry API), under a backend that fails at random, nothing grows and nothing is lost.
func TestALongLifeDoesNotGrow(t *testing.T) {
	t.Logf("seed %d", *seed)
	lambda, b := newLambda(t, true), newEverything(t)
	front := &unreliable{Handler: b, dice: make(chan *rand.Rand, 1)}
	front.dice <- rand.New(rand.NewPCG(*seed, 0))
	server := httptest.NewServer(front)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	variable, announce := announcer(t)
	config := strings.Replace(fmt.Sprintf(telemetryToo, server.URL), "compression: none", // pauses so short that queues never drop
		"compression: none, retry_on_failure: {initial_interval: 50ms, max_interval: 500ms}", 1)
	e := run(t, lambda, strings.Join(strings.Fields(config), " "), variable, "GOTRACEBACK=all")
	lambda.next()
	n := 0
	one := func() {
		id := fmt.Sprint("request-", n)
		n++
		lambda.invoke(id, time.Minute)
		announce(id)
		e.send(id+"-a", id+"-b")
		e.sendLast(id, id)
		lambda.tell(fmt.Sprintf(`[{"type":"platform.start","record":{"requestId":%q}},{"type":"function","record":"line %d\n"},
			{"type":"platform.runtimeDone","record":{"requestId":%q,"status":"success","metrics":{"durationMs":1.5}}},
			{"type":"platform.report","record":{"requestId":%q,"status":"success","metrics":{"durationMs":2.5,"memorySizeMB":128,"maxMemoryUsedMB":60}}}]`, id, n, id, id))
		lambda.next()
		if n%50 == 0 {
			http.DefaultClient.CloseIdleConnections() // the function's next request comes over a new one
		}
	}
	const samples = 20
	var memory, files []int
	for range samples {
		for range *invocations / samples {
			one()
		}
		kB, open := e.usage()
		memory, files = append(memory, kB), append(files, open)
	}
	front.healed.Store(true)
	arrived := func() (spans, different, lines, twice int) {
		all, _, _ := b.state()
		slices.Sort(all)
		b.mu.Lock()
		defer b.mu.Unlock()
		for body, times := range b.logs {
			if strings.HasPrefix(body, "line ") {
				lines, twice = lines+1, twice+times-1
			}
		}
		return len(all), len(slices.Compact(all)), lines, twice
	}
	lambda.invoke("last", time.Minute) // releases what is held; what was not taken is sent beside it after its pause
	for range 600 {
		if _, different, lines, _ := arrived(); different >= 3*n && lines >= n {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	lambda.done("last")
	lambda.next()
	http.DefaultClient.CloseIdleConnections()
	_ = e.Process.Signal(syscall.SIGQUIT)
	<-e.gone
	goroutines := strings.Count(e.err.String(), "\ngoroutine ")
	t.Logf("%d invocations: memory %v kB, files %v, %d goroutines at the end", n, memory, files, goroutines)

	if spans, different, lines, twice := arrived(); spans != 3*n || different != 3*n || lines != n || twice != 0 {
		t.Errorf("%d invocations: the backend has %d spans, %d different, and %d lines, %d of them twice: %s", n, spans, different, lines, twice, e.out.String())
	}
	// The heap settles in the first half; what comes on top in the second would go on for ever.
	early, late := slices.Max(memory[:samples/2]), slices.Min(memory[samples*3/4:])
	if late > early+early/4 {
		t.Errorf("memory grows: %v kB", memory)
	}
	if least := slices.Min(files[samples*3/4:]); least > slices.Max(files[:samples/2])+5 {
		t.Errorf("open files grow: %v", files)
	}
	if goroutines > 60 {
		t.Errorf("%d goroutines", goroutines)
	}
}
