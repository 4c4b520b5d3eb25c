package batchprocessor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/processor"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/staged"
	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

// sink remembers the batches that it was given.
type sink struct {
	mu      sync.Mutex
	traces  []ptrace.Traces
	tenants []string
	err     error
}

func (*sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *sink) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.traces = append(s.traces, td)
	s.tenants = append(s.tenants, fmt.Sprint(client.FromContext(ctx).Metadata.Get("x-tenant")))
	return s.err
}

func (s *sink) sizes() (sizes []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, td := range s.traces {
		sizes = append(sizes, td.SpanCount())
	}
	return sizes
}

func spans(n int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "f")
	list := rs.ScopeSpans().AppendEmpty().Spans()
	for range n {
		list.AppendEmpty()
	}
	return td
}

func start(t *testing.T, cfg *Config, next consumer.Traces) (*batch, *trial.Host) {
	t.Helper()
	h := &trial.Host{}
	made, err := NewFactory().CreateTraces(t.Context(), processor.Settings{ID: component.MustNewID("batch"), TelemetrySettings: trial.Telemetry()}, cfg, next)
	if err != nil || made.Start(t.Context(), h) != nil {
		t.Fatal(err)
	}
	return made.(*batch), h
}

func same(got, want []int) bool { return fmt.Sprint(got) == fmt.Sprint(want) }

func TestConfig(t *testing.T) {
	cfg := trial.Documented[*Config](t, createDefaultConfig)["batch/all"]
	if cfg.Timeout != 10*time.Second || cfg.SendBatchSize != 100 || cfg.SendBatchMaxSize != 1000 || cfg.MetadataKeys[0] != "x-tenant" || cfg.MetadataCardinalityLimit != 10 {
		t.Errorf("%+v", cfg)
	}
	for _, bad := range []Config{{Timeout: -1}, {SendBatchSize: -1}, {SendBatchSize: 10, SendBatchMaxSize: 5}, {MetadataKeys: []string{"a", "A"}}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestGoesAtTheSizeAtTheTimeoutAndAtAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sink{}
		b, h := start(t, &Config{Timeout: time.Second, SendBatchSize: 10}, next)
		put := func(n int) { _ = b.ConsumeTraces(t.Context(), spans(n)); synctest.Wait() }
		put(4)
		put(5)
		if len(next.sizes()) != 0 || b.Held().Spans != 9 {
			t.Errorf("too early: %v", next.sizes())
		}
		put(1)
		if !same(next.sizes(), []int{10}) {
			t.Errorf("at the size: %v", next.sizes())
		}
		put(3)
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if len(next.sizes()) != 1 {
			t.Error("before the timeout")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if !same(next.sizes(), []int{10, 3}) {
			t.Errorf("at the timeout: %v", next.sizes())
		}
		put(2)
		b.Flush(t.Context())
		if !same(next.sizes(), []int{10, 3, 2}) || b.Held().Spans != 0 || !b.Oldest().IsZero() {
			t.Errorf("at a flush: %v", next.sizes())
		}
		b.Hold(true)
		put(20)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(next.sizes()) != 3 || b.Oldest().IsZero() {
			t.Errorf("while it holds: %v", next.sizes())
		}
		b.Release()
		synctest.Wait()
		if !same(next.sizes(), []int{10, 3, 2, 20}) {
			t.Errorf("released: %v", next.sizes())
		}
		put(7)
		_ = b.Shutdown(t.Context())
		put(1)
		if h.Tally().Dropped.Counts().Spans != 8 {
			t.Errorf("dropped %+v", h.Tally().Dropped.Counts())
		}
	})
}

func TestSplitsWhatIsLargerThanTheMaximumAndCountsWhatIsNotTaken(t *testing.T) {
	next := &sink{err: errors.New("no")}
	b, h := start(t, &Config{Timeout: time.Hour, SendBatchSize: 5, SendBatchMaxSize: 5}, next)
	b.Hold(true)
	_ = b.ConsumeTraces(t.Context(), spans(7))
	_ = b.ConsumeTraces(t.Context(), spans(6))
	b.Flush(t.Context())
	if !same(next.sizes(), []int{5, 5, 3}) || h.Tally().Dropped.Counts().Spans != 13 {
		t.Errorf("%v, dropped %+v", next.sizes(), h.Tally().Dropped.Counts())
	}
	_ = b.Shutdown(t.Context())
}

func TestMetadataMakesBatchesOfTheirOwn(t *testing.T) {
	next := &sink{}
	b, _ := start(t, &Config{Timeout: time.Hour, SendBatchSize: 100, MetadataKeys: []string{"x-tenant"}, MetadataCardinalityLimit: 2}, next)
	tenant := func(name string) context.Context {
		return client.NewContext(t.Context(), client.Info{Metadata: client.NewMetadata(map[string][]string{"X-Tenant": {name}})})
	}
	for _, name := range []string{"a", "b", "a"} {
		if err := b.ConsumeTraces(tenant(name), spans(1)); err != nil {
			t.Error(err)
		}
	}
	if b.ConsumeTraces(tenant("c"), spans(1)) == nil {
		t.Error("a third combination is taken")
	}
	b.Flush(t.Context())
	if len(next.traces) != 2 || next.tenants[0] == next.tenants[1] || next.traces[0].SpanCount()+next.traces[1].SpanCount() != 3 {
		t.Errorf("%v %v", next.sizes(), next.tenants)
	}
	_ = b.Shutdown(t.Context())
}

type rawSink struct {
	sink
	raw []string
}

func (s *rawSink) ConsumeRaw(_ context.Context, _ pipeline.Signal, body []byte, _ int) error {
	s.raw = append(s.raw, string(body))
	return nil
}

func TestPassesThroughInFrontOfLanes(t *testing.T) {
	next := &rawSink{}
	p := newProcessor(processor.Settings{}, &Config{Timeout: time.Hour, SendBatchSize: 100}, staged.Next{Signal: pipeline.SignalTraces, Traces: next})
	raw, ok := p.(delivery.RawConsumer)
	if !ok || raw.ConsumeRaw(t.Context(), pipeline.SignalTraces, []byte("body"), 1) != nil || next.raw[0] != "body" || p.Capabilities().MutatesData {
		t.Error("encoded data is not passed on")
	}
	if p.ConsumeTraces(t.Context(), spans(3)) != nil || !same(next.sizes(), []int{3}) {
		t.Errorf("%v", next.sizes())
	}
	for _, cfg := range []*Config{{SendBatchMaxSize: 5}, {MetadataKeys: []string{"a"}}} {
		if _, ok := newProcessor(processor.Settings{}, cfg, staged.Next{Signal: pipeline.SignalTraces, Traces: next}).(delivery.RawConsumer); ok {
			t.Errorf("%+v needs decoded data", cfg)
		}
	}
}

func TestSplitLosesNothingOfAnySignal(t *testing.T) {
	md, ld := pmetric.NewMetrics(), plog.NewLogs()
	for r := range 3 {
		rm, rl := md.ResourceMetrics().AppendEmpty(), ld.ResourceLogs().AppendEmpty()
		rm.Resource().Attributes().PutInt("r", int64(r))
		rl.Resource().Attributes().PutInt("r", int64(r))
		metrics, logs := rm.ScopeMetrics().AppendEmpty().Metrics(), rl.ScopeLogs().AppendEmpty().LogRecords()
		gauge, sum, histogram, exponential, summary := metrics.AppendEmpty(), metrics.AppendEmpty(), metrics.AppendEmpty(), metrics.AppendEmpty(), metrics.AppendEmpty()
		gauge.SetEmptyGauge()
		sum.SetEmptySum().SetIsMonotonic(true)
		sum.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		sum.SetName("sum")
		histogram.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		exponential.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		summary.SetEmptySummary()
		for i := range 4 {
			gauge.Gauge().DataPoints().AppendEmpty().SetIntValue(int64(i))
			sum.Sum().DataPoints().AppendEmpty().SetIntValue(int64(i))
			histogram.Histogram().DataPoints().AppendEmpty().SetCount(uint64(i))
			exponential.ExponentialHistogram().DataPoints().AppendEmpty().SetCount(uint64(i))
			summary.Summary().DataPoints().AppendEmpty().SetCount(uint64(i))
			logs.AppendEmpty().Body().SetInt(int64(i))
		}
	}
	for n := 1; n < 13; n++ {
		for _, data := range []any{clone(md), clone(ld)} {
			all, parts := records(data), 0
			for records(data) > n {
				part := split(data, n)
				if records(part) != n {
					t.Fatalf("a part of %d, not %d", records(part), n)
				}
				parts += n
				if m, ok := part.(pmetric.Metrics); ok {
					for _, rm := range m.ResourceMetrics().All() {
						for _, one := range rm.ScopeMetrics().At(0).Metrics().All() {
							if one.Name() == "sum" && (!one.Sum().IsMonotonic() || one.Sum().AggregationTemporality() != pmetric.AggregationTemporalityDelta) {
								t.Fatal("a part of a sum is no such sum")
							}
						}
					}
				}
			}
			if parts+records(data) != all {
				t.Errorf("%d of %d by %d", parts+records(data), all, n)
			}
		}
	}
}

func clone(data any) any {
	if md, ok := data.(pmetric.Metrics); ok {
		out := pmetric.NewMetrics()
		md.CopyTo(out)
		return out
	}
	out := plog.NewLogs()
	data.(plog.Logs).CopyTo(out)
	return out
}
