"""The embedded AWS seen from a command: one of its own for as long as it lasts, or the one that `aws start` left running."""

from __future__ import annotations

import http.client
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from .. import toolchain
from ..errors import LayersError
from ..project import Project
from . import faults as faulty

_START_LIMIT = 60.0


def server_command(
    project: Project, *, port: int = 0, faults: Mapping[str, str] | None = None, latency: float = 0.0, stacks: bool = False
) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of a server process; `stacks`: CloudFormation will be asked for soon."""
    faults = faults or {}
    faulty.parse(faults)
    setting = json.dumps({"faults": dict(faults), "latency": latency})
    command = [sys.executable, "-m", "otel_layers.aws.server", f"--port={port}", f"--root={project.root}", f"--faults={setting}"]
    command += ["--stacks"] if stacks else []
    package = Path(__file__).resolve().parents[2]  # the project may be a copy without the package
    env = toolchain.environment(project, PYTHONPATH=str(package), PYTHONPYCACHEPREFIX=str(project.cache / "pycache"))
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code halves the start, and it is kept inside .cache
    return command, env


class EmbeddedAws:
    """
    An AWS of this project's own on loopback, as a context manager; it ends with the process that started it.

    `faults` by region as aws/faults.py spells them; `latency`: seconds added to every request; set_faults changes both while it runs.
    `stacks`: load CloudFormation at once, not at its first request.
    """

    def __init__(self, project: Project, *, faults: Mapping[str, str] | None = None, latency: float = 0.0, stacks: bool = False) -> None:
        self._project, self._faults, self._latency, self._stacks = project, dict(faults or {}), latency, stacks
        self._child: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def endpoint(self) -> str:
        """The endpoint for every service and region: http://localhost:PORT."""
        return f"http://localhost:{self.port}"

    def __enter__(self) -> Self:
        command, env = server_command(self._project, faults=self._faults, latency=self._latency, stacks=self._stacks)
        log = self._project.cache / "aws" / f"embedded-{os.getpid()}-{id(self):x}.log"
        self._tmp = log.with_suffix(".tmp")  # what moto unpacks; the server is killed and cannot tidy up
        self._tmp.mkdir(parents=True, exist_ok=True)
        env["TMPDIR"] = str(self._tmp)
        try:
            with log.open("wb") as err:
                # A session of its own: Ctrl-C must not end it before the command has cleaned up. It ends with its stdin.
                self._child = subprocess.Popen(
                    [*command, "--until-eof"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, start_new_session=True
                )
            try:
                self.port = first_line(self._child, _START_LIMIT)
            except BaseException:
                self._end()
                raise
            if not self.port:
                raise LayersError("the embedded AWS did not start", why=log.read_text(errors="replace")[-2000:])
        finally:
            log.unlink(missing_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def _end(self) -> None:
        if self._child is None:
            return
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                pipe.close()
        self._child = None
        shutil.rmtree(self._tmp, ignore_errors=True)

    def set_faults(self, faults: Mapping[str, str], latency: float = 0.0) -> None:
        """Replace all faults and the latency of the running server."""
        set_faults(self.port, faults, latency)


def first_line(child: subprocess.Popen[bytes], limit: float) -> int:
    """The port that a starting server says on its stdout; 0 when it ended instead."""
    stdout = child.stdout
    if stdout is None:
        return 0
    readable, _, _ = select.select([stdout], [], [], limit)
    line = stdout.readline() if readable else b""
    return int(json.loads(line)["port"]) if line else 0


def set_faults(port: int, faults: Mapping[str, str], latency: float = 0.0, hold: int = -1) -> None:
    """Replace all faults and the latency of the server at `port`; after `hold` more requests it keeps every one waiting (-1: none)."""
    faulty.parse(faults)
    ask(port, "PUT", "/_embedded/faults", json.dumps({"faults": dict(faults), "latency": latency, "hold": hold}).encode())


def held_back(port: int) -> bool:
    """Whether the server at `port` has answered what set_faults allowed it, and keeps every further request waiting."""
    return bool(json.loads(ask(port, "GET", "/_embedded/faults"))["hold"] == 0)


def calls(port: int) -> list[faulty.Call]:
    """The latest calls that the server at `port` has had, those that faults swallowed too; the oldest first."""
    return [faulty.Call(**entry) for entry in json.loads(ask(port, "GET", "/_embedded/calls"))]


def ask(port: int, method: str, path: str, body: bytes = b"") -> bytes:
    """One request to the control end of the server at `port`; OSError when it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        read = answer.read()
    except http.client.HTTPException as exc:
        raise OSError(f"no AWS at port {port}: {exc}") from exc
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(f"{method} {path}: {answer.status} {read.decode(errors='replace')}")
    return read
