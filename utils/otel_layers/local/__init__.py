"""The local Lambda: runs built zips with the real runtime clients as AWS does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .. import console
from ..function import Function
from ..project import Project
from . import layers, runtimes
from .lifecycle import ExecutionEnvironment
from .model import Endpoints, Init, Invocation, Isolation, Mode, Phase

__all__ = ["Endpoints", "ExecutionEnvironment", "Init", "Invocation", "Isolation", "Mode", "Phase", "environment"]


@contextmanager
def environment(
    project: Project,
    function: Function,
    endpoints: Endpoints,
    *,
    freeze: bool = True,
    log: Callable[[str, str], None] | None = None,
    cold_files: bool = True,
    tmp_mb: int = 512,
    mode: Mode | None = None,
) -> Iterator[ExecutionEnvironment]:
    """
    An execution environment of `function`, shut down at the end of the block (killed after an error).

    It is initialised by its first invocation, in other modes than on-demand at once.
    `log` gets every printed line (source, text) at once. With `cold_files` the layers' and the function's files are dropped from the page
    cache first: they are read anew, and counted as the function's memory, as on AWS; without, starts vary less.
    """
    runtime = runtimes.prepare(project, function)
    with layers.merged(project, function.layers, function.code) as opt:
        if cold_files:
            layers.evict(opt, function.code)
        made = ExecutionEnvironment(
            function, runtime, opt, endpoints, project.cache / "sandbox", freeze=freeze, tmp_mb=tmp_mb, log=log, mode=mode or Mode()
        )
        try:
            for line in made.isolation.less:
                console.warn(f"local Lambda: {line}", once=line)
            if made.mode.init_type != "on-demand":
                made.init()
            yield made
            made.shutdown()
        finally:
            made.close()
