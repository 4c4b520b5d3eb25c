"""The local Lambda: runs built zips with the real runtime clients as AWS does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .. import console
from ..function import Function
from ..project import Project
from . import layers, runtimes
from .lifecycle import ExecutionEnvironment
from .model import Endpoints, Init, Invocation, Isolation, Phase

__all__ = ["Endpoints", "ExecutionEnvironment", "Init", "Invocation", "Isolation", "Phase", "environment"]


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
) -> Iterator[ExecutionEnvironment]:
    """
    An execution environment of `function`, initialised by its first invocation, shut down at the end of the block (killed after an error).

    `log` gets every printed line (source, text) at once. With `cold_files` the layers' and the function's files are dropped from the page
    cache first: they are read anew, and counted as the function's memory, as on AWS; without, starts vary less.
    """
    runtime = runtimes.prepare(project, function)
    with layers.merged(project, function.layers, function.code) as opt:
        if cold_files:
            layers.evict(opt, function.code)
        made = ExecutionEnvironment(function, runtime, opt, endpoints, project.cache / "sandbox", freeze=freeze, tmp_mb=tmp_mb, log=log)
        try:
            for line in made.isolation.less:
                console.warn(f"local Lambda: {line}", once=line)
            yield made
            made.shutdown()
        finally:
            made.close()
