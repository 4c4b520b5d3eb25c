"""
Check Collector configurations: with the components that they name, compiled as `build --config` would, and nothing started.

Several files are merged, as in Lambda. Environment variables that a configuration refers to are this shell's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ... import process
from ...build import custom
from ...errors import UsageError
from ...project import Project


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `validate`."""
    parser.add_argument("--config", action="append", type=Path, metavar="FILE", required=True, help="a configuration; several are merged")
    parser.add_argument("--with", action="append", dest="more", metavar="KIND/TYPE=MODULE@VERSION", help="as with build")


def run(project: Project, args: argparse.Namespace) -> None:
    """Print what the Collector says; UsageError with its words when a configuration is no good."""
    program = custom.program(project, args.config, args.more or [])
    given = [word for path in args.config for word in ("--config", str(path))]
    try:
        said = process.run([program, "validate", *given], capture=True, error=UsageError, echo=False, timeout=60)
    except UsageError as exc:
        raise UsageError("the configuration cannot be used", why=exc.why) from exc
    print(said, end="")
