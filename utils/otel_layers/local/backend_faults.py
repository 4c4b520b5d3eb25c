"""How the backend can be told to fail, and the error bodies that OTLP asks a server to send then."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from ..errors import UsageError


@dataclass(frozen=True)
class Kind:
    """What a kind of fault does."""

    words: str
    seconds: float | None = None  # the default of SECONDS; None: it takes none
    heals: bool = True  # whether requests arrive that `heal` can count


KINDS = {
    "down": Kind("nothing listens: connections are refused", heals=False),
    "hanging-connect": Kind("connections are neither accepted nor refused", heals=False),
    "hanging": Kind("requests are taken and never answered"),
    "slow": Kind("requests are stored at once and answered after SECONDS", 1.5),
    "400": Kind("requests are refused as malformed"),
    "401": Kind("requests are refused as unauthenticated"),
    "403": Kind("requests are refused as not permitted"),
    "404": Kind("requests are refused: there is no such service"),
    "429": Kind("requests are refused, to be sent again after SECONDS (Retry-After; gRPC: RetryInfo)", 1.0),
    "500": Kind("requests are refused with an internal error"),
    "503": Kind("requests are refused as unavailable; with SECONDS, to be sent again after them", 0.0),
    "cut-connection": Kind("the connection ends instead of an answer; nothing is stored"),
    "cut-body": Kind("requests are stored, and the connection ends in the middle of the answer (gRPC: before it)"),
    "garbage": Kind("the answer is not HTTP, and the connection ends; nothing is stored"),
    "garbage-body": Kind("requests are stored and answered with success and a body that is not OTLP"),
    "freeze-late": Kind("requests are stored, and answered only when the environment has been frozen"),
    "freeze-cut": Kind("requests are stored, and the connection ends when the environment has been frozen"),
}
REFUSING = frozenset(k for k in KINDS if k.isdecimal())
UNREACHABLE = {"down": "refuse", "hanging-connect": "hang"}  # what a port does then


@dataclass(frozen=True)
class Fault:
    """One way to fail; '' is healthy."""

    kind: str = ""
    seconds: float = 0.0  # of slow: the delay; of 429 and 503: what Retry-After says
    heal: int = 0  # after so many requests that failed the backend is healthy; 0: never

    def __post_init__(self) -> None:
        """Refuse a kind that is not known."""
        if self.kind and self.kind not in KINDS:
            raise UsageError(f"unknown fault {self.kind!r}", remedy=f"one of {', '.join(KINDS)}")
        if self.heal and (not self.kind or not KINDS[self.kind].heals):
            raise UsageError(f"fault {self.kind} takes no heal", why="no request arrives that could be counted")

    @property
    def port(self) -> str:
        """What the backend's ports do: open, refuse, or hang."""
        return UNREACHABLE.get(self.kind, "open")


HEALTHY = Fault()
GARBAGE = b"\xff\xfeneither HTTP nor OTLP\r\n\r\n"


def fault(spec: str) -> Fault:
    """The fault that `spec` names: KIND[:SECONDS][,heal=REQUESTS]."""
    name, *options = spec.removeprefix("backend-").split(",")
    kind, _, seconds = name.partition(":")
    if not kind and not options:
        return HEALTHY
    default = Fault(kind) and KINDS[kind].seconds if kind else None
    if seconds and default is None:
        raise UsageError(f"fault {kind} takes no seconds")
    heal = 0
    for option in options:
        key, _, value = option.partition("=")
        if key != "heal" or not value.isdecimal() or not int(value):
            raise UsageError(f"fault {spec!r}: {option!r} is not heal=REQUESTS", remedy="KIND[:SECONDS][,heal=REQUESTS]")
        heal = int(value)
    try:
        wait = float(seconds) if seconds else default or 0.0
    except ValueError:
        wait = -1
    if not 0 <= wait <= 86_400:  # also false for nan
        raise UsageError(f"fault {spec!r}: {seconds!r} is not a number of seconds")
    return Fault(kind, wait, heal)


@dataclass(frozen=True)
class Ticket:
    """How one request fails; `over` is set when the fault is changed, `frozen` then and when the environment is frozen."""

    fault: Fault
    over: threading.Event
    frozen: threading.Event

    def hold(self) -> None:
        """Wait for as long as the fault has a stored request wait for its answer."""
        if self.fault.kind == "slow":
            self.over.wait(self.fault.seconds)
        elif self.fault.kind in ("freeze-late", "freeze-cut"):
            self.frozen.wait()

    @property
    def cuts(self) -> bool:
        """Whether a stored request's connection ends before its answer does."""
        return self.fault.kind in ("cut-body", "freeze-cut")


@dataclass
class Switch:
    """The current fault, and the events that end every wait that an earlier one made."""

    _fault: Fault = HEALTHY
    _failed: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _frozen: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, new: Fault) -> None:
        """From now on fail as `new` says; requests that hang or wait are let go."""
        with self._lock:
            over, self._fault, self._failed, self._over = self._over, new, 0, threading.Event()
        over.set()
        self.freeze()

    def freeze(self) -> None:
        """The environment has been frozen (or has ended)."""
        with self._lock:
            frozen, self._frozen = self._frozen, threading.Event()
        frozen.set()

    def take(self) -> Ticket:
        """How the request that just came fails."""
        with self._lock:
            healed = self._fault.heal and self._failed >= self._fault.heal
            self._failed += 1
            return Ticket(HEALTHY if healed else self._fault, self._over, self._frozen)


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
