package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// ledger takes the account as metrics: its delta sums by name, signal and reason.
type ledger struct {
	*httptest.Server
	mu       sync.Mutex
	sums     map[string]int64
	requests int
	function string
}

func newLedger(t *testing.T) *ledger {
	l := &ledger{sums: map[string]int64{}}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		plain, err := gzip.NewReader(q.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		body, _ := io.ReadAll(plain)
		md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(body)
		if err != nil || q.URL.Path != "/v1/metrics" {
			t.Errorf("%s: %v", q.URL.Path, err)
		}
		l.add(t, md)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *ledger) add(t *testing.T, md pmetric.Metrics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	for _, rm := range md.ResourceMetrics().All() {
		name, _ := rm.Resource().Attributes().Get("faas.name")
		l.function = name.Str()
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			if s := m.Sum(); !s.IsMonotonic() || s.AggregationTemporality() != pmetric.AggregationTemporalityDelta || m.Unit() != "{record}" || m.Description() == "" {
				t.Errorf("%s: %v %s %q", m.Name(), s.AggregationTemporality(), m.Unit(), m.Description())
			}
			for _, p := range m.Sum().DataPoints().All() {
				key := m.Name()
				for _, attribute := range []string{"signal", "reason"} {
					if value, has := p.Attributes().Get(attribute); has {
						key += " " + value.Str()
					}
				}
				if p.IntValue() <= 0 || p.StartTimestamp() >= p.Timestamp() {
					t.Errorf("%s: %d from %v to %v", key, p.IntValue(), p.StartTimestamp(), p.Timestamp())
				}
				l.sums[key] += p.IntValue()
			}
		}
	}
}

func (l *ledger) spans() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := maps.Clone(l.sums)
	maps.DeleteFunc(found, func(key string, _ int64) bool { return !strings.Contains(key, " traces") })
	return found
}

func TestTheAccountIsToldAsMetricsWhenAsked(t *testing.T) {
	const way = "processors: {batch: {timeout: 1h}}, exporters: {otlphttp: {traces_endpoint: '%s/v1/traces', metrics_endpoint: '%s/v1/metrics'}}, " +
		"service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}, metrics/other: {receivers: [otlp], processors: [batch], exporters: [otlphttp]}}}"
	for _, policy := range []string{"end", "auto", "periodic,1h", "shutdown"} {
		t.Run(policy, func(t *testing.T) {
			lambda, b, l := newLambda(t, true), newBackend(t), newLedger(t)
			b.answer = func(w http.ResponseWriter, request int) bool {
				busy := policy == "end" || policy == "auto" // with the others there is but one flush, and what comes of that is in the account
				switch {
				case request == 1 && busy:
					w.WriteHeader(http.StatusServiceUnavailable)
				case request <= 2 || (request == 3 && busy): // the joined batch, and one message of it
					w.WriteHeader(http.StatusUnprocessableEntity)
				default:
					return false
				}
				return true
			}
			e := run(t, lambda, fmt.Sprintf(way, b.URL, l.URL), "OTEL_LAMBDA_ACCOUNT=true, metrics", "OTEL_LAMBDA_FLUSH="+policy, "AWS_LAMBDA_FUNCTION_NAME=orders")
			lambda.next()
			for i := range 5 {
				lambda.one(e, fmt.Sprint("r", i))
			}
			lambda.shutdown("spindown")
			a, _ := e.end()
			got, want := l.spans(), map[string]int64{"otelcol.lambda.received traces": int64(a.Received.Spans), "otelcol.lambda.sent traces": int64(a.Sent.Spans)}
			for why, n := range a.Why {
				want["otelcol.lambda.dropped traces "+why] = int64(n.Spans)
			}
			if a.Retried.Spans > 0 {
				want["otelcol.lambda.retried traces"] = int64(a.Retried.Spans)
			}
			maps.DeleteFunc(want, func(_ string, n int64) bool { return n == 0 })
			if !maps.Equal(got, want) || a.Received.Spans != 5 || l.function != "orders" {
				t.Errorf("metrics say %v of %q, the line %v", got, l.function, want)
			}
			if l.requests > 7 {
				t.Errorf("%d requests for 5 invocations: the account tells of itself", l.requests)
			}
		})
	}
}

func TestTheAccountIsNoMetricUnlessAsked(t *testing.T) {
	lambda, l := newLambda(t, true), newLedger(t)
	both := fmt.Sprintf("exporters: {otlphttp: {endpoint: '%s'}}, service: {pipelines: {metrics: {receivers: [otlp], exporters: [otlphttp]}}}", l.URL)
	e := run(t, lambda, both)
	lambda.next()
	lambda.one(e, "one")
	lambda.shutdown("spindown")
	if a, _ := e.end(); a.Received.Spans != 1 || l.requests != 0 {
		t.Errorf("%+v, %d requests", a, l.requests)
	}
}

func TestAnAccountAsMetricsThatGoesNowhereCostsOneLine(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL), "OTEL_LAMBDA_ACCOUNT=metrics")
	lambda.next()
	lambda.one(e, "one")
	b.has(t, 1)
	lambda.shutdown("spindown")
	if _, lines := e.end(); len(lines) != 1 || !strings.Contains(lines[0].Msg, "OTEL_LAMBDA_ACCOUNT=metrics") || lines[0].Level != "WARN" || lines[0].Remedy == "" {
		t.Errorf("%s", e.out.String())
	}
}
