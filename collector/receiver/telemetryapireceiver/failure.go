package telemetryapireceiver

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/open-telemetry/opentelemetry-lambda/collector/resource"
)

// Lambda's own names of ends.
const (
	timedOut = "Sandbox.Timedout"
	exited   = "Runtime.ExitError"
	noMemory = "Runtime.OutOfMemory"
)

// failure is an end that the function's own telemetry does not show.
type failure struct {
	kind  string // error.type
	began time.Time
	at    time.Time
}

// failureOf tells whether an end is one that nobody saw. An error that the handler raised was seen by the language layer.
func failureOf(status, kind string, at time.Time) *failure {
	switch {
	case status == "timeout":
		kind = timedOut
	case status == "failure" || (status == "error" && (kind == exited || kind == noMemory || strings.HasPrefix(kind, "Sandbox.") || strings.HasPrefix(kind, "Extension."))):
		kind = cmp.Or(kind, exited)
	default:
		return nil
	}
	return &failure{kind: kind, at: at}
}

// runtimeDone keeps what platform.runtimeDone says. r.mu is held.
func (r *telemetryReceiver) runtimeDone(i *invocation, at time.Time, record record) {
	r.count(i, record.status)
	i.runMs = record.metrics["durationMs"]
	r.readings.ms("faas.invoke_duration", record.metrics, "durationMs")
	r.readings.ms("aws.lambda.response_latency", record.spans, "responseLatency")
	r.readings.ms("aws.lambda.runtime_overhead", record.spans, "runtimeOverhead")
	r.phaseSpans(i)
	f := failureOf(record.status, record.errorType, at)
	switch {
	case i.settled:
	case f == nil:
		i.settled = true
	case f.kind == exited:
		i.failure = f // the report may know that it was the memory
	default:
		r.fail(i, f)
	}
}

// report keeps what platform.report says. r.mu is held.
func (r *telemetryReceiver) report(i *invocation, at time.Time, record record) {
	r.count(i, record.status)
	r.readings.ms("aws.lambda.billed_duration", record.metrics, "billedDurationMs")
	if used, ok := record.metrics["maxMemoryUsedMB"]; ok {
		r.readings.add("faas.mem_usage", used*(1<<20))
	}
	if total, ok := record.metrics["durationMs"]; ok && i.runMs > 0 {
		r.readings.add("aws.lambda.extension_overhead", max(0, total-i.runMs)/1000)
	}
	if r.managed { // there the report is all that is told of the end
		r.readings.ms("faas.invoke_duration", record.metrics, "durationMs")
		r.readings.ms("aws.lambda.response_latency", record.spans, "responseLatency")
	}
	f := i.failure
	if f == nil && !i.settled {
		f = failureOf(record.status, record.errorType, at)
	}
	if f == nil && record.status != "" {
		i.settled = true
	}
	if f == nil || i.settled {
		return
	}
	if r.managed && f.kind == timedOut && i.told != nil {
		i.failure = f // the worker goes on, and the language layer may deliver the span yet
		return
	}
	used, size := record.metrics["maxMemoryUsedMB"], record.metrics["memorySizeMB"]
	if record.errorType == noMemory || (f.kind == exited && size > 0 && used >= size) {
		f.kind = noMemory
	}
	r.fail(i, f)
}

func (r *telemetryReceiver) count(i *invocation, status string) {
	if i.done || status == "" {
		return
	}
	i.done = true
	switch status {
	case "success":
		r.readings.add("faas.invocations", 1)
	case "timeout":
		r.readings.add("faas.timeouts", 1)
	default:
		r.readings.add("faas.errors", 1)
	}
}

// fail makes the span of an invocation that failed unseen. r.mu is held.
func (r *telemetryReceiver) fail(i *invocation, f *failure) {
	i.settled, i.failure, r.failed, r.initFailed = true, nil, true, nil
	if f.kind == timedOut {
		r.count(i, "timeout")
	} else {
		r.count(i, "failure")
	}
	trace, id, parent, sampled, own := i.context()
	if r.Traces == nil || !r.cfg.FailureSpans || !sampled {
		return
	}
	if own {
		_, _ = rand.Read(trace[:])
	}
	if id.IsEmpty() {
		_, _ = rand.Read(id[:])
	}
	begin, name := first(first(i.begin, i.invoked), f.at), cmp.Or(r.getenv("AWS_LAMBDA_FUNCTION_NAME"), "function")
	if i.told != nil {
		begin, name = i.told.start, cmp.Or(i.told.name, name)
	}
	td, span := r.span(name, trace, id, parent, begin, f.at)
	span.SetKind(ptrace.SpanKindServer)
	if linked, from, _, ok := xray(i.traceHeader); own && ok {
		link := span.Links().AppendEmpty()
		link.SetTraceID(linked)
		link.SetSpanID(from)
	}
	attributes := span.Attributes()
	attributes.PutStr("error.type", f.kind)
	if i.id != "" {
		attributes.PutStr("faas.invocation_id", i.id)
		attributes.PutBool("faas.coldstart", i.cold)
	}
	if i.told != nil && i.told.trigger != "" {
		attributes.PutStr("faas.trigger", i.told.trigger)
	}
	if i.arn != "" {
		attributes.PutStr("aws.lambda.invoked_arn", i.arn)
		if parts := strings.Split(i.arn, ":"); len(parts) >= 7 {
			attributes.PutStr("cloud.resource_id", strings.Join(parts[:7], ":"))
			attributes.PutStr("cloud.account.id", parts[4])
		}
	}
	message := describe(f.kind, f.at.Sub(begin))
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Status().SetMessage(message)
	event := span.Events().AppendEmpty()
	event.SetName("exception")
	event.SetTimestamp(pcommon.NewTimestampFromTime(f.at))
	event.Attributes().PutStr("exception.type", f.kind)
	event.Attributes().PutStr("exception.message", message)
	r.ready = append(r.ready, td)
}

func describe(kind string, took time.Duration) string {
	switch {
	case kind == timedOut:
		return fmt.Sprintf("the function timed out after %.2f seconds", took.Seconds())
	case kind == noMemory:
		return "the function ran out of memory"
	case kind == exited:
		return "the runtime exited"
	case strings.HasPrefix(kind, "Extension."):
		return "an extension failed"
	}
	return "the function could not be run"
}

// span makes a span with the resource of the function.
func (r *telemetryReceiver) span(name string, trace pcommon.TraceID, id, parent pcommon.SpanID, begin, end time.Time) (ptrace.Traces, ptrace.Span) {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	resource.Describe(rs.Resource().Attributes(), r.getenv)
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName(scopeName)
	span := ss.Spans().AppendEmpty()
	span.SetName(name)
	span.SetTraceID(trace)
	span.SetSpanID(id)
	span.SetParentSpanID(parent)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(begin))
	if end.Before(begin) {
		end = begin
	}
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
	span.SetFlags(1)
	return td, span
}
