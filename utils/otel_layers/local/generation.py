"""One initialised set of processes: the runtime, the extensions, the invocation in flight. The APIs write it, the lifecycle waits on it."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..function import Function
from .http_server import Response
from .sandbox import Exit
from .telemetry_api import Telemetry


@dataclass
class Runtime:
    """The runtime's state; times are CLOCK_MONOTONIC ns, 0 for not yet."""

    started_at: int = 0
    ready_at: int = 0
    waiting: int = 0  # requests for the next invocation that wait: one, on managed instances one for each free worker
    restore: str = ""  # of snap-start: waiting for the restore, then restored, then done at the next that follows
    error: dict[str, Any] | None = None
    exit: Exit | None = None


@dataclass
class Extension:
    """An extension's state."""

    name: str
    external: bool
    identifier: str = ""
    events: frozenset[str] = frozenset()
    started_at: int = 0
    ready_at: int = 0
    next_at: int = 0
    waiting: bool = False
    queue: deque[dict[str, Any]] = field(default_factory=deque)
    error: dict[str, Any] | None = None
    exit: Exit | None = None

    @property
    def idle(self) -> bool:
        """Whether it waits in next with nothing to be given."""
        return self.waiting and not self.queue


@dataclass
class Current:
    """An invocation in flight."""

    request_id: str
    event: bytes
    headers: tuple[tuple[str, str], ...]
    trace_header: str
    started_at: int
    deadline_at: int
    deadline_ms: int  # the same as it is told, by the wall clock
    handed_at: int = 0
    response: bytes | None = None
    error: dict[str, Any] | None = None
    response_at: int = 0
    runtime_done_at: int = 0  # the runtime's next after it


class Generation:
    """Everything is read and written with `changed` held."""

    def __init__(self, function: Function, telemetry: Telemetry, external: Iterable[str], *, managed: bool = False) -> None:
        self.function, self.telemetry, self.managed = function, telemetry, managed
        self.changed = threading.Condition()
        self.runtime = Runtime()
        self.extensions = {name: Extension(name, external=True) for name in external}
        self.in_flight: dict[str, Current] = {}  # by request id; at most one, but on managed instances
        self.closed = False

    def wait(self, done: Callable[[], bool], until: int) -> bool:
        """Wait for `done` until the CLOCK_MONOTONIC time `until`; whether it came. `changed` is held."""
        while not done():
            left = (until - time.monotonic_ns()) / 1e9
            if left <= 0 or self.closed:
                return done()
            self.changed.wait(min(left, 0.1))  # in slices: Ctrl-C between the check and the wait would be seen only at its end
        return True

    def by_identifier(self, identifier: str) -> Extension | None:
        """The registered extension with this identifier."""
        return next((e for e in self.extensions.values() if identifier and e.identifier == identifier), None)

    def on_exit(self, ended: Exit) -> None:
        """A process ended."""
        with self.changed:
            kind, _, name = ended.name.partition(":")
            target = self.runtime if kind == "runtime" else self.extensions.get(name)
            if target:
                target.exit = ended
            if isinstance(target, Runtime):
                target.waiting = 0
            elif target:
                target.waiting = False
            self.changed.notify_all()

    def crashed(self) -> Extension | None:
        """An extension that exited or reported that it will, before it was told to."""
        return next((e for e in self.extensions.values() if e.exit or e.error), None)

    def broken(self) -> bool:
        """Whether a process ended that should not have."""
        return bool(self.runtime.exit or self.crashed())

    def initialised(self) -> bool:
        """Whether the runtime and every extension have called next (or one of them never will)."""
        if self.runtime.error or self.broken():
            return True
        return bool(self.runtime.ready_at) and all(e.ready_at for e in self.extensions.values())

    def idle(self) -> bool:
        """Whether the runtime and every extension that has events wait in next."""
        return bool(self.runtime.waiting) and all(e.idle for e in self.extensions.values())

    def unhanded(self) -> list[Current]:
        """The invocations that the runtime has not asked for yet."""
        return [c for c in self.in_flight.values() if not c.handed_at]

    def tell(self, kind: str, event: dict[str, Any]) -> list[Extension]:
        """Queue `event` for every extension that registered for its kind and still lives."""
        told = [e for e in self.extensions.values() if kind in e.events and not e.exit]
        for e in told:
            e.queue.append(event)
        self.changed.notify_all()
        return told

    def close(self) -> None:
        """Nobody gets an answer any more."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


def answer(status: int, body: Any) -> Response:
    """A JSON answer."""
    return Response(status, json.dumps(body).encode(), (("Content-Type", "application/json"),))


def refusal(status: int, kind: str, message: str) -> Response:
    """An error as Lambda's APIs give it."""
    return answer(status, {"errorMessage": message, "errorType": kind})


def ended_how(ended: Exit) -> str:
    """How a process ended, in Lambda's words."""
    if ended.code < 0:
        return f"signal: {signal.strsignal(-ended.code) or -ended.code}".lower()
    return f"exit status {ended.code}"
