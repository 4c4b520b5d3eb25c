"""What the OpenTelemetry SDK hands ended spans to."""

from opentelemetry.sdk.trace import SpanProcessor

from .aside import Aside
from .say import cause, say


class Spans(SpanProcessor):
    """Keeps sampled spans in an exporter."""

    def __init__(self, exporter):
        """`exporter` is of export.py."""
        self._exporter = exporter

    def on_end(self, span):
        """Keep a sampled span."""
        if span.context.trace_flags.sampled:
            self._exporter.add(span)

    def force_flush(self, timeout_millis=30_000):
        """What the user's own code may call."""
        return self._exporter.force(timeout_millis / 1000)


class Exported(SpanProcessor):
    """Keeps sampled spans for an exporter of the SDK's kind, which gets them when it is flushed: no thread, no timer."""

    def __init__(self, exporter, limit):
        """At most `limit` are kept, then they are exported at once."""
        self._exporter, self._limit, self._kept = exporter, limit, []

    def on_end(self, span):
        """Keep a sampled span."""
        if span.context.trace_flags.sampled:
            self._kept.append(span)
            if len(self._kept) >= self._limit:
                self.force_flush()

    def force_flush(self, timeout_millis=30_000):  # noqa: ARG002 - exporters take no time-out
        """Export what is kept."""
        batch, self._kept = self._kept, []
        if batch:
            self._exporter.export(batch)
        return True

    def shutdown(self):
        """The exporter's."""
        self._exporter.shutdown()


class Guarded(SpanProcessor):
    """A processor of the user's: what it raises is a line, and never the function's error."""

    def __init__(self, processor):
        """Stands for `processor`."""
        self._processor, self._aside = processor, Aside("otel-flush")

    def _call(self, method, *arguments):
        try:
            return getattr(self._processor, method)(*arguments)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - never break the function
            say(f"{type(self._processor).__name__}.{method}, a span processor of the function's, failed: {cause(exc)}", topic=method)
            return False

    def on_start(self, span, parent_context=None):
        """As the processor does."""
        self._call("on_start", span, parent_context)

    def _on_ending(self, span):
        if hasattr(self._processor, "_on_ending"):
            self._call("_on_ending", span)

    def on_end(self, span):
        """As the processor does."""
        self._call("on_end", span)

    def shutdown(self):
        """As the processor does."""
        self._call("shutdown")

    def force_flush(self, timeout_millis=30_000):
        """As the processor does."""
        return self._call("force_flush", timeout_millis) is not False

    def flush(self, seconds):
        """Flush it at the end of an invocation, within `seconds` whatever it does: the SDK's BatchSpanProcessor heeds no time-out."""
        if getattr(type(self._processor), "force_flush", None) is SpanProcessor.force_flush:
            return  # it keeps nothing
        if not self._aside.run(self.force_flush, seconds, int(seconds * 1000)):
            name = type(self._processor).__name__
            say(f"{name}.force_flush, of a span processor of the function's, takes longer than {seconds:.1f} s: it is left to itself", topic="flush")
