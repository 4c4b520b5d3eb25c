"""What the processes print: read from pipes, cut into lines, kept, and given to the Telemetry API."""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import termios
import threading
import time
from collections.abc import Callable
from typing import Any

from .model import stamp

_LONGEST = 256 * 1024  # bytes of a line; Lambda cuts there, too

Line = Callable[[str, str, int], None]  # source, text, CLOCK_MONOTONIC ns


class Logs:
    """The log of an environment: every line with its time and source (function, or extension:NAME)."""

    def __init__(self, also: Callable[[str, str], None] | None) -> None:
        self.lines: list[dict[str, str]] = []
        self.also = also

    def add(self, source: str, text: str, at: int) -> None:
        """One line."""
        self.lines.append({"time": stamp(at), "source": source, "text": text})
        if self.also:
            self.also(source, text)


def parsed(text: str) -> Any:
    """The object that a line in Lambda's JSON format is; the line itself where it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, dict) else text


class Pipe:
    """A pipe whose other end a process writes; `line` is called for each line, also for a last one without its end."""

    def __init__(self, source: str, line: Line) -> None:
        self.source, self.line = source, line
        self.read_end, self.write_end = os.pipe()
        self.lock, self.closed = threading.Lock(), False
        self.thread = threading.Thread(target=self._read, name=f"log-{source}", daemon=True)
        self.thread.start()

    def written(self) -> None:
        """The process has its end: close ours, so that the pipe ends with the process."""
        os.close(self.write_end)

    def drain(self) -> None:
        """Wait until what was written so far has been read."""
        end = time.monotonic() + 1
        while self.thread.is_alive() and time.monotonic() < end:
            with self.lock:
                if self.closed or not struct.unpack("i", fcntl.ioctl(self.read_end, termios.FIONREAD, b"\0\0\0\0"))[0]:
                    return
            time.sleep(0.0002)

    def join(self) -> None:
        """Wait for the end: every process that had the pipe is gone."""
        self.thread.join(2)

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self.read_end, select.POLLIN | select.POLLHUP)
        rest = b""
        while True:
            poll.poll()
            with self.lock:
                data = os.read(self.read_end, 1 << 16)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) >= _LONGEST:
                    lines, rest = [*lines, rest], b""
                at = time.monotonic_ns()
                for text in lines:
                    self.line(self.source, text.decode(errors="replace"), at)
        if rest:
            self.line(self.source, rest.decode(errors="replace"), time.monotonic_ns())
        with self.lock:
            self.closed = True
            os.close(self.read_end)
