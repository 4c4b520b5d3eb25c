"""All rows of the collector: the program alone, under load, with a backend that fails, and in the local Lambda."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ... import console, toolchain
from ...build import Built, custom
from ...function import Function
from ...project import Project
from . import builds, extensions, held, inside, throughput, verdicts
from .figures import Figure
from .page import Table

NAME = "opentelemetry-collector-bench"  # the layer with the processors of the load


@dataclass(frozen=True)
class Result:
    """What was measured: for machines, and as tables by their headings."""

    plain: dict[str, Any]
    tables: dict[str, Table]
    budgets: Sequence[verdicts.Budget]


def counts(runs: int) -> tuple[int, int, int]:
    """How often the short, the middling and the long rows are run when the short ones are `runs` times."""
    return runs, max(1, runs // 4), max(1, runs // 10)


def times(runs: int) -> str:
    """The same in words."""
    starts, loads, longs = counts(runs)
    return f"{starts} interleaved runs of each start, {loads} of each load and of starts in the local Lambda, {longs} of the others"


def measure(project: Project, built: Built, runtime: str, region: str, folder: Path, runs: int) -> Result:
    """Build what is compared, run all rounds."""
    toolchain.use(project, "local")
    toolchain.use(project, "aws")  # PyYAML, for the build on demand
    ours = builds.extracted(built.zip, built.layer.executables[0], folder / "collector")
    bare, stock = builds.bare(project, folder), builds.stock(project, folder)
    alone, starts = _alone({extensions.OURS: ours, extensions.BARE: bare, extensions.STOCK: stock}, built, folder, runs)
    load = _load(project, built, ours, folder, runs)
    wanted = held.function("held", runtime, built.arch.aws, region, built.zip, folder, extensions.message(10))
    failing = _failing(project, wanted, counts(runs)[2])
    console.step(f"measuring starts in the local Lambda, {counts(runs)[1]} times each, interleaved")
    inner = inside.rounds(project, wanted, {extensions.BARE: inside.layer(bare, folder), extensions.OURS: built.zip}, counts(runs)[1])
    parts = (alone, load, failing)
    judged = [one for part in parts for one in part.budgets]
    tables = {heading: table for part in parts for heading, table in part.tables.items()}
    tables["Where the start in the local Lambda goes"] = inside.table(inner, starts)
    tables["The collector's budgets"] = verdicts.table(judged)
    plain = {key: value for part in parts for key, value in part.plain.items()}
    plain["localStarts"] = [{"program": name, "cold": cold, "registeredAndNextMs": values} for (name, cold), values in inner.items()]
    return Result({**plain, "budgets": [one.plain() for one in judged]}, tables, judged)


def _alone(binaries: dict[str, Path], built: Built, folder: Path, runs: int) -> tuple[Result, dict[str, list[extensions.Start]]]:
    console.step(f"measuring {len(binaries)} extensions, {runs} times each, interleaved")
    samples = extensions.rounds(binaries, folder, runs, extensions.message(100))
    rows = extensions.summary(samples, binaries)
    judged = extensions.budgets(samples, binaries[extensions.OURS].stat().st_size, built.zip.stat().st_size)
    plain = [{key: asdict(value) if isinstance(value, Figure) else value for key, value in row.items()} for row in rows]
    return Result({"extensions": plain}, {"The collector alone": extensions.table(rows)}, judged), samples


def _load(project: Project, built: Built, ours: Path, folder: Path, runs: int) -> Result:
    config = folder / "processed.yaml"
    processed = throughput.Load(throughput.PROCESSED)
    config.write_text(processed.config(throughput.OURS))
    (layer,) = custom.build_custom(project, [config], [], arch=built.arch.name, name=NAME)
    more = {
        **builds.DEFAULT,
        "exporters": (*builds.DEFAULT["exporters"], f"{builds.CORE}/exporter/otlpexporter {builds.RELEASE}"),
        "processors": (f"{builds.CORE}/processor/batchprocessor {builds.RELEASE}", f"{builds.CONTRIB}/processor/resourceprocessor {builds.RELEASE}"),
    }
    stock = builds.stock(project, folder, "stock-processors", more)
    binaries = {
        (pipeline, program): path
        for pipeline, mine in (
            (throughput.FORWARD, ours),
            (throughput.PROCESSED, builds.extracted(layer.zip, layer.layer.executables[0], folder / "collector-processors")),
        )
        for program, path in ((throughput.OURS, mine), (throughput.QUEUED, stock), (throughput.PLAIN, stock))
    }
    programs = throughput.Programs(builds.loadgen(project, folder), binaries, folder)
    times, few = counts(runs)[1:3]
    console.step(f"measuring spans per CPU second, {len(throughput.CASES)} cases, {times} times each, interleaved")
    samples = throughput.rounds(programs, times)
    console.step("measuring memory at ten times the rate that the backend takes")
    full = throughput.overload(programs, few)
    rows = throughput.rows(samples)
    return Result(
        {"throughput": rows, "overload": full},
        {
            "Spans per CPU second": throughput.table(rows),
            "Ten times what the backend takes": throughput.overload_table(full),
        },
        [*throughput.budgets(samples), *throughput.overload_budgets(full)],
    )


def _failing(project: Project, wanted: Function, runs: int) -> Result:
    console.step("measuring what a failing backend costs the function, in the local Lambda")
    samples = held.rounds(project, wanted, runs)
    return Result({"held": held.plain(samples)}, {"A backend that fails": held.table(samples)}, held.budgets(samples))
