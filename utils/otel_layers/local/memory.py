"""Memory of a process tree where there is no memory cgroup: polled, each shared page counted once (PSS)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_INTERVAL_S = 0.05


class Poller:
    """Remembers the peak of everything below the process `root`; calls `too_much` each time it is above the limit."""

    def __init__(self, root: int, limit_mb: int, too_much: Callable[[], None]) -> None:
        self.root, self.limit_mb, self.too_much = root, limit_mb, too_much
        self.peak_mb = 0.0
        self.kills = 0
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="memory", daemon=True).start()

    def stop(self) -> None:
        """Poll no more."""
        self._stop.set()

    def sample(self) -> float:
        """What is used now."""
        # The sandbox's own first process (and the one that waits for it) are not the function's.
        now = sum(_pss(pid) for pid in _below(self.root) if b"inside" not in _command(pid)) / 1024
        self.peak_mb = max(self.peak_mb, now)
        return now

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_S):
            if self.sample() > self.limit_mb:
                self.kills += 1
                self.too_much()


def _below(root: int) -> list[int]:
    out, todo = [], [root]
    while todo:
        pid = todo.pop()
        with suppress(OSError):
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                more = [int(p) for p in children.read_text().split()]
                out += more
                todo += more
    return out


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"/inside\0")[1]
    return b""


def _pss(pid: int) -> int:
    with suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0
