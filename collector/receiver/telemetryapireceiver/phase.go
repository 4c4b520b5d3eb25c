package telemetryapireceiver

import (
	"cmp"
	"crypto/rand"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// phase is an init or a restore.
type phase struct {
	name       string // init, restore
	kind       string // on-demand, provisioned-concurrency, ...
	in         string // init, or invoke when it is repeated inside an invocation
	begin, end time.Time
	status     string
	errorType  string
	reported   bool
}

// phase keeps what an event of an init or a restore says. r.mu is held.
func (r *telemetryReceiver) phase(event delivery.TelemetryEvent, record record) {
	name := "init"
	if strings.HasPrefix(event.Type, "platform.restore") {
		name = "restore"
	}
	p := r.phases[name]
	if p == nil || strings.HasSuffix(event.Type, "Start") {
		p = &phase{name: name, begin: event.Time}
		r.phases[name] = p
	}
	p.kind, p.in = cmp.Or(record.initType, p.kind), cmp.Or(record.phase, p.in)
	if strings.HasSuffix(event.Type, "Start") {
		if name == "init" && p.in != "invoke" && p.kind == "on-demand" {
			r.readings.add("faas.coldstarts", 1)
		}
		return
	}
	p.end, p.status, p.errorType = first(p.end, event.Time), cmp.Or(p.status, record.status), cmp.Or(p.errorType, record.errorType)
	if strings.HasSuffix(event.Type, "Report") {
		if name == "init" {
			r.readings.ms("faas.init_duration", record.metrics, "durationMs")
		} else {
			r.readings.ms("aws.lambda.restore_duration", record.metrics, "durationMs")
		}
	}
	if r.managed && strings.HasSuffix(event.Type, "Report") {
		r.phaseSpans(nil) // it was for no invocation
	}
	// A failed init of on-demand is tried again in the invocation that it was for: only then has an invocation failed.
	if p.status != "" && p.status != "success" && !(p.kind == "on-demand" && p.in != "invoke") {
		kind := p.errorType
		if p.status == "timeout" {
			kind = timedOut
		}
		if r.initFailed == nil && !r.failed {
			r.initFailed = &failure{kind: cmp.Or(kind, exited), began: p.begin, at: p.end}
		}
	}
}

// phaseSpans makes the spans of the init or restore before the invocation, in its trace; nil: no invocation came. r.mu is held.
func (r *telemetryReceiver) phaseSpans(i *invocation) {
	for _, name := range []string{"init", "restore"} {
		p := r.phases[name]
		if p == nil || p.reported || p.end.IsZero() {
			continue
		}
		p.reported = true
		if r.Traces == nil || !r.cfg.InitSpan {
			continue
		}
		if i == nil {
			i = &invocation{}
		}
		trace, id, parent, sampled, own := i.context()
		if !sampled {
			continue
		}
		if own {
			_, _ = rand.Read(trace[:])
		}
		if !id.IsEmpty() {
			parent = id
		}
		_, _ = rand.Read(id[:])
		td, span := r.span(name, trace, id, parent, p.begin, p.end)
		span.SetKind(ptrace.SpanKindInternal)
		if p.kind != "" {
			span.Attributes().PutStr("aws.lambda.initialization_type", p.kind)
		}
		if p.status != "success" {
			span.Status().SetCode(ptrace.StatusCodeError)
			span.Attributes().PutStr("error.type", cmp.Or(p.errorType, p.status, exited))
		}
		r.ready = append(r.ready, td)
	}
}
