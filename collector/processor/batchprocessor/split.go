package batchprocessor

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// join moves the data of all loads into that of the first.
func join(loads []delivery.Load) any {
	for _, load := range loads[1:] {
		switch first := loads[0].Data.(type) {
		case ptrace.Traces:
			load.Data.(ptrace.Traces).ResourceSpans().MoveAndAppendTo(first.ResourceSpans())
		case pmetric.Metrics:
			load.Data.(pmetric.Metrics).ResourceMetrics().MoveAndAppendTo(first.ResourceMetrics())
		case plog.Logs:
			load.Data.(plog.Logs).ResourceLogs().MoveAndAppendTo(first.ResourceLogs())
		}
	}
	return loads[0].Data
}

func records(data any) int {
	switch d := data.(type) {
	case ptrace.Traces:
		return d.SpanCount()
	case pmetric.Metrics:
		return d.DataPointCount()
	case plog.Logs:
		return d.LogRecordCount()
	}
	return 0
}

// split takes the first n records out of data.
func split(data any, n int) any {
	switch d := data.(type) {
	case ptrace.Traces:
		return splitTraces(d, n)
	case pmetric.Metrics:
		return splitMetrics(d, n)
	default:
		return splitLogs(data.(plog.Logs), n)
	}
}

func splitTraces(from ptrace.Traces, n int) ptrace.Traces {
	out := ptrace.NewTraces()
	from.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		if n == 0 {
			return false
		}
		toResource := out.ResourceSpans().AppendEmpty()
		rs.Resource().CopyTo(toResource.Resource())
		toResource.SetSchemaUrl(rs.SchemaUrl())
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			if n == 0 {
				return false
			}
			toScope := toResource.ScopeSpans().AppendEmpty()
			ss.Scope().CopyTo(toScope.Scope())
			toScope.SetSchemaUrl(ss.SchemaUrl())
			ss.Spans().RemoveIf(func(span ptrace.Span) bool {
				return take(&n, func() { span.MoveTo(toScope.Spans().AppendEmpty()) })
			})
			return ss.Spans().Len() == 0
		})
		return rs.ScopeSpans().Len() == 0
	})
	return out
}

func splitLogs(from plog.Logs, n int) plog.Logs {
	out := plog.NewLogs()
	from.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		if n == 0 {
			return false
		}
		toResource := out.ResourceLogs().AppendEmpty()
		rl.Resource().CopyTo(toResource.Resource())
		toResource.SetSchemaUrl(rl.SchemaUrl())
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			if n == 0 {
				return false
			}
			toScope := toResource.ScopeLogs().AppendEmpty()
			sl.Scope().CopyTo(toScope.Scope())
			toScope.SetSchemaUrl(sl.SchemaUrl())
			sl.LogRecords().RemoveIf(func(record plog.LogRecord) bool {
				return take(&n, func() { record.MoveTo(toScope.LogRecords().AppendEmpty()) })
			})
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
	return out
}

func splitMetrics(from pmetric.Metrics, n int) pmetric.Metrics {
	out := pmetric.NewMetrics()
	from.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		if n == 0 {
			return false
		}
		toResource := out.ResourceMetrics().AppendEmpty()
		rm.Resource().CopyTo(toResource.Resource())
		toResource.SetSchemaUrl(rm.SchemaUrl())
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			if n == 0 {
				return false
			}
			toScope := toResource.ScopeMetrics().AppendEmpty()
			sm.Scope().CopyTo(toScope.Scope())
			toScope.SetSchemaUrl(sm.SchemaUrl())
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
				return n > 0 && splitMetric(m, toScope.Metrics().AppendEmpty(), &n)
			})
			return sm.Metrics().Len() == 0
		})
		return rm.ScopeMetrics().Len() == 0
	})
	return out
}

// splitMetric moves up to n data points; it tells whether none is left.
func splitMetric(from, to pmetric.Metric, n *int) bool {
	to.SetName(from.Name())
	to.SetDescription(from.Description())
	to.SetUnit(from.Unit())
	from.Metadata().CopyTo(to.Metadata())
	switch from.Type() {
	case pmetric.MetricTypeGauge:
		return points(from.Gauge().DataPoints(), to.SetEmptyGauge().DataPoints(), n)
	case pmetric.MetricTypeSum:
		sum := to.SetEmptySum()
		sum.SetAggregationTemporality(from.Sum().AggregationTemporality())
		sum.SetIsMonotonic(from.Sum().IsMonotonic())
		return points(from.Sum().DataPoints(), sum.DataPoints(), n)
	case pmetric.MetricTypeHistogram:
		to.SetEmptyHistogram().SetAggregationTemporality(from.Histogram().AggregationTemporality())
		return points(from.Histogram().DataPoints(), to.Histogram().DataPoints(), n)
	case pmetric.MetricTypeExponentialHistogram:
		to.SetEmptyExponentialHistogram().SetAggregationTemporality(from.ExponentialHistogram().AggregationTemporality())
		return points(from.ExponentialHistogram().DataPoints(), to.ExponentialHistogram().DataPoints(), n)
	case pmetric.MetricTypeSummary:
		return points(from.Summary().DataPoints(), to.SetEmptySummary().DataPoints(), n)
	}
	return true
}

type pointSlice[P any] interface {
	RemoveIf(func(P) bool)
	AppendEmpty() P
	Len() int
}

func points[P interface{ MoveTo(P) }, S pointSlice[P]](from, to S, n *int) bool {
	from.RemoveIf(func(point P) bool { return take(n, func() { point.MoveTo(to.AppendEmpty()) }) })
	return from.Len() == 0
}

// take moves a record while some are wanted.
func take(n *int, move func()) bool {
	if *n == 0 {
		return false
	}
	move()
	*n--
	return true
}
