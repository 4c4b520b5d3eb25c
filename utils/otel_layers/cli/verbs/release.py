"""
What a workflow does of a release beside publishing.

plan: what is released, from a tag or from what is asked for. previous: the index of all public releases, so that the next one goes on with it.
bills DIR: the bills of materials of each folder's newest public release, for `advisories`.
draft TAG DIR: a draft release on GitHub with the folder's files. open TAG RECEIPT...: make it public, when every required region is done.
update TAG DIR: bring notes and index of a public release up to date, say after `unpublish`.
site DIR: the site of all public releases: ARN page, index and maps.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from ... import console
from ...catalog import Layer
from ...errors import RegionsFailed, UsageError
from ...files import write_atomically
from ...project import Project, open_project
from ...release import github, index, output
from ...release import receipt as receipts
from ...release import version as versions
from .. import workflow
from .build import layers

_TAG = re.compile(r"layer-(?P<folder>.+)/(?P<version>[^/]+)")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `release`."""
    parser.add_argument("action", choices=("plan", "previous", "bills", "draft", "open", "update", "site"))
    parser.add_argument(
        "names", nargs="*", metavar="TAG|DIR|RECEIPT", help="with bills and site: DIR; with draft and update: TAG DIR; with open: TAG RECEIPT..."
    )
    parser.add_argument("--output", metavar="FILE", help="with previous: where the index goes; one without layers when nothing was released yet")
    plan = parser.add_argument_group("with plan")
    plan.add_argument("--tag", default="", help="layer-FOLDER/X.Y.Z: says folder and version")
    plan.add_argument("--version", default="", help="X.Y.Z (default: the tag on the commit, else the development version)")
    plan.add_argument("--partition", default="", help="partitions, separated by commas, or all (default: the catalogue's, or that of --region)")
    plan.add_argument("-r", "--region", default="", help="regions of one partition, separated by commas, or all (default: all)")
    plan.add_argument("--config", default="", metavar="FILE", help="build the Collector with what FILE, a path in this repository, names")
    parser.add_argument(
        "--github", action="store_true", help="with plan: write each key to $GITHUB_OUTPUT, for the jobs that follow; with bills: tags"
    )


def run(project: Project, args: argparse.Namespace) -> None:
    """Plan, fetch, draft or open."""
    if args.action == "plan":
        made = _plan(project, args)
        print(json.dumps(made, indent=2))
        if args.github:
            workflow.hand_on(made)
    elif args.action == "previous":
        if not args.output:
            raise UsageError("previous needs --output FILE")
        found = _released(project)
        write_atomically(Path(args.output), json.dumps(found, indent=2) + "\n")
        console.step(f"{console.counted(len(found['layers']), 'layer')} of releases before")
    elif args.action == "update":
        tag, folder = _two(args.action, args.names)
        github.update(project, tag, Path(folder))
        console.step(f"{tag} has the notes and files of {folder}")
    elif args.action == "site":
        found = _released(project)
        site = _one(args.action, args.names)
        output.write(site.resolve(), output.texts(found, project.catalogue), ())
        console.step(f"wrote {site}: {console.counted(len(found['layers']), 'layer')} of all public releases")
    elif args.action == "bills":
        tags = _bills(args.names)
        if args.github:
            workflow.hand_on({"tags": tags})
    elif args.action == "draft":
        tag, folder = _two(args.action, args.names)
        chosen, version = read_tag(project, tag)
        if github.state(tag) == "public":
            console.warn(f"{tag} is public already, and stays as it is; ./run.sh release update {tag} {folder} changes its notes")
            return
        title = f"{', '.join(layer.name for layer in chosen.layers())} {version}"
        github.draft(project, tag, Path(folder), title, beta="-" in version)
        console.step(f"{tag} is a draft; ./run.sh release open {tag} RECEIPT... makes it public")
    else:
        _open(project, args.names)


def read_tag(project: Project, tag: str) -> tuple[Project, str]:
    """The project with the folder of `tag` chosen, and the version; UsageError when it is no release's."""
    match = _TAG.fullmatch(tag)
    if not match:
        raise UsageError(f"{tag!r} is not the tag of a release", remedy="layer-FOLDER/X.Y.Z")
    chosen = open_project(match["folder"], project.root)
    if not chosen.layers() or not chosen.folder.strip("/") or chosen.folder == "all":
        raise UsageError(f"{tag}: {match['folder']} has no layers")
    version = match["version"]
    if versions.is_development(versions.check(version, f"{tag}: version")):
        raise UsageError(f"{tag}: {version} is a development version")
    return chosen, version


def _plan(project: Project, args: argparse.Namespace) -> dict[str, Any]:
    version = args.version
    if args.tag:
        if version or args.config:
            raise UsageError("a tag says everything: --version and --config are for a release without one")
        project, version = read_tag(project, args.tag)
    elif version:
        versions.check(version)
    chosen = layers(project)
    if args.config:
        _check_config(project, chosen, args.config)
    found = workflow.matrix(project, chosen)["include"]
    include = [{**entry, "config": args.config if takes_config(project.catalogue.layer(entry["layer"])) else ""} for entry in found]
    return {
        "folder": project.folder or "all",
        "version": version,
        "layers": {"include": include},
        "partitions": {"include": _partitions(project, args.partition, args.region or "all")},
    }


def _check_config(project: Project, chosen: tuple[Layer, ...], config: str) -> None:
    if not (project.root / config).is_file():
        raise UsageError(f"there is no configuration {config}", remedy="a path in this repository")
    if not any(takes_config(layer) for layer in chosen):
        raise UsageError(f"--config is for a Collector, and {project.folder} has none", remedy="leave it out, or all folders")


def takes_config(layer: Layer) -> bool:
    """Whether a configuration of one's own may decide what is compiled into `layer`."""
    return layer.role == "collector" and not layer.flavour


def _partitions(project: Project, spec: str, region: str) -> list[dict[str, str]]:
    catalogue = project.catalogue
    if region != "all":
        found = catalogue.select_regions(region)[0].partition
        if spec not in ("", found):
            raise UsageError(f"{region} is in the partition {found}, not in {spec}")
        names = [found]
    elif spec == "all":
        names = list(catalogue.partitions)
    else:
        names = [name.strip() for name in spec.split(",") if name.strip()] or [catalogue.default_partition]
    for name in names:
        catalogue.select_regions("all", name)
    return [{"partition": name, "home": catalogue.partitions[name], "region": region} for name in names]


def _bills(names: list[str]) -> list[str]:
    """Fetch them into the new folder that is named; the tags that they are of."""
    folder = _one("bills", names)
    if folder.exists():
        raise UsageError(f"{folder} is there already", remedy="a new folder: what is in it is of one time")
    newest: dict[str, re.Match[str]] = {}
    for found in sorted(
        filter(None, map(_TAG.fullmatch, github.with_bills())), key=lambda m: ("-" not in m["version"], versions.order(m["version"]))
    ):
        newest[found["folder"]] = found  # a pre-release only where there is no release
    tags = sorted(found[0] for found in newest.values())
    folder.mkdir(parents=True)
    for tag in tags:
        github.bills(tag, folder)
    console.step(f"{len(list(folder.iterdir()))} bills of materials of {', '.join(tags) or 'no release: none is public yet'}")
    return tags


def _released(project: Project) -> dict[str, Any]:
    return index.united(github.previous(project), project.catalogue.name)


def _one(action: str, names: list[str]) -> Path:
    if len(names) != 1:
        raise UsageError(f"{action} needs a folder", remedy=f"./run.sh release {action} DIR")
    return Path(names[0])


def _two(action: str, names: list[str]) -> tuple[str, str]:
    if len(names) != 2:
        raise UsageError(f"{action} needs two words", remedy=f"./run.sh release {action} TAG DIR")
    return names[0], names[1]


def _open(project: Project, names: list[str]) -> None:
    if len(names) < 2:
        raise UsageError("open needs a tag and its receipts", remedy="./run.sh release open TAG RECEIPT...")
    tag = names[0]
    chosen, version = read_tag(project, tag)
    mine = {layer.name for layer in chosen.layers()}
    for path in names[1:]:
        receipt = receipts.load(Path(path))
        plan = receipt.plan
        if {i.version for i in plan.items} != {version} or {i.layer for i in plan.items} != mine or plan.to != "aws" or not plan.public:
            raise UsageError(f"{path} is not the receipt of a public release of {tag}", why=f"it is of {plan.release}, --to {plan.to}")
        if left := receipt.open(required=True):
            where = ", ".join(dict.fromkeys(r.region for r in left))
            raise RegionsFailed(f"{tag} stays a draft: not done in {where}", remedy=f"./run.sh publish --to aws --resume {path}")
    if github.state(tag) == "public":
        console.warn(f"{tag} is public already")
        return
    github.publish(tag)
    console.step(f"{tag} is public")
