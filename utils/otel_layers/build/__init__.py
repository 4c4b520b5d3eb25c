"""Runs a folder's recipe, or unites a bundle's parts, and turns the tree into a reproducible, checked zip with its facts and its SBOM."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import archive, console, toolchain
from ..catalog import Architecture, Layer
from ..errors import LayersError
from ..files import locked, temporary, write_atomically
from ..ondemand import components, module
from ..project import Project
from . import bundle, contract, inputs, inventory, notices, recipe, revision, sbom


@dataclass(frozen=True)
class Facts:
    """dist/NAME-ARCH.json: what a built zip is. The zip itself holds none of it, so that it depends on its sources alone."""

    layer: str
    version: str
    arch: str
    runtimes: tuple[str, ...]
    sha256: str
    code_sha256: str
    zipped_bytes: int
    unzipped_bytes: int
    source_revision: str


@dataclass(frozen=True)
class Built:
    """A layer's zip in dist/, checked."""

    layer: Layer
    arch: Architecture
    zip: Path
    facts: Facts
    fresh: bool  # it was there already, made from the same inputs


def build(
    project: Project,
    layer: Layer,
    arch: Architecture,
    *,
    version: str = "",
    docker: bool = False,
    force: bool = False,
    more: Mapping[str, str] | None = None,
) -> Built:
    """
    dist/NAME-ARCH.zip of `layer`, with its facts and SBOM beside it.

    A zip that was made from exactly these inputs is kept, unless `force`. With `docker` that cannot be known: an image may
    change under its name, so the recipe always runs. `more` are further variables for the recipe.
    The parts of a bundle are built first, where they are not fresh; `force` is then about putting them together.
    """
    asked, version = version, revision.version(project, layer, version)
    parts = [_part(project, name, arch, asked, version, docker=docker) for name in layer.bundle]
    return build_version(project, layer, arch, version, parts, project.dist, docker=docker, force=force, more=more)


def _part(project: Project, name: str, arch: Architecture, asked: str, version: str, *, docker: bool) -> Built:
    """
    A part of a bundle of the version `version`: with its own version when it has one on this commit, else with the bundle's.

    What is then not the zip that dist/ has for the part lies in the cache, so that dist/ stays what was asked for.
    """
    part = project.catalogue.layer(name)
    own = revision.version(project, part, asked)
    if own != revision.DEVELOPMENT or version == revision.DEVELOPMENT:
        return build_version(project, part, arch, own, [], project.dist, docker=docker)
    return build_version(project, part, arch, version, [], project.cache / "parts", docker=docker)


def build_version(
    project: Project,
    layer: Layer,
    arch: Architecture,
    version: str,
    parts: Sequence[Built],
    home: Path,
    *,
    docker: bool = False,
    force: bool = False,
    more: Mapping[str, str] | None = None,
) -> Built:
    """The zip of exactly `version`, in `home`; `parts` are a bundle's, built."""
    with _alone(project, layer):
        if layer.bundle:
            order = bundle.order(project, layer, arch, version, [part.zip for part in parts])
        else:
            order = recipe.order(project, layer, arch, version, docker=docker, more=more or _flavour(project, layer))
        before = inputs.digest(project, order)
        place = home / layer.zip_name(arch.name)
        state = project.cache / "build" / home.name / f"{place.stem}.json"
        if not force and not order.docker and _is_fresh(place, state, before):
            return Built(layer, arch, place, _write_facts(project, order, place), fresh=True)
        console.step(f"building {layer.name} {version} for {arch.name}")
        state.unlink(missing_ok=True)
        with temporary(project, "build") as tmp:
            tree = tmp / "out"
            if order.parts:
                bundle.unite(order, tree)
                components = sbom.united(order)
            else:
                recipe.run(project, order, tree)
                components = [sbom.component(found) for found in notices.collect(tree, layer.name, inventory.find(project, tree))]
            packed = tmp / place.name
            archive.pack(tree, packed)
            contract.require(packed, layer, arch, project.catalogue, components)
            bill = sbom.describe(project, order, components, archive.measure(packed))
            home.mkdir(parents=True, exist_ok=True)
            packed.replace(place)
        write_atomically(_beside(place, ".cdx.json"), json.dumps(bill, indent=2) + "\n")
        facts = _write_facts(project, order, place)
        if not order.docker and inputs.digest(project, order) == before:  # else a source changed meanwhile: the next build runs again
            write_atomically(state, json.dumps({"inputs": before, "sha256": facts.sha256}))
        return Built(layer, arch, place, facts, fresh=False)


def _flavour(project: Project, layer: Layer) -> dict[str, str]:
    """What the recipe of a layer with a flavour is told: where the module with the flavour's components is."""
    if not layer.flavour:
        return {}
    toolchain.use(project, "aws")  # PyYAML
    folder = project.root / layer.folder
    known, modules = components.resolve(folder, [folder / layer.flavour], [])
    return {"CUSTOM": str(module.prepare(project, folder, known, modules, ()))}


def _is_fresh(place: Path, state: Path, now: str) -> bool:
    """Whether the zip and its SBOM are there, unchanged, and made from the inputs that `now` digests."""
    if not (place.is_file() and _beside(place, ".cdx.json").is_file() and state.is_file()):
        return False
    try:
        last = json.loads(state.read_text())
        return bool(last["inputs"] == now and last["sha256"] == archive.measure(place).sha256)
    except (ValueError, KeyError, TypeError, LayersError):
        return False


def _write_facts(project: Project, order: recipe.Order, place: Path) -> Facts:
    size = archive.measure(place)
    facts = Facts(
        layer=order.layer.name,
        version=order.version,
        arch=order.arch.name,
        runtimes=order.layer.runtimes,
        sha256=size.sha256,
        code_sha256=size.code_sha256,
        zipped_bytes=size.zipped_bytes,
        unzipped_bytes=size.unzipped_bytes,
        source_revision=revision.source(project, order.layer),
    )
    write_atomically(_beside(place, ".json"), json.dumps(asdict(facts), indent=2) + "\n")
    return facts


def _beside(place: Path, suffix: str) -> Path:
    return place.with_name(place.stem + suffix)


@contextmanager
def _alone(project: Project, layer: Layer) -> Iterator[None]:
    """Builds of one folder share its downloads: one at a time, also over several processes. A bundle shares nothing with its folder."""
    what = layer.name if layer.bundle else layer.folder
    with locked(project.cache / "build" / f"{what.replace('/', '-')}.lock", f"waiting for another build of {what}"):
        yield
