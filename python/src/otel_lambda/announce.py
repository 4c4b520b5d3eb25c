"""
Tells the collector beside us which span an invocation has, when it begins: if the function is killed, the collector finishes it.

One datagram to loopback, fire and forget; docs/telemetry.md has the format, which every language layer sends.
"""

import os

VARIABLE = "OTEL_LAMBDA_ANNOUNCEMENT_PORT"
PORT = 4319
VERSION = "otel-lambda-1"
_LONGEST = 1024  # bytes


class Announcer:
    """Sends announcements; one that does nothing when they are switched off or there is no collector."""

    __slots__ = ("_port", "_socket")

    def __init__(self, attached):
        """`attached`: the collector is beside us."""
        text = os.environ.get(VARIABLE, "").strip()
        port = int(text) if text.isascii() and text.isdigit() else PORT
        self._port, self._socket = port if attached and port < 65536 else 0, None

    def announce(self, request, span, trigger):
        """Announce the recorded `span` of the invocation with the id `request`. Raises nothing, waits for nothing."""
        if not self._port or not request or " " in request or not span.is_recording():
            return
        try:
            if self._socket is None:
                import _socket

                made = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
                made.setblocking(False)
                made.connect(("127.0.0.1", self._port))
                self._socket = made
            context, parent = span.context, span.parent
            before = f"{parent.span_id:016x}" if parent is not None else "-"
            text = (
                f"{VERSION} {request} 00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 0xFF:02x} {before} "
                f"{span.start_time} {trigger} {span.name}"
            )
            self._socket.send(text.encode("utf-8", "replace")[:_LONGEST])
        except Exception:  # noqa: BLE001, S110 - nobody listens, or a span of another kind: nothing of it matters to the function
            pass
