"""One environment of one row in the local Lambda, and all rows round by round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import console, local
from ...errors import FunctionFailed
from ...local.backend import Backend
from ...project import Project
from .cases import WARM, Case, function


@dataclass(frozen=True)
class Sample:
    """One environment, from its start to its end; times in milliseconds."""

    start: float  # the runtime's process start -> its first next
    init: float  # environment start -> the last first next, of the runtime or an extension
    extension: float | None  # the extension's process start -> its first next
    first: float  # duration of the first invocation
    warm: float  # median duration of the next ones
    answered: float  # median time of those until the caller has the response: what the extension does after it is left out
    memory_mb: float


@dataclass(frozen=True)
class Machine:
    """What every row runs on."""

    project: Project
    runtime: str
    architecture: str
    region: str
    code: Mapping[str, Path]  # of each function
    cold: bool = True  # the layers' files are not in the page cache, as in a new environment on AWS


def rounds(machine: Machine, rows: Sequence[Case], runs: int) -> dict[str, list[Sample]]:
    """
    `runs` samples of each row, interleaved: a round takes every row once, and each round begins with another row.

    A first round is not counted: it unpacks the layers and brings the interpreter into the page cache.
    """
    samples: dict[str, list[Sample]] = {case.key: [] for case in rows}
    with Backend() as backend:
        for number in range(runs + 1):
            console.detail(f"round {number} of {runs}" if number else "a round that is not counted")
            at = number % len(rows)
            for case in [*rows[at:], *rows[:at]]:
                sample = once(machine, case, backend)
                if number:
                    samples[case.key].append(sample)
    return samples


def once(machine: Machine, case: Case, backend: Backend) -> Sample:
    """One environment: init, the first invocation, WARM more, shutdown; FunctionFailed when it did not do what the row is about."""
    wanted = function(case, machine.runtime, machine.architecture, machine.region, machine.code[case.function])
    endpoints = local.Endpoints(backend_http=("127.0.0.1", backend.http_port), backend_grpc=("127.0.0.1", backend.grpc_port))
    before = backend.counts()["spans"]["received"]
    with local.environment(machine.project, wanted, endpoints, cold_files=machine.cold) as environment:
        invocations = [environment.invoke(b"{}") for _ in range(1 + WARM)]
        environment.shutdown()
        logs = [str(line["text"]) for line in environment.logs]
    failed = next((i for i in invocations if i.status != "success" or i.response != b'{"ok": true}'), None)
    if failed:
        why = "\n".join([str(failed.error or failed.response), *logs[-10:]])
        raise FunctionFailed(f"{case.key}: the function ended with {failed.status}", why=why)
    backend.wait_quiet()
    spans = backend.counts()["spans"]["received"] - before
    if spans != case.spans * len(invocations):
        raise FunctionFailed(f"{case.key}: {spans} spans of {len(invocations)} invocations arrived", why="\n".join(logs[-10:]))
    init = invocations[0].init
    runtime = init.phase("runtime") if init else None
    if init is None or runtime is None:
        raise FunctionFailed(f"{case.key}: the first invocation was no cold start")
    extension = next((phase.ms for phase in init.phases if phase.name.startswith("extension:")), None)
    warm = statistics.median(i.duration_ms for i in invocations[1:])
    answered = statistics.median((i.response_ns - i.started_ns) / 1e6 for i in invocations[1:])
    return Sample(runtime.ms, init.ms, extension, invocations[0].duration_ms, warm, answered, max(i.max_memory_mb for i in invocations))
