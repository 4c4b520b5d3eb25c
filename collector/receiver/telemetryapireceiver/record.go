package telemetryapireceiver

import (
	jsoniter "github.com/json-iterator/go"
)

// record is what this receiver reads of a platform event's record, in the schemas 2022-12-13 and 2025-01-29.
type record struct {
	requestID   string
	status      string
	errorType   string
	phase       string
	initType    string
	traceHeader string
	metrics     map[string]float64 // durationMs, billedDurationMs, memorySizeMB, maxMemoryUsedMB, ...
	spans       map[string]float64 // milliseconds: responseLatency, responseDuration, runtimeOverhead
}

// parseRecord reads what it knows; a line of text, or what has another type than it should, leaves fields empty.
func parseRecord(raw []byte) (r record) {
	doc := jsoniter.ParseBytes(jsoniter.ConfigFastest, raw)
	object(doc, func(key string) {
		switch key {
		case "requestId":
			r.requestID = text(doc)
		case "status":
			r.status = text(doc)
		case "errorType":
			r.errorType = text(doc)
		case "phase":
			r.phase = text(doc)
		case "initializationType":
			r.initType = text(doc)
		case "tracing":
			object(doc, func(key string) {
				if value := text(doc); key == "value" {
					r.traceHeader = value
				}
			})
		case "metrics":
			r.metrics = map[string]float64{}
			object(doc, func(key string) { number(doc, key, r.metrics) })
		case "spans":
			r.spans = map[string]float64{}
			if doc.WhatIsNext() != jsoniter.ArrayValue {
				doc.Skip()
				return
			}
			doc.ReadArrayCB(func(doc *jsoniter.Iterator) bool {
				name, figures := "", map[string]float64{}
				object(doc, func(key string) {
					if key == "name" {
						name = text(doc)
					} else {
						number(doc, key, figures)
					}
				})
				if ms, ok := figures["durationMs"]; ok && len(r.spans) < 16 {
					r.spans[name] = ms
				}
				return doc.Error == nil
			})
		default:
			doc.Skip()
		}
	})
	return r
}

// object calls each for the values of the next object; any other value is skipped.
func object(doc *jsoniter.Iterator, each func(key string)) {
	if doc.WhatIsNext() != jsoniter.ObjectValue {
		doc.Skip()
		return
	}
	doc.ReadObjectCB(func(doc *jsoniter.Iterator, key string) bool {
		each(key)
		return doc.Error == nil
	})
}

func text(doc *jsoniter.Iterator) string {
	if doc.WhatIsNext() == jsoniter.StringValue {
		return doc.ReadString()
	}
	doc.Skip()
	return ""
}

func number(doc *jsoniter.Iterator, key string, into map[string]float64) {
	if doc.WhatIsNext() != jsoniter.NumberValue {
		doc.Skip()
	} else if value := doc.ReadFloat64(); doc.Error == nil && len(into) < 64 {
		into[key] = value
	}
}
