"""The folder of a release: everything that is made of its receipts, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ..catalog import Catalogue
from ..errors import UsageError
from . import maps, page
from .index import SCHEMA_FILE, Index

SUMS = "SHA256SUMS"


def texts(index: Index, catalogue: Catalogue) -> dict[PurePosixPath, str]:
    """What an index becomes, by its path in the folder: the ARN page, the index itself with its schema, the maps."""
    made = {"index.json": json.dumps(index, indent=2) + "\n", "index.schema.json": SCHEMA_FILE.read_text(encoding="utf-8")}
    made["index.html"] = page.render(index, catalogue)
    return {**{PurePosixPath(name): text for name, text in made.items()}, **maps.files(index)}


def write(folder: Path, made: dict[PurePosixPath, str], copies: Iterable[Path]) -> None:
    """Make `folder` of the texts `made`, `copies` of files beside them, and SHA256SUMS over all, in place of an earlier one."""
    if folder.exists() and not (folder / SUMS).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and is no release's folder", remedy="another --output-dir, or an empty one")
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        for path, text in made.items():
            (part / path).parent.mkdir(parents=True, exist_ok=True)
            (part / path).write_text(text, encoding="utf-8")
        for source in copies:
            shutil.copyfile(source, part / source.name)
        (part / SUMS).write_text(_sums(part), encoding="utf-8")
        if folder.exists():
            old = part.with_suffix(".old")
            folder.replace(old)
            part.replace(folder)
            shutil.rmtree(old)
        else:
            part.replace(folder)
    except OSError as exc:
        raise UsageError(f"cannot write {folder}", why=str(exc)) from exc
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sums(folder: Path) -> str:
    """What `sha256sum -c` reads, sorted by path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in found)
