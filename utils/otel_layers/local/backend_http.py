"""OTLP over HTTP/1.1: protobuf and JSON, gzip and deflate, bodies with a length or in chunks, connections that stay."""

from __future__ import annotations

import http.server
import json
import math
import socket
import threading
import time
import zlib
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from .backend_faults import GARBAGE, REFUSING, Fault, Switch, Ticket, status
from .backend_store import Received, Store
from .otlp_json import SIGNALS, Signal, Undecodable, decode

MAX_BODY = 64 << 20
_PATHS = {s.path: s for s in SIGNALS.values()}
_ENCODINGS = {"application/x-protobuf": "protobuf", "application/json": "json"}
_WBITS = {"gzip": 31, "deflate": 47}  # 47: zlib's header is recognised


class Refused(ValueError):
    """A request is answered with this HTTP status and these words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class HttpServer:
    """A listening socket on 127.0.0.1, one thread a connection; `stop` ends both."""

    def __init__(self, port: int, store: Store, faults: Switch) -> None:
        self.store, self.faults = store, faults
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopped = False
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(128)
        self._thread = threading.Thread(target=self._accept, name="otlp-http", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._stopped:
                    connection.close()
                    return
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection, peer), name="otlp-http-connection", daemon=True).start()

    def _serve(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        try:
            # A client that goes away in the middle of anything is its own affair.
            with suppress(OSError, ValueError):
                _Handler(connection, peer, self)  # type: ignore[arg-type]
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def stop(self) -> None:
        """Close the listening socket and every connection."""
        with self._lock:
            self._stopped = True
            connections = list(self._open)
        for sock in (self._listener, *connections):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes accept and recv, which close alone does not
        self._listener.close()
        self._thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: HttpServer  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "otel-layers-backend", ""
    wbufsize = -1  # an answer leaves in one packet, or delayed acknowledgements cost 40 ms each
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Requests are counted, not logged."""

    def do_GET(self) -> None:
        """OTLP has nothing to get."""
        self.close_connection = True
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "OTLP is sent with POST", "protobuf")

    do_PUT = do_GET  # noqa: N815 - http.server's own names
    do_DELETE = do_GET  # noqa: N815
    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """One export request."""
        encoding = _ENCODINGS.get((self.headers.get("Content-Type") or "").partition(";")[0].strip().lower(), "")
        ticket = self.server.faults.take()
        if ticket.fault.kind == "hanging":
            self.close_connection = True
            with self.server.store.handling():
                self._read()
            self.server.store.refuse("hanging")
            ticket.over.wait()
            return
        with self.server.store.handling():
            try:
                body = self._read()
                signal = self._signal(encoding)
                if not self._fail(ticket.fault, encoding):
                    self._store(signal, encoding, body)
                    ticket.hold()
                    self._accept(ticket, b"{}" if encoding == "json" else signal.response().SerializeToString(), encoding)
            except (Refused, Undecodable) as exc:
                self.server.store.undecodable(str(exc))
                self._refuse(exc.code if isinstance(exc, Refused) else 400, str(exc), encoding)

    def _signal(self, encoding: str) -> Signal:
        signal = _PATHS.get(self.path.partition("?")[0])
        if signal is None:
            raise Refused(404, f"{self.path} is not an OTLP path: {', '.join(_PATHS)}")
        if not encoding:
            raise Refused(415, f"content type {self.headers.get('Content-Type')!r}: one of {', '.join(_ENCODINGS)}")
        return signal

    def _fail(self, fault: Fault, encoding: str) -> bool:
        if fault.kind not in (*REFUSING, "cut-connection", "garbage"):
            return False
        self.server.store.refuse(fault.kind)
        if fault.kind in REFUSING:
            self._refuse(int(fault.kind), f"told to answer {fault.kind}", encoding, fault.seconds or None)
            return True
        self.close_connection = True
        if fault.kind == "garbage":
            self.wfile.write(GARBAGE)
            self.wfile.flush()
        return True

    def _accept(self, ticket: Ticket, body: bytes, encoding: str) -> None:
        if ticket.fault.kind == "garbage-body":
            self._answer(200, GARBAGE, encoding)
        elif not ticket.cuts:
            self._answer(200, body, encoding)
        else:
            self.close_connection = True
            if ticket.fault.kind == "cut-body":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 64\r\n\r\n\n")
                self.wfile.flush()

    def _store(self, signal: Signal, encoding: str, body: bytes) -> None:
        compression = (self.headers.get("Content-Encoding") or "").strip().lower()
        compression = "" if compression == "identity" else compression
        message = decode(signal, encoding, _inflate(body, compression))
        self.server.store.add(Received(signal.name, "http", encoding, compression, message, time.time_ns(), self.client_address[1], len(body)))

    def _read(self) -> bytes:
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            return self._read_chunks()
        length = self.headers.get("Content-Length") or ""
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            raise Refused(413 if length.isdecimal() else 411, f"Content-Length {length!r}")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            raise Refused(400, f"the body ended after {len(body)} of {length} bytes")
        return body

    def _read_chunks(self) -> bytes:
        parts: list[bytes] = []
        total = 0
        while True:
            try:
                size = int(self.rfile.readline(1024).partition(b";")[0], 16)
            except ValueError as exc:
                self.close_connection = True
                raise Refused(400, "a chunk has no size") from exc
            total += size
            if size < 0 or total > MAX_BODY:
                self.close_connection = True
                raise Refused(413, f"more than {MAX_BODY} bytes")
            if size == 0:
                while self.rfile.readline(65536).strip():
                    pass  # trailers mean nothing in OTLP
                return b"".join(parts)
            part = self.rfile.read(size)
            if len(part) < size or self.rfile.read(2) != b"\r\n":
                self.close_connection = True
                raise Refused(400, "a chunk is not whole")
            parts.append(part)

    def _refuse(self, code: int, message: str, encoding: str, retry_after: float | None = None) -> None:
        grpc_code = {400: 3, 401: 16, 403: 7, 404: 5, 429: 14, 500: 13, 503: 14}.get(code, 2)
        body: bytes = status(grpc_code, message, retry_after)
        if encoding == "json":
            body = json.dumps({"code": grpc_code, "message": message}).encode()
        headers: dict[str, Any] = {"Retry-After": max(1, math.ceil(retry_after))} if retry_after is not None else {}
        self._answer(code, body, encoding or "protobuf", headers | ({"WWW-Authenticate": "Bearer"} if code == 401 else {}))

    def _answer(self, code: int, body: bytes, encoding: str, headers: dict[str, Any] | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json" if encoding == "json" else "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, str(value))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


def _inflate(body: bytes, compression: str) -> bytes:
    if not compression:
        return body
    if compression not in _WBITS:
        raise Refused(415, f"content encoding {compression!r}: one of {', '.join(_WBITS)}")
    stream = zlib.decompressobj(_WBITS[compression])
    try:
        out = stream.decompress(body, MAX_BODY)
    except zlib.error as exc:
        raise Undecodable(f"not {compression}: {exc}") from exc
    if stream.unconsumed_tail:
        raise Refused(413, f"more than {MAX_BODY} bytes when inflated")
    if not stream.eof:
        raise Undecodable(f"{compression} ends early")
    return out
