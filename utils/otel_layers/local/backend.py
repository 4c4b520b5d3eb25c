"""
The backend of the local Lambda: receives OTLP over HTTP and gRPC, keeps what came, counts what came twice, and can be told to fail.

    with Backend() as backend:
        ... send to 127.0.0.1:backend.http_port or backend.grpc_port ...
        backend.fault = fault("429:2,heal=3")
        backend.wait_quiet()
        backend.counts()     {"spans": {"received": 12, "unique": 12, "duplicated": 0}, "metrics": ..., "logs": ..., "requests": 3, ...}
        backend.spans()      decoded; backend.otlp_json() as OTLP/JSON; backend.requests() as received
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from . import otlp
from .backend_faults import HEALTHY, KINDS, Fault, Switch, fault
from .backend_grpc import GrpcServer
from .backend_http import HttpServer
from .backend_store import Received, Store
from .gate import Gate

__all__ = ["HEALTHY", "KINDS", "Backend", "Fault", "Received", "fault"]


def _reserve() -> Gate:
    """A free port, bound and never listened on: nobody else gets it while the backend is down, and connections are refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as any_port:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        for s in (any_port, sock):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        any_port.bind(("127.0.0.1", 0))
        sock.bind(any_port.getsockname())  # a port that was asked for by number stays bound when listening ends
    address = sock.getsockname()
    return Gate(sock, lambda: socket.create_connection(address))


class Backend:
    """An OTLP backend on two ephemeral ports of 127.0.0.1, from `with` to its end."""

    def __init__(self, fault: Fault = HEALTHY) -> None:
        self._store, self._faults = Store(), Switch()
        self._fault = fault
        self._servers: list[HttpServer | GrpcServer] = []
        self._reserved: tuple[Gate, ...] = ()
        self._watchers: list[Callable[[str], None]] = []

    def __enter__(self) -> Self:
        self._reserved = (_reserve(), _reserve())
        self.http_port: int = self._reserved[0].socket.getsockname()[1]
        self.grpc_port: int = self._reserved[1].socket.getsockname()[1]
        self.fault = self._fault
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()
        for gate in self._reserved:
            gate.close()

    @property
    def fault(self) -> Fault:
        """How the backend fails now; assign to change it. Requests that hang or wait are let go by every change."""
        return self._fault

    @fault.setter
    def fault(self, new: Fault) -> None:
        self._fault = new
        self._faults.set(new)
        if new.port != "open":
            self._stop()
        for gate in self._reserved:
            gate.set("hang" if new.port == "hang" else "refuse")  # open are the servers' own sockets
        for watcher in list(self._watchers):
            watcher(new.port)
        if new.port == "open" and not self._servers:
            self._servers = [HttpServer(self.http_port, self._store, self._faults), GrpcServer(self.grpc_port, self._store, self._faults)]

    def watch(self, watcher: Callable[[str], None]) -> Callable[[], None]:
        """Tell `watcher` now, and whenever it changes, whether the ports are open, refuse, or hang; what this returns ends it."""
        watcher(self._fault.port)
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def froze(self) -> None:
        """The environment that sends here has been frozen, or has ended: faults of the kinds freeze-* wait for it."""
        self._faults.freeze()

    def _stop(self) -> None:
        self._faults.set(self._fault)  # lets hanging requests go
        for server in self._servers:
            server.stop()
        self._servers = []

    def requests(self) -> tuple[Received, ...]:
        """The accepted requests, in the order in which they came."""
        return self._store.requests()

    def causes(self) -> tuple[str, ...]:
        """Why each undecodable request was refused."""
        return self._store.causes()

    def counts(self) -> dict[str, Any]:
        """Records received, unique and duplicated per signal (metrics: data points); requests accepted, refused (by fault), undecodable."""
        return self._store.counts()

    def otlp_json(self) -> dict[str, list[Any]]:
        """Everything accepted, as OTLP/JSON: resourceSpans, resourceMetrics, resourceLogs."""
        return self._store.otlp_json()

    def spans(self) -> list[otlp.Span]:
        """Every span received, decoded; one that came twice is there twice."""
        return otlp.spans(self.otlp_json()["resourceSpans"])

    def clear(self) -> None:
        """Forget everything received and counted."""
        self._store.clear()

    def wait_for(self, count: int, signal: str = "spans", *, timeout_s: float = 10) -> bool:
        """Wait until `count` records of `signal` were received; whether they were within `timeout_s`."""
        return self._store.wait(lambda: self.counts()[signal]["received"] >= count, timeout_s)

    def wait_quiet(self, quiet_s: float = 0.2, timeout_s: float = 5) -> bool:
        """Wait until no request has been in work for `quiet_s`; False when it never was so within `timeout_s`."""
        return self._store.wait_quiet(quiet_s, timeout_s)
