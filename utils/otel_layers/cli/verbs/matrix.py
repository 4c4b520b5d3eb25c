"""Print CI's matrix as JSON: one entry per layer and architecture, with --changed-since only those whose sources changed."""

from __future__ import annotations

import argparse
import json

from ... import process
from ...errors import UsageError
from ...project import Project

_EVERYTHING = ("layers.toml", "run.sh", "utils/", "requirements/", "pyproject.toml", ".ci/", ".github/")  # a change here concerns every layer


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `matrix`."""
    parser.add_argument("--changed-since", metavar="REV", help="only layers with a change since the Git revision REV")
    parser.add_argument("--arch", default="all", help="architectures, separated by commas (default: all)")


def run(project: Project, args: argparse.Namespace) -> None:
    """Print {"include": [{"layer", "folder", "arch", "language"}]}."""
    layers = project.layers()
    if args.changed_since:
        command = ["git", "-C", str(project.root), "diff", "--name-only", args.changed_since, "--"]
        changed = process.run(command, capture=True, error=UsageError, remedy="a revision that `git log` knows", echo=False).splitlines()
        if not any(path.startswith(_EVERYTHING) for path in changed):
            layers = tuple(la for la in layers if any(p.startswith(tuple(f"{f}/" for f in (*la.folders, la.sample) if f)) for p in changed))
    include = [
        {"layer": layer.name, "folder": layer.folder, "arch": arch.name, "language": layer.language}
        for layer in layers
        for arch in project.catalogue.select_architectures("all" if args.arch == "all" else args.arch, layer)
    ]
    print(json.dumps({"include": include}))
