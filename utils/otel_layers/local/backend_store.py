"""What the backend has received, with the accounts: how many records, how many of them more than once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .otlp_json import SIGNALS, to_json


@dataclass(frozen=True)
class Received:
    """One request that was accepted, as it came."""

    signal: str  # spans, metrics, logs
    protocol: str  # http, grpc
    encoding: str  # protobuf, json
    compression: str  # '' or gzip ...
    message: Any  # Export...ServiceRequest
    arrived_ns: int  # wall clock
    peer_port: int
    wire_bytes: int


def _digest(*parts: bytes) -> bytes:
    out = hashlib.blake2b(digest_size=16)
    for part in parts:
        out.update(len(part).to_bytes(4, "big") + part)
    return out.digest()


def _fixed(message: Any) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))


def identities(signal: str, message: Any) -> Iterator[bytes]:
    """One identity a record: a span's ids; a log record's whole content; a data point's metric, attributes and times; with their resource."""
    if signal == "spans":
        for rs in message.resource_spans:
            for ss in rs.scope_spans:
                for span in ss.spans:
                    yield span.trace_id + span.span_id
    elif signal == "logs":
        for rl in message.resource_logs:
            resource = _fixed(rl.resource)
            for sl in rl.scope_logs:
                scope = _fixed(sl.scope)
                for record in sl.log_records:
                    yield _digest(resource, scope, _fixed(record))
    else:
        for rm in message.resource_metrics:
            resource = _fixed(rm.resource)
            for sm in rm.scope_metrics:
                scope = _fixed(sm.scope)
                for metric in sm.metrics:
                    kind = metric.WhichOneof("data")
                    for point in getattr(metric, kind).data_points if kind else ():
                        attributes = sorted(_fixed(a) for a in point.attributes)
                        times = f"{point.start_time_unix_nano} {point.time_unix_nano}".encode()
                        yield _digest(resource, scope, metric.name.encode(), kind.encode(), times, *attributes)


class Store:
    """Thread-safe memory of requests; `changed` is notified with each."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._requests: list[Received] = []
        self._seen: dict[str, Counter[bytes]] = {name: Counter() for name in SIGNALS}
        self._refused: Counter[str] = Counter()
        self._undecodable: list[str] = []
        self._busy, self._last = 0, time.monotonic()

    def add(self, received: Received) -> None:
        """Keep an accepted request."""
        found = list(identities(received.signal, received.message))
        with self.changed:
            self._requests.append(received)
            self._seen[received.signal].update(found)
            self.changed.notify_all()

    def refuse(self, why: str) -> None:
        """Count a request that a fault refused."""
        with self.changed:
            self._refused[why] += 1
            self.changed.notify_all()

    def undecodable(self, why: str) -> None:
        """Count a request that is not OTLP, with its cause."""
        with self.changed:
            self._undecodable.append(why)
            self.changed.notify_all()

    @contextmanager
    def handling(self) -> Iterator[None]:
        """While a request is being read, stored and answered."""
        with self.changed:
            self._busy += 1
        try:
            yield
        finally:
            with self.changed:
                self._busy -= 1
                self._last = time.monotonic()
                self.changed.notify_all()

    def requests(self) -> tuple[Received, ...]:
        """All accepted requests, in the order in which they came."""
        with self.changed:
            return tuple(self._requests)

    def causes(self) -> tuple[str, ...]:
        """Why each undecodable request was refused."""
        with self.changed:
            return tuple(self._undecodable)

    def counts(self) -> dict[str, Any]:
        """Per signal the records received, unique and duplicated; and requests accepted, refused by a fault (by kind), undecodable."""
        with self.changed:
            out: dict[str, Any] = {}
            for name, seen in self._seen.items():
                received, unique = seen.total(), len(seen)
                out[name] = {"received": received, "unique": unique, "duplicated": received - unique}
            return {**out, "requests": len(self._requests), "refused": dict(self._refused), "undecodable": len(self._undecodable)}

    def otlp_json(self) -> dict[str, list[Any]]:
        """Everything accepted, as OTLP/JSON, as received (nothing is merged or removed)."""
        out: dict[str, list[Any]] = {s.key: [] for s in SIGNALS.values()}
        for received in self.requests():
            key = SIGNALS[received.signal].key
            out[key] += to_json(received.message).get(key, [])
        return out

    def clear(self) -> None:
        """Forget everything."""
        with self.changed:
            self._requests.clear()
            self._undecodable.clear()
            self._refused.clear()
            for seen in self._seen.values():
                seen.clear()

    def wait(self, reached: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `reached` (asked again after every change) or `timeout_s`; whether it was reached."""
        with self.changed:
            return self.changed.wait_for(reached, timeout_s)

    def wait_quiet(self, quiet_s: float, timeout_s: float) -> bool:
        """Wait until no request has been in work for `quiet_s`; False when that was not so within `timeout_s`."""
        end = time.monotonic() + timeout_s
        with self.changed:
            while True:
                now = time.monotonic()
                rest = self._last + quiet_s - now
                if not self._busy and rest <= 0:
                    return True
                if now >= end:
                    return False
                self.changed.wait(min(end - now, rest if not self._busy else end - now))
