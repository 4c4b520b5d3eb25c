"""The benchmark's arithmetic and its page."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from otel_layers.cli.bench import builds, cases, extensions, figures, held, imports, ondemand, page, parsing, throughput, verdicts
from otel_layers.cli.bench.measure import Sample
from otel_layers.errors import FunctionFailed, UsageError
from otel_layers.ondemand import components

ROWS = cases.cases(Path("l.zip"), Path("c.zip"), Path("b.zip"), Path("s.zip"), Path("p.zip"))
COLLECTED = (cases.COLLECTOR, cases.OURS_COLLECTED, cases.OURS_BUNDLED)


def sample(start: float, first: float = 1.0, extension: float | None = None) -> Sample:
    return Sample(start=start, init=start + 1, extension=extension, first=first, warm=0.5, answered=0.4, memory_mb=40.0)


def samples() -> dict[str, list[Sample]]:
    """Three rounds, of which the second was slow for every row alike; ours adds 3, stock 300."""
    added = {cases.OURS: 3.0, cases.OURS_ALONE: 3.0, cases.OURS_COLLECTED: 6.0, cases.OURS_BUNDLED: 6.0, cases.STOCK: 300.0, cases.STOCK_PLAIN: 600.0}
    return {
        case.key: [sample(slow + added.get(case.setup, 0.0), extension=4.0 if case.setup in COLLECTED else None) for slow in (25.0, 90.0, 26.0)]
        for case in ROWS
    }


def test_every_function_has_its_bare_row_and_keys_differ() -> None:
    assert len({case.key for case in ROWS}) == len(ROWS)
    assert {case.function for case in ROWS if case.setup == cases.BARE} == {case.function for case in ROWS}
    assert {case.setup for case in ROWS if not case.spans} == {cases.BARE, cases.OURS_ALONE, cases.COLLECTOR}
    assert {case.spans for case in ROWS if case.function == cases.API and case.setup != cases.BARE} == {2}


def test_median_and_spread() -> None:
    assert figures.figure([float(n) for n in range(101)]) == figures.Figure(50.0, 10.0, 90.0)
    assert figures.figure([7.0]) == figures.Figure(7.0, 7.0, 7.0)


def test_extras_compare_within_a_round() -> None:
    rows = figures.summary(ROWS, samples())
    ours = next(r for r in rows if r["setup"] == cases.OURS)
    assert ours["start"]["median"] == 29.0
    assert ours["startExtra"] == {"median": 3.0, "low": 3.0, "high": 3.0}
    assert "startExtra" not in next(r for r in rows if r["setup"] == cases.BARE)
    assert [r["setup"] for r in rows if "extension" in r] == [*[cases.OURS_COLLECTED, cases.OURS_BUNDLED] * 2, cases.COLLECTOR]


def test_the_flavour_is_compared_with_all_its_stock_components() -> None:
    root = Path(__file__).parents[3]
    known = components.load(root / "collector/components.toml")
    named = components.scan(root / "collector/flavours/full.yaml", known.schemes)
    stock = {path.partition(" ")[0] for paths in ondemand.SAME.values() for path in paths}
    assert {m.path for m in known.needed(named, []) if not m.folder} <= stock


def test_the_flavours_ratio_is_of_medians() -> None:
    fast, slow = extensions.Start(2.0, 4.0, 6.0, 8.0), extensions.Start(4.0, 16.0, 12.0, 32.0)
    rows = [{"program": ondemand.FULL, "binaryBytes": 1, "deflatedBytes": 3}, {"program": ondemand.STOCK, "binaryBytes": 2, "deflatedBytes": 4}]
    cells = ondemand.ratio_row({ondemand.FULL: [fast] * 3, ondemand.STOCK: [slow] * 3}, rows)
    assert cells[1:] == [f"**{value}**" for value in ("0.50", "0.25", "0.50", "0.25", "0.50", "0.75")]


def test_ratios() -> None:
    ratios = figures.ratios(figures.summary(ROWS, samples()))
    assert {(r["setup"], r["start"]) for r in ratios} == {(cases.OURS, 0.01), (cases.OURS_COLLECTED, 0.02), (cases.OURS_BUNDLED, 0.02)}
    assert [r["function"] for r in ratios if r["setup"] == cases.OURS] == list(cases.PROGRAMS)


def test_the_language_layer_s_budgets() -> None:
    rows = figures.summary(ROWS, samples())
    judged = {one.what: one for one in figures.budgets(rows, figures.ratios(rows), 7_900_000)}
    assert len(judged) == 2 * len(cases.PROGRAMS) + 5
    assert judged[f"start, of stock's extra, {cases.BOTH}"].measured == 0.01
    assert all(one.holds for one in judged.values())
    slow = {key: [sample(30.0 if cases.OURS in key else 25.0, first=200.0 if cases.OURS_ALONE in key else 1.0)] * 3 for key in samples()}
    rows = figures.summary(ROWS, slow)
    missed = {one.what for one in figures.budgets(rows, [], 8_100_000) if not one.holds}
    assert missed == {"first invocation more than bare, nobody listens, ms", "zip, MB"}


def test_what_a_start_reads_is_the_byte_code_of_its_version(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "layer.zip", "w") as made:
        for tag, size in (("311", 2_000_000), ("312", 9_000_000)):
            made.writestr(f"python/ours/__pycache__/__init__.cpython-{tag}.pyc", bytes(size // 2))
            made.writestr(f"otel-python/a/b/__pycache__/c.cpython-{tag}.pyc", bytes(size // 4))
            made.writestr(f"otel-python/__pycache__/never.cpython-{tag}.pyc", bytes(size))
        made.writestr("python/ours/__init__.py", bytes(100))
    some, most = [("ours", 1.0)], [("ours", 1.0), ("a.b.c", 0.5), ("json", 0.1)]
    found = imports.budget(tmp_path / "layer.zip", "3.11", {"little": some, "much": most})
    assert (found.measured, found.holds) == (1.5, True)
    assert not imports.budget(tmp_path / "layer.zip", "3.12", {"little": some}).holds


@pytest.mark.parametrize(("text", "fine"), [('{"rows": []}', True), ("{", False)])
def test_the_trigger_table_of_the_zip_is_parsed(tmp_path: Path, text: str, fine: bool) -> None:
    with zipfile.ZipFile(tmp_path / "layer.zip", "w") as made:
        made.writestr(parsing.TABLE, text)
    if fine:
        assert parsing.measure(Path(sys.executable), tmp_path / "layer.zip", tmp_path) > 0
    else:
        with pytest.raises(subprocess.CalledProcessError):
            parsing.measure(Path(sys.executable), tmp_path / "layer.zip", tmp_path)
    assert [parsing.budget(ms).holds for ms in (0.5, 1.5)] == [True, False]


def test_imports_that_the_layer_adds_are_told_with_their_medians() -> None:
    bare = [{"json": 1.0, "app": 0.2}]
    ours = [{"json": 1.0, "app": 0.2, "otel_lambda": 0.3}, {"json": 9.0, "otel_lambda": 0.5, "struct": 0.1}, {"json": 1.0, "otel_lambda": 0.4}]
    found = imports.added(bare, ours)
    assert found == [("otel_lambda", 0.4), ("struct", 0.0)]
    assert imports.table({"imports nothing": found})[1][0] == ["imports nothing", "2 modules in all", "0.40"]


def test_no_ratio_where_stock_adds_nothing() -> None:
    same = {case.key: [sample(25.0)] * 3 for case in ROWS}
    ratios = figures.ratios(figures.summary(ROWS, same))
    assert all("start" not in r for r in ratios)
    assert figures.ratios_table(ratios)[1][0][2] == "-"


def test_page_is_written_between_its_marks_only(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    text = f"# Title\n\nwords\n\n{page.BEGIN}\nold\n{page.END}\n\nmore words\n"
    (tmp_path / "docs/benchmarks.md").write_text(text)
    page.write(tmp_path, {"A table": (("a", "b"), [["1", "2"]])}, "The lead.")
    now = (tmp_path / "docs/benchmarks.md").read_text()
    assert now == f"# Title\n\nwords\n\n{page.BEGIN}\n\nThe lead.\n\n### A table\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n{page.END}\n\nmore words\n"
    page.write(tmp_path, {"A table": (("a", "b"), [["1", "2"]])}, "The lead.")
    assert (tmp_path / "docs/benchmarks.md").read_text() == now


@pytest.mark.parametrize("text", ["", page.BEGIN, f"{page.END}{page.BEGIN}", page.BEGIN * 2 + page.END])
def test_a_page_without_its_marks_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no place for the tables"):
        page.written(text, "body")


def test_the_repository_s_page_has_its_marks() -> None:
    text = (Path(__file__).parents[3] / "docs/benchmarks.md").read_text()
    assert page.written(text, "x").count(page.BEGIN) == 1


def test_the_machine_is_described_without_its_name() -> None:
    import platform

    assert "processors" in page.machine()
    assert platform.node() not in page.machine()


def start(warm: float, cold: float) -> extensions.Start:
    return extensions.Start(warm_ms=warm, cold_ms=cold, next_mb=9.0, loaded_mb=15.0)


def test_the_collector_s_budgets_are_judged_by_medians() -> None:
    samples = {
        extensions.OURS: [start(4, 9), start(4, 9), start(400, 900)],
        extensions.BARE: [start(2, 6)] * 3,
        extensions.STOCK: [start(10, 40)] * 3,
    }
    cells = verdicts.table(extensions.budgets(samples, 9_400_000, 4_000_000))[1]
    assert [row[1] for row in cells] == ["2.00", "0.40", "1.50", "0.23", "9.00", "15.00", "9.40", "4.00"]
    assert [row[3] for row in cells] == ["pass", "miss", "pass", "pass", "pass", "miss", "pass", "miss"]


def test_the_collector_s_part_of_the_page_is_its_own() -> None:
    text = f"{page.BEGIN}\nlayers\n{page.END}\n{page.GROUP[0]}\nold\n{page.GROUP[1]}\n"
    now = page.written(text, "new", *page.GROUP)
    assert now == f"{page.BEGIN}\nlayers\n{page.END}\n{page.GROUP[0]}\n\nnew\n\n{page.GROUP[1]}\n"
    root = Path(__file__).resolve().parents[3]
    page.written((root / "docs/benchmarks.md").read_text(), "", *page.GROUP)


def test_a_failing_program_is_quoted_with_its_last_lines(tmp_path: Path) -> None:
    output = tmp_path / "output.txt"
    output.write_bytes(b"".join(b"line %d\n" % n for n in range(12)) + b"\xff address in use\n")
    assert extensions.last_lines(output).splitlines() == [*(f"line {n}" for n in range(3, 12)), "\ufffd address in use"]
    output.write_bytes(b"")
    assert extensions.last_lines(output) == "it wrote nothing"


def test_bounds_have_two_directions() -> None:
    most, least = verdicts.Budget("a", 2.0, 2.0), verdicts.Budget("b", 2.9, 3.0, least=True, goal=5.0)
    assert verdicts.table([most, least])[1] == [["a", "2.00", "at most 2", "pass"], ["b", "2.90", "at least 3 (goal 5)", "miss"]]
    assert least.plain() == {"what": "b", "measured": 2.9, "atLeast": 3.0, "goal": 5.0, "pass": False}
    assert most.plain() == {"what": "a", "measured": 2.0, "atMost": 2.0, "pass": True}


def test_the_builder_is_told_of_every_part_at_one_release() -> None:
    text = builds.builder_input(builds.DEFAULT)
    assert text.count("gomod:") == 4
    assert f"receivers:\n  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver {builds.RELEASE}\n" in text


def test_configurations_of_loads_differ_only_in_the_batch_queue() -> None:
    import yaml

    load = throughput.Load(compression="gzip")
    ours, queued, plain = (yaml.safe_load(load.config(program)) for program in (throughput.OURS, throughput.QUEUED, throughput.PLAIN))
    assert ours == plain
    assert queued["exporters"]["otlphttp"].pop("sending_queue") == {"batch": {}}
    assert queued == ours
    processed, other = (yaml.safe_load(throughput.Load(throughput.PROCESSED).config(p)) for p in (throughput.OURS, throughput.QUEUED))
    assert processed == other
    assert processed["service"]["pipelines"]["traces"]["processors"] == ["resource", "batch"]


def loads(ours: list[float], theirs: list[float]) -> dict[tuple[throughput.Load, str], list[float]]:
    return {(load, program): ours if program == throughput.OURS else theirs for load, program in throughput.CASES}


def test_throughput_is_compared_within_a_round() -> None:
    samples = loads([400.0, 100.0, 390.0], [100.0, 25.0, 130.0])  # the second round was slow for both
    judged = throughput.budgets(samples)
    assert {one.measured for one in judged} == {4.0}
    assert [(one.bound, one.goal) for one in judged] == [(3.0, 5.0), (3.0, 5.0), (3.0, 4.0), (3.0, 4.0), (1.0, None), (1.0, None)]
    rows = throughput.rows(samples)
    assert len(rows) == 20
    assert all(("oursOver" in row) == (row["program"] != throughput.OURS) for row in rows)
    assert throughput.table(rows)[1][1][-1] == "4.00 times that"


def overloaded(program: str, seconds: int, peak: float, **more: int) -> dict[str, object]:
    counts = {"sent": 100, "refused": 0, "delivered_in_the_end": 60, "account_received": 100, "account_sent": 60, "account_dropped": 40}
    return {"program": program, "seconds": seconds, "peak_mb": peak, **counts, **more}


def test_a_span_without_account_and_growing_memory_are_misses() -> None:
    stock = [overloaded(throughput.QUEUED, seconds, 200.0) for seconds in (2, 6)]
    good = [overloaded(throughput.OURS, 2, 30.0), overloaded(throughput.OURS, 6, 31.0)]
    assert [one.holds for one in throughput.overload_budgets(good + stock)] == [True, True, True]
    bad = [overloaded(throughput.OURS, 2, 30.0), overloaded(throughput.OURS, 6, 300.0, account_dropped=39)]
    assert [one.holds for one in throughput.overload_budgets(bad + stock)] == [False, False, False]
    assert throughput.overload_table(good + stock)[1][0] == [throughput.OURS, "2", "30.0 (30.0 to 30.0)", "100", "0", "60", "40"]


def test_the_account_is_read_from_the_last_line() -> None:
    line = '{"received":{"spans":3},"sent":{"spans":1},"dropped":{"spans":2}}'
    assert throughput.accounted(line) == {"account_received": 3, "account_sent": 1, "account_dropped": 2}
    for other in ("Shutdown complete.", "{}"):
        with pytest.raises(FunctionFailed, match="no account"):
            throughput.accounted(other)


def test_held_invocations_are_summed_and_posts_judged_by_medians() -> None:
    samples = [held.Held(kind, 1.0, (0.5,) * 9, (2000.0, *(200.0,) * 9) if kind == "hanging" else (1.0,) * 10) for kind in held.FAULTS]
    judged = {one.what: one for one in held.budgets(samples)}
    assert judged["ten invocations held, backend hanging, s"].measured == 3.8
    assert not judged["ten invocations held, backend hanging, s"].holds
    assert judged["the function's own POST, backend down, ms"].measured == 1.0
    assert held.table(samples)[1][0] == ["healthy", "1.00 (1.00 to 1.00)", "0.50 (0.50 to 0.50)", "1.00 (1.00 to 1.00)", "10.00 (10.00 to 10.00)"]
