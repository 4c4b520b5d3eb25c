"""Spans per CPU second and memory under load, ours and stock builds of the same components, interleaved; collector/loadgen makes the load."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ... import console, process
from ...errors import FunctionFailed
from .figures import Figure, figure
from .page import Table
from .verdicts import Budget

OURS, QUEUED, PLAIN = "ours", "stock, batch queue", "stock"
FORWARD, PROCESSED = "forwards", "resource, batch"
SECONDS = 1.2  # of sending: a run has about as many seconds of CPU time, which the kernel counts in hundredths
RATE, TENTH = 100_000, 10_000  # spans per second that come, and that the backend takes

CONFIG = """receivers: {{otlp: {{protocols: {{{protocol}: {{endpoint: "${{env:LOADGEN_ENDPOINT}}"}}}}}}}}
processors: {processors}
exporters: {{{exporter}: {{endpoint: "${{env:LOADGEN_BACKEND}}", compression: {compression}{more}}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: {names}, exporters: [{exporter}]}}}}
"""
_PROCESSORS = "{batch: {}, resource: {attributes: [{key: deployment.environment.name, value: bench, action: upsert}]}}"


@dataclass(frozen=True)
class Load:
    """What is sent through what."""

    pipeline: str = FORWARD
    protocol: str = "http"  # in and out
    compression: str = "none"  # out
    spans: int = 100  # in a request

    def config(self, program: str) -> str:
        """The configuration of a program for it."""
        processed, grpc = self.pipeline == PROCESSED, self.protocol == "grpc"
        more = ", tls: {insecure: true}" if grpc else ""
        if program == QUEUED and not processed:  # behind the batch processor the default queue does
            more += ", sending_queue: {batch: {}}"
        return CONFIG.format(
            protocol=self.protocol,
            processors=_PROCESSORS if processed else "{}",
            names="[resource, batch]" if processed else "[]",
            exporter="otlp" if grpc else "otlphttp",
            compression=self.compression,
            more=more,
        )


_HTTP = tuple(Load(compression=compression, spans=spans) for compression in ("none", "gzip") for spans in (10, 100))
_MORE = tuple(Load(pipeline=p, protocol=q, spans=spans) for p, q in ((PROCESSED, "http"), (FORWARD, "grpc")) for spans in (10, 100))
CASES = tuple((load, program) for load in (*_HTTP, *_MORE) for program in (OURS, QUEUED, PLAIN) if program != PLAIN or load in _HTTP)


@dataclass(frozen=True)
class Programs:
    """The load generator, and the binaries of each pipeline by their rows' names."""

    loadgen: Path
    binaries: Mapping[tuple[str, str], Path]  # by pipeline and program
    folder: Path

    def run(self, load: Load, program: str, *options: str) -> dict[str, Any]:
        """One run; what loadgen says."""
        config = self.folder / "load.yaml"
        config.write_text(load.config(program))
        command: list[str | Path] = [
            self.loadgen,
            "-spans",
            str(load.spans),
            "-config",
            config,
            *(["-grpc"] if load.protocol == "grpc" else []),
            *options,
        ]
        text = process.run(
            [*command, "--", self.binaries[load.pipeline, program], "--config", "{config}"],
            capture=True,
            timeout=60,
            error=FunctionFailed,
            echo=False,
        )
        return dict(json.loads(text))


def rounds(programs: Programs, runs: int) -> dict[tuple[Load, str], list[float]]:
    """`runs` samples of each case in spans per CPU second, interleaved; each round begins with another case."""
    samples: dict[tuple[Load, str], list[float]] = {case: [] for case in CASES}
    for number in range(runs):
        console.detail(f"round {number + 1} of {runs}")
        at = number * len(CASES) // runs
        for load, program in (*CASES[at:], *CASES[:at]):
            told = programs.run(load, program, "-seconds", str(SECONDS))
            if not told["delivered"]:
                raise FunctionFailed(f"{program} delivered nothing", why=str(told["last_line"]))
            samples[load, program].append(told["delivered"] / told["cpu_seconds"])
    return samples


def ratio(samples: Mapping[tuple[Load, str], Sequence[float]], load: Load, program: str) -> float:
    """Ours over `program`: the median of the rounds' ratios, in which what slows a whole round falls out."""
    return statistics.median(ours / theirs for ours, theirs in zip(samples[load, OURS], samples[load, program], strict=True))


def rows(samples: Mapping[tuple[Load, str], Sequence[float]]) -> list[dict[str, Any]]:
    """One dictionary for each case."""
    out = []
    for (load, program), values in samples.items():
        row: dict[str, Any] = {**asdict(load), "program": program, "spansPerCpuSecond": asdict(figure(values))}
        if program != OURS:
            row["oursOver"] = ratio(samples, load, program)
        out.append(row)
    return out


def table(made: Sequence[Mapping[str, Any]]) -> Table:
    """Head and cells, in thousand spans per CPU second."""
    head = ("pipeline", "OTLP over", "compression", "spans a request", "program", "thousand spans per CPU second", "ours is")
    cells = []
    for row in made:
        figures = Figure(**{key: value / 1000 for key, value in row["spansPerCpuSecond"].items()})
        over = f"{row['oursOver']:.2f} times that" if "oursOver" in row else ""
        cells.append([row["pipeline"], row["protocol"], row["compression"], str(row["spans"]), row["program"], str(figures), over])
    return head, cells


def budgets(samples: Mapping[tuple[Load, str], Sequence[float]]) -> list[Budget]:
    """What is judged: against the stock build with its batch queue on, over HTTP."""
    judged = []
    for load in (case for case, program in CASES if program == QUEUED and case.protocol == "http"):
        how = "gzip" if load.compression == "gzip" else "plain"
        what = f"spans per CPU second over stock's, {load.pipeline}, {how}, {load.spans} a request"
        bound, goal = (1.0, None) if load.pipeline == PROCESSED else (3.0, 4.0 if how == "gzip" else 5.0)
        judged.append(Budget(what, ratio(samples, load, QUEUED), bound, least=True, goal=goal))
    return judged


def overload(programs: Programs, runs: int) -> list[dict[str, Any]]:
    """Ten times what the backend takes, for two and for six seconds: whether memory grows, and what becomes of the spans."""
    out: list[dict[str, Any]] = []
    for number in range(runs):
        for program in (OURS, QUEUED):
            for seconds in (2, 6):
                console.detail(f"{program}, {seconds} s at ten times the backend's rate, {number + 1} of {runs}")
                told = programs.run(Load(), program, "-seconds", str(seconds), "-rate", str(RATE), "-backend-rate", str(TENTH))
                account = accounted(str(told["last_line"])) if program == OURS else {}
                out.append({"program": program, "seconds": seconds, **told, **account})
    return out


def accounted(line: str) -> dict[str, int]:
    """Spans of the collector's account, its last line when it dropped some."""
    try:
        account = json.loads(line)
        return {f"account_{key}": int(account[key]["spans"]) for key in ("received", "sent", "dropped")}
    except (ValueError, KeyError, TypeError) as exc:
        raise FunctionFailed("the collector gave no account", why=line) from exc


def overload_table(runs: Sequence[Mapping[str, Any]]) -> Table:
    """Head and cells: medians of the runs."""
    head = ("program", "seconds", "peak memory, MB", "spans taken", "refused", "delivered in the end", "dropped by its account")
    cells = []
    for program, seconds in dict.fromkeys((run["program"], run["seconds"]) for run in runs):
        mine = [run for run in runs if (run["program"], run["seconds"]) == (program, seconds)]
        peak = figure([run["peak_mb"] for run in mine])
        counts = [f"{statistics.median(run[key] for run in mine):.0f}" for key in ("sent", "refused", "delivered_in_the_end")]
        dropped = f"{statistics.median(run['account_dropped'] for run in mine):.0f}" if program == OURS else "-"
        cells.append([program, str(seconds), str(peak), *counts, dropped])
    return head, cells


def overload_budgets(runs: Sequence[Mapping[str, Any]]) -> list[Budget]:
    """Bounded: three times as long needs no more memory. Exact: each span that was taken is in the backend, or counted as dropped."""
    peak = {key: statistics.median(r["peak_mb"] for r in runs if (r["program"], r["seconds"]) == key) for key in ((OURS, 2), (OURS, 6), (QUEUED, 6))}
    ours = [run for run in runs if run["program"] == OURS]
    lost = max(
        abs(run["sent"] - run["account_received"])
        + abs(run["account_received"] - run["account_sent"] - run["account_dropped"])
        + abs(run["account_sent"] - run["delivered_in_the_end"])
        for run in ours
    )
    return [
        Budget("memory at ten times the backend's rate, after 6 s over after 2 s", peak[OURS, 6] / peak[OURS, 2], 1.2),
        Budget("memory at ten times the backend's rate, over stock's", peak[OURS, 6] / peak[QUEUED, 6], 1.0),
        Budget("spans that the account lacks at ten times the backend's rate", float(lost), 0.0),
    ]
