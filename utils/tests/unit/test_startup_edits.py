"""The edits of libraries that the Collector is compiled with: they fit the pinned versions, and one that does not is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from contract.small_layer import ROOT
from otel_layers import toolchain
from otel_layers.project import open_project

MISFIT = """[[edit]]
module = "go.opentelemetry.io/collector/pipeline"
file = "pipeline.go"
changes = [["no such text", ""]]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project's collector with nothing but what the edits need."""
    folder = tmp_path / "collector"
    shutil.copytree(ROOT / "collector/startup", folder / "startup")
    for name in ("go.mod", "go.sum"):
        shutil.copy(ROOT / "collector" / name, folder)
    return folder


def edit(place: Path, mod: str = "go.mod") -> subprocess.CompletedProcess[str]:
    project = open_project()
    env = toolchain.go_environment(project, GOWORK="off")
    command = [sys.executable, "startup/edits.py", toolchain.go(project), mod]
    return subprocess.run(command, cwd=place, env=env, text=True, capture_output=True, check=False)


def test_they_fit_the_pinned_libraries(place: Path) -> None:
    done = edit(place)
    assert done.returncode == 0, done.stderr
    made = Path(done.stdout.strip())
    edits = tomllib.loads((place / "startup/edits.toml").read_text())["edit"]
    assert edits
    for one in edits:
        folder = place / re.search(rf"^replace {re.escape(one['module'])} => (\.\./\.cache/\S+)$", made.read_text(), re.MULTILINE)[1]  # type: ignore[index]
        assert list(folder.glob("LICENSE*"))
        assert not list(folder.rglob("*_test.go"))
        if one.get("drop"):
            assert not (folder / one["file"]).exists()
            continue
        text = (folder / one["file"]).read_text()
        for old, new in one["changes"]:
            assert new in text
            assert old in new or old not in text
    again = edit(place)
    assert again.stdout == done.stdout


def test_one_that_does_not_fit_ends_the_build(place: Path) -> None:
    (place / "startup/edits.toml").write_text(MISFIT)
    done = edit(place)
    assert done.returncode == 1
    assert "pipeline.go has no 'no such text': the library has changed" in done.stderr
    assert not list((place.parent / ".cache/build/startup").glob("*/go.mod"))


def test_an_on_demand_build_leaves_what_does_not_fit_as_it_is(place: Path, tmp_path: Path) -> None:
    (place / "startup/edits.toml").write_text(MISFIT)
    for name in ("go.mod", "go.sum"):
        shutil.copy(place / name, tmp_path)
    done = edit(place, str(tmp_path / "go.mod"))
    assert done.returncode == 0, done.stderr
    assert "=>" not in Path(done.stdout.strip()).read_text()


def test_an_on_demand_build_keeps_what_its_components_may_need(place: Path, tmp_path: Path) -> None:
    for name in ("go.mod", "go.sum"):
        shutil.copy(place / name, tmp_path)
    done = edit(place, str(tmp_path / "go.mod"))
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip()).parent / "github.com-json-iterator-go"
    assert "api.useNumber(decoderExtension)" in (folder / "config.go").read_text()
    assert "ReadVal(&elem)" not in (folder / "iter.go").read_text()
