"""Print CI's matrix as JSON: one entry per layer and architecture, with --changed-since only those whose sources changed."""

from __future__ import annotations

import argparse
import json

from ... import process
from ...errors import UsageError
from ...project import Project
from .. import workflow

_EVERYTHING = ("layers.toml", "run.sh", "utils/", "requirements/", "pyproject.toml", ".ci/", ".github/")  # a change here concerns every layer


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `matrix`."""
    parser.add_argument("--changed-since", default="", metavar="REV", help="only layers with a change since the Git revision REV (empty: all)")
    parser.add_argument("--arch", default="all", help="architectures, separated by commas (default: all)")
    parser.add_argument(
        "--github",
        nargs="?",
        const="matrix",
        metavar="NAME",
        help="also write NAME=JSON to $GITHUB_OUTPUT, for the jobs that follow (default: matrix)",
    )


def run(project: Project, args: argparse.Namespace) -> None:
    """Print {"include": [{"layer", "folder", "arch", "runner", "language", "tests"}]}; nothing changed: an empty list."""
    layers = project.layers()
    if args.changed_since:
        # Without renames a file that moved out of a folder has changed there too.
        command = ["git", "-C", str(project.root), "diff", "--name-only", "--no-renames", "-z", args.changed_since, "--"]
        changed = process.run(command, capture=True, error=UsageError, remedy="a revision that `git log` knows", echo=False).split("\0")
        if not any(path.startswith(_EVERYTHING) for path in changed):
            layers = tuple(la for la in layers if any(p.startswith(tuple(f"{f}/" for f in (*la.folders, la.sample) if f)) for p in changed))
    found = workflow.matrix(project, layers, args.arch)
    print(json.dumps(found))
    if args.github:
        workflow.hand_on({args.github: found})
