"""
Take layers of a publication back: mark them in its receipt as not to be used, with the reason. Nothing is deleted, since functions have them.

`notes` then tells everybody: in the release notes, the index and the page. --force deletes the versions too, those with the receipt's bytes.
"""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path

from ... import console
from ...errors import UsageError
from ...project import Project
from ...release import plan as plans
from ...release import published
from ...release import receipt as receipts
from ...release.outcome import Result
from .. import emit, publishing, recorded
from . import publish


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `unpublish`."""
    parser.add_argument("receipt", metavar="RECEIPT", help="the publication's receipt, which is changed")
    parser.add_argument("--reason", default="", help="what users are told: what is wrong, and what to use instead")
    parser.add_argument("--layer", metavar="NAME", default="", help="only this layer (default: all of the receipt)")
    parser.add_argument("--arch", default="", metavar="ARCH", help="only this architecture (default: all)")
    parser.add_argument("--undo", action="store_true", help="take the mark away again")
    parser.add_argument("--force", action="store_true", help="delete the versions in AWS: new deployments with these ARNs then fail")
    parser.add_argument("--yes", action="store_true", help="you mean --force")
    publish.account_options(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Mark, and delete only when that is asked for twice."""
    path = Path(args.receipt).resolve()
    receipt = receipts.load(path)
    chosen = _chosen(receipt, args)
    if args.undo:
        _undo(receipt, chosen, path)
        emit(args, receipts.as_json(receipt), f"{_in_words(chosen)}: no longer taken back; {_renew(project, path)}")
        return
    if not args.reason.strip():
        raise UsageError("users will ask why", remedy="--reason 'what is wrong, and what to use instead'")
    plan = replace(receipt.plan, items=tuple(chosen))
    if args.force and not args.yes:
        steps = len(plan.items) * len(plan.targets)
        raise UsageError(
            f"this deletes {console.counted(steps, 'layer version')}, {_in_words(chosen)} in {plan.extent[1]}",
            why="functions that have them keep them, but can no longer be deployed with them, and a deleted version never comes back",
            remedy="without --force they are only marked; --force --yes deletes them",
        )
    text = f"{_in_words(chosen)}: marked as taken back; {_renew(project, path)}"
    for words in _also(project, receipt, chosen, path, args.reason.strip()):
        console.warn(words)
    if not args.force:
        _mark(receipt, chosen, args.reason.strip(), path)
        emit(args, receipts.as_json(receipt), f"{text}\nnothing was deleted in AWS: functions that have them go on")
        return
    with recorded.connect(project, plan, path) as access:
        caller = publishing.caller(access, plan, args.account)
        if caller != receipt.account:
            raise UsageError(f"{path.name} is of account {receipt.account}, the credentials are of {caller}", remedy="that account's credentials")
        _mark(receipt, chosen, args.reason.strip(), path)
        console.step(f"deleting {' in '.join(plan.extent)}")

        def keep(result: Result) -> None:
            if result.status == "removed":
                receipt.results[result.region, result.name] = result
                receipts.save(receipt, path)

        results = recorded.carry_out(plan, published.remove, access, args.region_timeout or publishing.time_for(plan), "removed", keep)
    emit(args, receipts.as_json(receipt), f"{recorded.as_text(plan, results, 'removed')}\n\n{text}")
    recorded.check(plan, results, "removed", "the same command again")


def _chosen(receipt: receipts.Receipt, args: argparse.Namespace) -> list[plans.Item]:
    found = [i for i in receipt.plan.items if args.layer in ("", i.layer, i.name) and args.arch in ("", i.arch, i.architecture)]
    if not found:
        raise UsageError(
            f"{args.receipt} has no layer {args.layer or 'at all'} for {args.arch or 'any architecture'}",
            remedy=f"one of {', '.join(f'{i.layer} {i.arch}' for i in receipt.plan.items)}",
        )
    return found


def _also(project: Project, receipt: receipts.Receipt, chosen: list[plans.Item], path: Path, reason: str) -> list[str]:
    """What else has these files and is not marked: the same bytes in other receipts, and bundles of these layers."""
    found_here = {where.resolve(): other for where, other in receipts.kept(project.dist).items()}
    bytes_, parts = {item.sha256 for item in chosen}, {(item.layer, item.arch, item.version) for item in chosen}
    found = []
    for where, other in {**found_here, path: receipt}.items():
        for item in other.plan.items:
            layer = project.catalogue.layers.get(item.layer)
            inside = {(part, item.arch, item.version) for part in layer.bundle} if layer else set()
            if item.name in other.yanked or (where == path and item in chosen) or not (item.sha256 in bytes_ or inside & parts):
                continue
            command = f"./run.sh unpublish {publishing.shown(project, where)} --layer {item.name} --reason {shlex.quote(reason)}"
            found.append(f"{item.name} has {'the same bytes' if item.sha256 in bytes_ else 'these files too'} and is not marked: {command}")
    return found


def _mark(receipt: receipts.Receipt, items: list[plans.Item], reason: str, path: Path) -> None:
    receipt.yanked.update({item.name: reason for item in items})
    receipts.save(receipt, path)


def _undo(receipt: receipts.Receipt, items: list[plans.Item], path: Path) -> None:
    names = {item.name for item in items}
    if gone := [r.region for r in receipt.stand() if r.name in names and r.status == "removed"]:
        raise UsageError(f"they were deleted in {', '.join(dict.fromkeys(gone))}", why="a deleted version never comes back")
    if not names & {*receipt.yanked}:
        raise UsageError(f"{_in_words(items)}: not taken back, says {path.name}", remedy="there is nothing to undo")
    receipt.yanked = {name: why for name, why in receipt.yanked.items() if name not in names}
    receipts.save(receipt, path)


def _in_words(items: list[plans.Item]) -> str:
    return ", ".join(item.name for item in items)


def _renew(project: Project, path: Path) -> str:
    return f"notes, index and page say so after ./run.sh notes {publishing.shown(project, path)} --output-dir DIR"
