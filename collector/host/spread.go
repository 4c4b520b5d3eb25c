package host

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// sink takes data of one signal: the field of that signal is set.
type sink struct {
	traces  consumer.Traces
	metrics consumer.Metrics
	logs    consumer.Logs
	raw     delivery.RawConsumer // nil when the data must be decoded
	mutates bool
}

// out is one of several takers of the same data.
type out[D any] struct {
	consume func(context.Context, D) error
	mutates bool
}

// spread hands data to every taker: those that change it get copies, those that read it share it.
func spread[D interface {
	IsReadOnly() bool
	MarkReadOnly()
}](outs []out[D], clone func(D) D) func(context.Context, D) error {
	var writers, readers []out[D]
	for _, o := range outs {
		if o.mutates {
			writers = append(writers, o)
		} else {
			readers = append(readers, o)
		}
	}
	return func(ctx context.Context, data D) error {
		var errs []error
		for i, w := range writers {
			mine := data
			if last := i == len(writers)-1 && len(readers) == 0; !last || data.IsReadOnly() {
				mine = clone(data)
			}
			errs = append(errs, w.consume(ctx, mine))
		}
		if len(readers) > 1 {
			data.MarkReadOnly()
		}
		for _, r := range readers {
			errs = append(errs, r.consume(ctx, data))
		}
		return errors.Join(errs...)
	}
}

// join makes one sink of several of the same signal.
func join(signal pipeline.Signal, sinks []sink) (joined sink) {
	readers := 0
	for _, s := range sinks {
		if !s.mutates {
			readers++
		}
	}
	joined.mutates = readers == 0
	switch signal {
	case pipeline.SignalTraces:
		var outs []out[ptrace.Traces]
		for _, s := range sinks {
			outs = append(outs, out[ptrace.Traces]{s.traces.ConsumeTraces, s.mutates})
		}
		joined.traces = tracesSink{spread(outs, func(d ptrace.Traces) ptrace.Traces { c := ptrace.NewTraces(); d.CopyTo(c); return c }), joined.mutates}
	case pipeline.SignalMetrics:
		var outs []out[pmetric.Metrics]
		for _, s := range sinks {
			outs = append(outs, out[pmetric.Metrics]{s.metrics.ConsumeMetrics, s.mutates})
		}
		joined.metrics = metricsSink{spread(outs, func(d pmetric.Metrics) pmetric.Metrics { c := pmetric.NewMetrics(); d.CopyTo(c); return c }), joined.mutates}
	case pipeline.SignalLogs:
		var outs []out[plog.Logs]
		for _, s := range sinks {
			outs = append(outs, out[plog.Logs]{s.logs.ConsumeLogs, s.mutates})
		}
		joined.logs = logsSink{spread(outs, func(d plog.Logs) plog.Logs { c := plog.NewLogs(); d.CopyTo(c); return c }), joined.mutates}
	}
	joined.takeRaw(joinRaw(sinks))
	return joined
}

// joinRaw is nil unless every sink takes encoded data: decoding for one of them serves all. The takers share the bytes, which none changes.
func joinRaw(sinks []sink) rawFunc {
	for _, s := range sinks {
		if s.raw == nil {
			return nil
		}
	}
	return func(ctx context.Context, signal pipeline.Signal, body []byte, records int) error {
		var errs []error
		for _, s := range sinks {
			errs = append(errs, s.raw.ConsumeRaw(ctx, signal, body, records))
		}
		return errors.Join(errs...)
	}
}

// takeRaw lets the sink's consumers take encoded data, as their followers see it; a nil function changes nothing.
func (s *sink) takeRaw(raw rawFunc) {
	if raw == nil {
		return
	}
	s.raw = raw
	switch {
	case s.traces != nil:
		s.traces = rawTraces{s.traces, raw}
	case s.metrics != nil:
		s.metrics = rawMetrics{s.metrics, raw}
	case s.logs != nil:
		s.logs = rawLogs{s.logs, raw}
	}
}

// counted counts what a receiver hands on. A panic behind it is an error: the function must not see it.
func counted(s sink, signal pipeline.Signal, tally *delivery.Tally) sink {
	switch signal {
	case pipeline.SignalTraces:
		next := s.traces.ConsumeTraces
		s.traces = tracesSink{func(ctx context.Context, d ptrace.Traces) (err error) {
			defer delivery.Recover(&err)
			tally.Received.Add(signal, d.SpanCount())
			return next(ctx, d)
		}, s.mutates}
	case pipeline.SignalMetrics:
		next := s.metrics.ConsumeMetrics
		s.metrics = metricsSink{func(ctx context.Context, d pmetric.Metrics) (err error) {
			defer delivery.Recover(&err)
			tally.Received.Add(signal, d.DataPointCount())
			return next(ctx, d)
		}, s.mutates}
	case pipeline.SignalLogs:
		next := s.logs.ConsumeLogs
		s.logs = logsSink{func(ctx context.Context, d plog.Logs) (err error) {
			defer delivery.Recover(&err)
			tally.Received.Add(signal, d.LogRecordCount())
			return next(ctx, d)
		}, s.mutates}
	}
	if raw := s.raw; raw != nil {
		s.takeRaw(func(ctx context.Context, signal pipeline.Signal, body []byte, records int) (err error) {
			defer delivery.Recover(&err)
			tally.Received.Add(signal, records)
			return raw.ConsumeRaw(ctx, signal, body, records)
		})
	}
	return s
}

type rawFunc func(ctx context.Context, signal pipeline.Signal, body []byte, records int) error

func (f rawFunc) ConsumeRaw(ctx context.Context, signal pipeline.Signal, body []byte, records int) error {
	return f(ctx, signal, body, records)
}

type rawTraces struct {
	consumer.Traces
	rawFunc
}

type rawMetrics struct {
	consumer.Metrics
	rawFunc
}

type rawLogs struct {
	consumer.Logs
	rawFunc
}

type tracesSink struct {
	consumer.ConsumeTracesFunc
	mutates bool
}

func (s tracesSink) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: s.mutates}
}

type metricsSink struct {
	consumer.ConsumeMetricsFunc
	mutates bool
}

func (s metricsSink) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: s.mutates}
}

type logsSink struct {
	consumer.ConsumeLogsFunc
	mutates bool
}

func (s logsSink) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: s.mutates}
}
