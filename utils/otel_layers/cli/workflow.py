"""What a workflow's jobs hand each other: the matrix of layers and architectures, and outputs of a step."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..catalog import Layer
from ..errors import UsageError
from ..project import Project
from .verbs.test import has_tests

OUTPUTS = "GITHUB_OUTPUT"


def matrix(project: Project, layers: Iterable[Layer], arch: str = "all") -> dict[str, list[dict[str, str]]]:
    """
    One entry per layer and architecture, as a strategy's matrix.

    `tests` is the folder whose own tests belong to the entry: they are about its first layer that is in the matrix and has a recipe.
    A folder without tests has none, and no layer of it names it.
    """
    include, tested = [], set()
    for layer in layers:
        own = not layer.bundle and layer.folder not in tested and has_tests(project.root / layer.folder)
        if own:
            tested.add(layer.folder)
        include += [
            {
                "layer": layer.name,
                "folder": layer.folder,
                "arch": one.name,
                "runner": one.runner,
                "language": layer.language,
                "tests": layer.folder if own else "",
            }
            for one in project.catalogue.select_architectures(arch, layer)
        ]
    return {"include": include}


def hand_on(values: Mapping[str, Any]) -> None:
    """Add `values`, texts as they are and all else as JSON on one line, to the outputs of the workflow's step."""
    where = os.environ.get(OUTPUTS)
    if not where:
        raise UsageError(f"--github is for a step of a workflow: {OUTPUTS} names no file", remedy="leave --github out")
    lines = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    if several := [name for name, line in lines.items() if "\n" in line]:
        raise UsageError(f"{', '.join(several)} has several lines", why="an output has one")
    with Path(where).open("a", encoding="utf-8") as out:
        out.writelines(f"{name}={line}\n" for name, line in lines.items())
