package otlpexporter

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpclient"
)

var methods = map[pipeline.Signal]string{
	pipeline.SignalTraces:  "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	pipeline.SignalMetrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
	pipeline.SignalLogs:    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}

func (c *Config) target(signal pipeline.Signal) (string, error) {
	u, err := c.base()
	if err != nil {
		return "", err
	}
	return u.String() + methods[signal], nil
}

func decorate(h http.Header, c *otlpclient.Config) {
	h.Set("Content-Type", "application/grpc")
	h.Set("Te", "trailers")
	h.Set("Grpc-Accept-Encoding", "gzip,identity")
	h.Set("Grpc-Timeout", strconv.FormatInt(min(otlpclient.Milliseconds(c.Timeout), 99999999), 10)+"m")
	if c.Compression == "gzip" {
		h.Set("Grpc-Encoding", "gzip")
	}
}

// frame writes gRPC's prefix: compressed or not, and the length.
func frame(prefix []byte, size int, compressed bool) {
	if compressed {
		prefix[0] = 1
	}
	binary.BigEndian.PutUint32(prefix[1:], uint32(size))
}

// unframe is the message of a reply. Servers compress it as the request was, whatever was asked of them.
func unframe(reply []byte) []byte {
	if len(reply) < 5 {
		return nil
	}
	if reply[0] == 0 {
		return reply[5:]
	}
	plain, err := gzip.NewReader(bytes.NewReader(reply[5:]))
	if err != nil {
		return nil
	}
	message, _ := io.ReadAll(io.LimitReader(plain, 64<<10))
	return message
}

// gRPC's status codes that have a meaning here; all others refuse the message.
const (
	ok                = 0
	cancelled         = 1
	deadlineExceeded  = 4
	notFound          = 5
	permissionDenied  = 7
	resourceExhausted = 8
	aborted           = 10
	outOfRange        = 11
	unimplemented     = 12
	unavailable       = 14
	dataLoss          = 15
	unauthenticated   = 16
)

// codes are what a gRPC client makes of a reply that has an HTTP status instead of gRPC's.
var codes = map[int]int{
	http.StatusUnauthorized: unauthenticated, http.StatusForbidden: permissionDenied, http.StatusNotFound: unimplemented,
	http.StatusTooManyRequests: unavailable, http.StatusBadGateway: unavailable, http.StatusServiceUnavailable: unavailable, http.StatusGatewayTimeout: unavailable,
}

func judge(response *http.Response) delivery.Outcome {
	reply, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/grpc") {
		why := otlpclient.Failure(response, response.Status, "not a gRPC reply: is this the port of OTLP over gRPC, usually 4317?")
		code, known := codes[response.StatusCode]
		if !known && response.StatusCode >= 500 {
			code = unavailable
		}
		return verdict(code, nil, why)
	}
	if err != nil {
		return delivery.Outcome{Verdict: delivery.Cut, Err: err}
	}
	trailer := response.Trailer
	if trailer.Get("Grpc-Status") == "" {
		trailer = response.Header // a reply that is nothing but its trailers
	}
	code, err := strconv.Atoi(trailer.Get("Grpc-Status"))
	if err != nil {
		return delivery.Outcome{Verdict: delivery.Cut, Err: fmt.Errorf("%s ended its reply without a status", response.Request.URL.Host)}
	}
	if code == ok {
		rejected, why := otlpclient.PartialSuccess(unframe(reply)) // whatever that is, the status is the acknowledgement
		return delivery.Outcome{Verdict: delivery.Delivered, Rejected: rejected, Err: why}
	}
	message := trailer.Get("Grpc-Message")
	if plain, err := url.PathUnescape(message); err == nil {
		message = plain
	}
	details, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(trailer.Get("Grpc-Status-Details-Bin"), "="))
	return verdict(code, details, otlpclient.Failure(response, fmt.Sprint("gRPC status ", code), message))
}

// verdict is what a status means for the message, as OTLP's specification says. Its details may ask for patience.
func verdict(code int, details []byte, why error) delivery.Outcome {
	outcome := delivery.Outcome{Verdict: delivery.Refused, Err: why}
	wait, said := retryInfo(details)
	switch code {
	case resourceExhausted:
		if said {
			outcome.Verdict, outcome.RetryAfter = delivery.Busy, wait
		}
	case cancelled, deadlineExceeded, aborted, outOfRange, unavailable, dataLoss:
		outcome.Verdict, outcome.RetryAfter = delivery.Busy, wait
	case unauthenticated:
		outcome.Verdict, outcome.Err = delivery.Denied, fmt.Errorf("%w: %w", delivery.ErrUnauthorized, why)
	case permissionDenied, unimplemented, notFound:
		outcome.Verdict = delivery.Denied
	}
	return outcome
}

// retryInfo finds google.rpc.RetryInfo in a google.rpc.Status: 3 = details { 1 = type, 2 = value { 1 = delay { 1 = seconds, 2 = nanos }}}.
func retryInfo(status []byte) (wait time.Duration, said bool) {
	_ = otlpclient.Fields(status, func(number, _ uint64, detail []byte) {
		if number != 3 {
			return
		}
		kind, value := "", []byte(nil)
		_ = otlpclient.Fields(detail, func(number, _ uint64, part []byte) {
			switch number {
			case 1:
				kind = string(part)
			case 2:
				value = part
			}
		})
		if !strings.HasSuffix(kind, "/google.rpc.RetryInfo") {
			return
		}
		said = true
		_ = otlpclient.Fields(value, func(_, _ uint64, delay []byte) {
			_ = otlpclient.Fields(delay, func(number, value uint64, _ []byte) {
				switch number {
				case 1:
					wait += time.Duration(min(value, 1<<31)) * time.Second
				case 2:
					wait += time.Duration(min(value, 1e9))
				}
			})
		})
	})
	return wait, said
}
