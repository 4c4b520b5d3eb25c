"""List Collector components: what the default layer holds and what the catalogue knows, or with --zip what a layer contains."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

from ... import archive, catalog, console, process
from ...errors import UsageError
from ...files import temporary
from ...ondemand import components, module
from ...project import Project
from .. import emit, json_option

PROGRAM = "extensions/collector"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `components`."""
    parser.add_argument("--zip", type=Path, metavar="ZIP", help="a Collector layer, which is asked itself")
    parser.add_argument("--lock", action="store_true", help="add to collector/components.sum the hashes of what components.toml leads to")
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Print the components."""
    if args.zip:
        found = inside(project, args.zip)
        rows = [(section, one["type"], one.get("module", "built in")) for section, them in found.items() if section != "sources" for one in them]
        emit(args, found, console.table(("section", "type", "module"), rows) + f"\n\nsources: {', '.join(found['sources'])}")
        return
    folder = project.root / "collector"
    known = components.load(folder / "components.toml")
    if args.lock:
        number = module.lock(project, folder, known)
        emit(args, {"lines": number}, f"collector/{module.SUMS} has {number} lines")
        return
    listed = [known.module(name) for name in known.listed]
    result = {
        "builtIn": list(known.built_in),
        "sources": list(known.schemes),
        "onDemand": [{"name": f"{m.kind}/{m.name}", "module": m.path, "version": m.version} for m in listed],
    }
    table = [(name, "built in") for name in known.built_in] + [(f"{m.kind}/{m.name}", f"{m.path} {m.version}") for m in listed]
    emit(args, result, console.table(("component", "module"), table) + f"\n\nsources: {', '.join(known.schemes)}")


def inside(project: Project, place: Path) -> dict[str, Any]:
    """What the Collector in the zip at `place` says of itself: {section: [{"type", "module"}], "sources": [scheme]}."""
    with temporary(project, "components") as tmp:
        archive.unpack(place, tmp / "opt")
        program = tmp / "opt" / PROGRAM
        if not program.is_file():
            raise UsageError(f"{place} is no Collector layer", why=f"it has no {PROGRAM}")
        with program.open("rb") as source:
            machine = int.from_bytes(source.read(20)[18:20], "little")
        here = catalog.architecture(platform.machine())
        if machine != here.elf:
            raise UsageError(
                f"{place} is for another architecture and cannot be asked here", remedy=f"the zip for {here.name} has the same components"
            )
        found: dict[str, Any] = json.loads(process.run([program, "components", "--json"], capture=True, error=UsageError, echo=False, timeout=60))
        return found
