package delivery

import (
	"sync/atomic"

	"go.opentelemetry.io/collector/pipeline"
)

// Counts is a number of records (spans, metric data points, log records) by signal.
type Counts struct {
	Spans   int64
	Metrics int64
	Logs    int64
}

// Fields are the counts by the names that they have in the log.
func (c Counts) Fields() map[string]any {
	return map[string]any{"spans": c.Spans, "metrics": c.Metrics, "logs": c.Logs}
}

// Sum is the number of records of all signals.
func (c Counts) Sum() int64 { return c.Spans + c.Metrics + c.Logs }

// Add adds n records of a signal.
func (c *Counts) Add(signal pipeline.Signal, n int64) {
	switch signal {
	case pipeline.SignalTraces:
		c.Spans += n
	case pipeline.SignalMetrics:
		c.Metrics += n
	case pipeline.SignalLogs:
		c.Logs += n
	}
}

// Counter counts records by signal; all its methods may be called at once from many goroutines.
type Counter struct{ spans, metrics, logs atomic.Int64 }

// Add adds n records of a signal.
func (c *Counter) Add(signal pipeline.Signal, n int) {
	switch signal {
	case pipeline.SignalTraces:
		c.spans.Add(int64(n))
	case pipeline.SignalMetrics:
		c.metrics.Add(int64(n))
	case pipeline.SignalLogs:
		c.logs.Add(int64(n))
	}
}

// Counts is the state of the counter.
func (c *Counter) Counts() Counts {
	return Counts{Spans: c.spans.Load(), Metrics: c.metrics.Load(), Logs: c.logs.Load()}
}

// Tally is the account of one environment: with a single exporter, received = sent + dropped + what is still held.
type Tally struct {
	Received Counter // accepted by receivers
	Sent     Counter // acknowledged by a backend, per exporter
	Dropped  Counter // refused by a backend, pushed out of a full queue, or without anywhere to go
	Resent   Counter // sent again after a request was cut before its reply: a backend may have these twice
}
