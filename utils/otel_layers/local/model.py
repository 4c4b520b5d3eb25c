"""What the local Lambda is told and what it tells: endpoints, phases, invocations."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError

MAX_PAYLOAD = 6_291_556  # bytes of a buffered response
MAX_STREAM = 200 * 1024 * 1024  # bytes of a streamed one
INIT_LIMIT_S = 10.0
_WALL = time.time_ns() - time.monotonic_ns()


def wall(monotonic_ns: int) -> int:
    """The wall clock (ns since the epoch) of a CLOCK_MONOTONIC time; one offset for the process, so that differences are exact."""
    return monotonic_ns + _WALL


def deadline_ms(monotonic_ns: int) -> int:
    """The wall clock (ms since the epoch) that a deadline has now: the clock may have been set since this process began."""
    return (time.time_ns() + monotonic_ns - time.monotonic_ns()) // 10**6


def stamp(monotonic_ns: int) -> str:
    """The wall clock as AWS's events write it: 2026-01-02T03:04:05.678Z."""
    ns = wall(monotonic_ns)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9)) + f".{ns // 10**6 % 1000:03d}Z"


@dataclass(frozen=True)
class Endpoints:
    """What the environment can reach, each a (host, port) of the host's loopback or None."""

    backend_http: tuple[str, int] | None = None
    backend_grpc: tuple[str, int] | None = None
    aws: tuple[str, int] | None = None
    watch: Callable[[Callable[[str], None]], Callable[[], None]] | None = None  # Backend.watch: the sandbox's ports do as the backend's
    froze: Callable[[], None] = lambda: None  # called when the environment has been frozen, and when it has ended


MANAGED = "managed-instances"
INIT_TYPES = ("on-demand", "provisioned-concurrency", "snap-start", MANAGED)
MAX_CONCURRENCY = 100


@dataclass(frozen=True)
class Mode:
    """How the environment is initialised, and what it offers. Other types than on-demand are initialised before the first invocation."""

    init_type: str = "on-demand"
    telemetry: bool = True  # without, subscriptions are answered 202, as AWS's emulators do
    concurrency: int = 1  # invocations at once; more than one only on managed instances

    def __post_init__(self) -> None:
        """Refuse what Lambda does not have."""
        if self.init_type not in INIT_TYPES:
            raise UsageError(f"unknown initialisation type {self.init_type!r}", remedy=f"one of {', '.join(INIT_TYPES)}")
        if not 1 <= self.concurrency <= MAX_CONCURRENCY:
            raise UsageError(f"a concurrency of {self.concurrency} is not possible", remedy=f"1 to {MAX_CONCURRENCY}")
        if self.concurrency > 1 and not self.managed:
            raise UsageError(f"an environment of {self.init_type} has one invocation at a time", remedy=f"--init-type {MANAGED}")

    @property
    def managed(self) -> bool:
        """Whether it runs on managed instances: never frozen, no INVOKE for extensions."""
        return self.init_type == MANAGED

    @property
    def variable(self) -> str:
        """What AWS_LAMBDA_INITIALIZATION_TYPE and the platform events say."""
        return f"lambda-{MANAGED}" if self.managed else self.init_type


@dataclass(frozen=True)
class Phase:
    """One process's init: from its start to its first `next`; wall clock in ns, exact to the microsecond."""

    name: str  # runtime, or extension:NAME
    start_ns: int
    end_ns: int
    status: str  # success | error

    @property
    def ms(self) -> float:
        """Its length."""
        return (self.end_ns - self.start_ns) / 1e6


@dataclass(frozen=True)
class Init:
    """One initialisation of the environment. `error` is what made it fail, as Lambda reports it."""

    phases: tuple[Phase, ...]
    ms: float
    error: dict[str, Any] | None = None
    suppressed: bool = False  # done inside an invocation: after a failed init, a time-out or a crash

    def phase(self, name: str) -> Phase | None:
        """The phase of `name` ('runtime', 'extension:collector')."""
        return next((p for p in self.phases if p.name == name), None)


@dataclass(frozen=True)
class Invocation:
    """
    One invocation as it went.

    `duration_ms` is the report's: from the start to the end, when the runtime and every extension had called next (or to the kill);
    `extension_ms` is the part of it after the response, `extensions_ms` that of each extension that gets INVOKE, to its last next (or
    the kill; 0 for one that was ready before the response). `billed_ms` is that and the init, rounded up, as AWS bills it.
    A time-out after the response has status timeout and keeps the response, which the caller had already;
    `response_ns` is 0 when there was none. On managed instances it ends with the response, and nothing is billed for its duration.
    """

    function: str
    request_id: str
    status: str  # success | error | timeout | failure (a process of the environment crashed)
    response: bytes | None
    error: dict[str, Any] | None
    init_ms: float | None
    duration_ms: float
    extension_ms: float
    billed_ms: float
    max_memory_mb: float
    frozen_ms: float
    started_ns: int
    response_ns: int
    ended_ns: int
    trace_header: str
    extensions_ms: Mapping[str, float] = field(default_factory=dict)
    init: Init | None = None  # the cold start that came before it, or the suppressed init inside it


@dataclass(frozen=True)
class Isolation:
    """What is real in this environment, and what is less faithful (each a sentence for people)."""

    namespaces: bool
    freezer: str  # cgroup v2 | cgroup v1 | SIGSTOP | off
    memory: str  # cgroup v2 | cgroup v1 | polling
    user: int  # the user id that the function sees
    less: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For the report."""
        where = "own namespaces" if self.namespaces else "no namespaces"
        return [f"{where}, freezer: {self.freezer}, memory: {self.memory}, user id {self.user}", *self.less]
