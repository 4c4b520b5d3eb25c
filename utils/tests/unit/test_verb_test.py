"""`test` finds every Go module and fuzz target, and runs them as its options say."""

import argparse
from pathlib import Path

import pytest
from otel_layers import toolchain
from otel_layers.cli.verbs import test as verb
from otel_layers.project import open_project

# What comes from outside, and the target that stands for it.
SURFACES = {
    "the OTLP receiver's HTTP and gRPC handlers": ("receiver/otlpreceiver", "FuzzHandlers"),
    "the Telemetry API server": ("lambda", "FuzzTelemetry"),
    "telemetry events": ("receiver/telemetryapireceiver", "FuzzEvents"),
    "announcements": ("receiver/telemetryapireceiver", "FuzzAnnouncement"),
    "configurations": ("host", "FuzzLoad"),
    "the fast lane against the decoder: traces": ("wire", "FuzzTraces"),
    "the fast lane against the decoder: metrics": ("wire", "FuzzMetrics"),
    "the fast lane against the decoder: logs": ("wire", "FuzzLogs"),
    "a bad body in a batch": ("exporter/otlphttpexporter", "FuzzBatch"),
}


def test_what_comes_from_outside_is_fuzzed() -> None:
    found = verb.fuzz_targets(open_project().root / "collector")
    assert set(SURFACES.values()) <= set(found)
    assert len(found) == len(set(found))


def test_targets_of_nested_modules_are_theirs(tmp_path: Path) -> None:
    for folder in (".", "a", "a/nested"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "x_test.go").write_text("package x\n\nfunc FuzzIt(f *testing.F) {}\n// func FuzzNot(f *testing.F) {}\n")
    (tmp_path / "a/nested/go.mod").write_text("module nested\n")
    assert verb.fuzz_targets(tmp_path) == [("a", "FuzzIt"), (".", "FuzzIt")]
    assert verb.fuzz_targets(tmp_path / "a/nested") == [(".", "FuzzIt")]


@pytest.mark.parametrize(
    ("options", "count", "flags"),
    [
        ([], 0, []),
        (["--race"], 0, ["-race"]),
        (["--fuzz"], len(SURFACES), ["-fuzztime=20s"]),
        (["--fuzz", "3"], len(SURFACES), ["-fuzztime=3s"]),
        (["--fuzz", "3", "--only", "FuzzLo"], 2, ["-fuzztime=3s", "-run"]),
    ],
)
def test_options_reach_go(monkeypatch: pytest.MonkeyPatch, options: list[str], count: int, flags: list[str]) -> None:
    monkeypatch.setattr(toolchain, "go", lambda _project: "go")
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    project = open_project("collector")
    parts = verb.parts(project, parser.parse_args(options), [])
    modules = [folder for name, _, folder in parts if ":" not in name]
    assert sorted(modules) == sorted(p.parent for p in (project.root / "collector").rglob("go.mod"))
    assert sum(":" in name for name, _, _ in parts) >= count
    said = [str(word) for _, command, _ in parts for word in command]
    assert set(flags) <= set(said)
    assert ("-race" in said) == ("--race" in options)


def test_every_tier_is_run_once_and_alone_when_it_is_named() -> None:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    project = open_project()
    tests = project.root / "utils/tests"
    tiers = sorted(path for path in tests.iterdir() if path.is_dir() and any(path.glob("test_*.py")))

    def run(*options: str) -> list[Path]:
        return sorted(word for _, command, _ in verb.parts(project, parser.parse_args(options), []) for word in command if word in tiers)

    assert run() == tiers
    assert [run("--tier", tier.name) for tier in tiers] == [[tier] for tier in tiers]


@pytest.mark.parametrize("seconds", ["0", "-1", "soon"])
def test_fuzzing_takes_a_time(seconds: str) -> None:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--fuzz", seconds])
