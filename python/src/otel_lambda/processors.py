"""What the OpenTelemetry SDK hands ended spans to."""

from opentelemetry.sdk.trace import SpanProcessor


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
