"""What the workflows use of GitHub is what the stand-ins of their test stand for; and only a release may publish."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
STANDINS = ROOT / "utils/tests/e2e/actions"
SOURCES = sorted((ROOT / ".github").rglob("*.yml"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def steps(path: Path) -> list[dict]:
    """Every step in a workflow or an action."""
    content = yaml.safe_load(path.read_text())
    jobs = [*content.get("jobs", {}).values(), content.get("runs", {})]
    return [step for job in jobs for step in job.get("steps", [])]


USED = [(path.name, step) for path in SOURCES for step in steps(path) if "@" in step.get("uses", "")]


def test_every_action_has_a_stand_in_and_every_stand_in_an_action() -> None:
    used = {step["uses"].partition("@")[0] for _, step in USED}
    assert {path.parent.relative_to(STANDINS).as_posix() for path in STANDINS.glob("*/*/action.yml")} == used


@pytest.mark.parametrize(("where", "step"), USED, ids=[f"{where}-{step['uses'].partition('@')[0]}-{i}" for i, (where, step) in enumerate(USED)])
def test_stand_ins_take_what_the_workflows_give(where, step) -> None:
    name, _, ref = step["uses"].partition("@")
    assert re.fullmatch(r"[0-9a-f]{40}", ref), f"{where}: {name} is not pinned"
    inputs = yaml.safe_load((STANDINS / name / "action.yml").read_text()).get("inputs", {})
    given = step.get("with", {})
    assert set(given) <= set(inputs)
    assert {key for key, about in inputs.items() if about.get("required")} <= set(given)


def test_only_a_releases_jobs_get_credentials() -> None:
    for path in WORKFLOWS:
        content = yaml.safe_load(path.read_text())
        writers = {job for job, about in content["jobs"].items() if "write" in (about.get("permissions") or {}).values()}
        assert writers == {"release.yml": {"publish", "draft", "open", "site"}, "site.yml": {"site"}}.get(path.name, set())
    release = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    assert release[True] == {"push": {"tags": ["layer-*/*"]}, "workflow_dispatch": release[True]["workflow_dispatch"]}  # YAML reads `on` as true
    assert release["jobs"]["publish"]["environment"] == "release-${{ matrix.partition }}"
