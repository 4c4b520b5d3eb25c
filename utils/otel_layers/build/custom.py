"""Builds the custom layer: components of configurations -> module -> zip, by the recipe and the checks of every other layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .. import archive, console, process, toolchain
from ..catalog import Layer
from ..errors import BuildFailed, NothingToDo, UsageError
from ..ondemand import components, fitting, module
from ..project import Project
from . import Built, build

DEFAULT = "opentelemetry-collector-custom"


def layer(project: Project, name: str, *, own: bool = False) -> Layer:
    """The collector layer under another `name` (or with `own` under its own), with no budget but Lambda's own limits."""
    if own:
        base = project.catalogue.layer(name)
        if base.role != "collector" or base.flavour:
            raise UsageError(f"{name} takes no configuration of yours", remedy="the layer of a Collector without a flavour")
        return replace(base, zipped_bytes=archive.MAX_ZIPPED, unzipped_bytes=archive.MAX_UNZIPPED)
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
    own: bool = False,
    embed: bool = False,
    version: str = "",
    force: bool = False,
) -> list[Built]:
    """
    dist/NAME-ARCH.zip for each architecture of `arch`, with what `configs` and `more` (KIND/TYPE=MODULE@VERSION) name.

    `own`: `name` is a layer of the catalogue, which is then built with them, and can be published to an account of one's own.
    """
    wanted = layer(project, name, own=own)
    folder = project.root / wanted.folder
    known, modules = components.resolve(folder, configs, more)
    if not modules and not embed:
        raise NothingToDo("everything that the configuration names is built in", remedy=f"./run.sh {wanted.folder} build, or --embed")
    console.detail("to be added: " + (", ".join(f"{m.kind}/{m.name} ({m.path} {m.version})" for m in modules) or "nothing"))
    place = module.prepare(project, folder, known, modules, configs if embed else ())
    built = []
    for each in project.catalogue.select_architectures(arch, wanted):
        try:
            built.append(build(project, wanted, each, version=version, force=force, more={"CUSTOM": str(place)}))
        except BuildFailed as exc:
            raise fitting.explained(project, folder, known, modules, place, exc) from exc
    return built


def program(project: Project, configs: Sequence[Path], more: Sequence[str]) -> Path:
    """A Collector for this machine, and only for this, with what `configs` and `more` name."""
    folder = project.root / layer(project, DEFAULT).folder
    known, modules = components.resolve(folder, configs, more)
    place = module.prepare(project, folder, known, modules, ())
    how = ["-mod=mod", f"-modfile={place / 'go.mod'}", f"-overlay={place / 'overlay.json'}", "-buildvcs=false"]
    env = toolchain.go_environment(project) | {"GOWORK": "off", "CGO_ENABLED": "0", "GOEXPERIMENT": (place / "experiment").read_text()}
    try:
        process.run([toolchain.go(project), "build", *how, "-o", str(place / "collector"), "."], cwd=folder, env=env, error=BuildFailed, echo=False)
    except BuildFailed as exc:
        raise fitting.explained(project, folder, known, modules, place, exc) from exc
    return place / "collector"
