package lambda

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestFinished(t *testing.T) {
	for text, want := range map[string][]string{
		`[]`: nil,
		`[{"type":"platform.runtimeDone","record":{"status":"success","requestId":"a","metrics":{"durationMs":1.5}}},
		  {"record":{"requestId":"b"},"type":"platform.runtimeDone"}]`: {"a", "b"},
		`[{"type":"function","record":"platform.runtimeDone\n"},{"type":"platform.start","record":{"requestId":"c"}}]`: nil,
		`[{"type":"function","record":{"requestId":"d"}},{"type":"platform.runtimeDone","record":{"requestId":null}}]`: {""},
	} {
		if got, err := finished([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{`{"type":1}`, `[{"type":{}}]`, `nonsense`} {
		if got, err := finished([]byte(text)); err == nil || len(got) > 0 {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
}

func TestParseEvent(t *testing.T) {
	got, err := parseEvent([]byte(`{"eventType":"INVOKE","deadlineMs":1700000000123,"requestId":"r","tracing":{"type":"t","value":"v"},"new":[1]}`))
	if err != nil || got != (Event{Type: Invoke, RequestID: "r", DeadlineMs: 1700000000123}) || got.Deadline().UnixMilli() != got.DeadlineMs {
		t.Errorf("%+v %v", got, err)
	}
	for _, text := range []string{"", "{}", "[]", `{"eventType":1}`} {
		if got, err := parseEvent([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestTelemetryAddress(t *testing.T) {
	telemetry, err := ListenForTelemetry(t.Context(), &Ends{})
	if err != nil {
		t.Fatal(err)
	}
	defer telemetry.Close()
	if !strings.HasPrefix(telemetry.URI, "http://127.0.0.1:") && !strings.HasPrefix(telemetry.URI, "http://sandbox.localdomain:") {
		t.Errorf("URI %s", telemetry.URI)
	}
}

func TestEndsMayComeEarlyTwiceAndLate(t *testing.T) {
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
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
