"""
The façade that all code of ours traces with: the recorder's spans, or the SDK's once there is one.

Never imports opentelemetry. `joined` is the module `bridge` when the SDK is there, and then everything goes through it.
"""

import os
from _contextvars import ContextVar

from . import propagation, recorder
from .recorder import SpanContext, Unrecorded

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(5)  # kinds, as the API counts
CURRENT = object()  # a parent: whatever is current
_HTTP, _EVERYTHING = 1, 2  # what is suppressed
_SAMPLED, _RANDOM = 1, 2  # trace flags


class Context:
    """What is current: a span, baggage, and what is suppressed. Never changed, but for `api`: its translation, once one was asked for."""

    __slots__ = ("api", "baggage", "span", "suppressed")

    def __init__(self, span=None, baggage=None, suppressed=0):
        """`baggage`: name -> text, or None."""
        self.span, self.baggage, self.suppressed, self.api = span, baggage, suppressed, None

    @property
    def span_context(self):
        """The span's SpanContext, or None."""
        return self.span.context if self.span is not None else None


NOTHING = Context()
VARIABLE = ContextVar("otel_lambda", default=NOTHING)  # after a hand-over the API's own contexts are kept in it too
_NONE = Unrecorded(None)
joined = None
propagators = None  # the configured ones, of propagation.Propagators
always = False  # sampler always_on: also beneath a parent that is not sampled


def start(name, kind=INTERNAL, attributes=None, parent=CURRENT, links=(), scope="otel_lambda"):
    """
    Start a span beneath `parent`: CURRENT, a Context, or None for a root.

    `links`: tuples of a SpanContext and attributes. `scope`: the instrumentation's name, or a tuple of name, version and schema URL.
    """
    if joined is not None:
        return joined.start(name, kind, attributes, parent, links, scope)
    if parent is CURRENT:
        parent = VARIABLE.get()
    above = parent.span_context if parent is not None else None
    span_id = int.from_bytes(os.urandom(8), "big") or 1
    if above is None:
        context = SpanContext(int.from_bytes(os.urandom(16), "big") or 1, span_id, _SAMPLED | _RANDOM)
    else:
        sampled = always or above.trace_flags & _SAMPLED
        context = SpanContext(above.trace_id, span_id, (_SAMPLED if sampled else 0) | above.trace_flags & _RANDOM, above.trace_state)
        if not sampled:
            return Unrecorded(context)
    return recorder.Span(name, context, above, kind, attributes, links, scope)


def current():
    """The current span; one that records nothing when there is none."""
    if joined is not None:
        return joined.current()
    return VARIABLE.get().span or _NONE


def attach(span, parent=CURRENT):
    """Make `span` current, with the rest of `parent` (a Context); returns what `detach` takes."""
    if joined is not None:
        return joined.attach(span, parent)
    if parent is CURRENT:
        parent = VARIABLE.get()
    return VARIABLE.set(within(span, parent))


def within(span, parent):
    """The Context `parent` with another span."""
    return Context(span, parent.baggage, parent.suppressed)


def detach(token):
    """Make current what was before `attach`."""
    try:  # noqa: SIM105 - contextlib may not be loaded yet
        VARIABLE.reset(token) if joined is None else joined.detach(token)
    except (ValueError, RuntimeError):
        pass  # another thread's token, or another task's: what is current there stays


class use:  # noqa: N801 - reads as `with tracing.use(span):`
    """The span is current while the block runs; it is not ended."""

    __slots__ = ("_span", "_token")

    def __init__(self, span):
        """Of any span."""
        self._span = span

    def __enter__(self):
        """Gives the span."""
        self._token = attach(self._span)
        return self._span

    def __exit__(self, *_):
        """Records nothing, swallows nothing."""
        detach(self._token)


class resume:  # noqa: N801 - reads as `with tracing.resume(context):`
    """A whole captured context is current while the block runs."""

    __slots__ = ("_context", "_token")

    def __init__(self, context):
        """Of `capture`."""
        self._context = context

    def __enter__(self):
        """Gives nothing."""
        self._token = VARIABLE.set(self._context) if joined is None else joined.resume(self._context)

    def __exit__(self, *_):
        """Swallows nothing."""
        detach(self._token)


def capture():
    """The whole current context, for `resume` on another thread."""
    return VARIABLE.get() if joined is None else joined.capture()


def suppress(everything=False):
    """No spans of HTTP clients, or none at all, while a `with` block runs."""
    if joined is not None:
        return resume(joined.suppressing(everything))
    now = VARIABLE.get()
    return resume(Context(now.span, now.baggage, _EVERYTHING if everything else max(now.suppressed, _HTTP)))


def suppressed(http=False):
    """Whether no span is wanted: of an HTTP client (`http`), or of any other library."""
    if joined is not None:
        return joined.suppressed(http)
    return VARIABLE.get().suppressed >= (_HTTP if http else _EVERYTHING)


def inject(carrier):
    """Write the configured propagators' fields of the current context into a dict."""
    if joined is not None:
        joined.inject(carrier)
    elif propagators is not None:
        now = VARIABLE.get()
        carrier.update(propagators.fields(now.span_context, now.baggage))


def extract(carrier):
    """The Context that `carrier` (keys in lower case, values text) brings; it is not made current."""
    return remote(*propagators.extract(propagation.reader(carrier)))


def remote(span_context, baggage=None):
    """The Context of what another process sent: a SpanContext and baggage, each or None."""
    return Context(Unrecorded(span_context) if span_context is not None else None, baggage)
