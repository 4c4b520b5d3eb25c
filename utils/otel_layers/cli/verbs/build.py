"""Build layers: runs each folder's recipe, packs its tree into dist/NAME-ARCH.zip, checks the zip, and writes its facts and SBOM beside it."""

from __future__ import annotations

import argparse
import platform
from dataclasses import asdict
from pathlib import Path

from ... import catalog, console, process, toolchain
from ...build import Built, build
from ...errors import ContractBroken, NothingToDo, ToolMissing, UsageError
from ...project import Project
from .. import emit, json_option


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `build`."""
    parser.add_argument("--arch", default="", help="architectures, separated by commas, or all (default: this machine's)")
    parser.add_argument("--layer", metavar="NAME", help="only this layer (default: all of the folder)")
    parser.add_argument("--version", default="", help="X.Y.Z (default: the tag layer-FOLDER/X.Y.Z on the commit, else 0.0.0-dev)")
    parser.add_argument(
        "--docker", action=argparse.BooleanOptionalAction, default=False, help="run recipes that know how in a container (default: no)"
    )
    parser.add_argument("--force", action="store_true", help="build again even where nothing has changed (a bundle: from its parts as they are)")
    parser.add_argument(
        "--check-reproducible", action="store_true", help="build each a second time, elsewhere from nothing but sources and downloads, and compare"
    )
    custom = parser.add_argument_group("a Collector with the components of a configuration")
    custom.add_argument("--config", action="append", type=Path, metavar="FILE", help="build in what FILE names; several: what all of them name")
    custom.add_argument("--with", action="append", dest="more", metavar="KIND/TYPE=MODULE@VERSION", help="build in this component")
    custom.add_argument("--embed", action="store_true", help="put the configurations into the layer, which uses them when no other is set")
    custom.add_argument("--name", default="", help="the zip's name (default: opentelemetry-collector-custom)")
    json_option(parser)


def layers(project: Project, name: str | None = None) -> tuple[catalog.Layer, ...]:
    """The layers that a command in the project's folder builds: the folder's, in a sample those that it shows, else all; or the one called `name`."""
    chosen = project.layers()
    if project.is_sample():
        chosen = tuple(layer for layer in project.catalogue.layers.values() if layer.sample == project.folder)
    if name:
        wanted = project.catalogue.layer(name)
        if wanted not in chosen:
            raise UsageError(f"{name} is not built in {project.folder}", remedy=f"./run.sh {wanted.folder} build --layer {name}")
        return (wanted,)
    if not chosen:
        raise NothingToDo(f"no layer is built in {project.folder}")
    return chosen


def host() -> str:
    """This machine's architecture."""
    return catalog.architecture(platform.machine()).name


def build_all(
    project: Project, chosen: tuple[catalog.Layer, ...], arch: str = "", *, version: str = "", docker: bool = False, force: bool = False
) -> list[Built]:
    """Build each of the layers for each of the architectures that `arch` means (default: this machine's)."""
    orders = [(layer, each) for layer in chosen for each in project.catalogue.select_architectures(arch or host(), layer)]
    built = []
    for number, (layer, each) in enumerate(orders, 1):
        built.append(build(project, layer, each, version=version, docker=docker, force=force))
        if len(orders) > 1:
            done = "unchanged" if built[-1].fresh else "built"
            console.detail(f"{number} of {len(orders)}: {layer.name} for {each.name}, {_mega(built[-1].facts.zipped_bytes)}, {done}")
    return built


def table(built: list[Built]) -> str:
    """What was built, for people."""
    rows = [
        (
            one.layer.name,
            one.arch.name,
            one.facts.version,
            _mega(one.facts.zipped_bytes),
            f"{100 * one.facts.zipped_bytes / one.layer.zipped_bytes:.0f} %",
            _mega(one.facts.unzipped_bytes),
            f"{100 * one.facts.unzipped_bytes / one.layer.unzipped_bytes:.0f} %",
            one.facts.sha256[:12],
            "unchanged" if one.fresh else "built",
        )
        for one in built
    ]
    return console.table(("layer", "arch", "version", "zip", "of budget", "unzipped", "of budget", "sha256", ""), rows)


def run(project: Project, args: argparse.Namespace) -> None:
    """Build, and print what came out."""
    if args.config or args.more:
        _emit(project, args, _custom(project, args))
        return
    if args.embed or args.name:
        raise UsageError("--embed and --name are for a custom Collector", remedy="--config FILE")
    if args.docker and args.check_reproducible:
        raise UsageError("--check-reproducible is for recipes without Docker", why="an image may change under its name")
    if args.docker:
        remedy = "start a Docker engine, or build with --no-docker, which needs none"
        process.run(["docker", "version"], capture=True, error=ToolMissing, remedy=remedy, echo=False)
        for folder in dict.fromkeys(layer.folder for layer in layers(project, args.layer)):
            if not (project.root / folder / "Dockerfile").is_file():
                console.warn(f"{folder} has no Dockerfile: its recipe cross-compiles and is run without Docker")
    built = build_all(project, layers(project, args.layer), args.arch, version=args.version, docker=args.docker, force=args.force)
    if args.check_reproducible:
        _check(project, built)
    _emit(project, args, built)


def _check(project: Project, built: list[Built]) -> None:
    """ContractBroken with every entry that differs when the zips are built again."""
    from ...build import reproducible

    broken = {one.zip.name: found for one in built if (found := reproducible.differences(project, one))}
    if broken:
        why = "\n".join(
            f"{name}: {', '.join(found[:20])}" + (f" and {len(found) - 20} more" if len(found) > 20 else "") for name, found in broken.items()
        )
        raise ContractBroken(f"{len(broken)} of {len(built)} zips came out differently the second time", why=why)
    console.detail(f"the same bytes twice: {', '.join(one.zip.name for one in built)}")


def _custom(project: Project, args: argparse.Namespace) -> list[Built]:
    from ...build import custom

    if project.folder and not any(layer.role == "collector" for layer in project.layers()):
        raise UsageError(f"--config and --with build a Collector, not {project.folder}", remedy="./run.sh collector build --config FILE")
    if args.docker or args.check_reproducible:
        raise UsageError("a custom Collector takes neither --docker nor --check-reproducible")
    if args.layer and args.name:
        raise UsageError("--layer and --name cannot stand together", why="--layer builds a layer of the catalogue with your configuration")
    if args.embed and not args.config:
        raise UsageError("--embed needs --config")
    toolchain.use(project, "aws")  # PyYAML
    how = {
        "name": args.layer or args.name or custom.DEFAULT,
        "own": bool(args.layer),
        "embed": args.embed,
        "version": args.version,
        "force": args.force,
    }
    return custom.build_custom(project, args.config or [], args.more or [], arch=args.arch or host(), **how)


def _emit(project: Project, args: argparse.Namespace, built: list[Built]) -> None:
    result = [{**asdict(one.facts), "zip": str(one.zip.relative_to(project.root)), "fresh": one.fresh} for one in built]
    emit(args, result, table(built))


def _mega(size: int) -> str:
    return f"{size / 1e6:.2f} MB"
