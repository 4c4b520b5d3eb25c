"""collector/components.toml, validated; which components a configuration names; and the module of each."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CatalogueError, UsageError

KINDS = ("receiver", "processor", "exporter", "connector", "extension", "provider")

_NAME = re.compile(rf"({'|'.join(KINDS)})/[a-z][a-z0-9_]*", re.IGNORECASE)
_WITH = re.compile(rf"(?P<name>({'|'.join(KINDS)})/[A-Za-z][A-Za-z0-9_]*)=(?P<module>[\w.~/-]+)@(?P<version>[\w.+-]+)")
_SCHEME = re.compile(r"(?<!\$)(?:\$\$)*\$\{([A-Za-z][A-Za-z0-9+.-]+):")  # $${ is no reference


@dataclass(frozen=True)
class Source:
    """A repository of components; `version` is '' for this one."""

    prefix: str
    version: str


@dataclass(frozen=True)
class Module:
    """A component's Go module; `folder` is set when it lies in collector/. `known`: the catalogue or the user named it, no convention."""

    kind: str
    name: str
    path: str
    version: str
    folder: str = ""
    known: bool = True


@dataclass(frozen=True)
class Components:
    """The facts of components.toml."""

    built_in: tuple[str, ...]
    schemes: tuple[str, ...]
    sources: Mapping[str, Source]
    listed: Mapping[str, tuple[str, str, str]]  # KIND/TYPE -> source, folder, version; '' for the source's

    def near(self, name: str) -> list[str]:
        """What looks like KIND/TYPE `name`: first the same type of another kind, then types of its kind."""
        kind, _, kind_type = name.partition("/")
        everything = [*self.listed, *self.built_in]
        types = [each.partition("/")[2] for each in everything if each.startswith(f"{kind}/") and each != name]
        close = difflib.get_close_matches(kind_type, types, n=3, cutoff=0.6)
        same = [each for each in everything if each != name and each.partition("/")[2] == kind_type]
        return list(dict.fromkeys([*same, *(f"{kind}/{each}" for each in close)]))

    def module(self, name: str) -> Module:
        """The module of KIND/TYPE `name`: the listed one, else the one that contrib's naming convention makes of it."""
        kind, _, kind_type = name.partition("/")
        if name in self.listed:
            source, folder, version = self.listed[name]
            origin = self.sources[source]
            path = f"{origin.prefix}/{folder}"
            return Module(kind, kind_type, path, version or origin.version or "v0.0.0", folder="" if origin.version else folder)
        contrib, base = self.sources["contrib"], kind_type.replace("_", "").lower()
        parent = "confmap/provider" if kind == "provider" else kind
        return Module(kind, kind_type, f"{contrib.prefix}/{parent}/{base}{kind}", contrib.version, known=False)

    def needed(self, names: Sequence[str], more: Sequence[Module]) -> tuple[Module, ...]:
        """The modules of `names` that are not built in, and of `more`, which go before; each once, sorted."""
        given = {f"{m.kind}/{m.name}": m for m in more}
        wanted = [*more, *(self.module(name) for name in names if name not in given and name not in self.built_in)]
        once = {(m.kind, m.path): m for m in reversed(wanted)}
        return tuple(once[key] for key in sorted(once))


def load(path: Path) -> Components:
    """Read and validate components.toml; CatalogueError names the key that is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise CatalogueError(f"{path.name} cannot be read", why=str(exc)) from exc
    shapes = {"built-in": list, "schemes": list, "sources": dict, "components": dict}
    for key, kind in shapes.items():
        if not isinstance(data.get(key), kind):
            raise CatalogueError(f"{path.name}: {key!r} must be a {'list' if kind is list else 'table'}")
    for key in data.keys() - shapes:
        raise CatalogueError(f"{path.name} has the unknown key {key!r}")
    sources = {}
    for key, value in data["sources"].items():
        if not isinstance(value, dict) or set(value) != {"prefix", "version"} or not all(isinstance(v, str) for v in value.values()):
            raise CatalogueError(f"{path.name}: [sources] {key} must have the strings prefix and version alone")
        sources[key] = Source(**value)
    if "contrib" not in sources:
        raise CatalogueError(f"{path.name}: [sources] lacks contrib, of which the naming convention is")
    listed = {}
    for key, value in data["components"].items():
        source, folder, version, *rest = [*value.split(), "", "", ""] if isinstance(value, str) else ["", "", ""]
        if not _NAME.fullmatch(key) or source not in sources or not folder or any(rest):
            raise CatalogueError(
                f'{path.name}: [components] {key!r} must be KIND/TYPE = "SOURCE FOLDER [VERSION]"', remedy=f"SOURCE is of {', '.join(sources)}"
            )
        listed[key] = (source, folder, version)
    for name in data["built-in"]:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise CatalogueError(f"{path.name}: built-in: {name!r} is not KIND/TYPE")
    return Components(tuple(data["built-in"]), tuple(data["schemes"]), sources, listed)


def resolve(folder: Path, configs: Sequence[Path], more: Sequence[str]) -> tuple[Components, tuple[Module, ...]]:
    """The catalogue of components in `folder`, and the modules that `configs` and `more` need beyond what is built in."""
    known = load(folder / "components.toml")
    names = sorted({name for path in configs for name in scan(path, known.schemes)})
    return known, known.needed(names, [with_option(text) for text in more])


def with_option(text: str) -> Module:
    """The module that --with KIND/TYPE=MODULE@VERSION names."""
    found = _WITH.fullmatch(text)
    if not found:
        raise UsageError(f"--with {text!r} is not KIND/TYPE=MODULE@VERSION", remedy=f"KIND is one of {', '.join(KINDS)}")
    kind, _, name = found["name"].partition("/")
    return Module(kind, name, found["module"], found["version"])


def scan(path: Path, schemes: Sequence[str]) -> list[str]:
    """Every component that the configuration file declares, and every source of values beyond `schemes`, as KIND/TYPE, sorted."""
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise UsageError(f"--config {path} cannot be read", why=exc.strerror or str(exc)) from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise UsageError(f"--config {path} is not valid YAML", why=str(exc)) from exc
    if not isinstance(data, dict):
        raise UsageError(f"--config {path} is not a configuration", why="a mapping with receivers, exporters and service is expected")
    found = {f"provider/{scheme}" for text in _texts(data) for scheme in _SCHEME.findall(text) if scheme not in schemes}
    for kind in KINDS[:-1]:
        section = data.get(f"{kind}s") or {}
        if not isinstance(section, dict):
            raise UsageError(f"--config {path}: {kind}s must be a mapping")
        for key in section:
            name = f"{kind}/{str(key).partition('/')[0].strip()}"
            if not _NAME.fullmatch(name):
                raise UsageError(f"--config {path}: {kind}s: {key!r} is not TYPE or TYPE/NAME")
            found.add(name)
    return sorted(found)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
