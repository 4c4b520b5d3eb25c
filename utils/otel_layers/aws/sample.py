"""What deploying a sample needs to know from the catalogue: its layers, its language, a runtime, names."""

from __future__ import annotations

import re
from pathlib import Path

from .. import archive, toolchain
from ..catalog import Architecture, Layer
from ..errors import UsageError
from ..project import Project


def folder(project: Project) -> str:
    """The sample that the chosen folder is about: itself, or the one of its layers; at the root the only one there is."""
    if project.is_sample():
        return project.folder
    samples = dict.fromkeys(layer.sample for layer in project.layers() if layer.sample)
    if len(samples) != 1:
        raise UsageError(f"{project.folder or 'the root'} has {len(samples)} samples", remedy=f"./run.sh FOLDER, one of {', '.join(samples)}")
    return next(iter(samples))


def layers(project: Project, sample: str) -> dict[str, Layer]:
    """The layers that `sample` attaches, by role; empty for a sample that no layer names."""
    return {layer.role: layer for layer in project.catalogue.layers.values() if layer.sample == sample}


def zips(project: Project, sample: str, arch: Architecture) -> dict[str, Path]:
    """The built zips of the sample's layers by the file name that its template has for them; UsageError when one is not built."""
    found = {f"{role}.zip": project.dist / layer.zip_name(arch.name) for role, layer in layers(project, sample).items()}
    missing = [path.name for path in found.values() if not path.is_file()]
    if missing:
        raise UsageError(f"not built yet: {', '.join(missing)}", remedy=f"./run.sh {sample} build --arch {arch.name}")
    for path in found.values():
        archive.measure(path)  # UsageError when it is no sound zip
    return found


def runtime(project: Project, sample: str, *, local: bool) -> str:
    """The newest runtime of the sample's language; with `local` the newest that this machine has an interpreter for."""
    languages = [layer.language for role, layer in layers(project, sample).items() if role == "language"]
    offered = [r for r in project.catalogue.runtimes.values() if r.language in languages]
    if not offered:
        raise UsageError(f"no layer of the catalogue names {sample} as its sample", remedy="--runtime NAME")
    here = [r for r in offered if r.version in toolchain.interpreters()] if local and languages == ["python"] else []
    return (here or offered)[-1].name


def stack_name(name: str) -> str:
    """`name` if CloudFormation takes it as a stack's name."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", name):
        raise UsageError(f"{name!r} cannot be a stack's name", why="letters, digits and hyphens, a letter first, at most 128")
    return name


def layer_name(name: str) -> str:
    """`name` if Lambda takes it as a layer's name, or nothing."""
    if name and not re.fullmatch(r"[A-Za-z0-9_-]{1,140}", name):
        raise UsageError(f"{name!r} cannot be a layer's name", why="letters, digits, hyphens and underscores, at most 140")
    return name
