"""A sample's stack for the length of one command: deployed where it is not yet, its functions read back, its queues drained."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import console
from ..aws import consumers, deployment, readback, sample, standing
from ..aws.client import Access
from ..errors import LayersError, UsageError
from ..function import Function
from ..local import Invocation
from ..project import Project
from .verbs import build, deploy


@dataclass(frozen=True)
class Place:
    """The stack as it runs locally."""

    functions: tuple[Function, ...]
    port: int  # of the embedded AWS
    access: Access
    stack: deployment.Deployment
    mappings: tuple[consumers.QueueMapping, ...]

    def drain(self, invoke: Callable[[str, bytes], Invocation]) -> None:
        """Hand everything that waits in the stack's queues to its consumers."""

        def call(name: str, event: bytes) -> tuple[bool, bytes | None]:
            done = invoke(name, event)
            return done.status == "success", done.response

        consumers.drive(self.access, list(self.mappings), call)


@contextmanager
def stack(project: Project, name: str = "", *, region: str = "", runtime: str = "") -> Iterator[Place]:
    """The sample's stack in an embedded AWS: as it is in a running one that has it, else deployed now."""
    options = {"to": "local", "template": None, "layer_name": "", "arch": platform.machine(), "endpoint": "", "region": region, "runtime": runtime}
    args = argparse.Namespace(**options, stack=name)
    folder = sample.folder(project)
    standing_one = standing.running(project) is not None
    with standing.connect(project, "local", stacks=True) as access:
        found = None
        if standing_one and not runtime:
            found = _existing(access, sample.stack_name(name or Path(folder).name), deploy.region(project, args))
        if found is None and name and standing_one:
            where = deploy.region(project, args)
            raise UsageError(
                f"the running embedded AWS has no stack {name} in {where}", remedy=f"./run.sh {folder} deploy -s {name} -r {where}, or another -r"
            )
        if found is None:
            _build_missing(project, folder)
            found = deployment.deploy(project, access, deploy.order(project, args))
        else:
            console.step(f"using stack {found.stack} as it was deployed to the running embedded AWS")
        functions = tuple(readback.functions(project, access, found))
        port = int(access.endpoint.rsplit(":", 1)[1])
        yield Place(functions, port, access, found, tuple(consumers.mappings(access, found)))


def _existing(access: Access, name: str, region: str) -> deployment.Deployment | None:
    try:
        return deployment.describe(access, name, region)
    except LayersError:
        return None


def _build_missing(project: Project, folder: str) -> None:
    """The sample's layers are built by the way where they are not there; a build that is there stays as it is."""
    missing = [la for la in sample.layers(project, folder).values() if not (project.dist / la.zip_name(build.host())).is_file()]
    if missing:
        console.step(f"building {', '.join(layer.name for layer in missing)}")
        build.build_all(project, tuple(missing))


def choose(functions: Sequence[Function], wanted: str) -> str:
    """The one function that `wanted` is in the name of, by default the first; UsageError when that is none or several."""
    if not wanted:
        return functions[0].name
    exact = [f.name for f in functions if f.name == wanted]
    fitting = exact or [f.name for f in functions if wanted in f.name]
    if len(fitting) != 1:
        raise UsageError(f"--function {wanted!r} fits {len(fitting)} functions", remedy=f"one of {', '.join(f.name for f in functions)}")
    return fitting[0]


def default_events(project: Project) -> list[tuple[str, bytes]]:
    """The first of the sample's events by name, twice: a cold start and a warm one."""
    folder = project.root / sample.folder(project) / "events"
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise UsageError(f"{folder} has no events", remedy="--event FILE")
    return [(str(paths[0]), paths[0].read_bytes())] * 2
