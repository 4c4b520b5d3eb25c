package lambda

import (
	"bytes"
	"errors"
	"io"
	"time"

	jsoniter "github.com/json-iterator/go"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// Lambda's JSON is read with the parser that pdata brings anyway; encoding/json would add half a megabyte to the binary.

func parseEvent(body []byte) (event Event, err error) {
	doc := jsoniter.ParseBytes(jsoniter.ConfigFastest, body)
	doc.ReadObjectCB(func(doc *jsoniter.Iterator, key string) bool {
		switch {
		case key == "eventType":
			event.Type = doc.ReadString()
		case key == "requestId":
			event.RequestID = doc.ReadString()
		case key == "shutdownReason":
			event.Reason = doc.ReadString()
		case key == "deadlineMs":
			event.DeadlineMs = doc.ReadInt64()
		case key == "invokedFunctionArn":
			event.ARN = doc.ReadString()
		case key == "tracing" && doc.WhatIsNext() == jsoniter.ObjectValue:
			doc.ReadObjectCB(func(doc *jsoniter.Iterator, key string) bool {
				if key == "value" && doc.WhatIsNext() == jsoniter.StringValue {
					event.TraceHeader = doc.ReadString()
				} else {
					doc.Skip()
				}
				return true
			})
		default:
			doc.Skip()
		}
		return true
	})
	if event.Type == "" && doc.Error == nil {
		return event, errors.New("the event has no eventType")
	}
	return event, failure(doc)
}

// telemetryEvents reads a batch of telemetry; what comes before an error counts.
func telemetryEvents(batch []byte) (events []delivery.TelemetryEvent, err error) {
	doc := jsoniter.ParseBytes(jsoniter.ConfigFastest, batch)
	doc.ReadArrayCB(func(doc *jsoniter.Iterator) bool {
		var event delivery.TelemetryEvent
		doc.ReadObjectCB(func(doc *jsoniter.Iterator, key string) bool {
			switch {
			case key == "type":
				event.Type = doc.ReadString()
			case key == "time" && doc.WhatIsNext() == jsoniter.StringValue:
				event.Time, _ = time.Parse(time.RFC3339Nano, doc.ReadString())
			case key == "record":
				event.Record = bytes.TrimSpace(doc.SkipAndReturnBytes())
			default:
				doc.Skip()
			}
			return true
		})
		if doc.Error == nil {
			events = append(events, event)
		}
		return doc.Error == nil
	})
	return events, failure(doc)
}

// finished is the request id of a platform.runtimeDone event.
func finished(event delivery.TelemetryEvent) (id string, ok bool) {
	if event.Type != "platform.runtimeDone" {
		return "", false
	}
	doc := jsoniter.ParseBytes(jsoniter.ConfigFastest, event.Record)
	if doc.WhatIsNext() == jsoniter.ObjectValue {
		doc.ReadObjectCB(func(doc *jsoniter.Iterator, key string) bool {
			if key == "requestId" && doc.WhatIsNext() == jsoniter.StringValue {
				id = doc.ReadString()
			} else {
				doc.Skip()
			}
			return true
		})
	}
	return id, true
}

func failure(doc *jsoniter.Iterator) error {
	if errors.Is(doc.Error, io.EOF) { // the parser's word for the end of the text, also a premature one
		return nil
	}
	return doc.Error
}
