"""The command line: finds folder and verb, runs the verb's module, turns errors into words and exit codes."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from .. import console, files, toolchain
from ..errors import LayersError, UsageError
from ..files import write_atomically
from ..project import Project, folders, open_project
from .verbs import SILENT, VERBS


class Module(Protocol):
    """What a module in cli/verbs has."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's own options."""

    def run(self, project: Project, args: argparse.Namespace) -> int | None:
        """Do it; an exit code other than 0 only where no error is raised."""


SHORT = {"-b": "build", "-d": "deploy", "-l": "list-arn"}  # the established short flags that stand for a verb


def overview() -> str:
    """The page that --help prints when no verb is named."""
    root = open_project()
    lines = [
        "usage: ./run.sh [FOLDER|all] [VERB] [OPTIONS]",
        "",
        "Without a verb: the whole job, from source to a trace and an ARN table, without an AWS account;",
    ]
    lines += ["in a folder: build it, deploy its sample, invoke it.", "", "verbs (each has --help):"]
    lines += [f"  {name:<10} {verb.summary}" for name, verb in VERBS.items()]
    lines += [
        "",
        "folders: " + ", ".join(folders(root.root, root.catalogue)),
        "",
        "short flags: -b build  -d deploy  -l print the layer's newest ARN",
    ]
    lines += ["             with -d: -r REGION  -t TEMPLATE  -s STACK  -n LAYER NAME", ""]
    lines += ["exit codes: 0 done, 1 anything else, 2 usage or catalogue, 3 nothing to do, 4 a tool is missing, 5 a build failed,"]
    lines += ["            6 a layer breaks its contract, 7 some regions failed, 8 the function was not as expected,"]
    lines += ["            9 behind the world: an advisory is known, or AWS has changed"]
    return "\n".join(lines)


def split(arguments: Sequence[str], known: Sequence[str]) -> tuple[str, str, list[str]]:
    """(folder, verb, the rest): folder and verb may stand in either order, before any option."""
    rest, folder, verb = list(arguments), "", ""
    while rest and not rest[0].startswith("-"):
        word = rest[0]
        path = word.strip("/").removeprefix("./")
        if not verb and word in VERBS:
            verb = word
        elif not folder and (path in known or path == "all"):
            folder = path
        else:
            break
        rest.pop(0)
    if not verb:
        for i, flag in enumerate(rest):
            if flag in SHORT:
                verb = SHORT[flag]
                del rest[i]
                break
    if not verb and rest and not rest[0].startswith("-"):
        import difflib

        if rest[0].strip("/").removeprefix("./") in known:
            raise UsageError(f"two folders: {folder} and {rest[0]}", remedy="a folder's run.sh is for that folder; the one at the root takes any")
        near = difflib.get_close_matches(rest[0], [*VERBS, *known], n=2)
        raise UsageError(f"{rest[0]!r} is neither a verb nor a folder", remedy=f"did you mean {' or '.join(near)}?" if near else "./run.sh --help")
    return folder, verb, rest


def common(parser: argparse.ArgumentParser) -> None:
    """The options of every verb."""
    parser.add_argument("--quiet", action="store_true", help="no progress, no echoed commands; warnings and errors only")
    parser.add_argument("--debug", action="store_true", help="show a traceback with an error")


def emit(args: argparse.Namespace, result: Any, text: str) -> None:
    """Print a verb's result: `text` for people, or with --json `result` to stdout ('-') or atomically to that file."""
    where = getattr(args, "json", None)
    if not where:
        if text:
            print(text)
        return
    body = json.dumps(result, indent=2) + "\n"
    if where == "-":
        sys.stdout.write(body)
        return
    write_atomically(Path(where), body)
    if text:
        print(text)


def json_option(parser: argparse.ArgumentParser) -> None:
    """--json [FILE]: the result for machines."""
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="the result as JSON, to FILE or (without FILE) to stdout")


def _interrupt(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def main(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    debug = "--debug" in arguments
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _main(arguments)
    except LayersError as exc:
        if debug:
            traceback.print_exc()
        console.error(exc.lines())
        return exc.exit_code
    except KeyboardInterrupt:
        console.error(["interrupted"])
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except Exception as exc:  # noqa: BLE001 - the last boundary: words, not a traceback
        if debug:
            traceback.print_exc()
        console.error(
            [f"unexpected {type(exc).__name__}: {exc}", "  this is a bug of ours: please report it with the output of the same command and --debug"]
        )
        return 1


def _main(arguments: Sequence[str]) -> int:
    root = open_project()
    known = folders(root.root, root.catalogue)
    folder, verb, rest = ("", "", ["--help"]) if list(arguments) == ["help"] else split(arguments, known)
    if not verb and any(flag in ("-h", "--help") for flag in rest):
        print(overview())
        return 0
    project = open_project(folder)
    name = verb or "everything"
    try:
        toolchain.use(project, *{**VERBS, **SILENT}[name].extras)
        return _run(project, name, verb, rest)
    finally:
        files.sweep(project)


def _run(project: Project, name: str, verb: str, rest: list[str]) -> int:
    module = cast("Module", importlib.import_module(f"{__name__}.verbs.{name.replace('-', '_')}"))
    parser = argparse.ArgumentParser(prog=f"./run.sh {verb or '[FOLDER]'}", description=module.__doc__, allow_abbrev=False)
    common(parser)
    module.configure(parser)
    args = parser.parse_args(rest)
    console.set_quiet(args.quiet)
    return module.run(project, args) or 0
