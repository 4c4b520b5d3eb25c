"""The embedded AWS as a server that stays: start it, stop it, or ask for it. Other commands with --to local use it while it runs."""

from __future__ import annotations

import argparse

from ... import console
from ...aws import standing
from ...errors import NothingToDo
from ...project import Project
from .. import emit, json_option


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `aws`."""
    parser.add_argument("action", choices=("start", "stop", "status"))
    parser.add_argument("--port", type=int, default=0, help="with start: the port on loopback (default: a free one)")
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Do what is asked for; `stop` and `status` without a server end with 3."""
    if args.action == "stop":
        server = standing.stop(project)
        emit(args, {"stopped": server.pid}, f"stopped the embedded AWS at {server.endpoint}")
        return
    if args.action == "start":
        server, new = standing.start(project, port=args.port)
        console.step(f"the embedded AWS {'runs' if new else 'was running already'} at {server.endpoint} (process {server.pid})")
    else:
        found = standing.running(project)
        if found is None:
            raise NothingToDo("no embedded AWS is running", remedy="./run.sh aws start")
        server = found
    lines = [f"export AWS_ENDPOINT_URL={server.endpoint}", "export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"]
    lines += [f"export AWS_DEFAULT_REGION={project.catalogue.home_region.name}"]
    emit(args, {"pid": server.pid, "port": server.port, "endpoint": server.endpoint}, "\n".join(lines))
