"""A layer without a recipe: the union of other layers' trees, as they are in those layers' own zips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import archive
from ..catalog import Architecture, Layer
from ..errors import BuildFailed
from ..project import Project
from .recipe import Order


def order(project: Project, layer: Layer, arch: Architecture, version: str, parts: Sequence[Path]) -> Order:
    """The order for the bundle `layer` of the zips `parts`."""
    return Order(layer, arch, version, docker=False, folder=project.root / layer.folder, variables={"VERSION": version}, parts=tuple(parts))


def unite(wanted: Order, out: Path) -> Path:
    """Unpack the parts into the new folder `out` and return it; BuildFailed names every path that two of them have."""
    owners: dict[str, Path] = {}
    twice = []
    for part in wanted.parts:
        with archive.opened(part) as source:
            names = [archive.name_of(info, part).as_posix() for info in source.infolist() if not info.is_dir()]
        # A file where another part has a folder is as bad as a file in its place.
        twice += [f"{name} is in {owners[name].name} and in {part.name}" for name in names if name in owners]
        folders = {"/".join(pieces[:i]): name for name in names for pieces in [name.split("/")] for i in range(1, len(pieces))}
        others = {"/".join(pieces[:i]) for name in owners for pieces in [name.split("/")] for i in range(1, len(pieces))}
        twice += [
            f"{name} is a file in one part and a folder in another" for name in sorted((folders.keys() & owners.keys()) | (others & set(names)))
        ]
        owners |= dict.fromkeys(names, part)
    if twice:
        raise BuildFailed(
            f"the parts of {wanted.layer.name} have the same paths", why="\n".join(twice[:20]), remedy="rename them in one part's recipe"
        )
    for part in wanted.parts:
        archive.unpack(part, out)
    return out
