"""
The conformance suite: every event of utils/conformance through the built layer of each language, runtime and tier in the local Lambda.

Telemetry must be as utils/conformance/expected says, and what the function returns byte for byte what it is without the layer.
"""

from __future__ import annotations

import argparse
import difflib
import random
from collections.abc import Sequence
from dataclasses import asdict

from ... import console, cpython
from ...catalog import Layer
from ...errors import FunctionFailed, NothingToDo, ToolMissing, UsageError
from ...local import runtimes
from ...project import Project
from .. import emit, json_option
from ..conformance import cases, fuzz, matrix, propagation, runner
from ..conformance.cases import Case
from ..conformance.runner import TIERS, Outcome
from .build import build_all, host

_SHOWN = 40  # lines of differences
_EVENT = 2000  # bytes of an event


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `conformance`."""
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="only cases of that name, or pattern ('sqs*'); several: any of them"
    )
    parser.add_argument("--runtime", action="append", default=[], metavar="NAME", help="only this runtime (default: all that this machine can run)")
    parser.add_argument("--tier", choices=TIERS, action="append", help="only this tier of the language layer (default: all)")
    parser.add_argument("--fuzz", type=_positive, default=0, metavar="N", help="instead: N events that are made from those, changed at random")
    parser.add_argument("--seed", type=_positive, default=0, metavar="S", help="of --fuzz (default: another one every time, which is printed)")
    parser.add_argument("--write", action="store_true", help="write the matrix in docs/telemetry.md, from a run of everything")
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Build, run, say what differs."""
    cpython.obtain(project)
    found = cases.load(project.root, args.only)
    if args.write and (args.only or args.runtime or args.tier or args.fuzz or project.folder):
        raise UsageError("--write is for a run of everything", remedy="leave out the folder, --only, --runtime, --tier and --fuzz")
    if args.seed and not args.fuzz:
        raise UsageError("--seed is of --fuzz", remedy="say how many events: --fuzz N")
    if args.fuzz:
        _fuzz(project, args, found)
        return
    contexts = [case for case in propagation.cases(cases.common(project.root)) if cases.chosen(case.name, args.only)]
    if not found and not contexts:
        near = difflib.get_close_matches(args.only[0], [case.name for case in cases.load(project.root)], n=3)
        raise NothingToDo(
            f"no case has the name {' or '.join(map(repr, args.only))}",
            remedy=f"did you mean {' or '.join(near)}?" if near else f"{cases.FOLDER}/events has the names; patterns are quoted: --only 'sqs*'",
        )
    outcomes = examine(project, found, contexts, chosen(project, args.runtime), args.tier or TIERS)
    bad = [one for one in outcomes if one.differences]
    text = f"{len(outcomes):,} runs of {len(found)} events and {len(contexts):,} cases of propagation"
    if args.write:
        console.step(f"wrote {matrix.write(project, found, outcomes).relative_to(project.root)}")
    emit(args, {"cases": [asdict(one) for one in outcomes]}, text if bad else f"{text}: all as expected")
    if bad:
        raise FunctionFailed(f"{len(bad)} of {len(outcomes)} cases are not as expected", why="\n".join(words(bad)))


def _positive(text: str) -> int:
    """An option's type: a whole number above 0."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _fuzz(project: Project, args: argparse.Namespace, found: Sequence[Case]) -> None:
    seed = args.seed or random.randrange(1, 10**9)  # noqa: S311 - the seed of a test
    wrong: list[tuple[str, fuzz.Found]] = []
    for layer in languages(project):
        (built,) = build_all(project, (layer,), host())
        for runtime in [name for name in chosen(project, args.runtime) if name in layer.runtimes][-1:]:
            for tier in args.tier or TIERS:
                job = runner.Job(layer.language, runtime, tuple(found), built.zip, tier)
                console.step(f"fuzzing {layer.name}: {runtime}, {tier}, --fuzz {args.fuzz} --seed {seed}")
                wrong += [(f"{runtime} {tier}", one) for one in fuzz.run(project, job, seed, args.fuzz, console.detail)]
    shown = [f"event {one.number} ({where}): {'; '.join(one.differences)}: {one.event[:_EVENT].decode()}" for where, one in wrong]
    emit(args, {"seed": seed, "events": args.fuzz, "wrong": shown}, f"{args.fuzz} events from seed {seed}: {len(wrong)} differ")
    if wrong:
        raise FunctionFailed(f"{len(wrong)} of {args.fuzz} events differ (seed {seed})", why="\n".join(shown[:_SHOWN]))


def languages(project: Project) -> list[Layer]:
    """The layers that are examined: the language layers of the chosen folder."""
    found = [layer for layer in project.layers() if layer.role == "language"]
    if not found:
        raise NothingToDo(f"{project.folder} is no language's folder")
    return found


def chosen(project: Project, names: Sequence[str]) -> list[str]:
    """The runtimes to run with: those named, or all that this machine can run."""
    here = [runtime.name for runtime in runtimes.here(project)]
    for name in names:
        if project.catalogue.runtime(name).name not in here:
            raise ToolMissing(f"this machine cannot run {name}", remedy=f"it can run {', '.join(here) or 'none'}")
    return [name for name in here if not names or name in names]


def examine(project: Project, found: Sequence[Case], contexts: Sequence[Case], names: Sequence[str], tiers: Sequence[str]) -> list[Outcome]:
    """The cases with each language layer, runtime and tier; those of propagation, which are many, with each language's newest runtime."""
    jobs = []
    for layer in languages(project):
        (built,) = build_all(project, (layer,), host())
        of_layer = [name for name in names if name in layer.runtimes]
        for tier in tiers:
            jobs += runner.jobs(project, found, (layer.language, built.zip), of_layer, tier)
            jobs += runner.jobs(project, contexts, (layer.language, built.zip), of_layer[-1:], tier)
    if not jobs:
        raise NothingToDo("this machine has no runtime of these layers")
    return runner.run(project, jobs, console.detail)


def words(bad: Sequence[Outcome]) -> list[str]:
    """What differs, as lines: the same difference of several runtimes once."""
    where: dict[tuple[str, str], list[str]] = {}
    for one in bad:
        for difference in one.differences:
            where.setdefault((one.case, difference), []).append(f"{one.runtime} {one.tier}")
    lines = [f"{case}: {difference} ({', '.join(dict.fromkeys(places))})" for (case, difference), places in where.items()]
    return [*lines[:_SHOWN], *([f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else [])]
