package coldstartprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// coldstart waits for two spans, in either order: that of the cold start (faas.coldstart is true, and no invocation id) and the first of
// an invocation (faas.invocation_id, or faas.execution as it was called before). Once both were seen it does nothing more.
type coldstart struct {
	component.ShutdownFunc

	next  consumer.Traces
	tally *delivery.Tally

	mu         sync.Mutex
	done       bool
	start      *found // the span of the cold start; it waits here
	invocation *found
}

// found is a span with its resource and scope: a message that holds only this.
type found struct {
	message ptrace.Traces
	span    ptrace.Span
}

var _ delivery.Flusher = (*coldstart)(nil)

// Start remembers who counts.
func (c *coldstart) Start(_ context.Context, host component.Host) error {
	c.tally = delivery.TallyOf(host)
	return nil
}

// Capabilities says that data is changed.
func (*coldstart) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// ConsumeTraces takes the cold start's span out until the invocation's is known, and hands on the rest.
func (c *coldstart) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	c.look(td)
	if td.SpanCount() == 0 {
		return nil
	}
	return c.next.ConsumeTraces(ctx, td)
}

func (c *coldstart) look(td ptrace.Traces) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return
	}
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			ss.Spans().RemoveIf(func(span ptrace.Span) bool {
				cold, invoked := kind(span)
				switch {
				case invoked && c.invocation == nil:
					c.invocation = copyOf(rs, ss, span)
				case cold && !invoked && c.start == nil:
					c.start = copyOf(rs, ss, span)
					return true
				}
				return false
			})
			return ss.Spans().Len() == 0
		})
		return rs.ScopeSpans().Len() == 0
	})
	if c.start != nil && c.invocation != nil {
		c.start.span.SetTraceID(c.invocation.span.TraceID())
		c.start.span.SetParentSpanID(c.invocation.span.ParentSpanID())
		c.start.span.MoveTo(c.invocation.span) // with the invocation's resource and scope, which say more
		c.invocation.message.ResourceSpans().MoveAndAppendTo(td.ResourceSpans())
		c.done, c.start, c.invocation = true, nil, nil
	}
}

// kind tells whether a span is of a cold start, and whether it names an invocation.
func kind(span ptrace.Span) (cold, invoked bool) {
	value, said := span.Attributes().Get("faas.coldstart")
	_, invoked = span.Attributes().Get("faas.invocation_id")
	if !invoked {
		_, invoked = span.Attributes().Get("faas.execution")
	}
	return said && value.Type() == pcommon.ValueTypeBool && value.Bool(), invoked
}

func copyOf(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) *found {
	f := &found{message: ptrace.NewTraces()}
	resource := f.message.ResourceSpans().AppendEmpty()
	rs.Resource().CopyTo(resource.Resource())
	resource.SetSchemaUrl(rs.SchemaUrl())
	scope := resource.ScopeSpans().AppendEmpty()
	ss.Scope().CopyTo(scope.Scope())
	scope.SetSchemaUrl(ss.SchemaUrl())
	f.span = scope.Spans().AppendEmpty()
	span.CopyTo(f.span)
	return f
}

// Resume has nothing to do.
func (*coldstart) Resume(bool) {}

// Flush leaves the span where it is: the invocation's may come with the next request.
func (*coldstart) Flush(context.Context) {}

// FlushLast hands on the span of a cold start whose invocation was never seen, as it came.
func (c *coldstart) FlushLast(ctx context.Context) {
	c.mu.Lock()
	start := c.start
	c.done, c.start = true, nil
	c.mu.Unlock()
	if start != nil {
		if c.next.ConsumeTraces(ctx, start.message) != nil {
			c.tally.Drop(delivery.Failed, pipeline.SignalTraces, 1)
		}
	}
}

// Held is the span that waits.
func (c *coldstart) Held() (held delivery.Counts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.start != nil {
		held.Spans = 1
	}
	return held
}
