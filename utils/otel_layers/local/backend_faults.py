"""How the backend can be told to fail, and the error bodies that OTLP asks a server to send then."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ..errors import UsageError

# kind -> (what the backend does, default seconds)
KINDS = {
    "down": ("nothing listens: connections are refused", 0.0),
    "hanging": ("requests are taken and never answered", 0.0),
    "slow": ("requests are stored at once and answered after SECONDS", 1.5),
    "401": ("requests are refused as unauthenticated", 0.0),
    "429": ("requests are refused, to be sent again after SECONDS", 1.0),
    "500": ("requests are refused with an internal error", 0.0),
}


@dataclass(frozen=True)
class Fault:
    """One way to fail; '' is healthy."""

    kind: str = ""
    seconds: float = 0.0  # of slow: the delay; of 429: what Retry-After says

    def __post_init__(self) -> None:
        """Refuse a kind that is not known."""
        if self.kind and self.kind not in KINDS:
            raise UsageError(f"unknown fault {self.kind!r}", remedy=f"one of {', '.join(KINDS)}")


HEALTHY = Fault()


def fault(spec: str) -> Fault:
    """The fault that `spec` names: KIND, or KIND:SECONDS for slow and 429."""
    kind, _, seconds = spec.removeprefix("backend-").partition(":")
    if not kind:
        return HEALTHY
    if kind in KINDS and seconds and not KINDS[kind][1]:
        raise UsageError(f"fault {kind} takes no seconds")
    try:
        return Fault(kind, float(seconds) if seconds else KINDS.get(kind, ("", 0.0))[1])
    except ValueError as exc:
        raise UsageError(f"fault {spec!r}: {seconds!r} is not a number of seconds") from exc


class Switch:
    """The current fault, and an event that ends every wait that an earlier fault made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fault, self._over = HEALTHY, threading.Event()

    def set(self, new: Fault) -> None:
        """From now on fail as `new` says; requests that hang or wait are let go."""
        with self._lock:
            over, self._fault, self._over = self._over, new, threading.Event()
        over.set()

    def now(self) -> tuple[Fault, threading.Event]:
        """The fault and the event that is set when it is over."""
        with self._lock:
            return self._fault, self._over


def status(code: int, message: str, retry_after: float | None = None) -> bytes:
    """A google.rpc.Status message, with RetryInfo where a client shall wait."""
    body = (b"\x08" + bytes([code]) if code else b"") + _field(2, message.encode())
    if retry_after is not None:
        from google.protobuf.duration_pb2 import Duration

        whole = int(retry_after)
        wait = Duration(seconds=whole, nanos=int((retry_after - whole) * 1e9)).SerializeToString()
        body += _field(3, _field(1, b"type.googleapis.com/google.rpc.RetryInfo") + _field(2, _field(1, wait)))
    return body


def _field(number: int, value: bytes) -> bytes:
    size, length = len(value), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return bytes([number << 3 | 2]) + bytes(length) + value
