"""Measure cold starts, invocations, memory and sizes against the bare runtime and the stock set-up, interleaved; writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import datetime
import os
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ... import archive, console, toolchain
from ...build import Built
from ...catalog import Layer, Runtime
from ...errors import ToolMissing, UsageError
from ...files import temporary
from ...project import Project
from .. import emit, json_option
from .build import build_all, host

ENOUGH = 20  # one cold start varies by tens of milliseconds: fewer runs print, but are not written down


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `bench`."""
    parser.add_argument("--runs", type=int, default=ENOUGH, metavar="N", help=f"samples of each row (default {ENOUGH}; fewer are not written down)")
    parser.add_argument("--runtime", default="", help="a Python runtime (default: the newest that this machine has)")
    parser.add_argument(
        "--only",
        choices=("layers", "collector", "ondemand", "publish"),
        default="layers",
        help="layers in the local Lambda (default), the collector against others, collectors built on demand, or publishing what is built",
    )
    parser.add_argument("--sizes", action="store_true", help="only the sizes, nothing is run")
    parser.add_argument(
        "--files", choices=("cold", "cached"), default="cold", help="layers read from the disk as in a new environment, or from the page cache"
    )
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, default=True, help="write docs/benchmarks.md (default: yes)")
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Build, measure, print, write."""
    if args.runs < 1:
        raise UsageError("--runs must be at least 1")
    if args.only == "collector":
        run_collector(project, args)
        return
    if args.only == "ondemand":
        run_ondemand(project, args)
        return
    if args.only == "publish":
        run_publish(project, args)
        return
    runtime = choose(project, args.runtime)
    language = one_layer(project, "language", runtime.language)
    collector, bundle = one_layer(project, "collector", "any"), one_layer(project, "bundle", runtime.language)
    arch = host()
    built = build_all(project, (collector, language, bundle), arch)
    with temporary(project, "bench") as tmp:
        stock, plain = stock_layers(project, runtime, tmp)
        sizes = size_rows(project, stock, plain)
        result: dict[str, Any] = {"runtime": runtime.name, "arch": arch, "sizes": sizes}
        if args.sizes:
            emit(args, result, console.table(*size_table(sizes)))
            return
        measured, tables = measure_rows(project, runtime, built, (stock, plain), args, tmp)
    from ..bench import page

    sections = {**tables, "Sizes": size_table(sizes)}
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    what = f"{args.runs} interleaved runs of each row, files {args.files}: median (10th to 90th percentile)"
    lead = f"{today}, {page.machine()}, {runtime.name} on {arch}, {what}."
    result |= {"date": today, "machine": page.machine(), "runs": args.runs, "files": args.files, **measured}
    emit(args, result, "\n\n".join([lead, *(f"{heading}\n{console.table(*table)}" for heading, table in sections.items())]))
    if not args.write:
        return
    if args.runs < ENOUGH:
        console.warn(f"docs/benchmarks.md is not written: {args.runs} runs say too little, {ENOUGH} are the least")
        return
    console.step(f"wrote {page.write(project.root, sections, lead).relative_to(project.root)}")


def run_collector(project: Project, args: argparse.Namespace) -> None:
    """The collector against other extensions and under load; writes its own part of the page."""
    from ..bench import collector, page

    runtime = choose(project, args.runtime)
    (built,) = build_all(project, (one_layer(project, "collector", "any"),), host())
    before = os.getloadavg()[0]
    with temporary(project, "bench") as tmp:
        measured = collector.measure(project, built, runtime.name, home(project), tmp, args.runs)
    _conclude(project, args, collector.times(args.runs), before, (measured.plain, measured.tables), page.GROUP)


def run_ondemand(project: Project, args: argparse.Namespace) -> None:
    """Collectors that are built on demand, and the flavour with the most components against a stock build; writes its own part of the page."""
    from ..bench import ondemand, page

    flavour = next((layer for layer in project.catalogue.layers.values() if layer.flavour), None)
    if flavour is None:
        raise UsageError("the catalogue has no layer with a flavour")
    (built,) = build_all(project, (one_layer(project, "collector", "any"),), host())
    before = os.getloadavg()[0]
    with temporary(project, "bench") as tmp:
        measured = ondemand.measure(project, built, flavour, tmp, args.runs)
    _conclude(project, args, f"{args.runs} interleaved runs of each row", before, measured, page.ON_DEMAND)


def run_publish(project: Project, args: argparse.Namespace) -> None:
    """Publishing what is built to one region and to all; writes its own part of the page."""
    from ..bench import page, publication

    toolchain.use(project, "aws", "release")
    before = os.getloadavg()[0]
    with temporary(project, "bench") as tmp:
        measured = publication.measure(project, tmp, args.runs)
    times = f"{args.runs} pairs in turn, {publication.LATENCY * 1000:.0f} ms added to every call"
    _conclude(project, args, times, before, measured, page.PUBLISHING)


def _conclude(
    project: Project, args: argparse.Namespace, times: str, before: float, measured: tuple[dict[str, Any], dict[str, Any]], marks: tuple[str, str]
) -> None:
    """Print what was `measured`, and write the part of the page between `marks` when the runs were enough; `before` is the load average then."""
    from ..bench import page

    plain, tables = measured
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    load = f"Load average {before:.1f} when it began, {os.getloadavg()[0]:.1f} at its end."
    lead = f"{today}, {page.machine()}, {host()}, {times}: median (10th to 90th percentile). {load}"
    result = {"date": today, "machine": page.machine(), "runs": args.runs, **plain}
    emit(args, result, "\n\n".join([lead, *(f"{heading}\n{console.table(*table)}" for heading, table in tables.items())]))
    if args.write and args.runs >= ENOUGH:
        console.step(f"wrote {page.write(project.root, tables, lead, *marks).relative_to(project.root)}")
    elif args.write:
        console.warn(f"docs/benchmarks.md is not written: {args.runs} runs say too little, {ENOUGH} are the least")


def choose(project: Project, name: str) -> Runtime:
    """The runtime called `name`, or the newest Python runtime whose interpreter the machine has."""
    at_hand = {r.name: r for r in project.catalogue.runtimes.values() if r.language == "python" and r.version in toolchain.interpreters()}
    if name:
        runtime = project.catalogue.runtime(name)
        if runtime.language != "python":
            raise UsageError(f"{name} is no Python runtime", why="the other languages have no rows yet")
        if name not in at_hand:
            raise ToolMissing(f"the interpreter of {name} is not on this machine", remedy=f"one of {', '.join(at_hand)}")
        return runtime
    if not at_hand:
        raise ToolMissing("no interpreter of a Python runtime is on this machine", remedy=f"{toolchain.uv()} python install 3.13")
    return max(at_hand.values(), key=lambda r: tuple(map(int, r.version.split("."))))


def home(project: Project) -> str:
    """The region that functions run in here."""
    return next(r.name for r in project.catalogue.regions.values() if r.required)


def one_layer(project: Project, role: str, language: str) -> Layer:
    """The catalogue's first layer of that role and language."""
    found = next((la for la in project.catalogue.layers.values() if la.role == role and la.language == language), None)
    if found is None:
        raise UsageError(f"the catalogue has no {role} layer for {language}")
    return found


def stock_layers(project: Project, runtime: Runtime, tmp: Path) -> tuple[Path, Path]:
    """The stock set-up as two zips: with byte code for the runtime, and without any."""
    from ..bench import stock

    python = toolchain.interpreters()[runtime.version]
    return (
        stock.layer(project, python, runtime.version, tmp / "stock.zip", compiled=True),
        stock.layer(project, python, runtime.version, tmp / "stock-plain.zip", compiled=False),
    )


def measure_rows(
    project: Project, runtime: Runtime, built: list[Built], stock: tuple[Path, Path], args: argparse.Namespace, tmp: Path
) -> tuple[dict[str, Any], dict[str, tuple[Sequence[str], Sequence[Sequence[str]]]]]:
    """Run all rows; the result for machines, and the tables by their headings."""
    from ..bench import cases, figures, imports, measure, parsing, verdicts

    by_role = {one.layer.role: one for one in built}
    rows = cases.cases(by_role["language"].zip, by_role["collector"].zip, by_role["bundle"].zip, *stock)
    interpreter = toolchain.interpreters()[runtime.version]
    code = cases.write(project, interpreter, runtime.version, tmp)
    machine = measure.Machine(project, runtime.name, built[0].arch.aws, home(project), code, cold=args.files == "cold")
    console.step(f"measuring {len(rows)} rows, {args.runs} times each, interleaved")
    samples = measure.rounds(machine, rows, args.runs)
    summary = figures.summary(rows, samples)
    ratio = figures.ratios(summary)
    budgets = figures.budgets(summary, ratio, by_role["language"].zip.stat().st_size)
    budgets.append(parsing.budget(parsing.measure(interpreter, by_role["language"].zip, tmp)))
    console.step("asking the interpreter what its imports take")
    profiles = imports.measure(machine, rows)
    budgets.append(imports.budget(by_role["language"].zip, runtime.version, profiles))
    measured = {
        "rows": summary,
        "ratios": ratio,
        "budgets": [one.plain() for one in budgets],
        "imports": imports.plain(profiles),
        "samples": {key: [asdict(s) for s in values] for key, values in samples.items()},
    }
    return measured, {
        "Start and invocations": figures.rows_table(summary),
        "Ours over stock": figures.ratios_table(ratio),
        "The Python layer's budgets": verdicts.table(budgets),
        "Where the start and the first invocation go": imports.table(profiles),
        "The collector": figures.extension_table(summary),
    }


def size_rows(project: Project, stock: Path, plain: Path) -> list[dict[str, Any]]:
    """Sizes of every built layer in dist/ and of the stock set-up, for one architecture each; of a layer with a program, that program's too."""
    zips = [(f"{la.name}, {arch}", la, project.dist / la.zip_name(arch)) for la in project.catalogue.layers.values() for arch in la.architectures]
    rows = []
    for name, layer, path in [*((n, la, p) for n, la, p in zips if p.is_file()), ("stock", None, stock), ("stock, no byte code", None, plain)]:
        size = archive.measure(path)
        row = {"what": name, "zippedBytes": size.zipped_bytes, "unzippedBytes": size.unzipped_bytes}
        if layer and layer.role == "collector":
            with zipfile.ZipFile(path) as source:
                row["binaryBytes"] = source.getinfo(layer.executables[0]).file_size
        rows.append(row)
    return rows


def size_table(sizes: list[dict[str, Any]]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Head and cells of the sizes."""
    keys = ("zippedBytes", "unzippedBytes", "binaryBytes")
    cells = [[str(row["what"]), *(f"{row[key] / 1e6:.2f}" if key in row else "" for key in keys)] for row in sizes]
    return ("what", "zip, MB", "unzipped, MB", "binary, MB"), cells
