"""
Publish the built layers: every layer to every region, once, with the right bytes and permission, each read back. Run again, it publishes nothing.

Without options: to the embedded AWS, one region, private. Regions that do not answer are listed with the command that finishes them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ... import console
from ...aws import standing
from ...errors import UsageError
from ...project import Project
from ...release import plan as plans
from ...release import receipt as receipts
from ...release.upload import check_store
from ...release.version import GROUPS
from .. import emit, json_option, publishing
from .build import layers

_PLAN_OPTIONS = ("layer", "arch", "region", "partition", "public", "group", "receipt")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `publish`."""
    parser.add_argument("--layer", metavar="NAME", help="only this layer (default: all of the folder)")
    parser.add_argument("--arch", default="", help="architectures, separated by commas, or all (default: those built; all for --to aws --public)")
    parser.add_argument("--version", default="", help="X.Y.Z, as it was built (default: the tag on the commit, else what the facts in dist/ say)")
    options(parser)
    parser.add_argument("--resume", metavar="RECEIPT", help="finish the publication of this receipt: its layers, its regions")


def options(parser: argparse.ArgumentParser) -> None:
    """Where to, for whom and how: the options of every verb that makes layer versions."""
    parser.add_argument("--to", choices=("local", "aws"), default="local", help="the embedded AWS (default) or your account")
    parser.add_argument("-r", "--region", default="", help="regions, separated by commas, or all (default: one)")
    parser.add_argument("--partition", default="", help="the partition that --region all means (default: the catalogue's)")
    parser.add_argument("--public", action="store_true", help="let every AWS account use the layers (default: only yours)")
    parser.add_argument("--group", choices=GROUPS, default="", help=f"all but {GROUPS[0]} stand in the layers' names (default: {GROUPS[0]})")
    parser.add_argument("--dry-run", action="store_true", help="check everything that can be checked here, print the plan, call nothing")
    parser.add_argument("--receipt", metavar="FILE", help="where the receipt goes (default: dist/receipts/)")
    parser.add_argument(
        "--bucket",
        default="",
        metavar="NAME",
        help="for zips above the limit of a direct upload: a bucket of the region; {region}, {account} are filled in",
    )
    account_options(parser)


def account_options(parser: argparse.ArgumentParser) -> None:
    """Whose account, for how long, and the result: the options of every verb that calls many regions."""
    parser.add_argument("--account", default="", metavar="ID", help="stop unless the credentials are of this account")
    parser.add_argument(
        "--region-timeout",
        type=_seconds,
        default=0.0,
        metavar="S",
        help="give a region up after this (default: 60, and 1 per megabyte of the layers)",
    )
    json_option(parser)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 3600 seconds")
    return value


def run(project: Project, args: argparse.Namespace) -> None:
    """Plan, then publish or only print."""
    old = None
    if args.resume:
        old = _to_resume(project, args)
        plan = old.plan
    else:
        plan = publishing.plan(
            project,
            layers(project, args.layer),
            to=args.to,
            arch=args.arch,
            region=args.region,
            partition=args.partition,
            public=args.public,
            version=args.version,
            group=args.group or GROUPS[0],
        )
    publishing.refuse_taken_back(project, plan.items, *([old] if old else []))
    if announce(args, plan):
        carry_out(project, args, plan, args.resume or args.receipt, old=old)


def announce(args: argparse.Namespace, plan: plans.Plan) -> bool:
    """Say what `plan` will do; False when no more than that was asked for."""
    check_store(plan, args.bucket)
    for warning in plan.warnings:
        console.warn(warning)
    if args.dry_run:
        emit(args, plans.as_json(plan), plans.as_text(plan))
        return False
    where = "AWS" if plan.to == "aws" else "the embedded AWS"
    console.step(f"publishing {' to '.join(plan.extent)} of {where}")
    for line in plans.as_text(plan).splitlines():
        console.detail(line)
    return True


def carry_out(
    project: Project,
    args: argparse.Namespace,
    plan: plans.Plan,
    path: str = "",
    *,
    old: receipts.Receipt | None = None,
    zips: Mapping[str, Path] | None = None,
    resume: str = "",
) -> None:
    """Publish what `plan` says with the receipt `path` (default: the publication's own), or go on with the receipt `old`, and tell the result."""
    with standing.connect(project, plan.to) as access:
        account = publishing.caller(access, plan, args.account)
        where = Path(path).resolve() if path else receipts.default_path(project.dist, plan, account)
        receipt = old or _same(where, plan, named=bool(path)) or receipts.new(plan, account)
        if receipt.account != account:
            raise UsageError(f"{where.name} is of account {receipt.account}, the credentials are of {account}", remedy="that account's credentials")
        console.detail(f"receipt: {where}")
        done = publishing.publish(project, receipt, where, access, region_timeout=args.region_timeout, bucket=args.bucket, zips=zips, resume=resume)
        stays = plan.to == "aws" or standing.running(project) is not None
    ended = "\n\nthis embedded AWS ended with the command; `./run.sh aws start` keeps one, which the next command finds"
    emit(args, publishing.as_json(done), publishing.as_text(done) + ("" if stays else ended))
    publishing.check(done)


def _to_resume(project: Project, args: argparse.Namespace) -> receipts.Receipt:
    """The receipt to go on with; UsageError when it is about something else than the command line."""
    given = [f"--{name}" for name in _PLAN_OPTIONS if getattr(args, name)]
    if given:
        raise UsageError(f"{', '.join(given)} cannot stand beside --resume", why="the receipt says it")
    receipt = publishing.resumed(project, Path(args.resume))
    if receipt.plan.to != args.to:
        raise UsageError(f"{args.resume} is of a publication --to {receipt.plan.to}, not --to {args.to}", remedy=f"--to {receipt.plan.to}")
    if args.version and {i.version for i in receipt.plan.items} != {args.version}:
        raise UsageError(f"{args.resume} is the receipt of another release: {receipt.plan.release}, not {args.version}")
    mine = {layer.name for layer in layers(project)}
    if other := sorted({i.layer for i in receipt.plan.items} - mine):
        raise UsageError(f"{args.resume} is the receipt of another release: {', '.join(other)} is not of {project.folder}")
    return receipt


def _same(path: Path, plan: plans.Plan, *, named: bool) -> receipts.Receipt | None:
    """The receipt that already is at `path`: this publication's is gone on with; another's is not overwritten when the path was `named`."""
    if not path.exists():
        return None
    try:
        found = receipts.load(path)
    except UsageError:
        if named:
            raise
        return None
    if found.plan.digest == plan.digest:
        return replace(found, plan=plan)
    if named:
        raise UsageError(f"{path} is the receipt of another release: {found.plan.release}", remedy="another --receipt FILE")
    return None
