package coldstartprocessor

import (
	"context"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

type sink struct{ all []ptrace.Traces }

func (*sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *sink) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	s.all = append(s.all, td)
	return nil
}

func (s *sink) SpanCount() (n int) {
	for _, td := range s.all {
		n += td.SpanCount()
	}
	return n
}

func message(resource string, spans ...func(ptrace.Span)) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", resource)
	for _, set := range spans {
		set(rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty())
	}
	return td
}

func initSpan(s ptrace.Span) {
	s.SetName("init")
	s.SetTraceID(pcommon.TraceID{1})
	s.Attributes().PutBool("faas.coldstart", true)
}

func invocation(attribute string) func(ptrace.Span) {
	return func(s ptrace.Span) {
		s.SetName("handler")
		s.SetTraceID(pcommon.TraceID{2})
		s.SetParentSpanID(pcommon.SpanID{3})
		s.Attributes().PutBool("faas.coldstart", true)
		s.Attributes().PutStr(attribute, "id")
	}
}

func other(s ptrace.Span) { s.SetName("other") }

func TestConfig(t *testing.T) { trial.Documented[*Config](t, createDefaultConfig) }

func TestTheColdStartJoinsTheTraceOfItsInvocation(t *testing.T) {
	for name, order := range map[string][]ptrace.Traces{
		"cold start first":   {message("lambda", initSpan, other), message("function", invocation("faas.invocation_id"))},
		"invocation first":   {message("function", invocation("faas.execution")), message("lambda", other, initSpan)},
		"in the same":        {message("function", initSpan, invocation("faas.invocation_id"), other)},
		"cold start by self": {message("lambda", initSpan), message("function", other, invocation("faas.invocation_id"))},
	} {
		t.Run(name, func(t *testing.T) {
			next := &sink{}
			p, err := NewFactory().CreateTraces(t.Context(), processor.Settings{ID: component.MustNewID("coldstart")}, createDefaultConfig(), next)
			if err != nil || p.Start(t.Context(), nil) != nil {
				t.Fatal(err)
			}
			want := 0
			for _, td := range order {
				want += td.SpanCount()
				if err := p.ConsumeTraces(t.Context(), td); err != nil {
					t.Error(err)
				}
			}
			if next.SpanCount() != want {
				t.Fatalf("%d spans of %d", next.SpanCount(), want)
			}
			found := false
			for _, td := range next.all {
				for _, rs := range td.ResourceSpans().All() {
					for _, ss := range rs.ScopeSpans().All() {
						for _, span := range ss.Spans().All() {
							if span.Name() == "init" {
								service, _ := rs.Resource().Attributes().Get("service.name")
								found = span.TraceID() == pcommon.TraceID{2} && span.ParentSpanID() == pcommon.SpanID{3} && service.Str() == "function"
							}
						}
					}
				}
			}
			if !found {
				t.Error("the cold start is not in the invocation's trace")
			}
			again := message("lambda", initSpan)
			if _ = p.ConsumeTraces(t.Context(), again); next.SpanCount() != want+1 {
				t.Error("a second cold start is held")
			}
		})
	}
}

func TestAColdStartWithoutInvocationGoesAtTheEnd(t *testing.T) {
	next := &sink{}
	p, _ := NewFactory().CreateTraces(t.Context(), processor.Settings{ID: component.MustNewID("coldstart")}, createDefaultConfig(), next)
	_ = p.Start(t.Context(), nil)
	_ = p.ConsumeTraces(t.Context(), message("lambda", initSpan))
	f := p.(delivery.Flusher)
	f.Flush(context.Background())
	if next.SpanCount() != 0 || f.Held().Spans != 1 {
		t.Error("it does not wait for the invocation")
	}
	f.FlushLast(context.Background())
	if next.SpanCount() != 1 || f.Held().Spans != 0 {
		t.Error("it is lost")
	}
}
