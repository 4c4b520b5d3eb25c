"""Delete a deployed sample: stack, layer versions, buckets' objects, SAM's uploads, log groups; and check that they are gone."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from ...aws import removal, sample, standing
from ...errors import NothingToDo
from ...project import Project
from .. import emit, json_option
from . import deploy


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `delete`."""
    deploy.where(parser)
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Delete; ends with 3 when there is no such stack."""
    stack = sample.stack_name(args.stack or Path(sample.folder(project)).name)
    region = deploy.region(project, args)
    if args.to == "local" and standing.running(project) is None:
        raise NothingToDo("no embedded AWS is running, so nothing is deployed to it")
    with standing.connect(project, args.to) as access:
        done = removal.delete(access, stack, region)
    lines = [f"deleted stack {done.stack} in {done.region}: {len(done.resources)} resources, {done.uploads} uploads of SAM's"]
    lines += [f"deleted the log group {name}" for name in done.log_groups]
    emit(args, asdict(done), "\n".join([*lines, "nothing of it is left"]))
