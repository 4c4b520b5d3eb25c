package lambda

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

func TestTelemetryEvents(t *testing.T) {
	for text, want := range map[string][]string{
		`[]`: nil,
		`[{"type":"platform.runtimeDone","record":{"status":"success","requestId":"a","metrics":{"durationMs":1.5}}},
		  {"record":{"requestId":"b"},"type":"platform.runtimeDone"}]`: {"a", "b"},
		`[{"type":"function","record":"platform.runtimeDone\n"},{"type":"platform.start","record":{"requestId":"c"}}]`: nil,
		`[{"type":"function","record":{"requestId":"d"}},{"type":"platform.runtimeDone","record":{"requestId":null}}]`: {""},
	} {
		events, err := telemetryEvents([]byte(text))
		var got []string
		for _, event := range events {
			if id, ok := finished(event); ok {
				got = append(got, id)
			}
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{`{"type":1}`, `[{"type":{}}]`, `nonsense`} {
		if got, err := telemetryEvents([]byte(text)); err == nil || len(got) > 0 {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	events, _ := telemetryEvents([]byte(`[{"time":"2026-01-02T03:04:05.678Z","type":"function","record": "a line\n" },{"type":"function","record":{"a":`))
	if len(events) != 1 || string(events[0].Record) != `"a line\n"` || events[0].Time.UnixMilli() != 1767323045678 {
		t.Errorf("of a damaged batch: %+v", events)
	}
}

// FuzzTelemetry: whatever comes to the port, the server answers at once, what it can read is delivered, and the events are no larger than the batch.
func FuzzTelemetry(f *testing.F) {
	f.Add([]byte(`[{"time":"2026-01-02T03:04:05Z","type":"platform.runtimeDone","record":{"requestId":"a"}}]`))
	f.Add([]byte(`[{"type":"function","record":"a"},{"type"`))
	f.Fuzz(func(t *testing.T, body []byte) {
		ends := &Ends{}
		server := &Telemetry{ends: ends, queue: make(chan batch, maxQueue)}
		answer := httptest.NewRecorder()
		server.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body)))
		if answer.Code != http.StatusOK || len(server.queue) != 1 {
			t.Fatalf("answer %d, %d batches", answer.Code, len(server.queue))
		}
		size, over := 0, []string{}
		server.read((<-server.queue).body, func(events []delivery.TelemetryEvent) {
			for _, event := range events {
				size += len(event.Record) + len(event.Type)
				if id, ok := finished(event); ok {
					over = append(over, id)
				}
			}
		})
		if size > 3*len(body) { // an invalid byte becomes U+FFFD, three bytes
			t.Errorf("%d bytes of events from %d", size, len(body))
		}
		for _, id := range over[max(0, len(over)-1):] {
			select {
			case <-ends.Done(id):
			default:
				t.Errorf("nobody is told that %q is over", id)
			}
		}
	})
}

func TestParseEvent(t *testing.T) {
	got, err := parseEvent([]byte(`{"eventType":"INVOKE","deadlineMs":1700000000123,"requestId":"r","invokedFunctionArn":"arn","tracing":{"type":"t","value":"v"},"new":[1]}`))
	if err != nil || got != (Event{Type: Invoke, RequestID: "r", DeadlineMs: 1700000000123, ARN: "arn", TraceHeader: "v"}) || got.Deadline().UnixMilli() != got.DeadlineMs {
		t.Errorf("%+v %v", got, err)
	}
	for _, text := range []string{"", "{}", "[]", `{"eventType":1}`} {
		if got, err := parseEvent([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestTelemetryAddress(t *testing.T) {
	telemetry, err := NewAPI("127.0.0.1:9001", "collector").ListenForTelemetry(t.Context(), &Ends{}, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer telemetry.Close()
	if !strings.HasPrefix(telemetry.URI, "http://127.0.0.1:") && !strings.HasPrefix(telemetry.URI, "http://sandbox.localdomain:") {
		t.Errorf("URI %s", telemetry.URI)
	}
}

// What Lambda has our answer for is read before the end, however busy the machine is; a component that hangs does not keep the end.
func TestWhatWasTakenIsReadBeforeTheEnd(t *testing.T) {
	telemetry, err := NewAPI("127.0.0.1:9001", "collector").ListenForTelemetry(t.Context(), &Ends{}, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer telemetry.Close()
	for range 2 {
		w := httptest.NewRecorder()
		telemetry.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`[{"time":"2026-01-01T00:00:00Z","type":"function","record":"x"}]`)))
		if w.Code != http.StatusOK {
			t.Fatal(w.Code)
		}
	}
	hanging, cancel := context.WithCancel(t.Context())
	cancel()
	telemetry.Settle(hanging) // nobody reads yet
	read, goOn := 0, make(chan struct{})
	telemetry.Deliver(func([]delivery.TelemetryEvent) { <-goOn; read++ })
	telemetry.Settle(hanging) // the reader is held
	close(goOn)
	telemetry.Settle(t.Context())
	if read != 2 {
		t.Errorf("%d batches were read", read)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestEndsMayComeEarlyTwiceAndLate(t *testing.T) {
	var ends Ends
	ends.Finish("early")
	ends.Finish("early")
	if !closed(ends.Done("early")) {
		t.Error("the early end was forgotten")
	}
	ends.Forget("early")
	current := ends.Done("current")
	if closed(current) {
		t.Error("nobody finished this one")
	}
	for i := range 1000 { // late words about invocations that are over
		ends.Finish(strconv.Itoa(i))
	}
	ends.Finish("current")
	ends.Finish("current")
	if !closed(current) {
		t.Error("others pushed out the one that is waited for")
	}
	ends.Forget("current")
	if len(ends.waiting) != 0 {
		t.Errorf("still waiting for %v", ends.waiting)
	}
}

// Lambda tries an asynchronous invocation again with the same request id, often in the same environment.
func TestALateWordOfOneAttemptDoesNotEndTheNext(t *testing.T) {
	for _, layer := range []bool{true, false} { // with a language layer of ours, and without
		var ends Ends
		for attempt := range 3 {
			done := ends.Done("r")
			if closed(done) {
				t.Fatalf("layer %t: attempt %d was ended before it ran", layer, attempt)
			}
			if layer {
				ends.Finish("r")
			} else {
				ends.RuntimeDone("r")
			}
			if !closed(done) {
				t.Fatalf("layer %t: attempt %d did not end", layer, attempt)
			}
			ends.Forget("r")
			if layer {
				ends.RuntimeDone("r") // Lambda's word comes 25 ms later
			}
		}
		ends.RuntimeDone("r") // of the next attempt, which ends before our own INVOKE is read
		if !closed(ends.Done("r")) {
			t.Errorf("layer %t: the early end was taken for a late one", layer)
		}
	}
}

func TestNobodyWaitsForAWordThatIsLost(t *testing.T) {
	for name, lose := range map[string]func(*Telemetry){
		"dropped": func(x *Telemetry) {
			x.read([]byte(`[{"type":"platform.logsDropped","record":{"reason":"Consumer seems to have fallen behind","droppedRecords":3,"droppedBytes":900}}]`), func([]delivery.TelemetryEvent) {})
		},
		"damaged": func(x *Telemetry) {
			x.read([]byte(`[{"type":"platform.runtimeDone","record":{]`), func([]delivery.TelemetryEvent) {})
		},
		"not taken in time": func(x *Telemetry) {
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			x.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(gone, "POST", "/", strings.NewReader("[]")))
		},
		"too large": func(x *Telemetry) {
			x.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", bytes.NewReader(make([]byte, maxBatch+1))))
		},
	} {
		x := &Telemetry{ends: &Ends{}}
		done := x.ends.Done("r")
		lose(x)
		select {
		case <-done:
		default:
			t.Errorf("%s: the environment is held up to the deadline", name)
		}
		x.ends.Forget("r")
		x.ends.RuntimeDone("next")
		select {
		case <-x.ends.Done("next"):
		default:
			t.Errorf("%s: the next invocation's end is not heard", name)
		}
	}
}

func TestTheSandboxHasTheAddressThatLambdaWrites(t *testing.T) {
	const lambda = "169.254.100.1:9001"
	for name, one := range map[string]struct{ hosts, api, want string }{
		"Lambda":         {"127.0.0.1 localhost\n169.254.100.6\tsandbox.localdomain sandbox # ours\n", lambda, "169.254.100.6"},
		"another name":   {"10.0.0.1 sandbox.localdomain.example\n", "127.0.0.1:9001", "<nil>"},
		"a remark":       {"# 10.0.0.1 sandbox.localdomain\n10.0.0.2 # sandbox.localdomain", "localhost:9001", "<nil>"},
		"all interfaces": {"0.0.0.0 sandbox.localdomain\n::1 sandbox.localdomain\nnonsense sandbox.localdomain\n", "[::1]:9001", "<nil>"},
		"the second":     {"::1 sandbox.localdomain\n\n127.0.0.2 a b sandbox.localdomain\n", lambda, "127.0.0.2"},
		"an emulator":    {"", "127.0.0.1:9001", "<nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "hosts")
			if err := os.WriteFile(file, []byte(one.hosts), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := sandboxIP(t.Context(), file, one.api, false).String(); got != one.want {
				t.Errorf("%s", got)
			}
		})
	}
	if got := sandboxIP(t.Context(), filepath.Join(t.TempDir(), "no such file"), "127.0.0.1:9001", false); got != nil {
		t.Errorf("%s", got)
	}
}
