"""What can go wrong with an AWS region, put in front of the embedded AWS: a WSGI application around another one, and its control end."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import UsageError

CONTROL = "/_embedded/"  # paths that are ours, not AWS's
_REMEMBERED = 20_000  # calls
_HANG_LIMIT = 900.0  # seconds: a client that never gives up does not keep a thread for ever

Environ = dict[str, Any]
Start = Callable[..., Any]
App = Callable[[Environ, Start], Iterable[bytes]]
Page = Callable[[Environ, str], tuple[int, str, bytes]]


# hang: never answers; refuse: does not know the account; down: closes the connection; throttle: too many requests;
# lose: a publication happens and its answer is lost; alter: a version is described with another hash than its bytes have.
_ALWAYS = ("hang", "refuse", "down")
_COUNTED = ("throttle", "lose", "alter")


@dataclass(frozen=True)
class Fault:
    """What a region does; the counted kinds for the next `times` requests that it concerns."""

    kind: str
    times: int = 0


def parse(faults: Mapping[str, str]) -> dict[str, Fault]:
    """Faults by region from their spelling: {'REGION': 'hang' | 'refuse' | 'down' | 'throttle:N' | 'lose:N' | 'alter:N'}."""
    found = {}
    for region, spelling in faults.items():
        kind, _, number = spelling.partition(":")
        if kind not in (*_ALWAYS, *_COUNTED) or (kind in _COUNTED) != number.isdigit():
            raise UsageError(f"unknown fault {spelling!r} for {region}", remedy=", ".join((*_ALWAYS, *(f"{k}:N" for k in _COUNTED))))
        found[region] = Fault(kind, int(number or 0))
    return found


@dataclass(frozen=True)
class Call:
    """A request, as it came: who signed it for which service of which region, and what it asks for."""

    key: str
    region: str
    service: str
    method: str
    path: str
    query: str


@dataclass
class Control:
    """The faults and the latency of now, changed through PUT /_embedded/faults while the server runs; and the latest calls."""

    faults: dict[str, Fault] = field(default_factory=dict)
    latency: float = 0.0
    hold: int = -1  # so many requests more are answered, then each waits until this changes; -1: all
    change: threading.Condition = field(default_factory=threading.Condition)
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def take(self, region: str, kinds: Sequence[str]) -> str:
        """The fault, of those `kinds` that concern it, that a request to `region` meets ('' for none); a counted one is used up by each."""
        with self.change:
            fault = self.faults.get(region)
            if fault is None or fault.kind not in kinds or (fault.kind in _COUNTED and fault.times == 0):
                return ""
            if fault.kind in _COUNTED:
                self.faults[region] = Fault(fault.kind, fault.times - 1)
            return fault.kind

    def admit(self, peer: socket.socket | None) -> bool:
        """Wait while requests are held; False when the client has gone meanwhile."""
        with self.change:
            if self.hold > 0:
                self.hold -= 1
                return True
            while self.hold == 0:
                self.change.wait(0.2)
                if peer is not None and _gone(peer, 0):
                    return False
        return True

    def replace(self, body: bytes) -> None:
        """Take over what PUT /_embedded/faults sent: {"faults": {...}, "latency": seconds, "hold": requests}."""
        wanted = json.loads(body)
        parsed = parse(wanted.get("faults", {}))
        with self.change:
            self.faults, self.latency, self.hold = parsed, float(wanted.get("latency", 0)), int(wanted.get("hold", -1))
            self.change.notify_all()


def call_of(environ: Environ) -> Call:
    """A request with what its signature's scope says (header or presigned query); '' for each where it has none."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0]
    if not scope and "X-Amz-Credential=" in (query := environ.get("QUERY_STRING", "")):
        scope = query.partition("X-Amz-Credential=")[2].partition("&")[0].replace("%2F", "/")
    parts = scope.split("/")
    key, region, service = (parts[0], parts[2], parts[3]) if len(parts) == 5 else ("", "", "")
    return Call(key, region, service, environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", ""))


def around(app: App, control: Control, pages: Mapping[str, Page], identity: Mapping[str, Any]) -> App:
    """`app` behind the faults of `control`; `pages` by path prefix and the control end are served beside it."""

    def serve(environ: Environ, start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith(CONTROL):
            return _control(environ, start, path)
        called = call_of(environ)
        control.calls.append(called)
        peer: socket.socket | None = environ.get("werkzeug.socket")
        if not control.admit(peer):
            raise ConnectionAbortedError("its client has gone")
        if control.latency:
            time.sleep(control.latency)
        kind = control.take(called.region, _concerned(environ["REQUEST_METHOD"], path))
        if not kind:
            return app(environ, start)
        if kind == "alter":
            return _with_other_hash(app, environ, start)
        if kind == "lose":
            list(app(environ, lambda *_: None))
        if kind == "refuse":
            return _refuse(start, 403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        if kind == "throttle":
            return _refuse(start, 429, "TooManyRequestsException", "Rate exceeded")
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
        elif name == "calls":
            status, kind, body = 200, "application/json", json.dumps([asdict(call) for call in tuple(control.calls)]).encode()
        elif name == "faults" and environ["REQUEST_METHOD"] == "GET":
            status, kind, body = 200, "application/json", json.dumps({"latency": control.latency, "hold": control.hold}).encode()
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


def _concerned(method: str, path: str) -> tuple[str, ...]:
    """The kinds of faults that a request can meet."""
    what = {("POST", "versions"): ("lose",), ("GET", "number"): ("alter",)}
    last = path.rpartition("/")[2]
    return (*_ALWAYS, "throttle", *what.get((method, "number" if last.isdigit() else last), ()))


def _with_other_hash(app: App, environ: Environ, start: Start) -> list[bytes]:
    """The answer of `app`, with another hash than the bytes have."""
    said: list[Any] = []
    answer = json.loads(b"".join(app(environ, lambda *more: said.extend(more))))
    answer["Content"]["CodeSha256"] = "b3RoZXIgYnl0ZXM="
    body = json.dumps(answer).encode()
    start(said[0], [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _until_gone(peer: socket.socket) -> None:
    """Wait until the client of a hanging region has given up, so that its thread ends."""
    end = time.monotonic() + _HANG_LIMIT
    while time.monotonic() < end and not _gone(peer, 0.5):
        pass


def _gone(peer: socket.socket, limit: float) -> bool:
    """Whether the client closes the connection within `limit` seconds; what else it sends is taken."""
    readable, _, _ = select.select([peer], [], [], limit)
    return bool(readable) and not peer.recv(65536)
