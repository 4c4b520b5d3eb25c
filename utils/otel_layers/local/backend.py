"""
The backend of the local Lambda: receives OTLP over HTTP and gRPC, keeps what came, counts what came twice, and can be told to fail.

    with Backend() as backend:
        ... send to 127.0.0.1:backend.http_port or backend.grpc_port ...
        backend.fault = fault("429:2")
        backend.wait_quiet()
        backend.counts()     {"spans": {"received": 12, "unique": 12, "duplicated": 0}, "metrics": ..., "logs": ..., "requests": 3, ...}
        backend.spans()      decoded; backend.otlp_json() as OTLP/JSON; backend.requests() as received
"""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Any, Self

from . import otlp
from .backend_faults import HEALTHY, KINDS, Fault, Switch, fault
from .backend_grpc import GrpcServer
from .backend_http import HttpServer
from .backend_store import Received, Store

__all__ = ["HEALTHY", "KINDS", "Backend", "Fault", "Received", "fault"]


def _reserve() -> socket.socket:
    """A free port, bound and never listened on: nobody else gets it while the backend is down, and connections are refused."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


class Backend:
    """An OTLP backend on two ephemeral ports of 127.0.0.1, from `with` to its end."""

    def __init__(self, fault: Fault = HEALTHY) -> None:
        self._store, self._faults = Store(), Switch()
        self._fault = fault
        self._servers: list[HttpServer | GrpcServer] = []
        self._reserved: tuple[socket.socket, ...] = ()

    def __enter__(self) -> Self:
        self._reserved = (_reserve(), _reserve())
        self.http_port: int = self._reserved[0].getsockname()[1]
        self.grpc_port: int = self._reserved[1].getsockname()[1]
        self.fault = self._fault
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()
        for sock in self._reserved:
            sock.close()

    @property
    def fault(self) -> Fault:
        """How the backend fails now; assign to change it. Requests that hang or wait are let go by every change."""
        return self._fault

    @fault.setter
    def fault(self, new: Fault) -> None:
        self._fault = new
        self._faults.set(new)
        if new.kind == "down":
            self._stop()
        elif not self._servers:
            self._servers = [HttpServer(self.http_port, self._store, self._faults), GrpcServer(self.grpc_port, self._store, self._faults)]

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
