package telemetryapireceiver

import (
	"math"
	"sort"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/open-telemetry/opentelemetry-lambda/collector/resource"
)

// instrument is one metric; without bounds it is a counter, with bounds a histogram.
type instrument struct {
	name, unit, description string
	bounds                  []float64
}

var (
	seconds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10} // the convention's
	memory  = []float64{32 << 20, 64 << 20, 128 << 20, 256 << 20, 512 << 20, 1 << 30, 2 << 30, 4 << 30, 8 << 30, 10 << 30}
)

// instruments are all metrics of the receiver; docs/telemetry.md has the same list.
var instruments = []instrument{
	{"faas.invocations", "{invocation}", "Invocations that succeeded", nil},
	{"faas.errors", "{error}", "Invocations that failed", nil},
	{"faas.timeouts", "{timeout}", "Invocations that timed out", nil},
	{"faas.coldstarts", "{coldstart}", "Inits on demand", nil},
	{"faas.invoke_duration", "s", "How long the runtime was busy with an invocation", seconds},
	{"faas.init_duration", "s", "How long an init took", seconds},
	{"faas.mem_usage", "By", "Most memory that the environment used, per invocation", memory},
	{"aws.lambda.billed_duration", "s", "What an invocation is billed as", seconds},
	{"aws.lambda.restore_duration", "s", "How long a restore from a snapshot took", seconds},
	{"aws.lambda.response_latency", "s", "From the start of an invocation to the first byte of its response", seconds},
	{"aws.lambda.runtime_overhead", "s", "From the response to the runtime's being ready again", seconds},
	{"aws.lambda.extension_overhead", "s", "From the runtime's being ready to the end of the invocation, which extensions held", seconds},
}

// reading is what has gathered of one instrument.
type reading struct {
	count         uint64
	sum, min, max float64
	buckets       []uint64
}

// readings gather between two flushes (delta), or from the start (cumulative).
type readings struct {
	cumulative bool
	since      time.Time
	oldest     time.Time // wall time at which the first came that is not handed on; zero when none is
	byName     map[string]*reading
}

func newReadings(cumulative bool, now time.Time) readings {
	return readings{cumulative: cumulative, since: now, byName: map[string]*reading{}}
}

func (r *readings) add(name string, value float64) {
	one := r.byName[name]
	if one == nil {
		one = &reading{min: math.Inf(1), max: math.Inf(-1)}
		r.byName[name] = one
	}
	r.oldest = first(r.oldest, time.Now().Round(0))
	one.count++
	one.sum += value
	one.min, one.max = min(one.min, value), max(one.max, value)
	if bounds := bounds(name); bounds != nil {
		if one.buckets == nil {
			one.buckets = make([]uint64, len(bounds)+1)
		}
		one.buckets[sort.SearchFloat64s(bounds, value)]++
	}
}

// ms adds a figure in milliseconds, where there is one, in seconds.
func (r *readings) ms(name string, figures map[string]float64, key string) {
	if value, ok := figures[key]; ok {
		r.add(name, value/1000)
	}
}

func bounds(name string) []float64 {
	for _, i := range instruments {
		if i.name == name {
			return i.bounds
		}
	}
	return nil
}

// take writes what has gathered and returns the number of data points, 0 when nothing was added since.
func (r *readings) take(md pmetric.Metrics, now time.Time, getenv func(string) string) int {
	if r.oldest.IsZero() {
		return 0
	}
	rm := md.ResourceMetrics().AppendEmpty()
	resource.Describe(rm.Resource().Attributes(), getenv)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(scopeName)
	temporality := pmetric.AggregationTemporalityDelta
	if r.cumulative {
		temporality = pmetric.AggregationTemporalityCumulative
	}
	begin, end := pcommon.NewTimestampFromTime(r.since), pcommon.NewTimestampFromTime(now)
	for _, i := range instruments {
		one := r.byName[i.name]
		if one == nil {
			continue
		}
		m := sm.Metrics().AppendEmpty()
		m.SetName(i.name)
		m.SetUnit(i.unit)
		m.SetDescription(i.description)
		if i.bounds == nil {
			s := m.SetEmptySum()
			s.SetIsMonotonic(true)
			s.SetAggregationTemporality(temporality)
			p := s.DataPoints().AppendEmpty()
			p.SetStartTimestamp(begin)
			p.SetTimestamp(end)
			p.SetIntValue(int64(one.count))
			continue
		}
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(temporality)
		p := h.DataPoints().AppendEmpty()
		p.SetStartTimestamp(begin)
		p.SetTimestamp(end)
		p.SetCount(one.count)
		p.SetSum(one.sum)
		p.SetMin(one.min)
		p.SetMax(one.max)
		p.ExplicitBounds().FromRaw(i.bounds)
		p.BucketCounts().FromRaw(one.buckets)
	}
	r.oldest = time.Time{}
	if !r.cumulative {
		r.since, r.byName = now, map[string]*reading{}
	}
	return md.DataPointCount()
}
