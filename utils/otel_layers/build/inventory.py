"""What others wrote in a layer's tree: Go modules, Python distributions, npm packages, jars and Ruby gems, each with its licence files."""

from __future__ import annotations

import email.parser
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from .. import process, toolchain
from ..errors import BuildFailed
from ..project import Project

_GO_MARK = b"\xff Go buildinf:"  # begins the build information in every Go binary
_LICENCE_FILE = re.compile(r"((un)?licen[cs]e|notice|copying|copyright|patents)(s?$|[-_.])", re.IGNORECASE)
_CODE = (".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".json", ".class", ".xml", ".properties")  # what may have such a name and is no text
_NESTED = 3  # jars in jars in jars


@dataclass(frozen=True)
class Component:
    """One package of one version: its package URL, and what its own metadata and files say of its licence."""

    name: str
    version: str
    purl: str
    licence: str = ""  # as declared: an SPDX expression or any other words; '' when nothing is
    texts: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()  # of the tree: those whose texts these are


def find(project: Project, tree: Path) -> Iterator[tuple[str, Component]]:
    """Every component in `tree`, with the path of what shows it; one that is there several times comes several times."""
    for path in sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink()):
        where = path.relative_to(tree).as_posix()
        if path.name == "METADATA" and path.parent.suffix == ".dist-info":
            yield where, _distribution(path)
        elif path.name == "package.json" and "node_modules" in (path.parts[-3], path.parts[-4] if path.parts[-3].startswith("@") else ""):
            yield from ((where, package) for package in _npm(path))
        elif path.suffix == ".gemspec" and path.parent.name == "specifications":
            yield where, _gem(path)
        elif path.suffix == ".jar":
            yield from ((where, part) for part in _jar(path.name, path.read_bytes()))
        elif _is_go(path):
            yield from ((where, module) for module in _modules(project, path))


def licence_files(folder: Path) -> tuple[Path, ...]:
    """The files of `folder` that tell a package's licence, also those in the folder of licences of a Python distribution."""
    beside = sorted(p for p in folder.iterdir() if _is_licence(p.name) and p.is_file() and not p.is_symlink()) if folder.is_dir() else []
    return (*beside, *sorted(p for p in (folder / "licenses").rglob("*") if folder.suffix == ".dist-info" and p.is_file()))


def _is_licence(name: str) -> bool:
    return bool(_LICENCE_FILE.match(name)) and not name.endswith(_CODE)


def read(files: tuple[Path, ...]) -> tuple[str, ...]:
    """The texts of `files`."""
    return tuple(path.read_text(encoding="utf-8", errors="replace") for path in files)


def _is_go(path: Path) -> bool:
    with path.open("rb") as source:
        return source.read(4) == b"\x7fELF" and _GO_MARK in source.read()


def _modules(project: Project, binary: Path) -> list[Component]:
    """The modules that are linked into a Go binary, and the standard library; what replaced a module counts, but for an edited copy of it."""
    go = toolchain.go(project)
    lines = process.run(
        [go, "version", "-m", str(binary)], env=toolchain.go_environment(project), capture=True, error=BuildFailed, echo=False
    ).splitlines()
    compiler = re.search(r"go(\d[\w.]*)", lines[0].rpartition(": ")[2])
    modules = [("stdlib", f"v{compiler[1]}")] if compiler else []
    for line in lines[1:]:
        kind, *fields = line.strip().split("\t")
        if kind == "dep":
            modules.append((fields[0], fields[1]))
        elif kind == "=>" and len(modules) > 1 and not fields[0].startswith("."):
            modules[-1] = (fields[0], fields[1])
    return [Component(path, version, f"pkg:golang/{path}@{quote(version)}") for path, version in modules]


def _distribution(path: Path) -> Component:
    """A Python distribution by its METADATA."""
    meta = email.parser.HeaderParser().parsestr(path.read_text(encoding="utf-8", errors="replace"))
    name, version = meta.get("Name", path.parent.name.partition("-")[0]), meta.get("Version", "")
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{quote(version)}"
    licence = meta.get("License-Expression") or meta.get("License") or ""
    files = licence_files(path.parent)
    return Component(name, version, purl, "" if "\n" in licence else licence, read(files), files)


def _npm(path: Path) -> Iterator[Component]:
    """An npm package by its package.json; one without a version is no package, but tells Node.js how to read a folder."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        name, version = said["name"], said["version"]
    except (ValueError, KeyError, TypeError):
        return
    licence = said.get("license") or " OR ".join(_type(entry) for entry in said.get("licenses") or [])
    files = licence_files(path.parent)
    yield Component(name, version, f"pkg:npm/{quote(name, safe='/')}@{quote(version)}", _type(licence), read(files), files)


def _type(licence: Any) -> str:
    return str(licence.get("type", "")) if isinstance(licence, dict) else str(licence)


def _gem(path: Path) -> Component:
    """A Ruby gem by the specification that RubyGems writes when it installs one."""
    said = path.read_text(encoding="utf-8", errors="replace")
    values = {key: found[1] for key in ("name", "version", "platform") if (found := re.search(rf'^\s*s\.{key} = "([^"]+)"', said, re.MULTILINE))}
    listed = re.search(r"^\s*s\.licenses? = (.*)$", said, re.MULTILINE)
    name, version = values.get("name") or path.stem.rpartition("-")[0], values.get("version") or path.stem.rpartition("-")[2]
    purl = f"pkg:gem/{name}@{quote(version)}" + (f"?platform={values['platform']}" if "platform" in values else "")
    files = licence_files(path.parent.parent / "gems" / path.stem)
    return Component(name, version, purl, " OR ".join(re.findall(r'"([^"]+)"', listed[1])) if listed else "", read(files), files)


def _jar(name: str, body: bytes, depth: int = 0) -> Iterator[Component]:
    """A jar and what was shaded into it: by the Maven properties of each, else by the manifest; jars inside it too."""
    try:
        source = zipfile.ZipFile(io.BytesIO(body))
    except zipfile.BadZipFile as exc:
        raise BuildFailed(f"{name} is not a sound jar", why=str(exc)) from exc
    names = source.namelist()
    texts = tuple(
        source.read(n).decode(errors="replace")
        for n in names
        if not n.endswith("/") and re.fullmatch(r"(META-INF/)?(licenses?/)?[^/]+", n) and _is_licence(n.rpartition("/")[2])
    )
    manifest = email.parser.HeaderParser().parsestr(
        re.sub(r"\r?\n ", "", source.read("META-INF/MANIFEST.MF").decode(errors="replace")) if "META-INF/MANIFEST.MF" in names else ""
    )
    poms = [n for n in names if re.fullmatch(r"META-INF/maven/[^/]+/[^/]+/pom\.properties", n)]
    for pom in poms:
        said = dict(re.findall(r"^(groupId|artifactId|version)\s*=\s*(.*?)\s*$", source.read(pom).decode(errors="replace"), re.MULTILINE))
        if len(said) == 3:
            place = pom.replace(".properties", ".xml")
            licence = _pom_licence(source.read(place)) if place in names else ""
            purl = f"pkg:maven/{said['groupId']}/{said['artifactId']}@{quote(said['version'])}"
            yield Component(f"{said['groupId']}:{said['artifactId']}", said["version"], purl, licence or manifest.get("Bundle-License", ""), texts)
    if not poms:
        stem = re.fullmatch(r"(.+?)-(\d[\w.+-]*)", name.removesuffix(".jar"))
        title = stem[1] if stem else name.removesuffix(".jar")
        version = manifest.get("Implementation-Version") or manifest.get("Bundle-Version") or (stem[2] if stem else "")
        yield Component(title, version, f"pkg:generic/{quote(title)}@{quote(version)}", manifest.get("Bundle-License", ""), texts)
    for inner in names if depth < _NESTED else ():
        if inner.endswith(".jar"):
            yield from _jar(inner.rpartition("/")[2], source.read(inner), depth + 1)


def _pom_licence(body: bytes) -> str:
    """The names of the licences in a pom.xml, which any of may be chosen."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - of a jar that the recipe pinned
    except ElementTree.ParseError:
        return ""
    return " OR ".join(node.text.strip() for node in root.findall("{*}licenses/{*}license/{*}name") if node.text and node.text.strip())
