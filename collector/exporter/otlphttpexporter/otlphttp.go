package otlphttpexporter

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpclient"
)

func decorate(h http.Header, c *otlpclient.Config) {
	h.Set("Content-Type", "application/x-protobuf")
	if c.Compression == "gzip" {
		h.Set("Content-Encoding", "gzip")
	}
}

func judge(response *http.Response) delivery.Outcome {
	// Read to the end, so that the connection is kept; replies are small, what is larger is not worth waiting for.
	reply, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	status := response.StatusCode
	if status >= 200 && status < 300 {
		if err != nil {
			return delivery.Outcome{Verdict: delivery.Delivered} // the status is the acknowledgement
		}
		rejected, why := otlpclient.PartialSuccess(reply)
		return delivery.Outcome{Verdict: delivery.Delivered, Rejected: rejected, Err: why}
	}
	outcome := delivery.Outcome{Verdict: delivery.Refused, Err: otlpclient.Failure(response, response.Status, string(reply))}
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		outcome.Verdict, outcome.RetryAfter = delivery.Busy, retryAfter(response.Header.Get("Retry-After"))
	case status == http.StatusUnauthorized:
		outcome.Verdict, outcome.Err = delivery.Denied, fmt.Errorf("%w: %w", delivery.ErrUnauthorized, outcome.Err)
	case status == http.StatusForbidden || status == http.StatusNotFound:
		outcome.Verdict = delivery.Denied
	}
	return outcome
}

func retryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) { // the nearest that it can be
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return 0
}
