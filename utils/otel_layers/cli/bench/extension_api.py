"""The least of Lambda's Extensions API that a start can be measured with: no sandbox, so that what is measured is the extension alone."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

_REPLY = b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: bench\r\nContent-Length: 2\r\n\r\n{}"
_NONE = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"


class ExtensionApi:
    """Answers register, says 202 to a subscription as emulators do, and holds `next`."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self.next_at = 0  # perf_counter_ns of the first next
        self.asked = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self._server.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection.makefile("rb") as stream:
            while line := stream.readline():
                _read_rest(stream)
                if b"/event/next" in line:
                    self.next_at = self.next_at or time.perf_counter_ns()
                    self.asked.set()
                else:
                    connection.sendall(_NONE if b"/telemetry" in line else _REPLY)

    def close(self) -> None:
        """End everything."""
        self._server.close()
        with self._lock:
            for connection in self._open:
                connection.close()


def _read_rest(stream: BinaryIO) -> None:
    """The headers and the body of a request."""
    length = 0
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    stream.read(length)


@contextlib.contextmanager
def extension_api() -> Iterator[ExtensionApi]:
    """A running API."""
    api = ExtensionApi()
    try:
        yield api
    finally:
        api.close()
