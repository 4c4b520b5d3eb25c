"""The digest of everything that a build depends on: equal digests, equal bytes; so a finished zip need not be made again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from .. import archive
from ..catalog import Layer
from ..project import Project
from .recipe import Order

# Of a layer's folder, what no recipe reads: tests, and what tools leave behind.
_ASIDE = {"tests", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", "node_modules", "target"}


def digest(project: Project, order: Order) -> str:
    """Hex SHA-256 over sources, pins, the catalogue's facts, the tools and the build room itself."""
    facts = {
        "layer": asdict(order.layer),
        "os": {name: project.catalogue.runtimes[name].os for name in order.layer.runtimes},
        "variables": order.variables,
        "tools": {path: _stamp(Path(path)) for path in _programs(order)},
        "parts": [archive.measure(part).sha256 for part in order.parts],
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        "python": platform.python_version(),
    }
    total = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    room = Path(__file__).parent
    made_of = [] if order.parts else [*sources(order.folder), *pins(project, order.layer)]
    for path in [*made_of, *sorted(room.glob("*.py")), room.parent / "archive.py"]:
        total.update(f"\0{path.relative_to(project.root) if path.is_relative_to(project.root) else path.name}\0".encode())
        if path.is_symlink():
            total.update(b"link " + os.fsencode(path.readlink()))
        else:
            total.update(b"x " if os.access(path, os.X_OK) else b"- ")
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def sources(folder: Path) -> Iterator[Path]:
    """The files and links of a layer's folder that its recipe may read, sorted."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in _ASIDE)
        names = [*files, *(f for f in folders if Path(here, f).is_symlink())]
        yield from (Path(here, name) for name in sorted(names) if not name.endswith(("_test.go", ".pyc")))


def pins(project: Project, layer: Layer) -> list[Path]:
    """The project's files outside the layer's folder that its recipe, or the tools for it, read."""
    table = [project.root / "utils/conformance/triggers.json"] if layer.runtimes else []  # every language's layer ships it
    pins = [project.root / "LICENSE", *table, *(project.root / "requirements" / f"{name}.txt" for name in ("go", "uv"))]
    return [path for path in pins if path.is_file()]


def _programs(order: Order) -> list[str]:
    named = [order.variables[key] for key in ("GO", "UV", "PYTHON") if key in order.variables]
    return [*named, shutil.which("bash") or "bash"]


def _stamp(path: Path) -> tuple[str, int, int]:
    """Which file a program is: its real path, size and time of change, so that an upgrade in place is seen."""
    try:
        real = path.resolve()
        stat = real.stat()
    except OSError:
        return str(path), 0, 0
    return str(real), stat.st_size, stat.st_mtime_ns
