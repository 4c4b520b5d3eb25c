"""A small HTTP/1.1 server on a socket that listens already: keep-alive, chunked bodies with trailers, one write per answer."""

from __future__ import annotations

import http
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

MAX_HEAD = 1 << 20


@dataclass(frozen=True)
class Request:
    """One request; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    trailers: dict[str, str] = field(default_factory=dict)
    gone: Callable[[], bool] = lambda: False  # whether the client has ended the connection since


@dataclass(frozen=True)
class Response:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Hangup(Exception):
    """Raised by a handler to close the connection without an answer."""


class Server:
    """Serves `handler` to every connection of `listener`, each in a thread, until closed."""

    def __init__(self, listener: socket.socket, handler: Callable[[Request], Response], name: str, max_body: int = 1 << 28) -> None:
        self.listener, self.handler, self.max_body = listener, handler, max_body
        self.connections: set[socket.socket] = set()
        self.closed = False
        threading.Thread(target=self._accept, name=f"{name}-accept", daemon=True).start()

    def close(self) -> None:
        """Stop listening and close every connection."""
        self.closed = True
        for s in (self.listener, *list(self.connections)):
            with suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()

    def _accept(self) -> None:
        while not self.closed:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setblocking(True)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="http", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while not self.closed:
                    request = read_request(stream, self.max_body, connection)
                    if request is None:
                        return
                    response = self.handler(request)
                    keep = request.headers.get("connection", "").lower() != "close"
                    connection.sendall(encode(response, keep=keep))
                    if not keep:
                        return
        except (OSError, ValueError, Hangup):
            return
        finally:
            self.connections.discard(connection)


def encode(response: Response, *, keep: bool = True) -> bytes:
    """The answer's bytes."""
    try:
        reason = http.HTTPStatus(response.status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{k}: {v}" for k, v in response.headers), f"Content-Length: {len(response.body)}"]
    if not keep:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + response.body


def read_request(stream: BinaryIO, max_body: int, connection: socket.socket) -> Request | None:
    """The next request; None at the end of the connection; ValueError when it is not HTTP."""
    line = stream.readline(MAX_HEAD)
    if not line:
        return None
    method, path, _ = line.decode("latin-1").rstrip("\r\n").split(" ", 2)
    headers = _headers(stream)
    if headers.get("expect", "").lower() == "100-continue":  # libcurl asks so before it sends more than 1 MB
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _chunks(stream, max_body)
        return Request(method, path, headers, body, _headers(stream), partial(_gone, connection))
    length = int(headers.get("content-length", "0"))
    if length < 0:
        raise ValueError("negative length")
    body = _exactly(stream, min(length, max_body))
    left = length - len(body)
    while left > 0:  # an over-long body is read to its end, or its sender would never see the answer
        left -= len(_exactly(stream, min(left, 1 << 16)))
    return Request(method, path, {**headers, "content-length": str(length)}, body, gone=partial(_gone, connection))


def _gone(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _headers(stream: BinaryIO) -> dict[str, str]:
    out: dict[str, str] = {}
    while True:
        line = stream.readline(MAX_HEAD)
        if line in (b"\r\n", b"\n"):
            return out
        if not line:
            raise ValueError("end inside the head")
        name, _, value = line.decode("latin-1").partition(":")
        out[name.strip().lower()] = value.strip()


def _chunks(stream: BinaryIO, max_body: int) -> bytes:
    parts: list[bytes] = []
    total = 0
    while True:
        size = int(stream.readline(1024).split(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        part = _exactly(stream, size)
        total += size
        if total <= max_body:
            parts.append(part)
        stream.readline(16)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ValueError("end inside the body")
    return data
