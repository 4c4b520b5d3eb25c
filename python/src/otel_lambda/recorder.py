"""
The recorder: spans of our own, without OpenTelemetry, as long as neither the function nor a setting asks for it.

What it makes is what the SDK makes with its default limits; attributes are named as the SDK's are, so that otlp.py reads both.
"""

from _collections_abc import Mapping, Sequence
from _thread import RLock
from time import time_ns

MOST = 128  # attributes of a span, event or link; events and links of a span: the specification's default
LOCK = RLock()  # held while a span changes: not for long
keep = None  # gets ended spans
promote = None  # set by a hand-over: gives a running span's successor, the SDK's


class SpanContext:
    """What identifies a span, here or in another process."""

    __slots__ = ("is_remote", "span_id", "trace_flags", "trace_id", "trace_state")

    def __init__(self, trace_id, span_id, trace_flags, trace_state="", is_remote=False):
        """Ids are ints above 0; `trace_state` is the text of the W3C header."""
        self.trace_id, self.span_id, self.trace_flags, self.trace_state, self.is_remote = trace_id, span_id, trace_flags, trace_state, is_remote


class Attributes(dict):
    """At most MOST values that OTLP can say; the oldest one makes room, and `dropped` counts."""

    __slots__ = ("dropped",)

    def __init__(self, values=None):
        """With `values`, a mapping."""
        super().__init__()
        self.dropped = 0
        if values:
            self.take(values)

    def take(self, values):
        """Add all of a mapping."""
        cleaned = clean(values)
        self.dropped += len(values) - len(cleaned)
        for key, value in cleaned.items():
            self._put(key, value)

    def put(self, key, value):
        """Add one."""
        if not key or not isinstance(key, str):
            self.dropped += 1
        else:
            self._put(key, clean(value))

    def _put(self, key, value):
        if key in self:
            del self[key]
        elif len(self) >= MOST:
            del self[next(iter(self))]
            self.dropped += 1
        self[key] = value


class Bounded(list):
    """At most MOST events or links: the oldest one makes room, and `dropped` counts."""

    __slots__ = ("dropped",)

    def __init__(self):
        """Empty."""
        super().__init__()
        self.dropped = 0

    def put(self, one):
        """Add one."""
        if len(self) >= MOST:
            del self[0]
            self.dropped += 1
        self.append(one)


class Event:
    """Something that happened in a span."""

    __slots__ = ("attributes", "name", "timestamp")

    def __init__(self, name, attributes, timestamp):
        """`timestamp` in nanoseconds since 1970."""
        self.name, self.attributes, self.timestamp = name, attributes, timestamp


class Link:
    """Another span that this one has to do with."""

    __slots__ = ("attributes", "context")

    def __init__(self, context, attributes):
        """`context` is its SpanContext."""
        self.context, self.attributes = context, attributes


class Unrecorded:
    """A span that only passes its context on: one of another process, or one that is not sampled."""

    __slots__ = ("context",)

    def __init__(self, context):
        """`context` is None when there is no span at all."""
        self.context = context

    def is_recording(self):
        """Never."""
        return False

    def _nothing(self, *_, **__):
        """Nothing."""

    set_attribute = set_attributes = add_event = update_name = fail = end = _nothing


class Failing:
    """What `fail` does, to a span of ours and to one of the SDK."""

    __slots__ = ()

    def fail(self, error_type, description="", exception=None):
        """The operation failed: `error.type` (when not empty), the status, and an `exception` event as the SDK makes it."""
        if error_type:
            self.set_attribute("error.type", error_type)
        if exception is not None:
            self.add_event("exception", described(exception))
        self.set_error(description)


class Span(Failing):
    """A span that is recorded. After a hand-over its successor `real`, the SDK's, has it all."""

    __slots__ = (
        "attributes",
        "context",
        "end_time",
        "events",
        "instrumentation_scope",
        "kind",
        "links",
        "name",
        "parent",
        "real",
        "start_time",
        "status",
    )

    def __init__(self, name, context, parent, kind, attributes, links, scope):
        """Starts now. `scope`: a name, or a tuple of name, version and schema URL."""
        self.name, self.context, self.parent, self.kind, self.instrumentation_scope = name, context, parent, kind, scope
        self.attributes, self.events, self.links, self.status = Attributes(attributes), Bounded(), Bounded(), (0, "")
        for linked, more in links:
            self.links.put(Link(linked, Attributes(more)))
        self.real = self.end_time = None
        self.start_time = time_ns()

    dropped_attributes = property(lambda self: self.attributes.dropped)
    dropped_events = property(lambda self: self.events.dropped)
    dropped_links = property(lambda self: self.links.dropped)

    def is_recording(self):
        """Until it has ended."""
        return self.end_time is None if self.real is None else self.real.is_recording()

    def set_attribute(self, key, value):
        """Set one attribute."""
        with LOCK:
            if self.real is None:
                if self.end_time is None:
                    self.attributes.put(key, value)
                return
        self.real.set_attribute(key, value)

    def set_attributes(self, attributes):
        """Set all attributes of a mapping."""
        with LOCK:
            if self.real is None:
                if self.end_time is None:
                    self.attributes.take(attributes)
                return
        self.real.set_attributes(attributes)

    def add_event(self, name, attributes=None, timestamp=None):
        """Add an event, now or at `timestamp` in nanoseconds."""
        with LOCK:
            if self.real is None:
                if self.end_time is None:
                    self.events.put(Event(name, Attributes(attributes), time_ns() if timestamp is None else timestamp))
                return
        self.real.add_event(name, attributes, timestamp)

    def update_name(self, name):
        """Change the name."""
        with LOCK:
            if self.real is None:
                if self.end_time is None:
                    self.name = name
                return
        self.real.update_name(name)

    def set_error(self, description=""):
        """The status becomes ERROR."""
        with LOCK:
            if self.real is None:
                if self.end_time is None:
                    self.status = (2, description)
                return
        self.real.set_error(description)

    def end(self, end_time=None):
        """End the span, now or at `end_time` in nanoseconds; after a hand-over it is the SDK's to end."""
        with LOCK:
            if promote is not None:
                promote(self)
            real, again = self.real, self.end_time is not None
            if real is None and not again:
                self.end_time = time_ns() if end_time is None else end_time
        if real is not None:
            real.end(end_time)
        elif not again and keep is not None:
            keep(self)


def clean(value):
    """A value that OTLP can say, as the SDK cleans it: sequences become tuples, other types text, and what has no text becomes None."""
    if value is None or isinstance(value, (str, bool, int, float, bytes)):
        return value
    if isinstance(value, Sequence):
        return tuple(map(clean, value))
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else str(key): clean(one) for key, one in value.items() if key and (isinstance(key, str) or _has_text(key))
        }
    return str(value) if _has_text(value) else None


def _has_text(value):
    return type(value).__str__ is not object.__str__ or type(value).__repr__ is not object.__repr__


def described(exception):
    """The attributes of an `exception` event, as the SDK's record_exception has them."""
    import traceback

    kind = type(exception)
    return {
        "exception.type": named(kind),
        "exception.message": str(exception),
        "exception.stacktrace": "".join(traceback.format_exception(kind, exception, exception.__traceback__)),
        "exception.escaped": "False",
    }


def named(kind):
    """An exception's type with its module, but for the built-in ones."""
    return kind.__qualname__ if kind.__module__ in (None, "", "builtins") else f"{kind.__module__}.{kind.__qualname__}"
