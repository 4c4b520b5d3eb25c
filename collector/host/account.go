package host

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/resource"
)

// account tells the tally as metrics, by a pipeline of this host.
type account struct {
	getenv func(string) string
	next   consumer.Metrics

	mu    sync.Mutex
	told  map[row]int64 // what was told, from the start
	since time.Time
	own   int64 // data points of the account itself that were given since
}

// row is one series of the account.
type row struct {
	metric, reason string
	signal         pipeline.Signal
}

const (
	accountScope   = "github.com/open-telemetry/opentelemetry-lambda/collector/host"
	metricReceived = "otelcol.lambda.received"
	metricSent     = "otelcol.lambda.sent"
)

// fate is what became of records, as a metric.
type fate struct {
	name, description string
	reason            delivery.Reason // of what was dropped
	of                func(*delivery.Tally) delivery.Counts
}

// fates are the metrics of the account; docs/collector.md has the same list.
func fates() []fate {
	all := []fate{
		{metricReceived, "Records that receivers accepted", "", func(t *delivery.Tally) delivery.Counts { return t.Received.Counts() }},
		{metricSent, "Records that a backend acknowledged, for each exporter", "", func(t *delivery.Tally) delivery.Counts { return t.Sent.Counts() }},
		{"otelcol.lambda.retried", "Records that went out again", "", func(t *delivery.Tally) delivery.Counts { return t.Retried.Counts() }},
		{"otelcol.lambda.resent", "Records that a backend may have twice", "", func(t *delivery.Tally) delivery.Counts { return t.Resent.Counts() }},
	}
	for _, why := range delivery.Reasons {
		all = append(all, fate{"otelcol.lambda.dropped", "Records that were lost", why, func(t *delivery.Tally) delivery.Counts { return t.DroppedBy(why) }})
	}
	return all
}

var errNoMetrics = errors.New("no pipeline of metrics has a receiver")

// Account makes the host tell its account as metrics from now on: by the pipeline named metrics, else by the first one of metrics that has
// a receiver. To be called before Start.
func (h *Host) Account(getenv func(string) string) error {
	if h.metrics.metrics == nil {
		return errNoMetrics
	}
	h.account = &account{getenv: getenv, next: counted(h.metrics, pipeline.SignalMetrics, &h.tally).metrics, told: map[row]int64{}, since: time.Now()}
	return nil
}

// tellAccount gives what has changed since it was called last to the pipeline. What has only become of metrics that were told of before is no
// reason to: the account's own points would ask for another account for ever. At the end everything is.
func (h *Host) tellAccount(ctx context.Context, end bool) {
	a := h.account
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	md := pmetric.NewMetrics()
	if !a.write(md, &h.tally, now, end) {
		return
	}
	n := md.DataPointCount()
	a.since, a.own = now, int64(n)
	if err := a.next.ConsumeMetrics(ctx, md); err != nil {
		h.tally.Drop(delivery.Failed, pipeline.SignalMetrics, n)
		h.logger.Warn("the account could not be told as metrics", zap.Error(err))
	}
}

// lastAccount delivers what there is while everything still runs, so that the account which the last flush delivers tells of it.
func (h *Host) lastAccount(ctx context.Context) {
	if h.account == nil {
		return
	}
	limit := time.Second
	if deadline, ok := ctx.Deadline(); ok {
		limit = time.Until(deadline) / 2
	}
	half, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	h.flush(func(f delivery.Flusher) { f.FlushLast(half) })
	h.tellAccount(ctx, true)
}

// write makes the metrics and tells whether there is a reason to give them on.
func (a *account) write(md pmetric.Metrics, t *delivery.Tally, now time.Time, end bool) (reason bool) {
	rm := md.ResourceMetrics().AppendEmpty()
	resource.Describe(rm.Resource().Attributes(), a.getenv)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(accountScope)
	fresh, sums := map[row]int64{}, map[string]pmetric.NumberDataPointSlice{}
	for _, f := range fates() {
		for _, signal := range []pipeline.Signal{pipeline.SignalTraces, pipeline.SignalMetrics, pipeline.SignalLogs} {
			key := row{f.name, string(f.reason), signal}
			n := f.of(t).Of(signal)
			more := n - a.told[key]
			if more == 0 {
				continue
			}
			fresh[key] = n
			if _, made := sums[f.name]; !made {
				sums[f.name] = deltaSum(sm.Metrics().AppendEmpty(), f)
			}
			a.point(sums[f.name].AppendEmpty(), key, more, now)
			ours := signal == pipeline.SignalMetrics && ((f.name == metricReceived && more <= a.own) || f.name == metricSent)
			reason = reason || end || !ours
		}
	}
	if reason {
		maps.Copy(a.told, fresh)
	}
	return reason
}

func deltaSum(m pmetric.Metric, f fate) pmetric.NumberDataPointSlice {
	m.SetName(f.name)
	m.SetDescription(f.description)
	m.SetUnit("{record}")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	return sum.DataPoints()
}

func (a *account) point(p pmetric.NumberDataPoint, key row, n int64, now time.Time) {
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(a.since))
	p.SetTimestamp(pcommon.NewTimestampFromTime(now))
	p.SetIntValue(n)
	p.Attributes().PutStr("signal", key.signal.String())
	if key.reason != "" {
		p.Attributes().PutStr("reason", key.reason)
	}
}

// accountHead is where the account goes as metrics, if anywhere.
func (b *builder) accountHead() (head sink) {
	for _, id := range b.c.pipelines() { // "metrics" is the first of its kind
		fromOutside := slices.ContainsFunc(b.c.service.Pipelines[id].Receivers, func(name component.ID) bool { _, connected := b.c.connectors[name]; return !connected })
		if id.Signal() == pipeline.SignalMetrics && fromOutside {
			return *b.heads[id]
		}
	}
	return sink{}
}
