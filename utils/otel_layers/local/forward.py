"""Forwards connections that the sandbox makes to its own loopback to a port of the host's: how it reaches the backend and the embedded AWS."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from .gate import Gate

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


def reachable(address: tuple[str, int]) -> bool:
    """Whether something listens there now."""
    with suppress(OSError), socket.create_connection(address, timeout=1):
        return True
    return False


class Forwarder:
    """
    Serves `listener` until closed; each connection is bytes in both directions.

    `connect` makes a connection to the listener: needed only for the state hang of `gate`.
    """

    def __init__(self, listener: socket.socket, address: tuple[str, int], connect: Callable[[], socket.socket] | None = None) -> None:
        self.address = address
        self.open: dict[int, socket.socket] = {}  # the connections that were accepted, by the port that the other side sees
        self._gate = Gate(listener, connect or (lambda: socket.create_connection(listener.getsockname())))
        self._closed = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.gate("open")

    def gate(self, state: str) -> None:
        """Accept connections (open), refuse them, or let them hang; those that are open stay."""
        with self._lock:
            if self._closed:
                return
            self._gate.set("refuse")
            if self._thread:
                self._thread.join()
                self._thread = None
            self._gate.set(state)
            if state == "open":
                self._thread = threading.Thread(target=self._accept, name="forward", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End listening and every connection."""
        self.gate("refuse")
        with self._lock:
            self._closed = True
            self._gate.close()
        for s in list(self.open.values()):
            with suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def cut_all(self) -> None:
        """End every connection: the environment goes on elsewhere."""
        for port in list(self.open):
            self.cut(port)

    def cut(self, port: int, last: bytes = b"") -> None:
        """End the connection that the other side sees with `port`, after the bytes `last`."""
        connection = self.open.get(port)
        if connection:
            with suppress(OSError):
                connection.sendall(last)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self._gate.socket.accept()
            except OSError:
                return
            inner.setblocking(True)
            threading.Thread(target=self._connect, args=(inner,), name="forward", daemon=True).start()

    def _connect(self, inner: socket.socket) -> None:
        try:
            outer = socket.create_connection(self.address, timeout=5)
        except OSError:
            with suppress(OSError):
                inner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)  # what is down outside must not look like an answer
            inner.close()
            return
        outer.settimeout(None)
        for s in (inner, outer):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = outer.getsockname()[1]
        self.open[port] = inner
        back = threading.Thread(target=_pump, args=(outer, inner), name="forward", daemon=True)
        back.start()
        _pump(inner, outer)
        back.join()
        del self.open[port]
        inner.close()
        outer.close()


def _pump(source: socket.socket, to: socket.socket) -> None:
    """Bytes from one to the other until the end, which is passed on."""
    try:
        while data := source.recv(1 << 16):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        for s in (source, to):
            with suppress(OSError):
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                s.shutdown(socket.SHUT_RDWR)
