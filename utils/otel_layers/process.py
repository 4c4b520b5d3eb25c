"""Running other programs: echoed, with a clear error, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from . import console
from .errors import LayersError, ToolMissing


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    capture: bool = False,
    timeout: float | None = None,
    error: type[LayersError] = LayersError,
    remedy: str = "",
    echo: bool = True,
) -> str:
    """
    Run `command` to its end and return its stdout ('' unless `capture`; else stderr is kept for the error).

    `env` is the whole environment (default: this process's). The program's own output goes to our stderr unless captured.
    Raises `error` when it exits non-zero or takes longer than `timeout` seconds, ToolMissing when it is not there.
    The program runs in a process group of its own, which is killed if we are interrupted.
    """
    argv = [str(part) for part in command]
    if echo:
        console.echo(argv)
    try:
        child = subprocess.Popen(
            argv,
            cwd=cwd,
            env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else 2,
            stderr=subprocess.PIPE if capture else None,
            text=True,
            start_new_session=True,
        )
    except FileNotFoundError as exc:
        raise ToolMissing(f"{argv[0]} is not installed", why=str(exc), remedy=remedy) from exc
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as exc:
        end_group(child)
        raise error(f"{argv[0]} took longer than {timeout:g} s", remedy=remedy) from exc
    except BaseException:
        end_group(child)
        raise
    if child.returncode:
        tail = "\n".join((err or out or "").strip().splitlines()[-20:])
        failure = error(f"{argv[0]} ended with {child.returncode}", why=tail, remedy=remedy)
        failure.status = child.returncode
        raise failure
    return out or ""


def end_group(child: subprocess.Popen[str], grace: float = 2.0) -> None:
    """End the process group that `child` leads: SIGTERM, then after `grace` seconds SIGKILL; and reap it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        if _reap(child, grace) and number == signal.SIGKILL:
            return
    while not _reap(child, grace):
        pass


def _reap(child: subprocess.Popen[str], seconds: float) -> bool:
    """Whether `child` has ended within that time. Not by Popen.wait: an interrupt may have struck while it held its lock, which nobody frees then."""
    until = time.monotonic() + seconds
    while child.returncode is None:
        try:
            ended, status = os.waitpid(child.pid, os.WNOHANG)
        except ChildProcessError:  # reaped just before the interrupt
            ended, status = child.pid, 0
        if ended:
            child.returncode = os.waitstatus_to_exitcode(status)
        elif time.monotonic() > until:
            return False
        else:
            time.sleep(0.01)
    return True
