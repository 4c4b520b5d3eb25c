"""
Bring tested bytes further without building them again: from a receipt to other regions, another account, another partition or another group.

The zips are those of dist/ or of --from DIR where their hashes are the receipt's; what is missing there is fetched from the receipt's own regions.
"""

from __future__ import annotations

import argparse
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ... import console, files
from ...aws.client import Access
from ...errors import LayersError, UsageError
from ...project import Project
from ...release import output, published
from ...release import plan as plans
from ...release import receipt as receipts
from ...release.calls import Clock, Place, look_by_arn
from ...release.outcome import classify
from ...release.version import GROUPS
from .. import publishing, recorded
from . import publish

_TRIES = 3  # regions that are asked for a zip before it is given up


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `promote`."""
    parser.add_argument("source", metavar="RECEIPT", help="of the publication whose layers shall go further")
    parser.add_argument("--layer", metavar="NAME", default="", help="only this layer (default: all of the receipt)")
    parser.add_argument("--from", dest="folder", metavar="DIR", help="where the zips are, say a release's downloaded files (default: dist/)")
    parser.add_argument("--source-profile", default="", metavar="NAME", help="the profile of the account that published them, if they are private")
    publish.options(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Gather the zips, then publish them as `publish` does."""
    path = Path(args.source).resolve()
    source = receipts.load(path)
    items = _items(source, args.layer, path)
    publishing.refuse_taken_back(project, items, source)
    spec = args.region or publishing.default_region(project, args.to, args.partition)
    regions = project.catalogue.select_regions(spec, args.partition)
    plan = plans.moved(items, regions, to=args.to, public=args.public, named=spec != "all", group=args.group or GROUPS[0])
    if not publish.announce(args, plan):
        return
    with _zips(project, args, source, path, items) as found:
        zips = {new.name: found[old.name] for old, new in zip(items, plan.items, strict=True)}
        publish.carry_out(project, args, plan, args.receipt or "", zips=zips, resume=_again(args))


def _items(source: receipts.Receipt, layer: str, path: Path) -> list[plans.Item]:
    """What of the receipt is published somewhere."""
    items = [i for i in source.plan.items if layer in ("", i.layer)]
    if not items:
        raise UsageError(f"{path.name} has no layer {layer}", remedy=f"one of {', '.join(dict.fromkeys(i.layer for i in source.plan.items))}")
    for item in items:
        if not any(source.arn(item.name, target.region) for target in source.plan.targets):
            raise UsageError(f"{item.name} is published nowhere, says {path.name}", remedy="finish that publication first")
    return items


@contextmanager
def _zips(project: Project, args: argparse.Namespace, source: receipts.Receipt, path: Path, items: list[plans.Item]) -> Iterator[dict[str, Path]]:
    """Each item's zip by its name in the receipt: a file that is here and has its hash, else fetched for the length of this."""
    folder = Path(args.folder) if args.folder else project.dist
    found = {item.name: folder / item.zip for item in items}
    missing = [item for item in items if not found[item.name].is_file() or output.sha256(found[item.name]) != item.sha256]
    if not missing:
        yield found
        return
    if args.folder:
        raise UsageError(f"{folder} lacks {missing[0].zip} with SHA-256 {missing[0].sha256}", remedy="without --from it is fetched from AWS")
    with files.temporary(project, "promote") as here, recorded.connect(project, source.plan, path) as access:
        for item in missing:
            console.step(f"fetching {item.zip} ({item.zipped_bytes / 1e6:.1f} MB) of {item.name}")
            found[item.name] = here / f"{item.name}.zip"
            _fetch(replace(access, profile=args.source_profile), source, item, found[item.name])
        yield found


def _fetch(access: Access, source: receipts.Receipt, item: plans.Item, to: Path) -> None:
    """Write the item's zip to `to`, from the first of some regions that gives the right bytes."""
    targets = [t for t in sorted(source.plan.targets, key=lambda t: not t.required) if source.arn(item.name, t.region)]
    said = []
    for target in targets[:_TRIES]:
        limit = publishing.time_for(source.plan)
        try:
            client = publishing.within(access, limit).lambda_(target.region)
            place = Place(client, item, Clock(time.monotonic() + limit, threading.Event()))
            digest = published.fetch(place, look_by_arn(place, source.arn(item.name, target.region)), to)
        except Exception as exc:  # noqa: BLE001 - the next region may do better
            said.append(f"{target.region}: {classify(exc, target)[1]}")
            continue
        if digest == item.sha256:
            return
        said.append(f"{target.region}: the zip there has SHA-256 {digest}, not {item.sha256}")
    raise LayersError(
        f"{item.zip} could not be fetched", why="\n".join(said), remedy="--from DIR with the release's zips, or --source-profile for private layers"
    )


def _again(args: argparse.Namespace) -> str:
    """This very command, which finishes what it began."""
    words = ["./run.sh", "promote", args.source, "--to", args.to]
    for name in ("layer", "folder", "source_profile", "region", "partition", "group", "receipt", "bucket"):
        if value := getattr(args, name):
            words += ["--from" if name == "folder" else f"--{name.replace('_', '-')}", value]
    return shlex.join([*words, *(["--public"] if args.public else [])])
