"""
The façade's other half: everything that `tracing` does, done with the OpenTelemetry API once it is there, and the way from ours to the API's.

Spans that the recorder began get a successor made by the SDK, with the same ids, the moment that anybody asks for it or it ends.
The API's contexts are kept in the variable that held ours, so that what is current in any thread or task stays current.
"""

import os
import sys

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.context.context import Context, _RuntimeContext
from opentelemetry.trace.span import TraceState

from . import later, recorder, tracing
from .say import cause, say

_HTTP_KEY = getattr(context_api, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
_KEYS = (getattr(context_api, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"), "suppress_instrumentation")
_tracers = {}
ids = None  # the provider's id generator, which can be told the next span's


class Joined(recorder.Failing):
    """A span of the API, as the façade's."""

    __slots__ = ("real",)

    def __init__(self, real):
        """`real` is the API's."""
        self.real = real

    context = property(lambda self: ours(self.real.get_span_context()))
    parent = property(lambda self: ours(self.real.parent) if self.real.parent is not None else None)
    start_time = property(lambda self: self.real.start_time)
    name = property(lambda self: self.real.name)

    def is_recording(self):
        """As the real span says."""
        return self.real.is_recording()

    def set_attribute(self, key, value):
        """Set one attribute."""
        self.real.set_attribute(key, value)

    def set_attributes(self, attributes):
        """Set all attributes of a mapping."""
        self.real.set_attributes(attributes)

    def add_event(self, name, attributes=None, timestamp=None):
        """Add an event."""
        self.real.add_event(name, attributes, timestamp)

    def update_name(self, name):
        """Change the name."""
        self.real.update_name(name)

    def set_error(self, description=""):
        """The status becomes ERROR."""
        self.real.set_status(trace.Status(trace.StatusCode.ERROR, description))

    def end(self, end_time=None):
        """End it."""
        self.real.end(end_time)


def start(name, kind, attributes, parent, links, scope):
    """As tracing.start."""
    context = None if parent is tracing.CURRENT else Context() if parent is None else translated(parent)
    made = [trace.Link(span_context(linked), more) for linked, more in links]
    return Joined(_tracer(scope).start_span(name, context=context, kind=trace.SpanKind(kind), attributes=attributes, links=made))


def _tracer(scope):
    if scope not in _tracers:
        _tracers[scope] = trace.get_tracer(scope) if isinstance(scope, str) else trace.get_tracer(scope[0], scope[1], schema_url=scope[2])
    return _tracers[scope]


def current():
    """As tracing.current."""
    span = trace.get_current_span()
    return Joined(span) if span.get_span_context().is_valid else recorder.NONE


def attach(span, parent):
    """As tracing.attach."""
    return context_api.attach(trace.set_span_in_context(_real(span), None if parent is tracing.CURRENT else translated(parent)))


def detach(token):
    """As tracing.detach, past the API's own, which writes a stack trace to the log when the token is another task's."""
    context_api._RUNTIME_CONTEXT.detach(token)


def capture():
    """As tracing.capture."""
    return context_api.get_current()


def resume(context):
    """Make a captured context current, also one that was captured before the hand-over."""
    return context_api.attach(translated(context))


def suppressing(everything):
    """The current context, with spans suppressed."""
    now = context_api.get_current()
    for key in _KEYS if everything else (_HTTP_KEY,):
        now = context_api.set_value(key, True, now)
    return now


def suppressed(http):
    """As tracing.suppressed."""
    return any(context_api.get_value(key) for key in ((*_KEYS, _HTTP_KEY) if http else _KEYS))


def inject(carrier):
    """As tracing.inject."""
    propagate = sys.modules.get("opentelemetry.propagate")
    if propagate is not None:
        propagate.inject(carrier)  # the function may have set another propagator
        return
    span = ours(trace.get_current_span().get_span_context())
    baggage = sys.modules.get("opentelemetry.baggage")
    carrier.update(tracing.propagators.fields(span, baggage.get_all() if baggage is not None else None))


def span_context(context):
    """A SpanContext of ours as the API's."""
    state = TraceState.from_header([context.trace_state]) if context.trace_state else None
    return trace.SpanContext(context.trace_id, context.span_id, context.is_remote, trace.TraceFlags(context.trace_flags), state)


def ours(context):
    """A SpanContext of the API as ours; None when it is not valid."""
    if not context.is_valid:
        return None
    state = context.trace_state.to_header() if context.trace_state else ""
    return tracing.SpanContext(context.trace_id, context.span_id, int(context.trace_flags), state, context.is_remote)


def translated(context):
    """A Context of ours as the API's; one of the API as it is."""
    if type(context) is not tracing.Context:
        return context
    if context.api is None:
        made = Context()
        if context.span is not None:
            made = trace.set_span_in_context(_real(context.span), made)
        if context.baggage:
            from opentelemetry import baggage

            for key, value in context.baggage.items():
                made = baggage.set_baggage(key, value, made)
        for key in (*_KEYS, _HTTP_KEY) if context.suppressed > 1 else (_HTTP_KEY,) if context.suppressed else ():
            made = context_api.set_value(key, True, made)
        context.api = made
    return context.api


def _real(span):
    """The API's span for one of the façade."""
    if isinstance(span, recorder.Span):
        with recorder.LOCK:
            span = promote(span) or span
    found = getattr(span, "real", None)
    if found is not None:
        return found
    return trace.NonRecordingSpan(span_context(span.context)) if span.context is not None else trace.INVALID_SPAN


def promote(span):
    """Give a running span of the recorder, whose lock is held, its successor; None when it has ended, or cannot have one."""
    if span.real is not None or span.end_time is not None:
        return span.real
    span.real = Joined(trace.NonRecordingSpan(span_context(span.context)))  # what a processor sees that asks for it meanwhile
    try:
        span.real = Joined(_successor(span))
    except Exception as exc:  # noqa: BLE001 - then it stays the recorder's
        span.real = None
        say(f"a span could not be handed over: {cause(exc)}", topic="promote")
    return span.real


def _successor(span):
    parent = Context()
    if span.parent is not None:
        parent = trace.set_span_in_context(trace.NonRecordingSpan(span_context(span.parent)), parent)
    links = [trace.Link(span_context(link.context), dict(link.attributes)) for link in span.links]
    with ids.given(span.context.trace_id, span.context.span_id):
        real = _tracer(span.instrumentation_scope).start_span(
            span.name, context=parent, kind=trace.SpanKind(span.kind), attributes=dict(span.attributes), links=links, start_time=span.start_time
        )
    for event in span.events:
        real.add_event(event.name, dict(event.attributes), event.timestamp)
    if span.status[0]:
        real.set_status(trace.Status(trace.StatusCode.ERROR, span.status[1]))
    for kept, count in (("_attributes", span.dropped_attributes), ("_events", span.dropped_events), ("_links", span.dropped_links)):
        _dropped(getattr(real, kept, None), count)
    for one, its in (*zip(span.events, real.events, strict=False), *zip(span.links, real.links, strict=False)):
        _dropped(its.attributes, one.attributes.dropped)
    return real


def _dropped(kept, count):
    """What the recorder had dropped already counts, where the SDK counts."""
    if count and hasattr(kept, "dropped"):
        kept.dropped += count


class Runtime(_RuntimeContext):
    """Keeps the API's contexts in the façade's variable, and translates those of ours that are still in it."""

    def attach(self, context):
        """Make `context` current."""
        return tracing.VARIABLE.set(context)

    def get_current(self):
        """The current context."""
        try:
            return translated(tracing.VARIABLE.get())
        except Exception as exc:  # noqa: BLE001 - never break the function
            say(f"the function's spans have no parent: {cause(exc)}", topic="translated")
            return Context()

    def detach(self, token):
        """Make current what was before."""
        tracing.VARIABLE.reset(token)


def install(provider, generator):
    """Make `provider` the API's, and everything current in ours current in the API."""
    global ids
    ids = generator
    if not os.environ.get("OTEL_PYTHON_CONTEXT"):
        context_api._RUNTIME_CONTEXT = Runtime()
    later.after("opentelemetry.propagate", _propagators)
    trace.set_tracer_provider(provider)
    from . import bridge

    recorder.promote, tracing.joined = promote, bridge
    context_api.get_current()  # what is running here is the SDK's from now on


def _propagators():
    from opentelemetry.propagate import set_global_textmap

    from .textmap import Propagators

    set_global_textmap(Propagators(tracing.propagators))
