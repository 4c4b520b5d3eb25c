"""Built zips with their facts, each held against Lambda's limits and against itself before anything is called."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import archive
from ..catalog import Architecture, Layer
from ..errors import UsageError

_FIELDS: dict[str, type] = {
    "layer": str,
    "version": str,
    "arch": str,
    "runtimes": list,
    "sha256": str,
    "code_sha256": str,
    "zipped_bytes": int,
    "unzipped_bytes": int,
    "source_revision": str,
}


@dataclass(frozen=True)
class Artefact:
    """One built zip, as its facts file describes it."""

    layer: Layer
    arch: Architecture
    path: Path
    version: str
    runtimes: tuple[str, ...]
    sha256: str
    code_sha256: str
    zipped_bytes: int
    unzipped_bytes: int
    source_revision: str


def build_command(layer: Layer, arch: Architecture, version: str = "") -> str:
    """What makes the zip of `layer` for `arch`."""
    return f"./run.sh {layer.folder} build --layer {layer.name} --arch {arch.name}" + (f" --version {version}" if version else "")


def is_built(dist: Path, layer: Layer, arch: Architecture) -> bool:
    """Whether dist/ has a zip of `layer` for `arch`."""
    return (dist / layer.zip_name(arch.name)).is_file()


def load(dist: Path, layer: Layer, arch: Architecture) -> Artefact:
    """The zip of `layer` for `arch` in `dist`, checked; UsageError says what is wrong with it and how to make it anew."""
    path = dist / layer.zip_name(arch.name)
    if not path.is_file():
        raise UsageError(f"{path.name} is not built", remedy=build_command(layer, arch))
    facts = _facts(path.with_suffix(".json"), layer, arch)
    artefact = Artefact(
        layer=layer,
        arch=arch,
        path=path,
        version=facts["version"],
        runtimes=tuple(facts["runtimes"]),
        sha256=facts["sha256"],
        code_sha256=facts["code_sha256"],
        zipped_bytes=facts["zipped_bytes"],
        unzipped_bytes=facts["unzipped_bytes"],
        source_revision=facts["source_revision"],
    )
    _check_bytes(artefact)
    return artefact


def _facts(path: Path, layer: Layer, arch: Architecture) -> dict[str, Any]:
    remedy = build_command(layer, arch)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise UsageError(f"{path.name}, the facts of the zip beside it, is not there", remedy=remedy) from exc
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path.name} is not readable JSON", why=str(exc), remedy=remedy) from exc
    for key, kind in _FIELDS.items():
        value = facts.get(key) if isinstance(facts, dict) else None
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UsageError(f"{path.name}: {key!r} must be {kind.__name__}, not {value!r}", remedy=remedy)
    for key, expected in (("layer", layer.name), ("arch", arch.name)):
        if facts[key] != expected:
            raise UsageError(f"{path.name} says {key} {facts[key]!r}, not {expected!r}", why="the zip is of another build", remedy=remedy)
    return dict(facts)


def _check_bytes(artefact: Artefact) -> None:
    """The zip is what its facts say, within Lambda's limits, whole, and for the right architecture."""
    name, remedy = artefact.path.name, build_command(artefact.layer, artefact.arch)
    measured = archive.measure(artefact.path)
    for key in ("sha256", "code_sha256", "zipped_bytes", "unzipped_bytes"):
        if getattr(measured, key) != getattr(artefact, key):
            why = f"{key} of the zip is {getattr(measured, key)}, its facts say {getattr(artefact, key)}"
            raise UsageError(f"{name} and its facts are not of one build", why=why, remedy=remedy)
    if measured.unzipped_bytes > archive.MAX_UNZIPPED:
        raise UsageError(f"{name} unpacks to {measured.unzipped_bytes:,} bytes", why=f"Lambda allows {archive.MAX_UNZIPPED:,}")
    with archive.opened(artefact.path) as source:
        entries = source.infolist()
        if not any(not info.is_dir() for info in entries):
            raise UsageError(f"{name} is empty", remedy=remedy)
        seen: set[str] = set()
        for info in entries:
            entry = str(archive.name_of(info, artefact.path))
            if entry in seen:
                raise UsageError(f"{name} has {entry} twice", remedy=remedy)
            seen.add(entry)
            with source.open(info) as body:
                head = body.read(20)
                while body.read(1 << 20):  # to the end: only then is the checksum compared
                    pass
            if head[:4] == b"\x7fELF" and len(head) == 20:
                machine = struct.unpack_from(">H" if head[5] == 2 else "<H", head, 18)[0]
                if machine != artefact.arch.elf:
                    why = f"{entry} is for ELF machine {machine}; {artefact.arch.name} is {artefact.arch.elf}"
                    raise UsageError(f"{name} holds a program for another architecture", why=why, remedy=remedy)
