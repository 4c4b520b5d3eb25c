"""Files that are never seen half-written, and temporary folders that are never left behind."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from . import console
from .errors import UsageError
from .project import Project


def write_atomically(path: Path, body: str | bytes) -> None:
    """Write `body` to `path` so that a reader sees the old file or the new one, never a part."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as out:
            out.write(body.encode() if isinstance(body, str) else body)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as exc:
        with suppress(OSError):  # the folder itself may be what is wrong
            part.unlink()
        raise UsageError(f"cannot write {path}", why=str(exc)) from exc


def read_json(path: Path, what: str, remedy: str = "") -> Any:
    """The JSON in the file `path`, which shall be `what` ("a receipt"); UsageError when it is not there (`remedy`) or not readable."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise UsageError(f"there is no {what.partition(' ')[2]} {path}", remedy=remedy) from exc
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path} is not {what}", why=f"it is not readable JSON: {exc}") from exc


def scratch(project: Project) -> Path:
    """This command's own folder for temporary files, its children's too; `sweep` removes it at the command's end."""
    path = project.cache / "tmp" / f"command-{os.getpid()}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def sweep(project: Project) -> None:
    """Remove this command's temporary files, and those of commands that were killed."""
    for path in (project.cache / "tmp").glob("command-*"):
        pid = path.name.removeprefix("command-")
        if pid == str(os.getpid()) or not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def temporary(project: Project, prefix: str) -> Iterator[Path]:
    """A temporary folder of this command, removed at the end whatever happened."""
    path = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=scratch(project)))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(path: Path, waiting: str = "") -> Iterator[None]:
    """Hold the lock file `path`: one process (and one thread) at a time. `waiting` is said when another holds it; a process that ends lets go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                console.detail(waiting)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
