package otlpreceiver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pipeline"
)

// gRPC's status codes that this server answers with.
const (
	codeInvalid       = 3
	codeExhausted     = 8
	codeUnimplemented = 12
)

var errMethod = errors.New("unknown method")

var grpcMethods = map[string]pipeline.Signal{
	"/opentelemetry.proto.collector.trace.v1.TraceService/Export":     pipeline.SignalTraces,
	"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": pipeline.SignalMetrics,
	"/opentelemetry.proto.collector.logs.v1.LogsService/Export":       pipeline.SignalLogs,
}

// OTLP over gRPC is one message each way, each behind five bytes (compressed or not, length), the status in the trailers.
func (r *otlpReceiver) grpcHandler(s *GRPCConfig) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.ProtoMajor != 2 || q.Method != http.MethodPost || !strings.HasPrefix(q.Header.Get("Content-Type"), "application/grpc") {
			http.Error(w, "this port speaks OTLP over gRPC; OTLP over HTTP is on another, usually 4318", http.StatusUnsupportedMediaType)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/grpc")
		h.Set("Grpc-Accept-Encoding", "gzip,identity")
		rejected, err := r.export(q, int64(s.MaxRecvMsgSizeMiB)<<20)
		if err != nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(q.Body, 1<<20))
			h.Set("Grpc-Status", strconv.Itoa(grpcCode(err))) // headers alone: a response with nothing but its trailers
			h.Set("Grpc-Message", percentEncode(err.Error()))
			w.WriteHeader(http.StatusOK)
			return
		}
		h.Set("Trailer", "Grpc-Status")
		reply := partialSuccess(make([]byte, 5), rejected)
		binary.BigEndian.PutUint32(reply[1:], uint32(len(reply)-5))
		_, _ = w.Write(reply)
		h.Set("Grpc-Status", "0")
	})
}

func (r *otlpReceiver) export(q *http.Request, limit int64) (rejected int, err error) {
	signal, known := grpcMethods[q.URL.Path]
	if !known {
		return 0, fmt.Errorf("%w %s", errMethod, q.URL.Path)
	}
	var prefix [5]byte
	if _, err := io.ReadFull(q.Body, prefix[:]); err != nil {
		return 0, badMessage{err}
	}
	size := int64(binary.BigEndian.Uint32(prefix[1:]))
	if size > limit {
		return 0, tooLarge(limit)
	}
	encoding, length := "", size
	if prefix[0] == 1 {
		if encoding, length = q.Header.Get("Grpc-Encoding"), -1; encoding == "" || encoding == "identity" {
			return 0, badMessage{errCompression}
		}
	}
	frame := &io.LimitedReader{R: q.Body, N: size}
	body, done, err := r.read(frame, encoding, length, limit)
	defer done()
	if err != nil {
		return 0, err
	}
	if frame.N > 0 {
		return 0, badMessage{fmt.Errorf("%d bytes behind the compressed message", frame.N)}
	}
	return r.accept(q.Context(), signal, body, false)
}

func grpcCode(err error) int {
	switch {
	case errors.Is(err, errMethod), errors.Is(err, errEncoding):
		return codeUnimplemented
	case errors.Is(err, errTooLarge):
		return codeExhausted
	default:
		return codeInvalid
	}
}

// percentEncode keeps printable ASCII, as gRPC asks for messages in headers.
func percentEncode(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		if b < ' ' || b > '~' || b == '%' {
			fmt.Fprintf(&out, "%%%02X", b)
		} else {
			out.WriteByte(b)
		}
	}
	return out.String()
}
