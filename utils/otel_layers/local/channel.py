"""Requests to the sandbox's first process and its answers: one JSON object a message, open files beside it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_PATIENCE_S = 30

Answer = tuple[dict[str, Any], list[int]]


class Channel:
    """Our end of the socket pair."""

    def __init__(self, ours: socket.socket) -> None:
        self.socket = ours
        self._changed = threading.Condition()
        self._answers: dict[int, Answer] = {}
        self._serial = 0
        self._ended = False

    def hello(self, message: dict[str, Any], fds: list[int]) -> Answer | None:
        """The first exchange; None when the other end is gone."""
        socket.send_fds(self.socket, [json.dumps(message).encode()], fds)
        self.socket.settimeout(_PATIENCE_S)
        body, got, _, _ = socket.recv_fds(self.socket, 1 << 16, 16)
        self.socket.settimeout(None)
        return (json.loads(body), got) if body else None

    def serve(self, exited: Callable[[dict[str, Any]], None]) -> None:
        """From now on take answers, and call `exited` for each message that a program ended."""
        threading.Thread(target=self._read, args=(exited,), name="sandbox", daemon=True).start()

    def ask(self, message: dict[str, Any], fds: list[int] | None = None) -> Answer:
        """One request with open files, and its answer with open files; ConnectionError when the sandbox is gone."""
        with self._changed:
            if self._ended:
                raise ConnectionError("the sandbox has ended")
            self._serial += 1
            serial = self._serial
            socket.send_fds(self.socket, [json.dumps({**message, "id": serial}).encode()], fds or [])
            until = time.monotonic() + _PATIENCE_S
            while serial not in self._answers:
                if self._ended or not self._changed.wait(until - time.monotonic()):
                    raise ConnectionError("the sandbox does not answer")
            return self._answers.pop(serial)

    def end(self) -> None:
        """Let the other end see the end of file."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def _read(self, exited: Callable[[dict[str, Any]], None]) -> None:
        while True:
            try:
                body, fds, _, _ = socket.recv_fds(self.socket, 1 << 16, 16)
            except OSError:
                body, fds = b"", []
            if not body:
                with self._changed:
                    self._ended = True
                    self._changed.notify_all()
                return
            message = json.loads(body)
            if "exit" in message:
                exited(message)
                continue
            with self._changed:
                self._answers[message["id"]] = (message, fds)
                self._changed.notify_all()
