package otlpreceiver

import (
	"encoding/binary"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/jsonwrite"
)

// endHeader is how a language layer says that this is the last request of the invocation with that request id.
const endHeader = "X-Otel-Lambda-Invocation-End"

func (r *otlpReceiver) httpHandler(s *HTTPConfig) http.Handler {
	paths := s.paths()
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		signal, known := paths[strings.TrimSuffix(q.URL.Path, "/")]
		if !known {
			http.Error(w, "the paths are "+strings.Join(slices.Sorted(maps.Keys(paths)), ", "), http.StatusNotFound)
			return
		}
		r.serveHTTP(w, q, signal, s.MaxRequestBodySize)
	})
}

func (r *otlpReceiver) serveHTTP(w http.ResponseWriter, q *http.Request, signal pipeline.Signal, limit int64) {
	kind, _, _ := strings.Cut(q.Header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	isJSON := kind == "application/json"
	if !isJSON && kind != "application/x-protobuf" {
		http.Error(w, "Content-Type must be application/x-protobuf or application/json", http.StatusUnsupportedMediaType)
		return
	}
	if q.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		replyError(w, isJSON, http.StatusMethodNotAllowed, "the method must be POST")
		return
	}
	rejected := 0
	body, err := readAll(q.Body, strings.ToLower(q.Header.Get("Content-Encoding")), q.ContentLength, limit)
	if err == nil {
		rejected, err = r.accept(q.Context(), signal, body, isJSON)
	}
	if id := q.Header.Get(endHeader); id != "" && r.ended != nil {
		r.ended(id) // whether or not the body was any good: nothing more comes
	}
	switch {
	case err == nil:
		w.Header().Set("Content-Type", kind)
		var reply []byte // nothing is the empty message
		if isJSON {
			reply = partialSuccessJSON(signal, rejected)
		} else {
			reply = partialSuccess(nil, rejected)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
		_, _ = w.Write(reply)
	case errors.Is(err, errTooLarge):
		replyError(w, isJSON, http.StatusRequestEntityTooLarge, err.Error())
	case errors.Is(err, errEncoding):
		replyError(w, isJSON, http.StatusUnsupportedMediaType, err.Error())
	default:
		replyError(w, isJSON, http.StatusBadRequest, err.Error())
	}
}

// replyError answers with a google.rpc.Status, as OTLP asks: 1 = code (3, invalid argument), 2 = message.
func replyError(w http.ResponseWriter, isJSON bool, status int, message string) {
	message = strings.ToValidUTF8(message, "?")
	var body []byte
	if isJSON {
		w.Header().Set("Content-Type", "application/json")
		body = append(jsonwrite.String([]byte(`{"code":3,"message":`), message), '}')
	} else {
		w.Header().Set("Content-Type", "application/x-protobuf")
		message = message[:min(len(message), 127)] // a length of one byte
		body = append([]byte{1 << 3, codeInvalid, 2<<3 | 2, byte(len(message))}, message...)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Why records of a good message were rejected.
const notTaken = "the pipeline did not take them, the collector's log says why"

// partialSuccess appends the response of any signal: 1 = what was not taken, with 1 = number of records and 2 = why.
func partialSuccess(reply []byte, rejected int) []byte {
	if rejected == 0 {
		return reply
	}
	part := append(binary.AppendUvarint([]byte{1 << 3}, uint64(rejected)), 2<<3|2, byte(len(notTaken)))
	part = append(part, notTaken...)
	return append(append(reply, 1<<3|2, byte(len(part))), part...)
}

func partialSuccessJSON(signal pipeline.Signal, rejected int) []byte {
	if rejected == 0 {
		return []byte("{}")
	}
	name := map[pipeline.Signal]string{
		pipeline.SignalTraces: "rejectedSpans", pipeline.SignalMetrics: "rejectedDataPoints", pipeline.SignalLogs: "rejectedLogRecords",
	}[signal]
	return []byte(`{"partialSuccess":{"` + name + `":"` + strconv.Itoa(rejected) + `","errorMessage":"` + notTaken + `"}}`)
}
