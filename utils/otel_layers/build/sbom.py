"""What is really in a layer, as a CycloneDX bill of materials: Go modules out of the binaries, Python distributions out of their metadata."""

from __future__ import annotations

import email.parser
import re
import uuid
from pathlib import Path
from typing import Any

from .. import process, toolchain
from ..archive import Measure
from ..errors import BuildFailed
from ..project import Project
from .recipe import Order

_GO_MARK = b"\xff Go buildinf:"  # begins the build information in every Go binary
_SPDX = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")


def describe(project: Project, order: Order, tree: Path, zipped: Measure) -> dict[str, Any]:
    """The CycloneDX 1.5 document of `tree`; the same for the same zip."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink()):
        components = []
        if path.name == "METADATA" and path.parent.suffix == ".dist-info":
            components = [_distribution(path)]
        elif _is_go(path):
            components = _modules(project, path)
        for component in components:
            known = found.setdefault(component["bom-ref"], component)
            known.setdefault("evidence", {"occurrences": []})["occurrences"].append({"location": path.relative_to(tree).as_posix()})
    layer = order.layer
    ref = f"pkg:generic/{layer.name}@{order.version}?arch={order.arch.name}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, zipped.sha256)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": ref,
                "name": layer.name,
                "version": order.version,
                "description": layer.description,
                "licenses": [{"license": {"id": project.catalogue.license}}],
                "hashes": [{"alg": "SHA-256", "content": zipped.sha256}],
                "purl": ref,
            },
        },
        "components": [found[key] for key in sorted(found)],
        "dependencies": [{"ref": ref, "dependsOn": sorted(found)}],
    }


def _is_go(path: Path) -> bool:
    with path.open("rb") as source:
        return source.read(4) == b"\x7fELF" and _GO_MARK in source.read()


def _modules(project: Project, binary: Path) -> list[dict[str, Any]]:
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
    return [_component(path, version, f"pkg:golang/{path}@{version}") for path, version in modules]


def _distribution(path: Path) -> dict[str, Any]:
    """A Python distribution by its METADATA."""
    meta = email.parser.HeaderParser().parsestr(path.read_text(encoding="utf-8", errors="replace"))
    name, version = meta.get("Name", path.parent.name.partition("-")[0]), meta.get("Version", "")
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
    component = _component(name, version, purl)
    licence = meta.get("License-Expression") or meta.get("License") or ""
    if meta.get("License-Expression") and _SPDX.fullmatch(licence):
        component["licenses"] = [{"expression": licence}]
    elif licence and "\n" not in licence:
        component["licenses"] = [{"license": {"name": licence}}]
    return component


def _component(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
