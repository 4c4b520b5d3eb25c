"""Keeps ended spans and sends them when the invocation ends: bounded in time and in memory, dropped and counted when they cannot be delivered."""

import threading
from collections import deque

from opentelemetry.sdk.trace import SpanProcessor

from . import otlp
from .say import cause, say
from .transport import Failed, Refused

LONGEST = 2.0  # seconds that one flush may take
END = "X-Otel-Lambda-Invocation-End"  # its value is the request id
SPARE = 0.5  # seconds before the function's deadline that are never used


class Exporter(SpanProcessor):
    """The SDK's span processor and exporter in one; no thread, no timer, since both stop in a frozen sandbox."""

    def __init__(self, transport, resource, settings):
        """Sends to `transport`."""
        self._transport, self._resource = transport, resource
        self._timeout, self._batch, self._limit = settings.timeout, settings.max_batch, settings.max_queue
        self._spans = deque()
        self._sending = threading.Lock()
        self.sent = self.dropped = 0

    def on_end(self, span):
        """Keep a sampled span; send at once only when there is no room for more."""
        if not span.context.trace_flags.sampled:
            return
        self._spans.append(span)
        if len(self._spans) >= self._limit:
            self.flush(min(self._timeout, LONGEST))
            while len(self._spans) > self._limit:  # another thread is sending
                self._spans.popleft()
                self.dropped += 1

    def force_flush(self, timeout_millis=30_000):
        """What the user's own code may call."""
        self.flush(min(self._timeout, LONGEST, timeout_millis / 1000))
        return not self._spans

    def flush(self, seconds, ends=""):
        """
        Send what is kept, within `seconds`; nothing is tried, and nothing lost, when there is no time.

        The last POST tells the collector beside us that the invocation with the request id `ends` has no more to send.
        """
        if seconds <= 0 or not self._spans or not self._sending.acquire(blocking=False):
            return
        try:
            from time import monotonic

            end = monotonic() + seconds
            while self._spans:
                left = end - monotonic()
                if left <= 0:
                    return
                if self._send(left, ends):
                    return  # what other threads ended meanwhile is the next invocation's
        finally:
            self._sending.release()

    def _send(self, seconds, ends):
        """Send one batch; whether it was the one that ends the invocation."""
        batch = []
        while self._spans and len(batch) < self._batch:
            batch.append(self._spans.popleft())
        last = bool(ends) and not self._spans
        try:
            self._transport.post(otlp.request(batch, self._resource), seconds, {END: ends} if last else None)
            self.sent += len(batch)
        except Refused as exc:
            self._lost(len(batch), str(exc))
        except Exception as exc:  # noqa: BLE001 - whatever it is, the function goes on
            count = len(batch) + len(self._spans)  # the others would meet the same: one bounded wait is enough
            self._spans.clear()
            self._lost(count, str(exc) if isinstance(exc, Failed) else cause(exc))
        return last

    def _lost(self, count, why):
        self.dropped += count
        from .redact import clean

        say(f"{count} spans were not delivered to {clean(self._transport.url)}: {why} ({self.dropped} dropped so far)", topic="export")
