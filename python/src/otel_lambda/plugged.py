"""A propagator of one of the function's packages as one of our formats; the SDK runs when it is used."""

from .entry_points import make
from .say import cause, say


class Format:
    """Reads and writes with the API's propagator that an entry point loads."""

    def __init__(self, name, found):
        """`found` is the entry point `name`."""
        self._asked, self._found, self._loaded = f"OTEL_PROPAGATORS={name}", found, ()

    def _propagator(self):
        if self._loaded == ():
            self._loaded = make(self._asked, Instance(self._found), ("extract", "inject"))
        return self._loaded

    def get(self, get, _inside):
        """The SpanContext that a carrier brings, or None; `get(key)` gives a field's text or None."""
        propagator = self._propagator()
        if propagator is None:
            return None
        from opentelemetry import trace
        from opentelemetry.context import Context

        from .bridge import ours

        try:
            found = propagator.extract({}, Context(), Getter(get))
            return ours(trace.get_current_span(found).get_span_context())
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - never break the function
            _failed(propagator, "extract", exc)
            return None

    def put(self, out, span_context):
        """Write the fields of a SpanContext."""
        propagator = self._propagator()
        if propagator is None:
            return
        from opentelemetry import trace
        from opentelemetry.context import Context

        from . import bridge

        span = trace.NonRecordingSpan(bridge.span_context(span_context))
        try:
            propagator.inject(out, trace.set_span_in_context(span, Context()))
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - never break the function
            _failed(propagator, "inject", exc)


def _failed(propagator, method, exc):
    name = type(propagator).__name__
    say(f"{name}.{method}, of a propagator of the function's, failed: {cause(exc)}", topic=f"propagator {method}")


class Instance:
    """An entry point that names a propagator's class, or one that is made already."""

    def __init__(self, found):
        """`found` is the entry point."""
        self._found, self.value = found, found.value

    def load(self):
        """What makes the propagator."""
        loaded = self._found.load()
        return loaded if isinstance(loaded, type) else lambda: loaded


class Getter:
    """The API's Getter over our own."""

    def __init__(self, get):
        """`get(key)` gives a field's text or None."""
        self._get = get

    def get(self, _carrier, key):
        """The values of a field."""
        value = self._get(key)
        return None if value is None else [value]

    def keys(self, _carrier):
        """Nobody knows them."""
        return []
