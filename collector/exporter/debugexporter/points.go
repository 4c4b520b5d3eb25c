package debugexporter

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// point is what the data points of all kinds have.
type point interface {
	Attributes() pcommon.Map
	StartTimestamp() pcommon.Timestamp
	Timestamp() pcommon.Timestamp
}

// each calls do for every data point of a metric, with what it measures.
func each(m pmetric.Metric, do func(p point, value pairs)) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		numbers(m.Gauge().DataPoints(), nil, do)
	case pmetric.MetricTypeSum:
		numbers(m.Sum().DataPoints(), pairs{"monotonic", m.Sum().IsMonotonic(), "temporality", m.Sum().AggregationTemporality()}, do)
	case pmetric.MetricTypeHistogram:
		for n := range m.Histogram().DataPoints().Len() {
			p := m.Histogram().DataPoints().At(n)
			do(p, pairs{
				"count", int64(p.Count()), "sum", p.Sum(), "min", p.Min(), "max", p.Max(), "bounds", p.ExplicitBounds().AsRaw(), "buckets", p.BucketCounts().AsRaw(),
				"temporality", m.Histogram().AggregationTemporality(),
			})
		}
	case pmetric.MetricTypeExponentialHistogram:
		for n := range m.ExponentialHistogram().DataPoints().Len() {
			p := m.ExponentialHistogram().DataPoints().At(n)
			do(p, pairs{
				"count", int64(p.Count()), "sum", p.Sum(), "min", p.Min(), "max", p.Max(), "scale", int64(p.Scale()), "zeros", int64(p.ZeroCount()),
				"positive_offset", int64(p.Positive().Offset()), "positive", p.Positive().BucketCounts().AsRaw(),
				"negative_offset", int64(p.Negative().Offset()), "negative", p.Negative().BucketCounts().AsRaw(),
				"temporality", m.ExponentialHistogram().AggregationTemporality(),
			})
		}
	case pmetric.MetricTypeSummary:
		for n := range m.Summary().DataPoints().Len() {
			p := m.Summary().DataPoints().At(n)
			quantiles := map[string]any{}
			for n := range p.QuantileValues().Len() {
				q := p.QuantileValues().At(n)
				quantiles[strconv.FormatFloat(q.Quantile(), 'g', -1, 64)] = q.Value()
			}
			do(p, pairs{"count", int64(p.Count()), "sum", p.Sum(), "quantiles", quantiles})
		}
	}
}

func numbers(list pmetric.NumberDataPointSlice, more pairs, do func(point, pairs)) {
	for n := range list.Len() {
		p := list.At(n)
		value := pairs{"value", p.DoubleValue()}
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			value[1] = p.IntValue()
		}
		do(p, append(value, more...))
	}
}
