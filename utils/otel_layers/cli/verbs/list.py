"""Print the catalogue: layers, and with --runtimes or --regions those."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from ... import console
from ...project import Project
from .. import emit, json_option


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `list`."""
    parser.add_argument("--runtimes", action="store_true", help="the runtimes")
    parser.add_argument("--regions", action="store_true", help="the regions, of every partition")
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Print what is asked for."""
    cat = project.catalogue
    everything = {
        "layers": [asdict(layer) for layer in project.layers()],
        "runtimes": [asdict(r) for r in cat.runtimes.values()],
        "regions": [asdict(r) for r in cat.regions.values()],
    }
    if args.runtimes:
        text = console.table(("runtime", "language", "os"), [(r.name, r.language, r.os) for r in cat.runtimes.values()])
    elif args.regions:
        rows = [(r.name, r.partition, "opt-in" if r.opt_in else "", "required" if r.required else "") for r in cat.regions.values()]
        text = console.table(("region", "partition", "opt-in", "required"), rows)
    else:
        listed = [(la.name, la.folder, la.role, ", ".join(la.architectures), ", ".join(la.runtimes) or "any runtime") for la in project.layers()]
        text = console.table(("layer", "folder", "role", "architectures", "runtimes"), listed)
    emit(args, everything, text)
