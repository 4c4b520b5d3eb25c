"""layers.toml as frozen dataclasses, validated; and the only spelling table of architectures."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .errors import CatalogueError, UsageError

T = TypeVar("T")

MAX_COMPATIBLE_RUNTIMES = 15  # PublishLayerVersion, botocore's Lambda model

_PART_ROLES = ("collector", "language")  # of a layer with a recipe; a bundle has one of each
_PARTS_KEYS = ("folder", "language", "architectures", "executables", "sample", "flavour")  # what a bundle takes from its parts, or cannot have


@dataclass(frozen=True)
class Architecture:
    """One architecture and all its spellings."""

    name: str  # ours, Go's and Docker's: amd64, arm64
    aws: str  # Lambda's: x86_64, arm64
    docker: str  # linux/amd64
    machine: str  # uname -m
    elf: int  # e_machine of the ELF header
    runner: str  # GitHub's machines that have it


ARCHITECTURES = {
    a.name: a
    for a in (
        Architecture("amd64", "x86_64", "linux/amd64", "x86_64", 62, "ubuntu-24.04"),
        Architecture("arm64", "arm64", "linux/arm64", "aarch64", 183, "ubuntu-24.04-arm"),
    )
}


def architecture(spelling: str) -> Architecture:
    """The architecture that `spelling` (amd64, x86_64, linux/arm64, aarch64 ...) means; UsageError for any other."""
    for arch in ARCHITECTURES.values():
        if spelling in (arch.name, arch.aws, arch.docker, arch.machine):
            return arch
    raise UsageError(f"unknown architecture {spelling!r}", remedy=f"one of {', '.join(ARCHITECTURES)}, or all")


@dataclass(frozen=True)
class Runtime:
    """A managed runtime, such as python3.12."""

    name: str
    language: str
    os: str

    @property
    def version(self) -> str:
        """The language's version in the runtime's name: '3.12' of python3.12, '20.x' of nodejs20.x."""
        return self.name[len(self.language) :] if self.name.startswith(self.language) else ""


@dataclass(frozen=True)
class Region:
    """An AWS region in which Lambda is offered."""

    name: str
    partition: str
    opt_in: bool
    required: bool
    at: tuple[int, int]  # latitude and longitude in degrees


@dataclass(frozen=True)
class Layer:
    """One layer family; a build of it per architecture."""

    name: str
    folder: str
    description: str
    language: str
    role: str
    architectures: tuple[str, ...]
    zipped_bytes: int
    unzipped_bytes: int
    executables: tuple[str, ...]
    sample: str
    flavour: str  # a configuration in the folder that names the components of a Collector; '' for what the folder builds by itself
    bundle: tuple[str, ...]  # the layers whose files these are; empty for a layer with a recipe
    folders: tuple[str, ...]  # what it is made from: its own folder, or those of a bundle's parts
    runtimes: tuple[str, ...]  # compatible runtimes' names; empty when language is "any"

    def zip_name(self, arch: str) -> str:
        """The built zip's file name in dist/."""
        return f"{self.name}-{arch}.zip"


@dataclass(frozen=True)
class Catalogue:
    """All facts of layers.toml."""

    name: str
    license: str
    architectures: tuple[str, ...]
    layers: Mapping[str, Layer]
    runtimes: Mapping[str, Runtime]
    retired: tuple[str, ...]
    partitions: Mapping[str, str]  # partition -> its home region
    default_partition: str
    regions: Mapping[str, Region]

    def layer(self, name: str) -> Layer:
        """The layer called `name`; UsageError with near names for any other."""
        return _pick("layer", name, self.layers)

    def runtime(self, name: str) -> Runtime:
        """The runtime called `name`; UsageError with near names for any other."""
        if name in self.retired:
            raise UsageError(f"runtime {name} is deprecated by AWS", remedy=f"one of {', '.join(self.runtimes)}")
        return _pick("runtime", name, self.runtimes)

    def region(self, name: str) -> Region:
        """The region called `name`; UsageError with near names for any other."""
        return _pick("region", name, self.regions)

    @property
    def home_region(self) -> Region:
        """The region that is meant when none is named."""
        return self.regions[self.partitions[self.default_partition]]

    def select_regions(self, spec: str, partition: str = "") -> tuple[Region, ...]:
        """The regions of `spec`: 'all' (of `partition`, default the default one) or names separated by commas."""
        if spec == "all":
            wanted = partition or self.default_partition
            if wanted not in self.partitions:
                raise UsageError(f"unknown partition {wanted!r}", remedy=f"one of {', '.join(self.partitions)}")
            return tuple(r for r in self.regions.values() if r.partition == wanted)
        regions = tuple(dict.fromkeys(self.region(name.strip()) for name in spec.split(",") if name.strip()))
        if not regions:
            raise UsageError("no region named", remedy="--region NAME[,NAME...] or --region all")
        if len({r.partition for r in regions}) > 1:
            raise UsageError("regions of several partitions in one run", why="each partition has its own account and credentials")
        return regions

    def select_architectures(self, spec: str, layer: Layer | None = None) -> tuple[Architecture, ...]:
        """The architectures of `spec`: 'all' or spellings separated by commas, limited to `layer`'s."""
        offered = layer.architectures if layer else self.architectures
        if spec == "all":
            return tuple(ARCHITECTURES[a] for a in offered)
        wanted = tuple(dict.fromkeys(architecture(s.strip()) for s in spec.split(",") if s.strip()))
        if not wanted:
            raise UsageError("no architecture named", remedy=f"one of {', '.join(offered)}, or all")
        for arch in wanted:
            if arch.name not in offered:
                raise UsageError(f"{layer.name if layer else self.name} is not offered for {arch.name}", remedy=f"one of {', '.join(offered)}")
        return wanted

    def layers_in(self, folder: str) -> tuple[Layer, ...]:
        """The layers that `folder` builds, in the catalogue's order; a bundle is built in the folder of its language part."""
        return tuple(layer for layer in self.layers.values() if layer.folder == folder)


def _pick(kind: str, name: str, table: Mapping[str, T]) -> T:
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name, table, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"one of {', '.join(table)}"
    raise UsageError(f"unknown {kind} {name!r}", remedy=hint)


class _Table:
    """A TOML table that is read key by key and then must have no key left."""

    def __init__(self, where: str, data: Any) -> None:
        if not isinstance(data, dict):
            raise CatalogueError(f"layers.toml: {where} must be a table")
        self.where, self.data = where, dict(data)

    def take(self, key: str, kind: type[T]) -> T:
        """The value of `key`, which must be there and of `kind`."""
        if key not in self.data:
            near = difflib.get_close_matches(key, self.data, n=1, cutoff=0.6)
            raise CatalogueError(f"layers.toml: {self.where} lacks the key {key!r}", remedy=f"{near[0]!r} looks like it" if near else "")
        value = self.data.pop(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise CatalogueError(f"layers.toml: {self.where}: {key!r} must be {kind.__name__}, not {value!r}")
        if kind is int and isinstance(value, int) and value <= 0:
            raise CatalogueError(f"layers.toml: {self.where}: {key!r} must be above 0, not {value!r}")
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        """The value of `key`: a list of different, non-empty strings."""
        values = self.take(key, list)
        if not all(isinstance(v, str) and v for v in values) or len(set(values)) != len(values):
            raise CatalogueError(f"layers.toml: {self.where}: {key!r} must be a list of different strings, not {values!r}")
        return tuple(values)

    def one_of(self, key: str, choices: Iterable[str]) -> str:
        """The value of `key`, which must be one of `choices`."""
        value, known = self.take(key, str), list(choices)
        if value not in known:
            raise CatalogueError(f"layers.toml: {self.where}: {key!r} is {value!r}", remedy=f"one of {', '.join(known)}")
        return value

    def done(self) -> None:
        """Every key must have been taken."""
        if self.data:
            raise CatalogueError(f"layers.toml: {self.where} has the unknown key {next(iter(self.data))!r}")


def load(path: Path) -> Catalogue:
    """Read and validate layers.toml; CatalogueError names the key that is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise CatalogueError(f"{path} is not there") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise CatalogueError(f"{path.name} is not valid TOML", why=str(exc)) from exc
    root = _Table("the file", data)
    project = _Table("[project]", root.take("project", dict))
    name, licence, archs = project.take("name", str), project.take("license", str), project.strings("architectures")
    project.done()
    for arch in archs:
        if arch not in ARCHITECTURES:
            raise CatalogueError(f"layers.toml: [project]: 'architectures' has {arch!r}", remedy=f"of {', '.join(ARCHITECTURES)}")
    runtimes = {k: _runtime(k, v) for k, v in root.take("runtimes", dict).items()}
    retired_table = _Table("[retired]", root.take("retired", dict))
    retired = retired_table.strings("runtimes")
    retired_table.done()
    for both in set(retired) & set(runtimes):
        raise CatalogueError(f"layers.toml: {both!r} is in [runtimes] and in [retired]")
    defaults: list[str] = []
    partitions: dict[str, str] = {}
    for key, value in root.take("partitions", dict).items():
        table = _Table(f"[partitions] {key}", value)
        partitions[key] = table.take("home", str)
        defaults += [key] if table.take("default", bool) else []
        table.done()
    if len(defaults) != 1:
        raise CatalogueError(f"layers.toml: [partitions]: 'default' must be true once, not {len(defaults)} times")
    regions = {k: _region(k, v, partitions) for k, v in root.take("regions", dict).items()}
    for key, home in partitions.items():
        if home not in regions or regions[home].partition != key:
            raise CatalogueError(f"layers.toml: [partitions] {key}: 'home' is {home!r}, no region of it")
    tables = root.take("layers", dict)
    layers = {k: _layer(k, v, archs, runtimes) for k, v in tables.items() if not (isinstance(v, dict) and "bundle" in v)}
    layers = {k: layers[k] if k in layers else _bundle(k, v, layers, tables) for k, v in tables.items()}
    root.done()
    return Catalogue(name, licence, archs, layers, runtimes, retired, partitions, defaults[0], regions)


def _runtime(name: str, data: Any) -> Runtime:
    table = _Table(f"[runtimes] {name}", data)
    runtime = Runtime(name, table.take("language", str), table.one_of("os", ("al2", "al2023")))
    table.done()
    return runtime


def _region(name: str, data: Any, partitions: Iterable[str]) -> Region:
    if not re.fullmatch(r"[a-z]+(-[a-z]+)+-\d", name):
        raise CatalogueError(f"layers.toml: [regions]: {name!r} is not the shape of a region's name")
    table = _Table(f"[regions] {name}", data)
    region = Region(name, table.one_of("partition", partitions), table.take("opt-in", bool), table.take("required", bool), _place(table))
    table.done()
    return region


def _place(table: _Table) -> tuple[int, int]:
    found = table.take("at", list)
    match found:
        case [int(latitude), int(longitude)] if abs(latitude) <= 90 and abs(longitude) <= 180:
            return latitude, longitude
    raise CatalogueError(f"layers.toml: {table.where}: 'at' must be [latitude, longitude] in whole degrees, not {found!r}")


def _layer_table(name: str, data: Any) -> _Table:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,100}", name):
        raise CatalogueError(f"layers.toml: [layers]: {name!r} must be lower case letters, digits and hyphens")
    return _Table(f"[layers.{name}]", data)


def _layer(name: str, data: Any, archs: tuple[str, ...], runtimes: Mapping[str, Runtime]) -> Layer:
    table = _layer_table(name, data)
    language = table.one_of("language", ["any", *dict.fromkeys(r.language for r in runtimes.values())])
    compatible = tuple(r.name for r in runtimes.values() if r.language == language)
    if len(compatible) > MAX_COMPATIBLE_RUNTIMES:
        raise CatalogueError(f"layers.toml: [layers.{name}] has {len(compatible)} runtimes; one layer version may name {MAX_COMPATIBLE_RUNTIMES}")
    folder = table.take("folder", str)
    layer = Layer(
        name=name,
        folder=folder,
        description=table.take("description", str),
        language=language,
        role=table.one_of("role", _PART_ROLES),
        architectures=table.strings("architectures"),
        zipped_bytes=table.take("zipped-bytes", int),
        unzipped_bytes=table.take("unzipped-bytes", int),
        executables=table.strings("executables"),
        sample=table.take("sample", str),
        flavour=table.take("flavour", str) if "flavour" in table.data else "",
        bundle=(),
        folders=(folder,),
        runtimes=compatible,
    )
    table.done()
    for arch in layer.architectures:
        if arch not in archs:
            raise CatalogueError(f"layers.toml: [layers.{name}]: 'architectures' has {arch!r}", remedy=f"of {', '.join(archs)}")
    return layer


def _bundle(name: str, data: Any, layers: Mapping[str, Layer], tables: Mapping[str, Any]) -> Layer:
    """A layer of other layers' files: what its parts say is not said again."""
    table = _layer_table(name, data)
    parts = _parts(table, layers, tables)
    told = next((key for key in _PARTS_KEYS if key in table.data), "")
    if told:
        raise CatalogueError(f"layers.toml: {table.where}: a bundle has no key {told!r}", why="its parts say it", remedy="remove the line")
    main = next(part for part in parts if part.role == "language")
    layer = Layer(
        name=name,
        folder=main.folder,
        description=table.take("description", str),
        language=main.language,
        role=table.one_of("role", ("bundle",)),
        architectures=main.architectures,
        zipped_bytes=table.take("zipped-bytes", int),
        unzipped_bytes=table.take("unzipped-bytes", int),
        executables=tuple(dict.fromkeys(path for part in parts for path in part.executables)),
        sample="",
        flavour="",
        bundle=tuple(part.name for part in parts),
        folders=tuple(dict.fromkeys(part.folder for part in parts)),
        runtimes=main.runtimes,
    )
    table.done()
    return layer


def _parts(table: _Table, layers: Mapping[str, Layer], tables: Mapping[str, Any]) -> list[Layer]:
    """The layers that `bundle` names: one of each role, for the same architectures."""
    parts = []
    for name in table.strings("bundle"):
        if name in layers:
            parts.append(layers[name])
        elif name in tables:
            raise CatalogueError(f"layers.toml: {table.where}: 'bundle' has {name!r}, which is a bundle itself", remedy="name its parts")
        else:
            near = difflib.get_close_matches(name, layers, n=1, cutoff=0.5)
            raise CatalogueError(
                f"layers.toml: {table.where}: 'bundle' has the unknown layer {name!r}", remedy=f"{near[0]!r} looks like it" if near else ""
            )
    for role in sorted(_PART_ROLES, key=lambda r: -sum(part.role == r for part in parts)):
        of_role = [part for part in parts if part.role == role]
        if len(of_role) != 1:
            found = " and ".join(part.name for part in of_role) or "none"
            languages = dict.fromkeys(part.language for part in of_role)
            why = f"they are for different languages, {' and '.join(languages)}" if len(languages) > 1 else ""
            raise CatalogueError(f"layers.toml: {table.where}: 'bundle' must have one layer of the role {role!r}, and has {found}", why=why)
    one, two = parts
    if set(one.architectures) != set(two.architectures):
        why = "; ".join(f"{part.name} is for {', '.join(part.architectures)}" for part in parts)
        raise CatalogueError(f"layers.toml: {table.where}: the parts of 'bundle' are for different architectures", why=why)
    return parts
