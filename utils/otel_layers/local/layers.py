"""The function's layers as /opt: unpacked in order into a folder that is kept and shared by its content, with Lambda's limits."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from .. import files
from ..errors import UsageError
from ..project import Project

MAX_LAYERS = 5
MAX_UNZIPPED = 262_144_000  # function and layers together, bytes
_KEEP = 12  # unpacked sets that nobody uses at the moment


@contextmanager
def merged(project: Project, layers: Sequence[Path], code: Path) -> Iterator[Path | None]:
    """The folder that becomes /opt, in nobody's way as long as it is used; None without layers."""
    size = sum(p.lstat().st_size for p in code.rglob("*") if p.is_file()) if code.is_dir() else 0
    if not code.is_dir():
        raise UsageError(f"the function's code {code} is not a folder")
    if len(layers) > MAX_LAYERS:
        raise UsageError(f"{len(layers)} layers; a function has at most {MAX_LAYERS}")
    digests = [_digest(path) for path in layers]
    for path in layers:
        size += _check(path)
    if size > MAX_UNZIPPED:
        raise UsageError(f"the function and its layers have {size:,} bytes unzipped", why=f"Lambda allows {MAX_UNZIPPED:,}")
    if not layers:
        yield None
        return
    home = project.cache / "opt"
    folder = home / hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16]
    with files.locked(home / ".lock"):  # one process at a time looks, unpacks and prunes
        if not folder.is_dir():
            _unpack(layers, folder)
        os.utime(folder)
        used = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(used, fcntl.LOCK_SH)  # as long as this is held, nobody removes it
        _prune(home)
    try:
        yield folder
    finally:
        os.close(used)


def extensions(opt: Path | None) -> list[str]:
    """The names of the external extensions: executable files directly in extensions/."""
    if not opt or not (opt / "extensions").is_dir():
        return []
    return sorted(p.name for p in (opt / "extensions").iterdir() if p.is_file() and p.stat().st_mode & 0o111)


def evict(*folders: Path | None) -> None:
    """Drop the files of `folders` from the page cache: a new environment reads them anew, and they count as its memory."""
    for folder in folders:
        for path in folder.rglob("*") if folder else ():
            if not path.is_symlink() and path.is_file():
                with suppress(OSError):
                    fd = os.open(path, os.O_RDONLY)
                    try:
                        os.fdatasync(fd)
                        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                    finally:
                        os.close(fd)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as exc:
        raise UsageError(f"the layer {path} cannot be read", why=exc.strerror or str(exc)) from exc


def _check(path: Path) -> int:
    """The unzipped size of a layer; UsageError when it is not a sound zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.startswith("/") or ".." in Path(entry.filename).parts:
                    raise UsageError(f"the layer {path} has the entry {entry.filename!r}", why="it lies outside /opt")
            return sum(e.file_size for e in archive.infolist())
    except zipfile.BadZipFile as exc:
        raise UsageError(f"the layer {path} is not a zip file, or a broken one", why=str(exc)) from exc


def _unpack(layers: Sequence[Path], folder: Path) -> None:
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent)).resolve()
    try:
        for path in layers:
            try:
                with zipfile.ZipFile(path) as archive:
                    for entry in archive.infolist():
                        if not (part / entry.filename).parent.resolve().is_relative_to(part):
                            raise UsageError(f"the layer {path} has the entry {entry.filename!r}", why="a link leads it outside /opt")
                        _entry(archive, entry, part / entry.filename)
            except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as exc:
                raise UsageError(f"the layer {path} is broken", why=str(exc)) from exc
        part.chmod(0o755)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path) -> None:
    mode = entry.external_attr >> 16
    if entry.is_dir():
        to.mkdir(parents=True, exist_ok=True)
        to.chmod(0o755)
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    if to.is_dir() and not to.is_symlink():
        shutil.rmtree(to)  # a later layer's file takes the place of a folder
    else:
        to.unlink(missing_ok=True)
    if stat.S_ISLNK(mode):
        to.symlink_to(archive.read(entry).decode())
        return
    with archive.open(entry) as source, to.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
    to.chmod(mode & 0o777 or 0o644)
    when = time.mktime((*entry.date_time, 0, 0, -1))
    os.utime(to, (when, when))


def _prune(home: Path) -> None:
    """Remove what nobody uses; the gate is held."""
    for part in home.glob(".part-*"):  # of a process that was killed
        shutil.rmtree(part, ignore_errors=True)
    folders = sorted((p for p in home.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime, reverse=True)
    for folder in folders[_KEEP:]:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(opened)
