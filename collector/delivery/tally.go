package delivery

import (
	"slices"
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

// Of is the number of records of a signal.
func (c Counts) Of(signal pipeline.Signal) int64 {
	switch signal {
	case pipeline.SignalTraces:
		return c.Spans
	case pipeline.SignalMetrics:
		return c.Metrics
	}
	return c.Logs
}

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

// Reason is why records were dropped; its text is the name in the log.
type Reason string

// The reasons.
const (
	QueueFull  Reason = "queue full"  // pushed out by newer records
	TooLarge   Reason = "too large"   // one message larger than the queue
	Refusal    Reason = "refused"     // a backend will never take them, or retrying is switched off
	Rejected   Reason = "rejected"    // a partial success rejected them
	CircuitOff Reason = "circuit"     // not sent: the backend refuses everything
	Expired    Reason = "expired"     // older than max_elapsed_time
	AtShutdown Reason = "shutdown"    // the last flush could not deliver them
	NoPipeline Reason = "no pipeline" // nothing is configured to take the signal
	Failed     Reason = "failed"      // a component of the pipeline returned an error
)

// Reasons lists every reason, in the order in which they are shown.
var Reasons = [...]Reason{QueueFull, TooLarge, Refusal, Rejected, CircuitOff, Expired, AtShutdown, NoPipeline, Failed}

// Tally is the account of one environment. With a single exporter, received = sent + dropped + what is still held; dropped is the
// sum over the reasons. Retried and Resent count records once for every time that they went out again.
type Tally struct {
	Received Counter // accepted by receivers
	Sent     Counter // acknowledged by a backend, per exporter
	Dropped  Counter // in all; add with Drop, which says why
	Retried  Counter // sent again, for whatever cause; includes Resent
	Resent   Counter // sent again after a request was cut before its reply: a backend may have these twice

	reasons [len(Reasons)]Counter
}

// Drop counts records that are lost, with the reason.
func (t *Tally) Drop(why Reason, signal pipeline.Signal, n int) {
	t.Dropped.Add(signal, n)
	if i := slices.Index(Reasons[:], why); i >= 0 {
		t.reasons[i].Add(signal, n)
	}
}

// DroppedBy is the part of Dropped that has this reason.
func (t *Tally) DroppedBy(why Reason) Counts {
	if i := slices.Index(Reasons[:], why); i >= 0 {
		return t.reasons[i].Counts()
	}
	return Counts{}
}
