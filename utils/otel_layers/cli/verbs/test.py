"""Run the tests: at the root everything that a new clone must pass, in a folder that folder's own."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

from ... import console, cpython, process, toolchain
from ...errors import FunctionFailed, NothingToDo, ToolMissing, UsageError
from ...project import Project

MARKS = {"docker": "tests that need a Docker engine", "slow": "tests that take minutes", "workflows": "more events under act"}
SMALL = ("unit", "drift")  # tiers of utils/tests
LARGE = ("contract", "e2e", "faults")  # those whose modules set up something that their tests share
GO_KINDS = {"race": "Go tests under the race detector", "fuzz": "Go's fuzz targets beyond their seeds"}
FUZZ_SECONDS = 20
TESTS = "tests"  # of a folder, in pytest
_TWO = ["-n", "2"]  # at once, since tests have processes, namespaces, ports and folders of their own


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `test`."""
    parser.add_argument("--all", action="store_true", help="add every slow kind")
    for mark, what in MARKS.items():
        parser.add_argument(f"--{mark}", action="store_true", help=f"add {what}")
    parser.add_argument("--race", action="store_true", help="run Go's tests under its race detector (needs a C compiler)")
    parser.add_argument(
        "--fuzz",
        metavar="SECONDS",
        nargs="?",
        type=_seconds,
        const=FUZZ_SECONDS,
        help=f"then fuzz each Go fuzz target for so long (default: {FUZZ_SECONDS})",
    )
    parser.add_argument("--only", metavar="EXPRESSION", default="", help="only tests whose name matches (pytest's -k, go test's -run)")
    parser.add_argument("--tier", metavar="NAME", default="", help=f"at the root: only this folder of utils/tests ({', '.join(SMALL + LARGE)})")


def _seconds(text: str) -> int:
    seconds = int(text)
    if seconds < 1:
        raise ValueError("a time of a second or more")
    return seconds


def run(project: Project, args: argparse.Namespace) -> None:
    """Run each part; all of them run, then any failure is an error that names the parts."""
    if args.all:
        args.race, args.fuzz = True, args.fuzz or FUZZ_SECONDS
    left_out = [mark for mark in MARKS if not (args.all or getattr(args, mark))]
    env = toolchain.go_environment(project, PYTHONPATH=str(project.root / "utils"), PYTHONDONTWRITEBYTECODE="1")
    env.pop("PYTHONPYCACHEPREFIX", None)  # tests that compile look beside the source
    if args.race:
        if not (shutil.which("cc") or shutil.which("gcc")):
            raise ToolMissing(
                "Go's race detector needs a C compiler", remedy="install one, as with `apt-get install gcc libc6-dev`, or leave --race out"
            )
        env["CGO_ENABLED"] = "1"
    cpython.obtain(project)
    failed: list[str] = []
    nothing: list[str] = []
    chosen = parts(project, args, left_out)
    if not chosen:
        raise NothingToDo(f"{project.folder or 'the root'} has no tests of that kind")
    for name, command, folder in chosen:
        console.step(f"tests of {name}")
        try:
            process.run(command, cwd=folder, env=env, error=FunctionFailed)
        except FunctionFailed as exc:
            if args.only and exc.status == 5:  # pytest: no test of that name here
                nothing.append(name)
                continue
            failed.append(f"{name}: {exc.what}")
    if len(nothing) == len(chosen):
        raise NothingToDo(f"no test's name matches {args.only!r}")
    not_run = [f"{MARKS[m]} (--{m})" for m in left_out] + [f"{what} (--{kind})" for kind, what in GO_KINDS.items() if not getattr(args, kind)]
    if not_run:
        console.detail("not run: " + "; ".join(not_run))
    if failed:
        raise FunctionFailed("tests failed", why="\n".join(failed), remedy="the output above says which; --only NAME runs one again")


def parts(project: Project, args: argparse.Namespace, left_out: list[str]) -> list[tuple[str, list[str | Path], Path]]:
    """What is run, in order: a name, the command, where."""
    root, found = project.root, []
    pytest: list[str | Path] = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    if os.environ.get("CI") or sys.stderr.isatty():
        pytest += ["--durations=10"]
    pytest += ["-m", " and ".join(f"not {mark}" for mark in left_out)] if left_out else []
    pytest += ["-k", args.only] if args.only else []
    if project.folder in ("", "all"):
        if args.tier not in ("", *SMALL, *LARGE):
            raise UsageError(f"there is no tier {args.tier!r}", remedy=", ".join(SMALL + LARGE))
        for tiers, how in ((SMALL, _TWO), (LARGE, [*_TWO, "--dist=loadfile"])):
            if folders := [root / "utils/tests" / tier for tier in tiers if args.tier in ("", tier)]:
                found.append((f"utils/tests: {', '.join(folder.name for folder in folders)}", [*pytest, *how, *folders], root))
        if args.tier:
            return found
    chosen = [project.folder] if project.folder not in ("", "all") else list(dict.fromkeys(la.folder for la in project.catalogue.layers.values()))
    for folder in chosen:
        home = root / folder
        for module in go_modules(home):
            name = module.relative_to(root).as_posix()
            flags = [*(["-race"] if args.race else []), *(["-run", args.only] if args.only else [])]
            found.append((name, [toolchain.go(project), "test", *flags, "./..."], module))
            for package, target in fuzz_targets(module) if args.fuzz else []:
                if re.search(args.only, target):
                    # Minimising each input that reaches new code would take most of the time.
                    fuzz: list[str | Path] = ["-run=^$", f"-fuzz=^{target}$", f"-fuzztime={args.fuzz}s", "-fuzzminimizetime=10x", f"./{package}"]
                    found.append((f"{name}: {target}", [toolchain.go(project), "test", *fuzz], module))
        if (home / TESTS).is_dir():
            found.append((folder, [*pytest, *_TWO, home / TESTS], root))
    return found


def go_modules(home: Path) -> list[Path]:
    """The Go modules of a folder; nested ones hold tests with libraries that no layer links."""
    return sorted(path.parent for path in home.rglob("go.mod"))


def has_tests(home: Path) -> bool:
    """Whether `test` runs anything for the folder."""
    return (home / TESTS).is_dir() or bool(go_modules(home))


def fuzz_targets(module: Path) -> list[tuple[str, str]]:
    """The fuzz targets of a Go module, not of modules within it: (folder in the module, function)."""
    found = []
    for path in sorted(module.rglob("*_test.go")):
        nested = [p for p in path.parents if p != module and p.is_relative_to(module) and (p / "go.mod").is_file()]
        if not nested:
            found += [
                (path.parent.relative_to(module).as_posix(), name)
                for name in re.findall(r"^func (Fuzz\w+)\(f \*testing\.F\)", path.read_text(), re.MULTILINE)
            ]
    return found
