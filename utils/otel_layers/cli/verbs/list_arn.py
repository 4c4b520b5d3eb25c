"""Print the newest ARN of the folder's layers: from the newest receipt, or with --to from an AWS itself. One line per layer and architecture."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from ... import catalog
from ...aws import standing
from ...aws.client import Access, in_words
from ...errors import NothingToDo
from ...project import Project
from ...release import receipt as receipts
from ...release import version as versions
from .. import emit, json_option, publishing
from .build import layers


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `-l`."""
    parser.add_argument("--to", choices=("local", "aws"), help="ask the running embedded AWS, or AWS (default: read the newest receipt)")
    parser.add_argument("-r", "--region", default="", help="the region (default: yours, else the first of the receipt)")
    parser.add_argument("--arch", default="all", help="architectures, separated by commas, or all (default)")
    parser.add_argument("-n", "--layer", metavar="NAME", help="only this layer")
    parser.add_argument("--group", choices=versions.GROUPS, default=versions.GROUPS[0], help=f"of this group (default: {versions.GROUPS[0]})")
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Print ARNs, and nothing else, on stdout; NothingToDo when there is none."""
    chosen = layers(project, args.layer)
    if args.region:
        project.catalogue.region(args.region)
    wanted = [(layer, arch) for layer in chosen for arch in project.catalogue.select_architectures(args.arch, layer)]
    if args.to:
        region = args.region or publishing.default_region(project, args.to)
        with standing.connect(project, args.to) as access:
            found = _from_aws(access, region, wanted, args.group, _bad(project, chosen))
        where = f"in {region} of {'AWS' if args.to == 'aws' else 'the embedded AWS'}"
    else:
        found = _from_receipt(project, args.region, wanted, args.group)
        where = "in the receipts of dist/receipts" + (f" for {args.region}" if args.region else "")
    if not found:
        names = ", ".join(layer.name for layer in chosen)
        raise NothingToDo(
            f"no published version of {names} {where}",
            why=f"taken back: {', '.join(sorted(bad))}" if (bad := _bad(project, chosen)) else "",
            remedy=f"./run.sh {project.folder or 'all'} publish, or --to aws to ask AWS",
        )
    emit(args, found, "\n".join(entry["arn"] for entry in found))


def _bad(project: Project, layers: Iterable[catalog.Layer]) -> set[str]:
    """The names that `layers` have, in any receipt that is here, with bytes that were taken back."""
    names, found = {layer.name for layer in layers}, receipts.kept(project.dist).values()
    bad = receipts.taken_back(found)
    return {item.name for receipt in found for item in receipt.plan.items if item.layer in names and item.sha256 in bad}


def _from_receipt(project: Project, region: str, wanted: list[tuple[catalog.Layer, catalog.Architecture]], group: str) -> list[dict[str, str]]:
    found = []
    for layer, arch in wanted:
        newest = receipts.newest(project.dist, [layer.name], arch.name, region, group)
        if newest is None:
            continue
        receipt = newest[1]
        own = publishing.default_region(project, receipt.plan.to)
        regions = [region] if region else sorted((t.region for t in receipt.plan.targets), key=lambda name: name != own)
        arns = [
            (place, item.version, receipt.arn(item.name, place))
            for item in receipt.plan.items
            for place in regions
            if (item.layer, item.arch) == (layer.name, arch.name)
        ]
        place, version, arn = next(entry for entry in arns if entry[2])
        found.append({"layer": layer.name, "arch": arch.name, "region": place, "version": version, "arn": arn})
    return found


def _from_aws(
    access: Access, region: str, wanted: list[tuple[catalog.Layer, catalog.Architecture]], group: str, bad: set[str]
) -> list[dict[str, str]]:
    """The newest published version of each that is not `bad`, as `region` lists it: by the version in the name, development builds by their date."""
    with in_words(f"listing the layers of {region}"):
        pages = access.lambda_(region).get_paginator("list_layers").paginate()
        listed = [(la["LayerName"], la["LatestMatchingVersion"]) for page in pages for la in page["Layers"]]
    found = []
    for layer, arch in wanted:
        candidates = []
        for name, latest in (entry for entry in listed if entry[0] not in bad):
            if version := versions.version_of(name, layer.name, arch.name, group):
                development = versions.is_development(version)
                key = (not development, () if development else versions.order(version), latest["CreatedDate"])
                candidates.append((key, version, latest["LayerVersionArn"]))
        if candidates:
            _, version, arn = max(candidates, key=lambda c: c[0])
            found.append({"layer": layer.name, "arch": arch.name, "region": region, "version": version, "arn": arn})
    return found
