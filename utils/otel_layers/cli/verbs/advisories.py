"""
Check what is really inside the layers against known advisories: the packages in their bills of materials, at an OSV server.

Without arguments: the layers in dist/. With receipts: what was published. Exit code 9 when an advisory is known that nobody has judged.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ... import console
from ...errors import Behind, NothingToDo
from ...project import Project
from ...release import advisories, bills, ignored
from ...release import receipt as receipts
from ...release.advisories import Advisory
from ...release.bills import Bill
from ...release.ignored import Ignored
from .. import emit, json_option

_IGNORED = "advisories.toml"
_PINS = {"Go": ("go.mod", "components.toml"), "PyPI": ("requirements.in",)}  # where a folder names its packages


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `advisories`."""
    parser.add_argument("files", nargs="*", metavar="RECEIPT|SBOM", help="receipts, or bills of materials (default: dist/*.cdx.json of the folder)")
    parser.add_argument("--source", default=advisories.SOURCE, metavar="URL", help="a server with OSV's API (default: %(default)s)")
    parser.add_argument(
        "--ignore", metavar="FILE", help=f"advisories that were judged, with reason and last day (default: {_IGNORED}, when there is one)"
    )
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Ask, and tell; Behind when something is known."""
    found = [bill for path in args.files for bill in _bills(project, Path(path))] or _built(project)
    judged = _judged(project, args.ignore)
    packages = {package for bill in found for package in bill.packages}
    asked = {package for package in packages if package.ecosystem}
    unknown = sorted(package.purl for package in packages - asked)
    what = f"{console.counted(len(asked), 'package')} of {console.counted(len(found), 'layer')}"
    console.step(f"asking {args.source} about {what}")
    known = advisories.find(args.source, found)
    cover = {a: next((j for j in judged if j.covers(a.names, a.package.name)), None) for a in known}
    for purl in unknown:
        console.warn(f"no advisory database knows packages like {purl}: it was not checked")
    for judgement in judged:
        if judgement not in cover.values():
            console.warn(f"{judgement.id} is ignored and not met any more: remove it from {Path(args.ignore or _IGNORED).name}")
    still = [a for a in known if cover[a] is None]
    emit(args, _as_json(project, args.source, found, cover, unknown), _as_text(project, cover, what))
    if still:
        where = ", ".join(sorted({layer for a in still for layer in a.layers}))
        remedy = f"raise what the table names, build and release; or judge it: an entry with reason and last day in {_IGNORED}"
        raise Behind(f"{len(still)} known {'advisory' if len(still) == 1 else 'advisories'} for what is inside {where}", remedy=remedy)


def _bills(project: Project, path: Path) -> list[Bill]:
    return [bills.load(path)] if path.name.endswith(".cdx.json") else bills.of_receipt(receipts.load(path), path, project.dist)


def _built(project: Project) -> list[Bill]:
    names = [layer.zip_name(arch.name) for layer in project.layers() for arch in project.catalogue.select_architectures("all", layer)]
    found = [path for name in names if (path := project.dist / name).with_suffix(".cdx.json").is_file()]
    if not found:
        raise NothingToDo("no layer is built: there is no bill of materials in dist/", remedy="./run.sh build, or name receipts or SBOMs")
    return [bills.load(path.with_suffix(".cdx.json")) for path in found]


def _judged(project: Project, named: str | None) -> list[Ignored]:
    path = Path(named) if named else project.root / _IGNORED
    if not named and not path.is_file():
        return []
    return ignored.load(path, datetime.datetime.now(datetime.UTC).date())


def _todo(project: Project, advisory: Advisory) -> str:
    """The file that pins the package, and what to do there."""
    package, layers = advisory.package, project.catalogue.layers
    if not advisory.fixed:
        return "no fix yet: read it, then judge it"
    if (package.ecosystem, package.name) == ("Go", "stdlib"):
        return "raise Go in requirements/go.in"
    known = [layers[name] for title in advisory.layers for name in (title, title.rpartition("-")[0]) if name in layers]
    folders = dict.fromkeys(folder for layer in known for folder in layer.folders)
    files = [f"{folder}/{name}" for folder in folders for name in _PINS.get(package.ecosystem, ()) if (project.root / folder / name).is_file()]
    named = [file for file in files if package.name in (project.root / file).read_text(encoding="utf-8")]
    return "raise it in " + (" or ".join(named or files) or f"what pins {package.ecosystem} packages")


def _as_json(project: Project, source: str, found: Sequence[Bill], cover: dict[Advisory, Ignored | None], unknown: Sequence[str]) -> dict[str, Any]:
    def entry(advisory: Advisory) -> dict[str, Any]:
        judged = cover[advisory]
        ignoring = {"reason": judged.reason, "until": judged.until.isoformat()} if judged else None
        return {**asdict(advisory), "todo": _todo(project, advisory), "ignored": ignoring}

    layers = [{"layer": b.layer, "arch": b.arch, "version": b.version, "sha256": b.sha256, "packages": len(b.packages)} for b in found]
    return {"source": source, "layers": layers, "advisories": [entry(a) for a in cover], "unchecked": list(unknown)}


def _as_text(project: Project, cover: dict[Advisory, Ignored | None], what: str) -> str:
    rows = []
    for advisory, judged in cover.items():
        package = advisory.package
        todo = f"ignored until {judged.until}: {judged.reason}" if judged else _todo(project, advisory)
        layers, fixed = ", ".join(advisory.layers), ", ".join(advisory.fixed) or "-"
        rows.append((package.name, package.version, layers, advisory.id, advisory.severity.lower(), fixed, todo))
    if not rows:
        return f"no advisory is known for {what}"
    return console.table(("package", "version", "layers", "advisory", "severity", "fixed in", "what to do"), rows)
