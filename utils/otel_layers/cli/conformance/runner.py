"""
The runner: cases through a built layer in the local Lambda, and through the same function without it.

A case is invoked twice in one environment: telemetry must be as expected both times, and result, error and output byte for byte
what they are without the layer.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import local
from ...catalog import architecture
from ...errors import UsageError
from ...function import Function
from ...local import compare
from ...local.backend import Backend
from ...local.expectation import RESULTS
from ...local.otlp import Span
from ...local.runtimes import QUIET
from ...project import Project
from ..session import as_asked, record
from . import cases as files
from .cases import FOLDER, Case

AT_ONCE = 2  # environments
TIERS = ("auto", "sdk")
TIER = "OTEL_LAMBDA_TIER"
_LEAST_TIME_S = 10


@dataclass(frozen=True)
class Job:
    """Cases of one environment: with the layer `zip` in a tier, or without a layer."""

    language: str
    runtime: str
    cases: tuple[Case, ...]
    zip: Path | None = None
    tier: str = ""


@dataclass(frozen=True)
class Result:
    """What the function did, as its caller and its log see it."""

    status: str
    response: bytes | None
    error: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """One case with one runtime in one tier; no differences: it is as expected."""

    case: str
    language: str
    runtime: str
    tier: str
    differences: tuple[str, ...]


def run(project: Project, jobs: Sequence[Job], said: Callable[[str], None] = lambda _: None) -> list[Outcome]:
    """The jobs' outcomes, some environments at once; `said` gets a line for each that is done."""
    plain: dict[tuple[str, str], dict[tuple[bytes, str], Case]] = {}
    for job in jobs:
        plain.setdefault((job.language, job.runtime), {}).update({case.bare: case for case in job.cases})
    bare = [Job(language, runtime, tuple(found.values())) for (language, runtime), found in plain.items()]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="conformance") as pool:
        without = dict(zip(plain, pool.map(lambda job: _without(project, job), bare), strict=True))

        def judged(job: Job) -> list[Outcome]:
            found = _with(project, job, without[job.language, job.runtime])
            said(f"{job.runtime} {job.tier}: {len(job.cases)} cases, {sum(bool(o.differences) for o in found)} differ")
            return found

        return [outcome for found in pool.map(judged, jobs) for outcome in found]


def jobs(project: Project, cases: Iterable[Case], layer: tuple[str, Path], runtimes: Iterable[str], tier: str) -> list[Job]:
    """A job for each runtime and set of variables; `layer` is a language and its built zip."""
    language, path = layer
    if language not in files.common(project.root)["handlers"]:
        raise UsageError(f"{FOLDER}/common.json names no handler of {language}", remedy=f"write {FOLDER}/functions/{language} and add it there")
    groups = files.by_environment(cases)
    return [Job(language, runtime, group, path, tier) for runtime in runtimes for group in groups]


def function(project: Project, job: Job, results: Sequence[Mapping[str, Any]]) -> Function:
    """The suite's function in the language of `job`, which gives `results`."""
    shared = files.common(project.root)
    own = {**job.cases[0].conditions.environment, **({TIER: job.tier} if job.tier != TIERS[0] else {})} if job.zip else {}
    return Function(
        name=shared["function"],
        runtime=job.runtime,
        handler=shared["handlers"][job.language],
        code=project.root / FOLDER / "functions" / job.language,
        region=project.catalogue.home_region.name,
        layers=(job.zip,) if job.zip else (),
        environment={**own, QUIET: "1", RESULTS: json.dumps(list(results))},
        timeout_s=_LEAST_TIME_S,
        architecture=architecture(platform.machine()).aws,
    )


def _without(project: Project, job: Job) -> dict[tuple[bytes, str], Result]:
    out = {}
    made = function(project, job, [case.conditions.result for case in job.cases])
    with local.environment(project, made, local.Endpoints(), freeze=False, cold_files=False) as environment:
        for case in job.cases:
            out[case.bare], done = invoke(environment, case)
            if not as_asked(record(done), case.conditions.result):
                raise UsageError(f"the function of {job.language} does not do what {case.name} asks", why=str(out[case.bare]))
    return out


def _with(project: Project, job: Job, without: Mapping[tuple[bytes, str], Result]) -> list[Outcome]:
    out = []
    made = function(project, job, [case.conditions.result for case in job.cases for _ in range(case.times)])
    with Backend() as backend:
        endpoints = local.Endpoints(("127.0.0.1", backend.http_port), ("127.0.0.1", backend.grpc_port))
        with local.environment(project, made, endpoints, freeze=False, cold_files=False) as environment:
            cold = True
            for case in job.cases:
                differences: list[str] = []
                for again in ("", "the second time: ")[: case.times]:
                    result, done = invoke(environment, case)
                    expected = files.of_invocation(case, done.request_id, cold=cold)
                    cold = False
                    spans = backend.spans()
                    words = [*changed(without[case.bare], result), *compare.differences(expected, spans), *malformed(spans), *backend.causes()]
                    differences += [again + one for one in words if one not in differences]
                    backend.clear()
                out.append(Outcome(case.name, job.language, job.runtime, job.tier, tuple(differences)))
    return out


def invoke(environment: local.ExecutionEnvironment, case: Case) -> tuple[Result, local.Invocation]:
    """One invocation, and what is printed for it, which then is forgotten."""
    done = environment.invoke(case.event, trace_header=case.conditions.xray, client_context=case.conditions.client_context)
    lines = tuple(line["text"] for line in environment.logs if line["source"] == "function")
    environment.logs.clear()
    error = json.dumps(done.error).replace(done.request_id, "REQUEST-ID")  # the only part that is another every time
    return Result(done.status, done.response, error, lines), done


def changed(without: Result, result: Result) -> list[str]:
    """How the function differs from itself without the layer."""
    out = []
    for what in ("status", "response", "error"):
        was, now = getattr(without, what), getattr(result, what)
        if was != now:
            out.append(f"the function's {what}: {was!r} without the layer, {now!r} with it")
    if without.lines != result.lines:
        more = [line for line in result.lines if line not in without.lines]
        less = [line for line in without.lines if line not in result.lines]
        out.append(f"the function's output: with the layer there is {more}, and there is no {less}")
    return out


def malformed(spans: Iterable[Span]) -> list[str]:
    """What no span may be, whatever is expected of it."""
    out = []
    for span in spans:
        ids = [("traceId", span.trace_id, 32), ("spanId", span.span_id, 16), ("parentSpanId", span.parent_id or "f" * 16, 16)]
        for link in span.links:
            ids += [("link's traceId", link.trace_id, 32), ("link's spanId", link.span_id, 16)]
        out += [f"span {span.name!r}: {key} is {found!r}" for key, found, size in ids if len(found) != size or not found.strip("0")]
        if not 0 < span.start_ns <= span.end_ns:
            out.append(f"span {span.name!r} goes from {span.start_ns} to {span.end_ns}")
        if not span.name:
            out.append("a span has no name")
    return out
