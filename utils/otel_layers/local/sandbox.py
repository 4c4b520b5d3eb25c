"""The controller's side of a sandbox: starts its first process, has it start programs, freezes, kills, and removes everything."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import ToolMissing
from . import cgroups
from .channel import Channel
from .memory import Poller
from .model import Isolation

USER, GROUP = 993, 990  # as on Lambda
_INSIDE = Path(__file__).parent / "inside"
_LEVELS = ("namespaces", "plain")


@dataclass(frozen=True)
class Exit:
    """A program of the sandbox ended."""

    name: str
    pid: int
    code: int  # negative: the signal that killed it
    at: int  # CLOCK_MONOTONIC ns


@dataclass(frozen=True)
class Spec:
    """What the sandbox shall look like. Ports are listened on inside; 0 means any (plain mode)."""

    binds: tuple[tuple[str, str], ...]  # (host path, path inside), read-only
    hidden: tuple[str, ...]  # folders inside that shall be empty
    ports: tuple[int, ...]
    memory_mb: int
    tmp_mb: int
    base: Path  # an empty folder
    readable: bool  # whether another user than root can read the binds
    freeze: bool


class Refused(Exception):
    """The kernel does not let us have namespaces."""


class Sandbox:
    """A running sandbox; `close` (or the end of this process, however it ends) kills and removes everything in it."""

    def __init__(self, spec: Spec, on_exit: Callable[[Exit], None], *, namespaces: bool) -> None:
        self.namespaces = namespaces
        self.frozen = False
        self.closed = False
        self.groups = cgroups.make()
        self.groups.limit_memory(spec.memory_mb)
        self.freeze_wanted = spec.freeze
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel = Channel(ours)
        root = os.geteuid() == 0
        drop = namespaces and root and spec.readable
        user_map = [USER, GROUP, os.geteuid(), os.getegid()] if namespaces and not root else None
        self.user = USER if drop or user_map else os.geteuid()
        less: list[str] = []
        if namespaces and root and not drop:
            less.append("the function runs as root: its files, or the interpreter's, cannot be read by other users")
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", str(_INSIDE), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us; the sandbox ends with our socket
                cwd="/",
                env={"PATH": "/usr/bin:/bin"},
            )
        try:
            sockets, more = self._set_up(spec, user_map, [USER, GROUP] if drop else None)
        except BaseException:
            self.close()
            raise
        self.sockets = sockets
        self.poller = None if self.groups.memory else Poller(self._child.pid, spec.memory_mb, self._too_much)
        self.isolation = self._describe([*less, *more])
        self._channel.serve(lambda m: on_exit(Exit(m["exit"], m["pid"], m["code"], m["at"])))

    def _set_up(self, spec: Spec, user_map: list[int] | None, drop: list[int] | None) -> tuple[list[socket.socket], list[str]]:
        folders = self.groups.folders
        thaw = self.groups.thaw
        opened = [os.open(f / "cgroup.procs", os.O_WRONLY) for f in folders] + [os.open(f.parent, os.O_RDONLY | os.O_DIRECTORY) for f in folders]
        if thaw:
            opened.append(os.open(thaw[0], os.O_WRONLY))
        message = {
            "namespaces": self.namespaces,
            "map": user_map,
            "drop": drop,
            "owner": [USER, GROUP],
            "groups": len(folders),
            "cgroup": self.groups.name,
            "thawed": thaw[1] if thaw else "",
            "base": str(spec.base),
            "binds": spec.binds,
            "hidden": spec.hidden,
            "tmp_mb": spec.tmp_mb,
            "hostname": "sandbox",
            "ports": spec.ports,
        }
        try:
            answer = self._channel.hello(message, opened)
        finally:
            for fd in opened:
                os.close(fd)
        if not answer:
            assert self._child.stderr  # noqa: S101 - it was asked for above
            raise ToolMissing("the sandbox did not start", why=self._child.stderr.read().decode(errors="replace"))
        reply, fds = answer
        if "refused" in reply:
            raise Refused(reply["refused"])
        if "failed" in reply:
            raise ToolMissing("the sandbox did not start", why=reply["failed"])
        return [socket.socket(fileno=fd) for fd in fds], reply["less"]

    def _describe(self, less: list[str]) -> Isolation:
        if not self.namespaces:
            less.append("no namespaces: files are not read-only, the network is the machine's, and paths are the machine's own")
        freezer = f"cgroup v{self.groups.freezer_version}" if self.groups.freezer else "SIGSTOP"
        if not self.freeze_wanted:
            freezer = "off"
        elif not self.groups.freezer:
            less.append("no cgroup to freeze with: processes are stopped by SIGSTOP, which interrupts some system calls")
        memory = f"cgroup v{self.groups.memory_version}" if self.groups.memory else "polling"
        if not self.groups.memory:
            less.append("no memory cgroup: memory is polled, without page cache, and a short peak can be missed")
        return Isolation(self.namespaces, freezer, memory, self.user, tuple(less))

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: str, output: int) -> tuple[int, int]:
        """Start a program whose stdout and stderr are the file `output`: (its id inside, CLOCK_MONOTONIC just before, ns)."""
        reply, _ = self._channel.ask({"do": "start", "name": name, "argv": list(argv), "env": dict(env), "cwd": cwd}, [output])
        return int(reply["pid"]), int(reply["at"])

    def signal(self, name: str, number: signal.Signals) -> None:
        """Signal the process group of the program `name`."""
        self._channel.ask({"do": "signal", "name": name, "signal": int(number)})

    def connect(self, port: int) -> socket.socket:
        """A connection to a port of the sandbox's own loopback; OSError when nothing listens."""
        reply, fds = self._channel.ask({"do": "connect", "port": port})
        if not fds:
            raise ConnectionRefusedError(reply.get("error", "refused"))
        return socket.socket(fileno=fds[0])

    def freeze(self) -> None:
        """Stop every process, and wait until all have stopped."""
        if self.frozen or not self.freeze_wanted:
            return
        if self.poller:
            self.poller.sample()
        if self.groups.freezer:
            self.groups.set_frozen(True)
        else:
            self._channel.ask({"do": "stop"})
        self.frozen = True

    def thaw(self) -> None:
        """Let every process run again."""
        if not self.frozen:
            return
        self.frozen = False
        if self.groups.freezer:
            self.groups.set_frozen(False)
        else:
            self._channel.ask({"do": "continue"})

    def clear(self) -> None:
        """Kill every process of the sandbox; the sandbox itself stays."""
        self.thaw()
        self._channel.ask({"do": "clear"})

    def peak_mb(self) -> float:
        """The most memory used so far."""
        if self.poller:
            self.poller.sample()
            return self.poller.peak_mb
        return self.groups.peak_mb()

    def memory_kills(self) -> int:
        """How many processes were killed for using more memory than allowed."""
        return self.poller.kills if self.poller else self.groups.kills()

    def close(self) -> None:
        """Kill and remove everything."""
        if self.closed:
            return
        self.closed = True
        poller = getattr(self, "poller", None)
        if poller:
            poller.stop()
        if self.frozen and self.groups.freezer:
            with suppress(OSError, TimeoutError):
                self.groups.set_frozen(False)
        self._channel.end()  # the sandbox sees the end of file
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        finally:
            self._channel.socket.close()
            if self._child.stderr:
                self._child.stderr.close()
            for s in getattr(self, "sockets", ()):
                s.close()
            self.groups.remove()

    def _too_much(self) -> None:
        with suppress(OSError, ConnectionError):
            self.signal("runtime", signal.SIGKILL)


def open_sandbox(spec: Spec, on_exit: Callable[[Exit], None]) -> Sandbox:
    """A sandbox with namespaces, or without where the kernel refuses; OTEL_LAYERS_ISOLATION=namespaces|plain decides it for tests."""
    wanted = os.environ.get("OTEL_LAYERS_ISOLATION", "")
    if wanted and wanted not in _LEVELS:
        raise ToolMissing(f"OTEL_LAYERS_ISOLATION is {wanted!r}", remedy=f"one of {', '.join(_LEVELS)}")
    cgroups.sweep()
    if wanted != "plain":
        try:
            return Sandbox(spec, on_exit, namespaces=True)
        except Refused as exc:
            if wanted == "namespaces":
                raise ToolMissing("this machine refuses namespaces", why=str(exc), remedy="run as root, or allow user namespaces") from exc
    plain = Spec(**{**spec.__dict__, "ports": (0,)})
    return Sandbox(plain, on_exit, namespaces=False)
