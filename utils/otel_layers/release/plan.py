"""What a publication is, worked out before anything is called: layers, regions and every parameter. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .. import console
from ..catalog import MAX_COMPATIBLE_RUNTIMES, Catalogue, Region
from ..errors import UsageError
from . import version as versions
from .artefacts import Artefact, build_command

MAX_NAME, MAX_DESCRIPTION, MAX_LICENSE = 140, 256, 512  # PublishLayerVersion, botocore's Lambda model
_NAME = re.compile(r"[a-zA-Z0-9-_]+")


@dataclass(frozen=True)
class Item:
    """One zip to be published, with everything that the call says about it."""

    name: str  # the layer's name in AWS
    layer: str  # the catalogue's
    arch: str
    version: str
    language: str
    role: str
    description: str
    license: str
    runtimes: tuple[str, ...]
    architecture: str  # Lambda's spelling
    zip: str  # file name in dist/
    sha256: str
    code_sha256: str
    zipped_bytes: int
    unzipped_bytes: int
    source_revision: str

    @property
    def runtimes_text(self) -> str:
        """The runtimes in words."""
        return ", ".join(self.runtimes) or "any runtime"


@dataclass(frozen=True)
class Target:
    """One region of the plan."""

    region: str
    required: bool
    opt_in: bool


@dataclass(frozen=True)
class Plan:
    """A publication."""

    to: str  # local or aws
    partition: str
    public: bool
    items: tuple[Item, ...]
    targets: tuple[Target, ...]
    warnings: tuple[str, ...] = ()
    group: str = versions.GROUPS[0]

    @property
    def digest(self) -> str:
        """The same for the same bytes under the same names in the same regions: it names the receipt."""
        facts = [self.to, self.partition, str(self.public)]
        facts += [f"{i.name} {i.sha256}" for i in sorted(self.items, key=lambda i: i.name)]
        facts += sorted(t.region for t in self.targets)
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:8]

    @property
    def release(self) -> str:
        """The versions in words, for file names and headings."""
        return "+".join(sorted({i.version for i in self.items}, key=versions.order))

    @property
    def extent(self) -> tuple[str, str]:
        """How many layers and how many regions, in words."""
        return console.counted(len(self.items), "layer"), console.counted(len(self.targets), "region")


def make(
    catalogue: Catalogue,
    artefacts: Sequence[Artefact],
    regions: Sequence[Region],
    *,
    to: str,
    public: bool,
    named: bool,
    wanted: Mapping[str, str],
    group: str = versions.GROUPS[0],
) -> Plan:
    """
    The plan that publishes `artefacts` to `regions` in a `group` of version.GROUPS.

    `named`: the regions were typed one by one, so each is required. `wanted`: the version that the command line or a tag asks for, by layer.
    """
    items, warnings = [], []
    for artefact in artefacts:
        version = wanted.get(artefact.layer.name, "")
        if version and version != artefact.version:
            raise UsageError(
                f"{artefact.path.name} was built as version {artefact.version}, not {version}",
                why="a version is chosen when a layer is built",
                remedy=build_command(artefact.layer, artefact.arch, version),
            )
        if set(artefact.runtimes) != set(artefact.layer.runtimes):
            other = ", ".join(sorted(set(artefact.runtimes) ^ set(artefact.layer.runtimes)))
            warnings.append(
                f"{artefact.path.name} was built before the catalogue's runtimes changed ({other}); `{build_command(artefact.layer, artefact.arch)}`"
            )
        items.append(_item(catalogue, artefact, group))
    if not items:
        raise UsageError("no layer to publish")
    if to == "aws" and public:
        check_fit_for_public(items, group)
    if len({item.source_revision for item in items}) > 1:
        which = ", ".join(f"{item.zip} of {_short(item.source_revision)}" for item in items)
        warnings.append(f"the zips are of different sources: {which}; `./run.sh build --arch all` makes them anew")
    return Plan(to, regions[0].partition, public, tuple(items), _targets(regions, named), tuple(warnings), group)


def moved(items: Sequence[Item], regions: Sequence[Region], *, to: str, public: bool, named: bool, group: str) -> Plan:
    """The plan that publishes `items` of another plan, with the same bytes, in these regions, for these users and in this group."""
    renamed = tuple(replace(i, name=versions.layer_name(i.layer, i.arch, i.version, i.sha256, group)) for i in items)
    for item in renamed:
        _check(item)
    if to == "aws" and public:
        check_fit_for_public(renamed, group)
    return Plan(to, regions[0].partition, public, renamed, _targets(regions, named), (), group)


def _targets(regions: Sequence[Region], named: bool) -> tuple[Target, ...]:
    return tuple(Target(r.name, r.required or named, r.opt_in) for r in regions)


def check_fit_for_public(items: Sequence[Item], group: str) -> None:
    """
    A public ARN cannot be taken back from its users: only a named version of committed sources gets one.

    In the group dev, of which nobody expects that, development builds may be public too.
    """
    for item in items:
        build = f"./run.sh build --layer {item.layer} --arch {item.arch}"
        if versions.is_development(item.version) and group != versions.GROUPS[-1]:
            raise UsageError(
                f"{item.zip} is a development build ({item.version})",
                why="a public version in AWS needs a version of its own",
                remedy=f"{build} --version X.Y.Z, or publish without --public",
            )
        if item.source_revision.endswith("-dirty") or item.source_revision in ("", "unknown"):
            raise UsageError(
                f"{item.zip} was built from sources that are not committed ({item.source_revision or 'unknown'})",
                why="nobody could build a public version again",
                remedy=f"commit, then {build} --version {item.version}",
            )


def _item(catalogue: Catalogue, artefact: Artefact, group: str) -> Item:
    layer, version = artefact.layer, versions.check(artefact.version, f"{artefact.path.with_suffix('.json').name}: version")
    item = Item(
        name=versions.layer_name(layer.name, artefact.arch.name, version, artefact.sha256, group),
        layer=layer.name,
        arch=artefact.arch.name,
        version=version,
        language=layer.language,
        role=layer.role,
        description=f"{layer.description} {version} ({artefact.arch.name}), source {_short(artefact.source_revision)}, sha256 {artefact.sha256}",
        license=catalogue.license,
        runtimes=layer.runtimes,
        architecture=artefact.arch.aws,
        zip=artefact.path.name,
        sha256=artefact.sha256,
        code_sha256=artefact.code_sha256,
        zipped_bytes=artefact.zipped_bytes,
        unzipped_bytes=artefact.unzipped_bytes,
        source_revision=artefact.source_revision,
    )
    _check(item)
    return item


def _short(revision: str) -> str:
    return f"{revision[:12]}-dirty" if revision.endswith("-dirty") else revision[:12]


def _check(item: Item) -> None:
    """What Lambda's API would refuse."""
    if not _NAME.fullmatch(item.name) or len(item.name) > MAX_NAME:
        raise UsageError(f"{item.name!r} cannot be a layer's name", why=f"Lambda takes at most {MAX_NAME} letters, digits, hyphens and underscores")
    if len(item.description) > MAX_DESCRIPTION:
        raise UsageError(f"the description of {item.name} has {len(item.description)} characters", why=f"Lambda takes {MAX_DESCRIPTION}")
    if len(item.license) > MAX_LICENSE:
        raise UsageError(f"the licence of {item.name} has {len(item.license)} characters", why=f"Lambda takes {MAX_LICENSE}")
    if len(item.runtimes) > MAX_COMPATIBLE_RUNTIMES:
        raise UsageError(f"{item.name} has {len(item.runtimes)} runtimes", why=f"one layer version may name {MAX_COMPATIBLE_RUNTIMES}")


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan for machines."""
    body = asdict(plan)
    return {**body, "release": plan.release, "digest": plan.digest, "steps": len(plan.items) * len(plan.targets)}


def as_text(plan: Plan) -> str:
    """The plan for people."""
    rows = [(i.name, i.arch, i.version, i.runtimes_text, i.zipped_bytes, i.sha256[:12]) for i in plan.items]
    required = [t.region for t in plan.targets if t.required]
    others = [t.region for t in plan.targets if not t.required]
    layers, regions = plan.extent
    where = {"local": "the embedded AWS", "aws": f"AWS (partition {plan.partition})"}[plan.to]
    lines = [
        console.table(("layer", "arch", "version", "runtimes", "zipped bytes", "sha256"), rows),
        "",
        f"to {where}, {'public: everyone may use them' if plan.public else 'private: this account only'}, group {plan.group}",
        f"{layers} x {regions} = {console.counted(len(plan.items) * len(plan.targets), 'step')}",
        *([f"required: {', '.join(required)}"] if required else []),
        *([f"if they answer: {', '.join(others)}"] if others else []),
    ]
    return "\n".join(lines)
