"""Starting, finding and signalling the sandbox's processes."""

# ruff: noqa: PTH115, PTH123, PTH208
# (pathlib is not worth its start-up time here)
from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import system
else:
    import system


def start(message: dict[str, Any], output: int, spec: dict[str, Any], cgroups: list[int]) -> tuple[int, int]:
    """Start a program whose stdout and stderr are `output`; (its process id, CLOCK_MONOTONIC just before)."""
    at = time.monotonic_ns()
    pid = os.fork()
    if pid:
        return pid, at
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        for fd in cgroups:
            os.write(fd, b"0")
        nothing = os.open("/dev/null", os.O_RDONLY)
        for source, wanted in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, wanted)
        os.closerange(3, 1 << 16)
        if spec["drop"]:
            user, group = spec["drop"]
            os.setgroups([])
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)
        system.no_new_privileges()
        os.umask(0o022)
        os.chdir(message["cwd"])
        os.execve(message["argv"][0], message["argv"], message["env"])  # noqa: S606 - the whole point
    except OSError as exc:
        with contextlib.suppress(OSError):
            os.write(2, f"{message['argv'][0]}: {exc.strerror}\n".encode())
    finally:
        os._exit(127)


def descendants() -> dict[int, str]:
    """Every process below this one, as /proc numbers them, with its state."""
    me = int(os.readlink("/proc/self"))
    parents: dict[int, tuple[int, str]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                state, parent = stat.read().rsplit(")", 1)[1].split()[:2]
                parents[int(name)] = (int(parent), state)
    below = {me}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in parents.items() if parent in below} - below
        below |= more
        grown = bool(more)
    return {pid: parents[pid][1] for pid in below - {me}}


def signal_all(number: int) -> None:
    """Send a signal to every process of the sandbox but this one."""
    if os.getpid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, number)
        return
    for pid, state in descendants().items():
        if state != "Z":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def stop_all() -> bool:
    """SIGSTOP to all, again until none runs and no new one appeared; whether that was reached within a second."""
    end = time.monotonic() + 1
    seen: set[int] = set()
    while time.monotonic() < end:
        signal_all(signal.SIGSTOP)
        now = descendants()
        if set(now) <= seen and all(state in "TtZX" for state in now.values()):
            return True
        seen = set(now)
        time.sleep(0.0005)
    return False
