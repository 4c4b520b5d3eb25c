"""A small, sound layer tree and a catalogue entry for it: what broken layers are made from in tests."""

from __future__ import annotations

import dataclasses
import py_compile
import sys
from pathlib import Path

from otel_layers import catalog

from .elf_files import elf_file

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = catalog.load(ROOT / "layers.toml")
AMD64 = catalog.architecture("amd64")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = sys.implementation.cache_tag
LAYER = dataclasses.replace(
    CATALOGUE.layers["opentelemetry-python"],
    name="small",
    executables=("handler", "extensions/agent"),
    zipped_bytes=100_000,
    unzipped_bytes=200_000,
)


def write(path: Path, body: bytes | str, mode: int = 0o644) -> Path:
    """The file `path` with `body` and `mode`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    path.chmod(mode)
    return path


def compiled(source: Path, *, mode: py_compile.PycInvalidationMode = py_compile.PycInvalidationMode.UNCHECKED_HASH) -> Path:
    """`source` compiled by this interpreter into its __pycache__."""
    return Path(py_compile.compile(str(source), invalidation_mode=mode, doraise=True, dfile=source.name) or "")


def sound(home: Path) -> Path:
    """A tree that keeps LAYER's contract on amd64."""
    write(home / "handler", '#!/bin/sh\nexec "$@"\n', 0o755)
    write(home / "extensions/agent", elf_file(AMD64.elf), 0o755)
    compiled(write(home / "python/otel/entry.py", "ANSWER = 42\n"))
    write(home / f"python/otel/_native.cpython-{TAG.removeprefix('cpython-')}-x86_64-linux-gnu.so", elf_file(AMD64.elf, glibc=("GLIBC_2.17",)), 0o755)
    (home / "current").symlink_to("python/otel")
    return home
