package lambda

import (
	"errors"
	"io"

	jsoniter "github.com/json-iterator/go"
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

// finished are the request ids of the platform.runtimeDone events in a batch of telemetry.
func finished(batch []byte) (ids []string, err error) {
	doc := jsoniter.ParseBytes(jsoniter.ConfigFastest, batch)
	doc.ReadArrayCB(func(doc *jsoniter.Iterator) bool {
		kind, id := "", ""
		doc.ReadObjectCB(func(doc *jsoniter.Iterator, key string) bool {
			switch {
			case key == "type":
				kind = doc.ReadString()
			case key == "record" && doc.WhatIsNext() == jsoniter.ObjectValue: // log lines are strings
				doc.ReadObjectCB(func(doc *jsoniter.Iterator, key string) bool {
					if key == "requestId" && doc.WhatIsNext() == jsoniter.StringValue {
						id = doc.ReadString()
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
		if kind == "platform.runtimeDone" {
			ids = append(ids, id)
		}
		return true
	})
	return ids, failure(doc)
}

func failure(doc *jsoniter.Iterator) error {
	if errors.Is(doc.Error, io.EOF) { // the parser's word for the end of the text, also a premature one
		return nil
	}
	return doc.Error
}
