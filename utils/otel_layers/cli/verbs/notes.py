"""From receipts to release notes with their ARN tables, in Markdown; with --json the index that other tools read."""

from __future__ import annotations

import argparse
from pathlib import Path

from ... import console
from ...errors import NothingToDo
from ...files import write_atomically
from ...project import Project
from ...release import notes
from ...release import receipt as receipts
from .. import emit, json_option


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `notes`."""
    parser.add_argument("receipts", nargs="*", metavar="RECEIPT", help="receipts of one release, say one per partition (default: the newest)")
    parser.add_argument("--output", metavar="FILE", help="write the notes to FILE instead of printing them")
    parser.add_argument("--table", action="store_true", help="only the ARN tables, for reading on a terminal")
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Render."""
    found = [receipts.load(Path(path)) for path in args.receipts] or [newest(project)]
    text = "\n\n".join(notes.arn_table(r) for r in found) if args.table else notes.markdown(found).rstrip()
    if args.output:
        write_atomically(Path(args.output), text + "\n")
        console.step(f"wrote {args.output}")
        text = ""
    emit(args, notes.index(found), text)


def newest(project: Project) -> receipts.Receipt:
    """The newest receipt of the folder's layers; NothingToDo without one."""
    found = receipts.newest(project.dist, [layer.name for layer in project.layers()])
    if not found:
        raise NothingToDo("nothing has been published yet: there is no receipt in dist/receipts", remedy="./run.sh publish")
    console.detail(f"receipt: {found[0]}")
    return found[1]
