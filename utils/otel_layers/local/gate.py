"""A bound socket whose port listens, refuses connections, or lets them hang: what a client meets before anybody accepts."""

from __future__ import annotations

import socket
from collections.abc import Callable


class Gate:
    """
    The socket must have been bound to a port by number.

    `connect` makes a connection to that port: one that hangs needs one that nobody accepts.
    """

    def __init__(self, bound: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self.socket, self._connect = bound, connect
        self._filler: socket.socket | None = None

    def set(self, state: str) -> None:
        """Become open, refuse or hang; whoever waits in accept gets an OSError."""
        if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):  # else the shutdown would stick to later connections
            self.socket.shutdown(socket.SHUT_RDWR)  # it stops listening and stays bound
        if self._filler:
            self._filler.close()
            self._filler = None
        if state == "open":
            self.socket.listen(128)
        elif state == "hang":
            self.socket.listen(0)  # has room for one; the kernel drops every further attempt
            self._filler = self._connect()

    def close(self) -> None:
        """Free the port."""
        self.set("refuse")
        self.socket.close()
