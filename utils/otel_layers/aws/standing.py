"""The embedded AWS that stays until it is stopped: `aws start|stop|status`, and which AWS a command talks to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import LayersError, NothingToDo, UsageError
from ..files import write_atomically
from ..project import Project
from .client import Access
from .embedded import EmbeddedAws, ask, first_line, server_command


@dataclass(frozen=True)
class Server:
    """A running server."""

    pid: int
    port: int

    @property
    def endpoint(self) -> str:
        """The endpoint for every service and region."""
        return f"http://localhost:{self.port}"


def state_file(project: Project) -> Path:
    """Where the running server is written down: {"pid", "port"}."""
    return project.cache / "aws" / "server.json"


def running(project: Project) -> Server | None:
    """The server that `aws start` left, if it is still there and is this project's; a stale state file is removed."""
    path = state_file(project)
    try:
        state = json.loads(path.read_text())
        server = Server(int(state["pid"]), int(state["port"]))
        health = json.loads(ask(server.port, "GET", "/_embedded/health"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        path.unlink(missing_ok=True)
        return None
    if (health.get("pid"), health.get("root")) != (server.pid, str(project.root)):
        path.unlink(missing_ok=True)
        return None
    return server


def start(project: Project, *, port: int = 0) -> tuple[Server, bool]:
    """The running server and whether it was started now; it ends with stop, or with the machine."""
    if (found := running(project)) is not None:
        if port not in (0, found.port):
            raise UsageError(f"an embedded AWS already runs at port {found.port}", remedy="./run.sh aws stop")
        return found, False
    command, env = server_command(project, port=port, stacks=True)
    log = project.cache / "aws" / "server.log"
    tmp = _tmp(project)
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    with log.open("wb") as err:
        child = subprocess.Popen(
            command, env={**env, "TMPDIR": str(tmp)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, start_new_session=True
        )
    try:
        taken = first_line(child, 60)
        server = Server(child.pid, taken)
        if taken:
            write_atomically(state_file(project), json.dumps({"pid": server.pid, "port": server.port}) + "\n")
    except BaseException:
        child.kill()
        child.wait()
        raise
    if not taken:
        child.kill()
        child.wait()
        raise LayersError("the embedded AWS did not start", why=log.read_text(errors="replace")[-2000:], remedy="another --port")
    if child.stdout:
        child.stdout.close()
    child.returncode = 0  # it outlives us on purpose: no warning about that
    return server, True


def stop(project: Project, limit: float = 10.0) -> Server:
    """End the running server and wait until it is gone."""
    server = running(project)
    if server is None:
        raise NothingToDo("no embedded AWS is running")
    with suppress(ProcessLookupError):
        os.kill(server.pid, signal.SIGTERM)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        with suppress(ChildProcessError):
            os.waitpid(server.pid, os.WNOHANG)  # when it was started by this very process
        try:
            os.kill(server.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.02)
    else:
        os.kill(server.pid, signal.SIGKILL)
    state_file(project).unlink(missing_ok=True)
    shutil.rmtree(_tmp(project), ignore_errors=True)
    return server


def _tmp(project: Project) -> Path:
    """What moto unpacks."""
    return project.cache / "aws" / "server.tmp"


@contextmanager
def connect(project: Project, to: str, *, stacks: bool = False) -> Iterator[Access]:
    """
    The AWS that `--to` names: the real one, or the running embedded one, else one of its own that ends with the command.

    `stacks`: CloudFormation will be asked for soon.
    """
    if to == "aws":
        yield Access(attempts=3)
    elif to != "local":
        raise UsageError(f"unknown target {to!r}", remedy="--to local or --to aws")
    elif (server := running(project)) is not None:
        yield Access(server.endpoint)
    else:
        with EmbeddedAws(project, stacks=stacks) as own:
            yield Access(own.endpoint)
