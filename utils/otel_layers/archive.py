"""Zips of layers: packed so that the same files give the same bytes, unpacked so that nothing leaves the destination, and measured."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .errors import UsageError

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip can hold: says nothing, and so never differs
MAX_ZIPPED = 52_428_800  # Lambda's limit for a zip that is uploaded directly
MAX_UNZIPPED = 262_144_000  # Lambda's limit for a function and its layers together

_LINK_LIMIT = 4096  # the longest path that Linux takes
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, UnicodeError, struct.error, ValueError)


@dataclass(frozen=True)
class Measure:
    """What identifies a zip, and how large it is."""

    sha256: str  # hex
    code_sha256: str  # base64, as Lambda spells it
    zipped_bytes: int
    unzipped_bytes: int


def pack(tree: Path, destination: Path) -> None:
    """
    Zip the files of `tree` into `destination`: sorted, one timestamp, modes 0644 or 0755, symbolic links as links.

    Folders are implied by what lies in them; only an empty one has an entry of its own.
    """
    with zipfile.ZipFile(destination, "w") as out:
        for path in _sorted(tree):
            info = zipfile.ZipInfo(path.relative_to(tree).as_posix(), EARLIEST)
            info.create_system = 3  # Unix: the only one whose modes are read back
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                kind, body = stat.S_IFLNK | 0o777, os.fsencode(path.readlink())
            elif stat.S_ISDIR(mode):
                info.filename += "/"
                kind, body = stat.S_IFDIR | 0o755, b""
            elif stat.S_ISREG(mode):
                kind, body = stat.S_IFREG | (0o755 if mode & 0o111 else 0o644), path.read_bytes()
            else:
                raise UsageError(f"{path} is neither a file, a folder nor a symbolic link", why="a zip can hold nothing else")
            info.external_attr = kind << 16 | (0x10 if stat.S_ISDIR(kind) else 0)
            deflate = len(body) > 0 and stat.S_ISREG(kind)
            out.writestr(info, body, compress_type=zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED, compresslevel=9)


def _sorted(tree: Path) -> list[Path]:
    """Files, links and empty folders below `tree`, in the order of their zip names' bytes."""
    found: list[Path] = []
    for folder, folders, files in os.walk(tree):
        here = Path(folder)
        found += [here / name for name in files]
        found += [here / name for name in folders if (here / name).is_symlink() or not any((here / name).iterdir())]
    return sorted(found, key=lambda p: p.relative_to(tree).as_posix().encode())


def unpack(archive: Path, destination: Path) -> None:
    """
    Unzip `archive` over what `destination` already holds, as Lambda does with layers: a later file replaces an earlier one.

    UsageError when it is no sound zip, or has a name that would leave `destination`, also by way of a symbolic link.
    """
    destination.mkdir(parents=True, exist_ok=True)
    home = destination.resolve()
    with opened(archive) as source:
        for info in source.infolist():
            path = home / name_of(info, archive)
            _folder(path if info.is_dir() else path.parent, home, archive)
            if not info.is_dir():
                _extract(source, info, path, archive)


def _folder(path: Path, home: Path, archive: Path) -> None:
    """Make the folder `path` with mode 0755, and every missing one above it, unless a link leads it out of `home`."""
    above = next(p for p in (path, *path.parents) if p.exists() or p.is_symlink())
    if not above.resolve().is_relative_to(home):
        raise UsageError(f"{archive} would write outside its folder", why=f"{above.relative_to(home)} is a symbolic link to {above.readlink()}")
    if not above.is_dir():
        raise UsageError(f"{archive} puts a folder where a file is: {above.relative_to(home)}")
    missing = [p for p in (path, *path.parents) if p.is_relative_to(above) and p != above]
    for folder in reversed(missing):
        folder.mkdir()
        folder.chmod(0o755)


def _extract(source: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, archive: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        raise UsageError(f"{archive} puts a file where a folder is: {info.filename}")
    path.unlink(missing_ok=True)
    mode = mode_of(info)
    if stat.S_ISLNK(mode):
        path.symlink_to(link_of(source, info, archive))
        return
    with source.open(info) as body, path.open("xb") as out:
        shutil.copyfileobj(body, out, 1 << 20)
    path.chmod(stat.S_IMODE(mode) & 0o777)


@contextmanager
def opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """`archive` open for reading; whatever is wrong with it becomes a UsageError, also while it is read."""
    try:
        with zipfile.ZipFile(archive) as source:
            yield source
    except FileNotFoundError as exc:
        raise UsageError(f"{archive} is not there") from exc
    except _UNREADABLE as exc:
        raise UsageError(f"{archive} is not a sound zip", why=str(exc) or type(exc).__name__) from exc
    except OSError as exc:
        raise UsageError(f"cannot unpack {archive}", why=str(exc)) from exc


def name_of(info: zipfile.ZipInfo, archive: Path) -> PurePosixPath:
    """The entry's name as a relative path; UsageError when it is absolute, climbs with '..', or is no name at all."""
    raw = info.orig_filename
    name = PurePosixPath(raw)
    if not name.parts or name.is_absolute() or ".." in name.parts or "\\" in raw or "\0" in raw:
        raise UsageError(f"{archive} has an entry that would leave its folder: {raw!r}")
    return name


def mode_of(info: zipfile.ZipInfo) -> int:
    """The entry's type and permissions; a zip made without Unix modes gets those of plain files."""
    mode = info.external_attr >> 16 if info.create_system == 3 else 0
    if info.is_dir():
        return stat.S_IFDIR | (stat.S_IMODE(mode) or 0o755)
    return (mode if stat.S_IFMT(mode) else stat.S_IFREG | mode) if mode else stat.S_IFREG | 0o644


def link_of(source: zipfile.ZipFile, info: zipfile.ZipInfo, archive: Path) -> str:
    """Where the symbolic link `info` leads."""
    target = os.fsdecode(source.read(info)) if info.file_size <= _LINK_LIMIT else ""
    if not target or "\0" in target:
        raise UsageError(f"{archive} has a symbolic link that leads nowhere: {info.filename}")
    return target


def measure(archive: Path) -> Measure:
    """Digests and sizes of a zip; unzipped is the sum of its files, as Lambda counts."""
    body = hashlib.sha256()
    try:
        with archive.open("rb") as source:
            for block in iter(lambda: source.read(1 << 20), b""):
                body.update(block)
    except OSError as exc:
        raise UsageError(f"cannot read {archive}", why=exc.strerror or str(exc)) from exc
    with opened(archive) as zipped:
        unzipped = sum(info.file_size for info in zipped.infolist())
    return Measure(body.hexdigest(), base64.b64encode(body.digest()).decode(), archive.stat().st_size, unzipped)
