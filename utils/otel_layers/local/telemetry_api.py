"""The Telemetry API, 2022-07-01: subscriptions, buffering, delivery into the sandbox; a subscriber gets what was before it, too."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .http_server import Request, Response
from .model import stamp

PATH = "/2022-07-01/telemetry"
_TYPES = ("platform", "function", "extension")
SCHEMAS = ("2022-07-01", "2022-12-13", "2025-01-29")  # on managed instances only the last
_BUFFERING = {"maxItems": (1000, 10_000, 10_000), "maxBytes": (262_144, 1_048_576, 262_144), "timeoutMs": (25, 30_000, 1000)}
_MOST = 10_000  # events of the past that a subscriber still gets, and that wait while a subscriber does not answer
_HOSTS = ("sandbox.localdomain", "sandbox", "localhost", "127.0.0.1")

Connect = Callable[[int], socket.socket]


@dataclass(frozen=True)
class _Wish:
    """What a subscriber asked for."""

    types: tuple[str, ...]
    items: int
    size: int
    timeout: float  # seconds
    port: int
    path: str
    host: str


class Telemetry:
    """The events of one generation. `platform` gets every platform event, whether anybody subscribed or not."""

    def __init__(self, platform: list[dict[str, Any]], connect: Connect, *, offered: bool = True, schemas: tuple[str, ...] = SCHEMAS) -> None:
        self.offered, self.schemas = offered, schemas
        self.platform, self.connect = platform, connect
        self.past: list[tuple[str, str]] = []
        self.subscriptions: list[_Subscription] = []
        self.changed = threading.Condition()
        self.paused = False
        self.closed = False

    def emit(self, kind: str, record: Any, *, at: int = 0) -> None:
        """One event, of `kind` platform.* or function or extension, that happened `at` (CLOCK_MONOTONIC ns, default now)."""
        event = {"time": stamp(at or time.monotonic_ns()), "type": kind, "record": record}
        group, text = kind.partition(".")[0], json.dumps(event)
        with self.changed:
            if group == "platform":
                self.platform.append(event)
            if len(self.past) < _MOST:
                self.past.append((group, text))
            for subscription in self.subscriptions:
                subscription.add(group, text)
            if self.subscriptions:
                self.changed.notify_all()

    def subscribe(self, name: str, ready: bool, request: Request) -> Response:
        """Answer PUT /telemetry of the extension `name`; `ready` when its init is over."""
        if not self.offered:
            return _refuse(202, "Telemetry.NotSupported", "Telemetry API is not supported")
        if ready:
            return _refuse(403, "Telemetry.SubscriptionClosed", "subscriptions are possible only before the first next")
        try:
            wish = _wish(json.loads(request.body), self.schemas)
        except (ValueError, TypeError, AttributeError, KeyError) as exc:
            return _refuse(400, "ValidationError", str(exc))
        subscription = _Subscription(self, name, wish)
        with self.changed:
            self.subscriptions = [s for s in self.subscriptions if s.name != name]
            for group, text in self.past:
                subscription.add(group, text)
            self.subscriptions.append(subscription)
        self.emit("platform.telemetrySubscription", {"name": name, "state": "Subscribed", "types": list(wish.types)})
        threading.Thread(target=subscription.run, name=f"telemetry-{name}", daemon=True).start()
        return Response(200, b'"OK"', (("Content-Type", "application/json"),))

    def pause(self, paused: bool) -> None:
        """Nothing is delivered into a frozen environment."""
        with self.changed:
            self.paused = paused
            self.changed.notify_all()

    def flush(self, patience: float) -> None:
        """Deliver what is buffered now, for at most `patience` seconds: the environment is about to end."""
        until = time.monotonic() + patience
        with self.changed:
            for subscription in self.subscriptions:
                subscription.hurry = True
            self.changed.notify_all()
            while any(s.buffer or s.sending for s in self.subscriptions) and (left := until - time.monotonic()) > 0:
                self.changed.wait(left)

    def close(self) -> None:
        """Deliver nothing any more."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


class _Subscription:
    """One subscriber: its buffer and its delivery."""

    def __init__(self, telemetry: Telemetry, name: str, wish: _Wish) -> None:
        self.telemetry, self.name, self.wish = telemetry, name, wish
        self.buffer: list[str] = []
        self.bytes, self.first_at = 0, 0.0
        self.hurry, self.sending = False, False
        self.dropped, self.dropped_bytes = 0, 0
        self.connection: http.client.HTTPConnection | None = None

    def add(self, group: str, text: str) -> None:
        """Buffer an event; the lock is held."""
        if group not in self.wish.types:
            return
        if len(self.buffer) >= _MOST:
            self.dropped, self.dropped_bytes = self.dropped + 1, self.dropped_bytes + len(text)
            return
        if not self.buffer:
            self.first_at = time.monotonic()
        self.buffer.append(text)
        self.bytes += len(text)

    def run(self) -> None:
        """Deliver until the generation ends."""
        telemetry = self.telemetry
        while True:
            with telemetry.changed:
                while not telemetry.closed and (telemetry.paused or not self._due()):
                    telemetry.changed.wait(self._left())
                if telemetry.closed:
                    break
                batch, self.buffer, self.bytes, self.hurry = self.buffer, [], 0, False
                lost, self.dropped = (self.dropped, self.dropped_bytes), 0
                self.sending = True
            delivered = self._deliver("[" + ",".join(batch) + "]")
            with telemetry.changed:
                self.sending = False
                if not delivered:
                    self.buffer = batch + self.buffer
                    self.bytes = sum(map(len, self.buffer))
                    self.first_at = time.monotonic()
                telemetry.changed.notify_all()
            if not delivered:
                time.sleep(0.05)
            elif lost[0]:
                record = {"reason": "the subscriber did not answer", "droppedRecords": lost[0], "droppedBytes": lost[1]}
                telemetry.emit("platform.logsDropped", record)
        if self.connection:
            self.connection.close()

    def _due(self) -> bool:
        full = len(self.buffer) >= self.wish.items or self.bytes >= self.wish.size
        return bool(self.buffer) and (full or self.hurry or self._left() == 0)

    def _left(self) -> float | None:
        """Seconds until the buffer's time is over; None without one that runs."""
        if not self.buffer or self.telemetry.paused:
            return None
        return max(0.0, self.first_at + self.wish.timeout - time.monotonic())

    def _deliver(self, body: str) -> bool:
        for _ in range(2):  # a kept connection may be dead
            fresh = self.connection is None
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(self.wish.host, self.wish.port)
                    # No time-out: the wait may span a freeze, and ends in any case with the subscriber's process.
                    connected = self.telemetry.connect(self.wish.port)
                    connected.settimeout(None)
                    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.connection.sock = connected
                self.connection.request("POST", self.wish.path, body.encode(), {"Content-Type": "application/json"})
                response = self.connection.getresponse()
                response.read()
                if response.will_close:
                    self.connection = None
                return response.status < 500
            except (OSError, http.client.HTTPException):
                if self.connection:
                    self.connection.close()
                self.connection = None
                if fresh:
                    return False
        return False


def _wish(body: dict[str, Any], schemas: tuple[str, ...]) -> _Wish:
    if body.get("schemaVersion") not in schemas:
        raise ValueError(f"schemaVersion {body.get('schemaVersion')!r} is not one of {', '.join(schemas)}")
    types = tuple(body.get("types", ()))
    if not types or not set(types) <= set(_TYPES):
        raise ValueError(f"types must be of {', '.join(_TYPES)}")
    numbers = []
    for key, (low, high, default) in _BUFFERING.items():
        value = body.get("buffering", {}).get(key, default)
        if not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"buffering.{key} must be {low} to {high}")
        numbers.append(value)
    destination = body["destination"]
    if destination.get("protocol", "").upper() != "HTTP":
        raise ValueError("destination.protocol must be HTTP here")
    uri = urlsplit(destination.get("URI", ""))
    if uri.scheme != "http" or uri.hostname not in _HOSTS or not uri.port:
        raise ValueError(f"destination.URI {destination.get('URI')!r} is not http://sandbox.localdomain:PORT/...")
    return _Wish(types, numbers[0], numbers[1], numbers[2] / 1000, uri.port, uri.path or "/", uri.hostname or "")


def _refuse(status: int, kind: str, message: str) -> Response:
    return Response(status, json.dumps({"errorType": kind, "errorMessage": message}).encode(), (("Content-Type", "application/json"),))
