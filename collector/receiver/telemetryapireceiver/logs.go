package telemetryapireceiver

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	jsoniter "github.com/json-iterator/go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/resource"
)

// line is a log line while its parts are found.
type line struct {
	plog.LogRecord
	request     string
	trace, span string
}

// log makes a log record of an event, if it is one to be logged. r.mu is held.
func (r *telemetryReceiver) log(ld plog.Logs, event delivery.TelemetryEvent, record record) {
	switch event.Type {
	case "function", "extension":
		l := r.line(ld, event)
		if event.Type == "function" && !r.managed { // with several at once nobody knows whose line it is
			l.request = r.invocations.current
		}
		doc := jsoniter.ParseBytes(jsoniter.ConfigFastest, event.Record)
		if doc.WhatIsNext() == jsoniter.StringValue {
			l.plain(strings.TrimRight(doc.ReadString(), "\r\n"))
		} else {
			l.json(event.Record)
		}
		r.joined(l)
	case "platform.report":
		if r.cfg.LogReport {
			l := r.line(ld, event)
			l.request = record.requestID
			m := record.metrics
			body := fmt.Sprintf("REPORT RequestId: %s Duration: %.2f ms", record.requestID, m["durationMs"])
			if _, ok := m["billedDurationMs"]; ok { // not on managed instances
				body += fmt.Sprintf(" Billed Duration: %.0f ms Memory Size: %.0f MB Max Memory Used: %.0f MB", m["billedDurationMs"], m["memorySizeMB"], m["maxMemoryUsedMB"])
			}
			if ms, ok := m["initDurationMs"]; ok {
				body += fmt.Sprintf(" Init Duration: %.2f ms", ms)
			}
			l.Body().SetStr(body)
			l.outcome(record)
			for key, value := range m {
				l.Attributes().PutDouble("aws.lambda.report."+key, value)
			}
			r.joined(l)
		}
	case "platform.start", "platform.runtimeDone":
		l := r.line(ld, event)
		l.request = record.requestID
		word := map[string]string{"platform.start": "START", "platform.runtimeDone": "END"}[event.Type]
		l.Body().SetStr(word + " RequestId: " + record.requestID)
		l.outcome(record)
		r.joined(l)
	case "platform.initReport", "platform.restoreReport", "platform.logsDropped", "platform.fault", "platform.extension":
		l := r.line(ld, event)
		l.Body().SetStr(event.Type)
		if event.Type == "platform.logsDropped" {
			l.severity("warn")
		} else {
			l.outcome(record)
		}
		fill(l.Attributes().PutEmptyMap("aws.lambda.record"), event.Record)
	}
}

func (r *telemetryReceiver) line(ld plog.Logs, event delivery.TelemetryEvent) *line {
	if ld.ResourceLogs().Len() == 0 {
		rl := ld.ResourceLogs().AppendEmpty()
		resource.Describe(rl.Resource().Attributes(), r.getenv)
		rl.ScopeLogs().AppendEmpty().Scope().SetName(scopeName)
	}
	l := &line{LogRecord: ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty()}
	at := pcommon.NewTimestampFromTime(first(event.Time, time.Now()))
	l.SetTimestamp(at)
	l.SetObservedTimestamp(at)
	l.Attributes().PutStr("aws.lambda.event.type", event.Type)
	return l
}

// joined puts the invocation's ids on the record: those that the line names, else those of the invocation's span.
func (r *telemetryReceiver) joined(l *line) {
	if l.request != "" {
		l.Attributes().PutStr("faas.invocation_id", l.request)
	}
	var trace pcommon.TraceID
	var span pcommon.SpanID
	if fromHex(trace[:], l.trace) {
		fromHex(span[:], l.span)
	} else if i := r.invocations.find(l.request); i != nil {
		known, id, parent, sampled, own := i.context()
		if own {
			return
		}
		if trace, span = known, id; span.IsEmpty() {
			span = parent
		}
		l.SetFlags(plog.DefaultLogRecordFlags.WithIsSampled(sampled))
	}
	l.SetTraceID(trace)
	l.SetSpanID(span)
}

func (l *line) outcome(record record) {
	if record.status == "" || record.status == "success" {
		l.severity("info")
	} else {
		l.severity("error")
		l.Attributes().PutStr("error.type", cmp.Or(record.errorType, record.status))
	}
}

// plain reads a line of text: JSON of the function's own making, the runtimes' tab-separated formats, or anything.
func (l *line) plain(text string) {
	if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") && l.json([]byte(text)) {
		return
	}
	l.Body().SetStr(text)
	parts := strings.SplitN(text, "\t", 4) // Python: [LEVEL] time id message; Node.js: time id LEVEL message
	if len(parts) != 4 {
		return
	}
	level, stamp, id := parts[2], parts[0], parts[1]
	if strings.HasPrefix(parts[0], "[") {
		level, stamp, id = strings.Trim(parts[0], "[]"), parts[1], parts[2]
	}
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil || !l.severity(level) {
		return
	}
	l.SetTimestamp(pcommon.NewTimestampFromTime(at))
	l.request = cmp.Or(id, l.request)
	l.Body().SetStr(parts[3])
}

// json reads an object: Lambda's JSON log format, and the usual names of others. false when it is none; then nothing is changed.
func (l *line) json(raw []byte) bool {
	all := pcommon.NewMap()
	if !fill(all, raw) {
		return false
	}
	take := func(names ...string) string {
		for _, name := range names {
			if value, ok := all.Get(name); ok && value.Type() == pcommon.ValueTypeStr && value.Str() != "" {
				found := value.Str()
				all.Remove(name)
				return found
			}
		}
		return ""
	}
	if at, err := time.Parse(time.RFC3339Nano, take("timestamp", "time", "@timestamp")); err == nil {
		l.SetTimestamp(pcommon.NewTimestampFromTime(at))
	}
	l.severity(take("level", "log.level", "severity", "severityText"))
	l.request = cmp.Or(take("requestId", "AWSRequestId", "request_id"), l.request)
	l.trace, l.span = take("trace_id", "traceId", "trace.id"), take("span_id", "spanId", "span.id")
	if message := take("message", "msg", "errorMessage"); message != "" {
		l.Body().SetStr(message)
	} else if value, ok := all.Get("message"); ok {
		value.CopyTo(l.Body())
		all.Remove("message")
	}
	for _, known := range [][2]string{{"errorType", "exception.type"}, {"errorMessage", "exception.message"}} {
		if value := take(known[0]); value != "" {
			l.Attributes().PutStr(known[1], value)
		}
	}
	for key, value := range all.All() {
		value.CopyTo(l.Attributes().PutEmpty(key))
	}
	return true
}

// severity sets the level by its name in any letter case; false when there is no such level.
func (l *line) severity(name string) bool {
	number, ok := map[string]plog.SeverityNumber{
		"trace": plog.SeverityNumberTrace, "debug": plog.SeverityNumberDebug, "info": plog.SeverityNumberInfo, "information": plog.SeverityNumberInfo,
		"notice": plog.SeverityNumberInfo2, "warn": plog.SeverityNumberWarn, "warning": plog.SeverityNumberWarn, "error": plog.SeverityNumberError,
		"critical": plog.SeverityNumberFatal, "fatal": plog.SeverityNumberFatal,
	}[strings.ToLower(name)]
	if ok {
		l.SetSeverityNumber(number)
		l.SetSeverityText(strings.ToUpper(name))
	}
	return ok
}

const deepest = 16 // levels of a JSON record; what is deeper is kept as text

// fill puts the keys of a JSON object into a map; false, and an empty map, when it is none.
func fill(into pcommon.Map, raw []byte) bool {
	doc := jsoniter.ParseBytes(jsoniter.ConfigFastest, raw)
	if doc.WhatIsNext() != jsoniter.ObjectValue {
		return false
	}
	object(doc, func(key string) { value(doc, into.PutEmpty(key), deepest) })
	if doc.Error != nil {
		into.RemoveIf(func(string, pcommon.Value) bool { return true })
	}
	return doc.Error == nil
}

func value(doc *jsoniter.Iterator, into pcommon.Value, depth int) {
	switch kind := doc.WhatIsNext(); {
	case kind == jsoniter.StringValue:
		into.SetStr(doc.ReadString())
	case kind == jsoniter.BoolValue:
		into.SetBool(doc.ReadBool())
	case kind == jsoniter.NumberValue:
		written := doc.ReadNumber()
		if whole, err := written.Int64(); err == nil {
			into.SetInt(whole)
		} else if float, err := written.Float64(); err == nil {
			into.SetDouble(float)
		} else {
			into.SetStr(string(written))
		}
	case kind == jsoniter.ArrayValue && depth > 0:
		list := into.SetEmptySlice()
		doc.ReadArrayCB(func(doc *jsoniter.Iterator) bool {
			value(doc, list.AppendEmpty(), depth-1)
			return doc.Error == nil
		})
	case kind == jsoniter.ObjectValue && depth > 0:
		fields := into.SetEmptyMap()
		object(doc, func(key string) { value(doc, fields.PutEmpty(key), depth-1) })
	case kind == jsoniter.ArrayValue || kind == jsoniter.ObjectValue:
		into.SetStr(string(doc.SkipAndReturnBytes()))
	default:
		doc.Skip()
	}
}
