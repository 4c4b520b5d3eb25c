package telemetryapireceiver

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// Lambda tries an asynchronous invocation again with the same request id, often in the same environment: each attempt counts, and
// the last one has its span, whatever became of the others and however late Lambda tells of them.
func TestEachAttemptOfARequestIsAnInvocation(t *testing.T) {
	for _, late := range []bool{true, false} { // the first attempt's end is told after the second has begun
		for _, first := range []string{"announcement", "INVOKE"} {
			t.Run(fmt.Sprint(late, first), func(t *testing.T) {
				k := newKit(t, func(c *Config) { c.InitSpan = false })
				now := time.Now().Add(-time.Hour)
				tell := func(kind, rest string, at time.Time) {
					e := event(kind, `{"requestId":"r"`+rest+`}`)
					e.Time = at
					k.ConsumeTelemetry([]delivery.TelemetryEvent{e})
				}
				begin := func(flags string) {
					if first == "announcement" {
						k.announced(announcementOf("r", flags))
					}
					k.InvocationBegan(delivery.Invocation{RequestID: "r"})
					if first != "announcement" {
						k.announced(announcementOf("r", flags))
					}
				}
				begin("01")
				k.InvocationDelivered("r") // the handler raised, and the language layer has told
				end := func() { tell("platform.runtimeDone", `,"status":"error","errorType":"KeyError"`, now) }
				if !late {
					end()
				}
				begin("01")
				if late {
					end()
				}
				tell("platform.runtimeDone", `,"status":"timeout"`, time.Now().Add(time.Minute))
				k.Flush(t.Context())
				if len(k.spans) != 1 {
					t.Errorf("%d spans of the attempt that timed out", len(k.spans))
				}
				for _, name := range []string{"faas.errors", "faas.timeouts"} {
					if m, ok := k.points[name]; !ok || m.Sum().DataPoints().At(0).IntValue() != 1 {
						t.Errorf("%s is not 1", name)
					}
				}
			})
		}
	}
}

func TestWhatThePipelineDoesNotTakeIsCountedWithItsReason(t *testing.T) {
	k := newKit(t, nil)
	k.Logs, _ = consumer.NewLogs(func(context.Context, plog.Logs) error { return errors.New("no") })
	k.ConsumeTelemetry([]delivery.TelemetryEvent{event("function", `"a line"`)})
	if n := k.tally.Dropped.Counts().Logs; n != 1 || k.tally.DroppedBy(delivery.Failed).Logs != 1 {
		t.Errorf("dropped %d, failed %d", n, k.tally.DroppedBy(delivery.Failed).Logs)
	}
}

// In an environment that is busy nothing is flushed: held data is released when an invocation begins, and metrics with it.
func TestMetricsAreReleasedWhereNothingIsFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		if !k.Oldest().IsZero() {
			t.Error("something is held from the start")
		}
		for range 25 { // an invocation a second
			k.Release()
			k.ConsumeTelemetry([]delivery.TelemetryEvent{event("platform.runtimeDone", `{"requestId":"r","status":"success","metrics":{"durationMs":1.5}}`)})
			k.invocations = invocations{}
			time.Sleep(time.Second)
		}
		if k.taken != 2 || time.Since(k.Oldest()) > interval {
			t.Errorf("metrics were handed on %d times, the oldest that waits came %s ago", k.taken, time.Since(k.Oldest()))
		}
		m, ok := k.points["faas.invocations"]
		if !ok || m.Sum().DataPoints().At(0).IntValue() != 10 {
			t.Error("they are not merged")
		}
	})
}
