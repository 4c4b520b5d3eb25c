"""Where an extension's start in the local Lambda goes: the program alone and inside, its file in the page cache and not."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ... import archive, local
from ...errors import FunctionFailed
from ...function import Function
from ...project import Project
from .extensions import BARE, OURS, Start
from .figures import Figure, figure
from .page import Table


def layer(binary: Path, folder: Path) -> Path:
    """A layer of one extension, called bare."""
    tree = folder / "bare-layer"
    (tree / "extensions").mkdir(parents=True)
    shutil.copy2(binary, tree / "extensions/bare")
    packed = folder / "bare.zip"
    archive.pack(tree, packed)
    return packed


def once(project: Project, wanted: Function, *, cold: bool) -> tuple[float, float]:
    """One init: milliseconds from the extension's start to its registration, and to its first next."""
    with local.environment(project, wanted, local.Endpoints(), cold_files=cold) as environment:
        init = environment.init()
    extension = next((phase for phase in init.phases if phase.name.startswith("extension:")), None)
    runtime = init.phase("runtime")
    if extension is None or runtime is None:
        raise FunctionFailed("the environment had no extension", why=str(init.error))
    return (runtime.start_ns - extension.start_ns) / 1e6, extension.ms


def rounds(project: Project, function: Function, layers: Mapping[str, Path], runs: int) -> dict[tuple[str, bool], list[tuple[float, float]]]:
    """`runs` samples of each program, cold and not, interleaved; a first round is not counted."""
    samples: dict[tuple[str, bool], list[tuple[float, float]]] = {(name, cold): [] for name in layers for cold in (False, True)}
    for number in range(runs + 1):
        for (name, cold), mine in samples.items():
            sample = once(project, replace(function, layers=(layers[name],)), cold=cold)
            if number:
                mine.append(sample)
    return samples


def table(inside: Mapping[tuple[str, bool], Sequence[tuple[float, float]]], alone: Mapping[str, Sequence[Start]]) -> Table:
    """Head and cells."""
    head = ("program", "files", "alone: start to next, ms", "local Lambda: start to registration, ms", "local Lambda: start to next, ms")
    cells = []
    for name in (BARE, OURS):
        for cold in (False, True):
            starts = figure([one.cold_ms if cold else one.warm_ms for one in alone[name]])
            figures: list[Figure] = [figure(values) for values in zip(*inside[name, cold], strict=True)]
            cells.append([name, "cold" if cold else "cached", *(str(one) for one in (starts, *figures))])
    return head, cells
