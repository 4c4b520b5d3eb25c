"""Control groups of one environment: freezing, memory limit and peak. Version 2, version 1 or both at once (hybrid hosts); none where not allowed."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "otel-layers"
_count = itertools.count()


@dataclass(frozen=True)
class Cgroups:
    """The groups of one environment; a path is None where the machine has no such controller for us."""

    name: str
    freezer: Path | None
    freezer_version: int
    memory: Path | None
    memory_version: int

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every group that a process must join."""
        return tuple(dict.fromkeys(p for p in (self.freezer, self.memory) if p))

    @property
    def thaw(self) -> tuple[Path, str] | None:
        """The file to write, and what, to let the processes run."""
        if not self.freezer:
            return None
        return (self.freezer / "cgroup.freeze", "0") if self.freezer_version == 2 else (self.freezer / "freezer.state", "THAWED")

    def set_frozen(self, frozen: bool) -> None:
        """Freeze or thaw and wait until it is so."""
        assert self.freezer  # noqa: S101 - callers ask for the freezer first
        if self.freezer_version == 2:
            _write(self.freezer / "cgroup.freeze", "1" if frozen else "0")
            events, wanted = self.freezer / "cgroup.events", f"frozen {int(frozen)}"
        else:
            _write(self.freezer / "freezer.state", "FROZEN" if frozen else "THAWED")
            events, wanted = self.freezer / "freezer.state", "FROZEN" if frozen else "THAWED"
        end = time.monotonic() + 5
        while wanted not in events.read_text().splitlines():
            if time.monotonic() > end:
                raise TimeoutError(f"{events} did not become {wanted!r}")
            time.sleep(0.0001)

    def limit_memory(self, megabytes: int) -> None:
        """The most memory, page cache included, that the environment may use."""
        if not self.memory:
            return
        size = str(megabytes << 20)
        if self.memory_version == 2:
            _write(self.memory / "memory.max", size)
            with suppress(OSError):
                _write(self.memory / "memory.swap.max", "0")
        else:
            _write(self.memory / "memory.limit_in_bytes", size)
            with suppress(OSError):
                _write(self.memory / "memory.memsw.limit_in_bytes", size)

    def peak_mb(self) -> float:
        """The most memory used so far, page cache included."""
        if not self.memory:
            return 0.0
        for name in ("memory.peak", "memory.max_usage_in_bytes", "memory.current"):
            if (self.memory / name).is_file():
                return int((self.memory / name).read_text()) / (1 << 20)
        return 0.0

    def kills(self) -> int:
        """How many processes the kernel killed because the limit was reached."""
        if not self.memory:
            return 0
        text = (self.memory / ("memory.events" if self.memory_version == 2 else "memory.oom_control")).read_text()
        found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
        return int(found[1]) if found else 0

    def remove(self) -> None:
        """Remove the groups; their processes have ended."""
        for folder in self.folders:
            _remove(folder)


def make() -> Cgroups:
    """New groups under this process's own, or at the top for root; without any right to, a Cgroups with none."""
    name = f"{_PREFIX}-{os.getpid()}-{next(_count)}"
    v2, v1 = _mounts()
    mine = _own()
    freezer = memory = None
    freezer_version = memory_version = 0
    if v2:
        for parent in _candidates(v2, mine.get("", "/"), top_first=os.geteuid() == 0):
            folder = _make(parent, name)
            if folder and (folder / "cgroup.freeze").is_file():
                freezer, freezer_version = folder, 2
                if (folder / "memory.max").is_file():
                    memory, memory_version = folder, 2
                break
            if folder:
                _remove(folder)
    if not freezer and "freezer" in v1:
        freezer = _first(v1["freezer"], mine.get("freezer", "/"), name)
        freezer_version = 1
    if not memory and "memory" in v1:
        memory = _first(v1["memory"], mine.get("memory", "/"), name)
        memory_version = 1
    return Cgroups(name, freezer, freezer_version, memory, memory_version)


def sweep() -> None:
    """Remove groups of controllers that are gone (killed so hard that even the sandbox could not clean up)."""
    v2, v1 = _mounts()
    mine = _own()
    for root, own in [(v2, mine.get("", "/")), *((v1[c], mine.get(c, "/")) for c in ("freezer", "memory") if c in v1)]:
        for parent in _candidates(root, own, top_first=True) if root else ():
            for folder in parent.glob(f"{_PREFIX}-*-*"):
                pid = folder.name.split("-")[2]
                if pid.isdigit() and not Path("/proc", pid).exists() and _clear(folder):
                    _remove(folder, patience=0.2)


def _clear(folder: Path) -> bool:
    """Kill what is left in a group; False when it is another container's, whose processes have no number here."""
    with suppress(OSError):
        if "0" in (folder / "cgroup.procs").read_text().split():
            return False
    with suppress(OSError):
        _write(folder / "cgroup.freeze", "0")
    with suppress(OSError):
        _write(folder / "freezer.state", "THAWED")
    with suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), 9)
    return True


def _mounts() -> tuple[Path | None, dict[str, Path]]:
    """(where version 2 is mounted, where each controller of version 1 is)."""
    v2, v1 = None, {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options = line.split()[:4]
        if kind == "cgroup2":
            v2 = v2 or Path(where)
        elif kind == "cgroup":
            v1.update({option: Path(where) for option in options.split(",") if option in ("freezer", "memory")})
    return v2, v1


def _own() -> dict[str, str]:
    """This process's group by controller; '' is version 2."""
    out = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        out.update(dict.fromkeys(controllers.split(","), path))
    return out


def _candidates(root: Path, own: str, *, top_first: bool) -> tuple[Path, ...]:
    inner = root / own.strip("/")
    # In version 2 a group with processes cannot hand controllers to children, so that root is better off at the top.
    both = (root, inner) if top_first else (inner, root)
    return tuple(dict.fromkeys(p for p in both if p.is_dir()))


def _first(root: Path, own: str, name: str) -> Path | None:
    for parent in _candidates(root, own, top_first=False):
        folder = _make(parent, name)
        if folder:
            return folder
    return None


def _make(parent: Path, name: str) -> Path | None:
    """A new group that a process of ours can join; None where that is not allowed."""
    folder = parent / name
    try:
        folder.mkdir()
    except OSError:
        return None
    # Joining can be refused although making was not: tried by a program that ends at once.
    probe = subprocess.run(["/bin/sh", "-c", 'echo 0 >"$0"', str(folder / "cgroup.procs")], stderr=subprocess.DEVNULL, check=False)
    if probe.returncode == 0:
        return folder
    _remove(folder)
    return None


def _remove(folder: Path, patience: float = 2.0) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > end:
                return
            time.sleep(0.005)
            continue
        return


def _write(path: Path, text: str) -> None:
    with path.open("w") as out:
        out.write(text)
