"""Builds the custom layer: components of configurations -> module -> zip, by the recipe and the checks of every other layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .. import archive, console, process, toolchain
from ..build import Built, build
from ..catalog import Layer
from ..errors import BuildFailed, NothingToDo, UsageError
from ..project import Project
from . import components, module

DEFAULT = "opentelemetry-collector-custom"


def layer(project: Project, name: str) -> Layer:
    """The collector layer under another `name`, with no budget but Lambda's own limits."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,100}", name):
        raise UsageError(f"--name {name!r} must be lower case letters, digits and hyphens")
    if name in project.catalogue.layers:
        raise UsageError(f"--name {name} is a layer of the catalogue", remedy=f"another name, such as {DEFAULT}")
    base = next(one for one in project.catalogue.layers.values() if one.role == "collector")
    return replace(base, name=name, description=f"{base.description}, custom", zipped_bytes=archive.MAX_ZIPPED, unzipped_bytes=archive.MAX_UNZIPPED)


def build_custom(
    project: Project,
    configs: Sequence[Path],
    more: Sequence[str],
    *,
    arch: str,
    name: str = DEFAULT,
    embed: bool = False,
    version: str = "",
    force: bool = False,
) -> list[Built]:
    """dist/NAME-ARCH.zip for each architecture of `arch`, with what `configs` and `more` (KIND/TYPE=MODULE@VERSION) name."""
    wanted = layer(project, name)
    folder = project.root / wanted.folder
    known, modules = resolve(folder, configs, more)
    if not modules and not embed:
        raise NothingToDo("everything that the configuration names is built in", remedy=f"./run.sh {wanted.folder} build, or --embed")
    console.detail("to be added: " + (", ".join(f"{m.kind}/{m.name} ({m.path} {m.version})" for m in modules) or "nothing"))
    place = module.prepare(project, folder, known, modules, configs if embed else ())
    built = []
    for each in project.catalogue.select_architectures(arch, wanted):
        try:
            built.append(build(project, wanted, each, version=version, force=force, more={"CUSTOM": str(place)}))
        except BuildFailed as exc:
            raise _explained(project, folder, known, modules, exc) from exc
    return built


def resolve(folder: Path, configs: Sequence[Path], more: Sequence[str]) -> tuple[components.Components, tuple[components.Module, ...]]:
    """The catalogue of components in `folder`, and the modules that `configs` and `more` need beyond what is built in."""
    known = components.load(folder / "components.toml")
    names = sorted({name for path in configs for name in components.scan(path, known.schemes)})
    return known, known.needed(names, [components.with_option(text) for text in more])


def program(project: Project, configs: Sequence[Path], more: Sequence[str]) -> Path:
    """A Collector for this machine, and only for this, with what `configs` and `more` name."""
    folder = project.root / layer(project, DEFAULT).folder
    known, modules = resolve(folder, configs, more)
    place = module.prepare(project, folder, known, modules, ())
    how = ["-mod=mod", f"-modfile={place / 'go.mod'}", f"-overlay={place / 'overlay.json'}", "-buildvcs=false"]
    env = toolchain.go_environment(project) | {"GOWORK": "off", "CGO_ENABLED": "0", "GOEXPERIMENT": (place / "experiment").read_text()}
    try:
        process.run([toolchain.go(project), "build", *how, "-o", str(place / "collector"), "."], cwd=folder, env=env, error=BuildFailed, echo=False)
    except BuildFailed as exc:
        raise _explained(project, folder, known, modules, exc) from exc
    return place / "collector"


def _explained(project: Project, folder: Path, known: components.Components, modules: Sequence[components.Module], cause: BuildFailed) -> BuildFailed:
    """The error of a build that failed, with the versions that would fit where others were asked for."""
    pinned = known.sources["contrib"].version
    others = [m for m in modules if not m.folder and m.version != pinned]
    fitting = [m for m in others if pinned in module.versions(project, folder, m.path)]
    remedy = [f"--with {m.kind}/{m.name}={m.path}@{pinned}" for m in fitting] or ["the compiler's own words stand above"]
    return BuildFailed(f"the components do not compile against the Collector {pinned}", why=cause.what, remedy="\n".join(remedy))
