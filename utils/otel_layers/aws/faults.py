"""What can go wrong with an AWS region, put in front of the embedded AWS: a WSGI application around another one, and its control end."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError

CONTROL = "/_embedded/"  # paths that are ours, not AWS's
_HANG_LIMIT = 900.0  # seconds: a client that never gives up does not keep a thread for ever

Environ = dict[str, Any]
Start = Callable[..., Any]
App = Callable[[Environ, Start], Iterable[bytes]]
Page = Callable[[Environ, str], tuple[int, str, bytes]]


@dataclass(frozen=True)
class Fault:
    """What a region does: `kind` hang, refuse, down or throttle, the last for the next `times` requests."""

    kind: str
    times: int = 0


def parse(faults: Mapping[str, str]) -> dict[str, Fault]:
    """Faults by region from their spelling: {'REGION': 'hang' | 'refuse' | 'down' | 'throttle:N'}."""
    found = {}
    for region, spelling in faults.items():
        kind, _, number = spelling.partition(":")
        if kind not in ("hang", "refuse", "down", "throttle") or (kind == "throttle") != number.isdigit():
            raise UsageError(f"unknown fault {spelling!r} for {region}", remedy="hang, refuse, down or throttle:N")
        found[region] = Fault(kind, int(number or 0))
    return found


@dataclass
class Control:
    """The faults and the latency of now, changed through PUT /_embedded/faults while the server runs."""

    faults: dict[str, Fault] = field(default_factory=dict)
    latency: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, region: str) -> str:
        """The fault that a request to `region` meets ('' for none); a throttle is used up request by request."""
        with self.lock:
            fault = self.faults.get(region)
            if fault is None or (fault.kind == "throttle" and fault.times == 0):
                return ""
            if fault.kind == "throttle":
                self.faults[region] = Fault("throttle", fault.times - 1)
            return fault.kind

    def replace(self, body: bytes) -> None:
        """Take over what PUT /_embedded/faults sent: {"faults": {...}, "latency": seconds}."""
        wanted = json.loads(body)
        parsed = parse(wanted.get("faults", {}))
        with self.lock:
            self.faults, self.latency = parsed, float(wanted.get("latency", 0))


def region_of(environ: Environ) -> str:
    """The region of a request: from its signature's scope (header or presigned query), '' when it has none."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0]
    if not scope and "X-Amz-Credential=" in (query := environ.get("QUERY_STRING", "")):
        scope = query.partition("X-Amz-Credential=")[2].partition("&")[0].replace("%2F", "/")
    parts = scope.split("/")
    return parts[2] if len(parts) == 5 else ""


def around(app: App, control: Control, pages: Mapping[str, Page], identity: Mapping[str, Any]) -> App:
    """`app` behind the faults of `control`; `pages` by path prefix and the control end are served beside it."""

    def serve(environ: Environ, start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith(CONTROL):
            return _control(environ, start, path)
        if control.latency:
            time.sleep(control.latency)
        kind = control.take(region_of(environ))
        if not kind:
            return app(environ, start)
        if kind == "refuse":
            return _refuse(start, 403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        if kind == "throttle":
            return _refuse(start, 429, "TooManyRequestsException", "Rate exceeded")
        peer: socket.socket | None = environ.get("werkzeug.socket")
        if kind == "hang" and peer is not None:
            _until_gone(peer)
        if peer is not None:
            peer.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError(f"region fault: {kind}")

    def _control(environ: Environ, start: Start, path: str) -> Iterable[bytes]:
        name = path.removeprefix(CONTROL)
        status, kind, body = 404, "text/plain", b"not here"
        if name == "health":
            status, kind, body = 200, "application/json", json.dumps({**identity, "pid": os.getpid()}).encode()
        elif name == "faults" and environ["REQUEST_METHOD"] == "PUT":
            try:
                control.replace(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
                status, body = 200, b"ok"
            except (ValueError, AttributeError, UsageError) as exc:
                status, body = 400, str(exc).encode()
        else:
            for prefix, page in pages.items():
                if name.startswith(prefix):
                    status, kind, body = page(environ, name.removeprefix(prefix))
        start(f"{status} -", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return serve


def _refuse(start: Start, status: int, kind: str, message: str) -> list[bytes]:
    body = json.dumps({"Type": "User", "message": message, "__type": kind}).encode()
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", kind), ("Content-Length", str(len(body)))]
    start(f"{status} -", headers)
    return [body]


def _until_gone(peer: socket.socket) -> None:
    """Wait until the client of a hanging region has given up, so that its thread ends."""
    end = time.monotonic() + _HANG_LIMIT
    while time.monotonic() < end:
        readable, _, _ = select.select([peer], [], [], 0.5)
        if readable and not peer.recv(65536):
            return
