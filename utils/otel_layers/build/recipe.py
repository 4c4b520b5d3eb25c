"""FOLDER/build.sh: what it is told, how it is run, and what is laid over its tree."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import process, toolchain
from ..catalog import Architecture, Layer
from ..errors import BuildFailed
from ..project import Project

EPOCH = "315532800"  # 1980-01-01, the zips' own timestamp: what a tool writes into a file is then the same every day

_LIMIT_S = 1800
# Settings of a person's shell that would change what the compilers write.
_FOREIGN = ("PYTHON", "CGO_", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GODEBUG", "GOWORK", "LC_", "LANG", "MAKE")


@dataclass(frozen=True)
class Order:
    """One run of a recipe."""

    layer: Layer
    arch: Architecture
    version: str
    docker: bool
    folder: Path
    variables: dict[str, str]  # what the recipe is told beyond the surroundings, without OUT
    parts: tuple[Path, ...] = ()  # the zips that a bundle, which has no recipe, is put together from


def order(project: Project, layer: Layer, arch: Architecture, version: str, *, docker: bool, more: Mapping[str, str] | None = None) -> Order:
    """The order for `layer`; gets the tools that its recipe needs."""
    folder = project.root / layer.folder
    if not (folder / "build.sh").is_file():
        raise BuildFailed(f"{layer.folder} has no recipe", why=f"{folder / 'build.sh'} is not there")
    variables = {
        "ARCH": arch.name,
        "LAYER": layer.name,
        "VERSION": version,
        "ROOT": str(project.root),
        "CACHE": str(project.cache / "build" / layer.folder),
        "UV": toolchain.uv(),
        "PYTHON": sys.executable,
        "RUNTIMES": " ".join(layer.runtimes),
        "DOCKER": "1" if docker else "",
        "SOURCE_DATE_EPOCH": EPOCH,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONDONTWRITEBYTECODE": "1",  # a recipe's own scripts leave nothing in its folder
        "PYTHONHASHSEED": "0",
        **(more or {}),
    }
    if (folder / "go.mod").is_file():  # the toolchain is a large download: only for a folder that compiles with it
        variables["GO"] = toolchain.go(project)
    return Order(layer, arch, version, docker, folder, variables)


def run(project: Project, wanted: Order, out: Path) -> Path:
    """Run the recipe into the new folder `out`, lay the folder's layer/ and the project's licence over it, and return it."""
    out.mkdir(parents=True)
    Path(wanted.variables["CACHE"]).mkdir(parents=True, exist_ok=True)
    given = toolchain.go_environment(project) if "GO" in wanted.variables else toolchain.environment(project)
    surroundings = {k: v for k, v in given.items() if not k.startswith(_FOREIGN)}
    process.run(
        ["bash", "-euo", "pipefail", str(wanted.folder / "build.sh")],
        cwd=wanted.folder,
        env={**surroundings, **wanted.variables, "OUT": str(out)},
        timeout=_LIMIT_S,
        error=BuildFailed,
        remedy="the recipe's own words stand above",
    )
    overlay = wanted.folder / "layer"
    if overlay.is_dir():
        _lay_over(overlay, out)
    licence = project.root / "LICENSE"
    if licence.is_file():
        place = out / "licenses" / wanted.layer.name / "LICENSE"  # named after the layer: several layers share one /opt
        if place.exists() or place.parent.is_file():
            remedy = f"put notices of others into licenses/{wanted.layer.name}/NOTICES"
            raise BuildFailed(f"the recipe has made {place.relative_to(out)} itself", remedy=remedy)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(licence, place)
    return out


def _lay_over(overlay: Path, out: Path) -> None:
    """Copy `overlay` into `out` with modes and links; a file that the recipe has also made is a mistake, not a replacement."""
    for folder, folders, files in os.walk(overlay):
        here = Path(folder)
        for name in [*files, *(n for n in folders if (here / n).is_symlink())]:
            source = here / name
            place = out / source.relative_to(overlay)
            if place.exists() or place.is_symlink():
                raise BuildFailed(f"{place.relative_to(out)} is made by the recipe and is also in {overlay}")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place, follow_symlinks=False)
