package otlpreceiver

import (
	"errors"
	"mime"
	"net/http"
	"strings"

	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/jsonwrite"
)

var httpPaths = map[string]pipeline.Signal{
	"/v1/traces": pipeline.SignalTraces, "/v1/metrics": pipeline.SignalMetrics, "/v1/logs": pipeline.SignalLogs,
}

// endHeader is how a language layer says that this is the last request of the invocation with that request id.
const endHeader = "X-Otel-Lambda-Invocation-End"

func (r *otlpReceiver) httpHandler(s *ServerConfig) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		signal, known := httpPaths[strings.TrimSuffix(q.URL.Path, "/")]
		if !known {
			http.Error(w, "the paths are /v1/traces, /v1/metrics and /v1/logs", http.StatusNotFound)
			return
		}
		r.serveHTTP(w, q, signal, s.MaxRequestBodySize)
	})
}

func (r *otlpReceiver) serveHTTP(w http.ResponseWriter, q *http.Request, signal pipeline.Signal, limit int64) {
	kind, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
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
	body, err := readAll(q.Body, strings.ToLower(q.Header.Get("Content-Encoding")), limit)
	if err == nil {
		err = r.accept(q.Context(), signal, body, isJSON)
	}
	if id := q.Header.Get(endHeader); id != "" && r.ended != nil {
		r.ended(id) // whether or not the body was any good: nothing more comes
	}
	switch {
	case err == nil:
		w.Header().Set("Content-Type", kind)
		if isJSON {
			_, _ = w.Write([]byte("{}"))
		} else {
			w.Header().Set("Content-Length", "0") // the empty message
		}
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
