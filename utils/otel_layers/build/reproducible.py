"""Proves that a zip comes out the same again: built a second time elsewhere, where nothing but the sources and downloads is the same."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .. import console
from ..catalog import Layer
from ..files import temporary
from ..project import Project, open_project
from . import Built, build_version, inputs, sbom

_DOWNLOADS = ("go/mod", "uv", "envs", "npm")  # of the cache: what comes from registries, by digest
_OTHER = {"TZ": "Pacific/Auckland", "PYTHONHASHSEED": "4711", "LC_ALL": "C", "HOME": "/nonexistent"}


def differences(project: Project, built: Built) -> list[str]:
    """What is different when `built` is built again: an entry's name each; empty when the bytes are the same."""
    console.step(f"building {built.layer.name} for {built.arch.name} again, at another path, with another umask and time zone")
    with temporary(project, "elsewhere") as tmp, _surroundings():
        other = _copy(project, built.layer, tmp / "a much longer path than the first")
        versions = {part["name"]: part["version"] for part in sbom.load(built.zip)["components"] if part["type"] == "application"}
        parts = [build_version(other, other.catalogue.layer(name), built.arch, versions[name], [], other.dist) for name in built.layer.bundle]
        again = build_version(other, built.layer, built.arch, built.facts.version, parts, other.dist)
        if again.facts.sha256 == built.facts.sha256:
            return []
        return compare(built.zip, again.zip) or ["no entry, but how they are packed"]


def compare(first: Path, second: Path) -> list[str]:
    """The entries of two zips that only one has, or that differ in bytes or mode."""
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
        ours, theirs = ({info.filename: (info.external_attr, source.read(info)) for info in source.infolist()} for source in (one, two))
        return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


@contextmanager
def _surroundings() -> Iterator[None]:
    """Another umask and other variables than the caller's."""
    before = {name: os.environ.get(name) for name in _OTHER}
    umask = os.umask(0o077)
    os.environ.update(_OTHER)
    try:
        yield
    finally:
        os.umask(umask)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _copy(project: Project, layer: Layer, root: Path) -> Project:
    """A project at `root` of what the layer, and each part of a bundle, is built from by `inputs`' account, and no more."""
    layers = [project.catalogue.layer(name) for name in layer.bundle] or [layer]
    wanted = [path for one in layers for path in (*inputs.sources(project.root / one.folder), *inputs.pins(project, one))]
    for path in [project.root / "layers.toml", *sorted((project.root / "requirements").iterdir()), *wanted]:
        place = root / path.relative_to(project.root)
        if path.is_symlink() or path.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place, follow_symlinks=False)
    for name in _DOWNLOADS:
        if (project.cache / name).is_dir():
            place = root / ".cache" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to((project.cache / name).resolve())
    return open_project(root=root)
