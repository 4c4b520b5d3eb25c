"""Run the tests: at the root everything that a new clone must pass, in a folder that folder's own."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ... import console, process, toolchain
from ...errors import FunctionFailed, NothingToDo, UsageError
from ...project import Project

MARKS = {"docker": "tests that need a Docker engine", "slow": "tests that take minutes"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `test`."""
    parser.add_argument("--all", action="store_true", help="add every slow kind")
    for mark, what in MARKS.items():
        parser.add_argument(f"--{mark}", action="store_true", help=f"add {what}")
    parser.add_argument("--only", metavar="EXPRESSION", default="", help="only tests whose name matches (pytest's -k, go test's -run)")
    parser.add_argument(
        "--tier", metavar="NAME", default="", help="at the root: only this folder of utils/tests (unit, drift, contract, e2e, faults)"
    )


def run(project: Project, args: argparse.Namespace) -> None:
    """Run each part; all of them run, then any failure is an error that names the parts."""
    left_out = [mark for mark in MARKS if not (args.all or getattr(args, mark))]
    env = toolchain.go_environment(project, PYTHONPATH=str(project.root / "utils"), PYTHONDONTWRITEBYTECODE="1")
    env.pop("PYTHONPYCACHEPREFIX", None)  # tests that compile look beside the source
    failed: list[str] = []
    nothing: list[str] = []
    parts = _parts(project, args, left_out)
    if not parts:
        raise NothingToDo(f"{project.folder or 'the root'} has no tests of that kind")
    for name, command, folder in parts:
        console.step(f"tests of {name}")
        try:
            process.run(command, cwd=folder, env=env, error=FunctionFailed)
        except FunctionFailed as exc:
            if args.only and exc.status == 5:  # pytest: no test of that name here
                nothing.append(name)
                continue
            failed.append(f"{name}: {exc.what}")
    if len(nothing) == len(parts):
        raise NothingToDo(f"no test's name matches {args.only!r}")
    if left_out:
        console.detail("not run: " + "; ".join(f"{MARKS[m]} (--{m})" for m in left_out))
    if failed:
        raise FunctionFailed("tests failed", why="\n".join(failed), remedy="the output above says which; --only NAME runs one again")


def _parts(project: Project, args: argparse.Namespace, left_out: list[str]) -> list[tuple[str, list[str | Path], Path]]:
    root, parts = project.root, []
    pytest: list[str | Path] = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    if os.environ.get("CI") or sys.stderr.isatty():
        pytest += ["--durations=10"]
    pytest += ["-m", " and ".join(f"not {mark}" for mark in left_out)] if left_out else []
    pytest += ["-k", args.only] if args.only else []
    if project.folder in ("", "all"):
        where = root / "utils/tests" / args.tier
        if not where.is_dir():
            raise UsageError(f"there is no tier {args.tier!r}", remedy="unit, drift, contract, e2e or faults")
        parts.append((f"utils/tests/{args.tier}".rstrip("/"), [*pytest, where], root))
        if args.tier:
            return parts
    chosen = [project.folder] if project.folder not in ("", "all") else list(dict.fromkeys(la.folder for la in project.catalogue.layers.values()))
    for folder in chosen:
        home = root / folder
        for module in sorted(path.parent for path in home.rglob("go.mod")):  # nested ones hold tests with libraries that no layer links
            name = module.relative_to(root).as_posix()
            parts.append((name, [toolchain.go(project), "test", *(["-run", args.only] if args.only else []), "./..."], module))
        if (home / "tests").is_dir():
            parts.append((folder, [*pytest, home / "tests"], root))
    return parts
