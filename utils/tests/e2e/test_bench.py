"""The benchmark runs every row in the local Lambda; its arithmetic has tests of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from otel_layers.cli.bench import cases, held, throughput

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_one_round_of_every_row(tmp_path: Path) -> None:
    page = (ROOT / "docs/benchmarks.md").read_bytes()
    result = tmp_path / "bench.json"
    command = [ROOT / "run.sh", "bench", "--runs", "1", "--json", result]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=480)
    assert done.returncode == 0, done.stderr
    told = json.loads(result.read_text())
    rows = {(row["function"], row["setup"]): row for row in told["rows"]}
    expected = cases.cases(*(Path("x") for _ in range(5)))
    assert set(rows) == {(case.function, case.setup) for case in expected}
    for case in expected:
        row = rows[case.function, case.setup]
        assert row["start"]["median"] > 0
        assert row["memoryMB"]["median"] > 0
        assert ("extension" in row) == (case.setup in (cases.COLLECTOR, cases.OURS_COLLECTED, cases.OURS_BUNDLED))
    assert [ratio["function"] for ratio in told["ratios"] if ratio["setup"] == cases.OURS] == list(cases.PROGRAMS)
    assert [one["function"] for one in told["imports"]] == list(cases.PROGRAMS)
    assert all(module["module"] != "app" for one in told["imports"] for module in one["modules"])
    binaries = [size["binaryBytes"] for size in told["sizes"] if "binaryBytes" in size]
    assert binaries
    assert all(size > 1_000_000 for size in binaries)
    assert (ROOT / "docs/benchmarks.md").read_bytes() == page, "one run is not written down"
    assert "not written" in done.stderr


@pytest.mark.slow
def test_one_round_of_the_collector_s_rows(tmp_path: Path) -> None:
    page = (ROOT / "docs/benchmarks.md").read_bytes()
    result = tmp_path / "bench.json"
    command = [ROOT / "run.sh", "bench", "--only", "collector", "--runs", "1", "--json", result]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=480)
    assert done.returncode == 0, done.stderr
    told = json.loads(result.read_text())
    assert len(told["throughput"]) == len(throughput.CASES)
    assert all(row["spansPerCpuSecond"]["median"] > 0 for row in told["throughput"])
    for run in told["overload"]:
        assert run["delivered_in_the_end"] > 0
        if run["program"] == throughput.OURS:
            assert run["sent"] == run["account_received"] == run["account_sent"] + run["account_dropped"]
            assert run["account_sent"] == run["delivered_in_the_end"]
    assert [one["fault"] for one in told["held"]] == list(held.FAULTS)
    assert all(len(one["held"]) == held.INVOCATIONS for one in told["held"])
    assert len(told["localStarts"]) == 4
    judged = {one["what"]: one for one in told["budgets"]}
    assert judged["spans that the account lacks at ten times the backend's rate"]["pass"]
    assert judged["memory at ten times the backend's rate, after 6 s over after 2 s"]["measured"] > 0
    assert (ROOT / "docs/benchmarks.md").read_bytes() == page, "one run is not written down"
