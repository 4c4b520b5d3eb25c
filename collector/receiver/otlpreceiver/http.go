package otlpreceiver

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
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
	kind := mediaType(q.Header.Get("Content-Type"))
	if kind != typeProtobuf && kind != typeJSON {
		http.Error(w, "Content-Type must be application/x-protobuf or application/json", http.StatusUnsupportedMediaType)
		return
	}
	m := message{signal, kind, q.Header.Get("Content-Encoding"), q.Header.Get(endHeader), q.ContentLength, q.Body}
	var status int
	var reply []byte
	if q.Method == http.MethodPost {
		status, reply = r.answer(q.Context(), m, limit)
	} else {
		w.Header().Set("Allow", http.MethodPost)
		status, reply = http.StatusMethodNotAllowed, failure(kind, "the method must be POST")
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
	w.WriteHeader(status)
	_, _ = w.Write(reply)
}

// The types of messages, and of the replies to them.
const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// mediaType is the value of a Content-Type header without its parameters.
func mediaType(value string) string {
	kind, _, _ := strings.Cut(value, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// message is a POST with a message of OTLP.
type message struct {
	signal   pipeline.Signal
	kind     string // typeProtobuf or typeJSON
	encoding string
	ended    string // the request id of an invocation that sends nothing more
	length   int64  // of the body, -1 when it is not known
	body     io.Reader
}

// answer takes the message; the reply is of the same type as it.
func (r *otlpReceiver) answer(ctx context.Context, m message, limit int64) (status int, reply []byte) {
	rejected := 0
	body, done, err := r.read(m.body, strings.ToLower(m.encoding), m.length, limit)
	defer done()
	if err == nil {
		rejected, err = r.accept(ctx, m.signal, body, m.kind == typeJSON)
	}
	if m.ended != "" && r.ended != nil {
		r.ended(m.ended) // whether or not the body was any good: nothing more comes
	}
	switch {
	case err == nil && m.kind == typeJSON:
		return http.StatusOK, partialSuccessJSON(m.signal, rejected)
	case err == nil:
		return http.StatusOK, partialSuccess(nil, rejected) // nothing is the empty message
	case errors.Is(err, errTooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, errEncoding):
		status = http.StatusUnsupportedMediaType
	default:
		status = http.StatusBadRequest
	}
	return status, failure(m.kind, err.Error())
}

// failure is a google.rpc.Status, as OTLP asks: 1 = code (3, invalid argument), 2 = message.
func failure(kind, message string) []byte {
	message = strings.ToValidUTF8(message, "?")
	if kind == typeJSON {
		return append(jsonwrite.String([]byte(`{"code":3,"message":`), message), '}')
	}
	message = message[:min(len(message), 127)] // a length of one byte
	return append([]byte{1 << 3, codeInvalid, 2<<3 | 2, byte(len(message))}, message...)
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
