"""Forwards connections that the sandbox makes to its own loopback to a port of the host's: how it reaches the backend and the embedded AWS."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


def reachable(address: tuple[str, int]) -> bool:
    """Whether something listens there now."""
    with suppress(OSError), socket.create_connection(address, timeout=1):
        return True
    return False


class Forwarder:
    """Serves `listener`, a socket of the sandbox, until closed; each connection is bytes in both directions."""

    def __init__(self, listener: socket.socket, address: tuple[str, int]) -> None:
        self.listener, self.address = listener, address
        self.open: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="forward", daemon=True).start()

    def close(self) -> None:
        """End listening and every connection."""
        for s in (self.listener, *list(self.open)):
            with suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self.listener.accept()
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
        self.open |= {inner, outer}
        back = threading.Thread(target=_pump, args=(outer, inner), name="forward", daemon=True)
        back.start()
        _pump(inner, outer)
        back.join()
        self.open -= {inner, outer}
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
