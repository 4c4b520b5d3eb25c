package telemetryapireceiver

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

func managedKit(t *testing.T) *kit {
	t.Helper()
	return newKit(t, nil, "AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances")
}

// ended is all that managed instances tell of an end: there is no platform.runtimeDone.
func ended(id, status, kind string) delivery.TelemetryEvent {
	return event("platform.report", fmt.Sprintf(`{"requestId":%q,"status":%q,"errorType":%q,"metrics":{"durationMs":20},
		"spans":[{"name":"responseLatency","start":"2026-01-02T03:04:08.980Z","durationMs":19},{"name":"responseDuration","durationMs":1}]}`, id, status, kind))
}

func (k *kit) errorTypes() (found []string) {
	for _, span := range k.spans {
		if kind, failed := span.Attributes().Get("error.type"); failed {
			id, _ := span.Attributes().Get("faas.invocation_id")
			found = append(found, id.Str()+": "+kind.Str())
		}
	}
	return found
}

func TestOnManagedInstancesTheReportIsTheEnd(t *testing.T) {
	k := managedKit(t)
	for _, id := range []string{"fine", "raised", "crashed", "open"} {
		k.ConsumeTelemetry([]delivery.TelemetryEvent{event("platform.start", fmt.Sprintf(`{"requestId":%q}`, id))})
	}
	k.ConsumeTelemetry([]delivery.TelemetryEvent{ended("fine", "success", ""), ended("raised", "error", "KeyError"), ended("crashed", "failure", "Runtime.ExitError")})
	k.Flush(t.Context())
	for name, count := range map[string]uint64{"faas.invoke_duration": 3, "aws.lambda.response_latency": 3} {
		if got := k.points[name].Histogram().DataPoints(); got.Len() != 1 || got.At(0).Count() != count {
			t.Errorf("%s has no %d values", name, count)
		}
	}
	for _, name := range []string{"aws.lambda.billed_duration", "faas.mem_usage", "aws.lambda.extension_overhead"} {
		if _, found := k.points[name]; found {
			t.Errorf("%s is not told there", name)
		}
	}
	k.EnvironmentEnds(t.Context(), "failure")
	if got := strings.Join(k.errorTypes(), ", "); got != "crashed: Runtime.ExitError, open: Runtime.ExitError" {
		t.Errorf("failure spans: %s", got)
	}
}

func TestOnManagedInstancesTheInitSpanDoesNotWaitForAnInvocation(t *testing.T) {
	k := managedKit(t)
	k.ConsumeTelemetry(batch(t, "2025-01-29")[:3])
	if len(k.spans) != 1 || k.spans[0].Name() != "init" {
		t.Errorf("%d spans", len(k.spans))
	}
}

// The worker goes on after a time-out: what the language layer delivers then is the span of the invocation.
func TestOnManagedInstancesATimeOutIsNoEndOfTheHandler(t *testing.T) {
	k := managedKit(t)
	k.announced(announcementOf("late", "01"))
	k.announced(announcementOf("stuck", "01"))
	k.ConsumeTelemetry([]delivery.TelemetryEvent{ended("late", "timeout", "Sandbox.Timedout"), ended("stuck", "timeout", "Sandbox.Timedout"), ended("unannounced", "timeout", "Sandbox.Timedout")})
	if got := strings.Join(k.errorTypes(), ", "); got != "unannounced: Sandbox.Timedout" {
		t.Errorf("failure spans: %s", got)
	}
	k.InvocationDelivered("late")
	for n := range 2 * remembered {
		k.ConsumeTelemetry([]delivery.TelemetryEvent{ended(fmt.Sprint(n), "success", "")})
	}
	k.EnvironmentEnds(t.Context(), "spindown")
	if got := strings.Join(k.errorTypes(), ", "); got != "unannounced: Sandbox.Timedout, stuck: Sandbox.Timedout" {
		t.Errorf("failure spans: %s", got)
	}
}

type bareHost struct{}

func (bareHost) GetExtensions() map[component.ID]component.Component { return nil }

func TestOnManagedInstancesMetricsAreFlushedByATimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := managedKit(t)
		if err := k.Start(t.Context(), bareHost{}); err != nil {
			t.Fatal(err)
		}
		k.ConsumeTelemetry([]delivery.TelemetryEvent{ended("one", "success", "")})
		time.Sleep(interval + time.Second) // no event comes meanwhile
		synctest.Wait()
		if k.points["faas.invocations"].Sum().DataPoints().Len() != 1 {
			t.Error("no metrics came")
		}
		if err := k.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAReportSaysOnlyWhatLambdaTold(t *testing.T) {
	k := managedKit(t)
	k.ConsumeTelemetry([]delivery.TelemetryEvent{ended("one", "success", "")})
	if len(k.records) != 1 || k.records[0].Body().Str() != "REPORT RequestId: one Duration: 20.00 ms" {
		t.Errorf("records: %d", len(k.records))
	}
}
