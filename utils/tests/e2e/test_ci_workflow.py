"""The real workflows of CI, run by act: what a pull request builds, and what nothing published means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e import acting

NOWHERE = "http://127.0.0.1:9"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def runner(tmp_path: Path) -> acting.Runner:
    return acting.Runner(acting.tree(tmp_path / "tree"), tmp_path, NOWHERE)


def request(runner: acting.Runner, *files: str) -> dict[str, object]:
    """The event of a pull request that changes `files`; what is checked out is its merge, while main has gone on."""
    root = runner.root
    acting.git(root, "switch", "--quiet", "--create", "change")
    for name in files:
        (root / name).write_text("a change\n")
    head = acting.commit(root, "Change")
    acting.git(root, "switch", "--quiet", "main")
    (root / "extension/meanwhile.txt").write_text("by somebody else\n")
    base = acting.commit(root, "Meanwhile")
    acting.git(root, "merge", "--quiet", "--no-ff", "--message", "Merge", "change")
    return {"number": 1, "pull_request": {"number": 1, "head": {"sha": head, "ref": "change"}, "base": {"sha": base, "ref": "main"}}}


def test_a_request_that_concerns_no_layer_builds_none_and_does_not_fail(runner: acting.Runner) -> None:
    run = runner.run("pull_request", request(runner, "notes.md"), workflow="ci.yml", job="layer")
    assert run.code == 0, run.log
    assert run.jobs() == {"Plan"}
    assert run.artefacts == {}


@pytest.mark.workflows
def test_a_request_builds_and_tests_what_it_changes_and_keeps_it(runner: acting.Runner) -> None:
    run = runner.run("pull_request", request(runner, "tiny/more.txt"), workflow="ci.yml", job="layer")
    assert run.code == 0, run.log
    assert run.jobs() == {"Plan", "layer"}
    assert set(run.artefacts) == {f"layer-tiny-{kind}-{arch}" for kind in ("python", "bundle") for arch in ("amd64", "arm64")}
    for name, files in run.artefacts.items():
        place = name.removeprefix("layer-")
        assert set(files) == {f"{place}.zip", f"{place}.json", f"{place}.cdx.json"}
        assert json.loads(files[f"{place}.json"])["source_revision"] == acting.git(runner.root, "rev-parse", "HEAD")


@pytest.mark.workflows
def test_a_layer_that_comes_out_differently_the_second_time_is_not_kept(runner: acting.Runner) -> None:
    event = request(runner, "tiny/more.txt")
    with (runner.root / "tiny/build.sh").open("a") as recipe:
        recipe.write('cat /proc/sys/kernel/random/uuid >"$OUT/odd"\n')
    acting.commit(runner.root, "By chance")
    run = runner.run("pull_request", event, workflow="ci.yml", job="layer")
    assert run.code != 0
    assert "came out differently the second time" in run.log
    assert run.artefacts == {}


@pytest.mark.workflows
def test_as_long_as_nothing_is_published_there_is_nothing_to_watch(runner: acting.Runner) -> None:
    run = runner.run("schedule", {}, workflow="scheduled.yml", job="advisories")
    assert run.code == 0, run.log
    assert run.jobs() == {"Advisories"}
    assert "no release: none is public yet" in run.log
