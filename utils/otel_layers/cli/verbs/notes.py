"""From receipts to what users read: release notes with ARN tables, the index for tools, and maps for Terraform, CDK, SAM and CloudFormation."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ... import console
from ...errors import UsageError
from ...files import read_json, write_atomically
from ...project import Project
from ...release import index, notes, output
from ...release import receipt as receipts
from ...release import version as versions
from .. import emit, json_option, recorded


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `notes`."""
    parser.add_argument("receipts", nargs="*", metavar="RECEIPT", help="receipts of one release, say one per partition (default: the newest)")
    parser.add_argument("--output", metavar="FILE", help="write the notes to FILE instead of printing them")
    parser.add_argument(
        "--output-dir",
        metavar="DIR",
        help="write everything that a release has to DIR: notes, ARN page, index and its schema, maps, zips and SBOMs of dist/, SHA256SUMS",
    )
    parser.add_argument("--previous", metavar="INDEX", help="an earlier index.json, whose releases join the new one")
    parser.add_argument("--table", action="store_true", help="only the ARN tables, for reading on a terminal")
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Render."""
    found = [receipt for _, receipt in recorded.named(project, args.receipts)]
    previous = index.load(Path(args.previous)) if args.previous else None
    made = index.make(found, project.catalogue.name, previous)
    text = "\n\n".join(notes.arn_table(r) for r in found) if args.table else notes.markdown(found, changed(project, found)).rstrip()
    if args.output_dir:
        folder = Path(args.output_dir).resolve()
        texts = {PurePosixPath("notes.md"): text + "\n", **output.texts(made, project.catalogue)}
        output.write(folder, texts, artefacts(project, found))
        console.step(f"wrote {args.output_dir}")
    if args.output:
        write_atomically(Path(args.output), text + "\n")
        console.step(f"wrote {args.output}")
    emit(args, made, "" if args.output or args.output_dir else text)


def changed(project: Project, found: Sequence[receipts.Receipt]) -> str:
    """What CHANGELOG.md says of these releases; a warning when it says nothing."""
    names: set[str] = set()
    for item in (item for receipt in found for item in receipt.plan.items):
        folder = project.catalogue.layers[item.layer].folder if item.layer in project.catalogue.layers else item.layer
        names |= {"Unreleased"} if versions.is_development(item.version) else {item.version, f"layer-{folder}/{item.version}"}
    path = project.root / "CHANGELOG.md"
    text = notes.changes(path.read_text(encoding="utf-8"), names) if path.is_file() else ""
    if not text:
        console.warn(f"CHANGELOG.md has no section {' or '.join(sorted(names))}: the notes do not say what changed")
    return text


def artefacts(project: Project, found: Sequence[receipts.Receipt]) -> list[Path]:
    """The receipts' zips and their SBOMs in dist/, which must be the ones that were published."""
    files = []
    for item in {item.name: item for receipt in found for item in receipt.plan.items}.values():
        zipped = project.dist / item.zip
        if not zipped.is_file() or output.sha256(zipped) != item.sha256:
            remedy = f"build {item.version} of {item.source_revision[:12]} again, or put the published zip there"
            raise UsageError(f"dist/{item.zip} is not the zip that was published as {item.name}", remedy=remedy)
        facts = zipped.with_suffix(".json")
        if facts.is_file() and (version := read_json(facts, "a layer's facts").get("version")) != item.version:
            why = f"the bytes are the same, the SBOM beside them is not: it is of {version}"
            raise UsageError(f"dist/{item.zip} was published as version {item.version}", why=why, remedy=f"build {item.version} again")
        files += [path for path in (zipped, zipped.with_suffix(".cdx.json")) if path.is_file()]
    return files
