"""The API's meter provider: the metrics SDK (a good third of what the tracing SDK costs) is imported when somebody asks for a meter."""

import threading

from opentelemetry.metrics import MeterProvider, NoOpMeter

from .say import cause, say

_LIBRARIES = "opentelemetry.instrumentation."


class Meters(MeterProvider):
    """Hands out the SDK's meters; with `everybody` also to instrumentations, which get silent ones otherwise."""

    def __init__(self, make, everybody):
        """`make` gives the SDK's provider."""
        self._make, self._everybody = make, everybody
        self._made = None
        self._lock = threading.Lock()

    def get_meter(self, name, version=None, schema_url=None, attributes=None):
        """The API's method."""
        if not self._everybody and isinstance(name, str) and name.startswith(_LIBRARIES):
            return NoOpMeter(name, version=version, schema_url=schema_url)
        with self._lock:
            if self._made is None:
                try:
                    self._made = self._make()
                except Exception as exc:  # noqa: BLE001 - never break the function
                    say(f"there are no metrics: {cause(exc)}", topic="metrics")
                    return NoOpMeter(name, version=version, schema_url=schema_url)
        return self._made.get_meter(name, version, schema_url, attributes)

    def force_flush(self, timeout_millis=10_000):
        """Collect and send now: what the user's own code may call."""
        return True if self._made is None else self._made.force_flush(timeout_millis)

    def shutdown(self, timeout_millis=30_000):
        """The SDK's, when there is one."""
        if self._made is not None:
            self._made.shutdown(timeout_millis)
