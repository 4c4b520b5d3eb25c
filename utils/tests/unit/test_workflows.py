"""The workflows are thin and safe: facts come from the catalogue, work is done by commands that exist, actions are pinned, rights are named."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_lines import FOLDERS, copy_project, parser
from otel_layers import cli
from otel_layers.cli import workflow
from otel_layers.cli.verbs import check, test
from otel_layers.errors import UsageError
from otel_layers.project import open_project

PROJECT = open_project()
ROOT = PROJECT.root
HOME = ROOT / ".github"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in sorted(HOME.glob("workflows/*.yml"))}
ACTIONS = {path.parent.name: yaml.safe_load(path.read_text()) for path in sorted(HOME.glob("actions/*/action.yml"))}
TOOLS = Path(sys.executable).parent
FILES = [path for path in sorted(HOME.rglob("*")) if path.is_file()]
JOBS = {f"{file}: {name}": job for file, content in WORKFLOWS.items() for name, job in content["jobs"].items()}


def steps() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(where it is, the step, the job's variables) of every step."""
    for where, job in JOBS.items():
        for step in job.get("steps", ()):
            yield where, step, job.get("env", {})
    for name, action in ACTIONS.items():
        for step in action["runs"]["steps"]:
            yield name, step, {}


LINES = [pytest.param(step["run"], {*env, *step.get("env", {})}, id=f"{where}: {step['run'][:60]}") for where, step, env in steps() if "run" in step]


def typed(line: str, values: dict[str, str]) -> list[str]:
    """The words that bash makes of a command line."""
    script = f"""printf '%s\\0' {line}"""
    env = {"PATH": os.environ["PATH"], **values}
    return subprocess.run(["bash", "-euc", script], env=env, capture_output=True, text=True, check=True, timeout=20).stdout.split("\0")[:-1]


def test_there_is_something_to_test() -> None:
    assert {"ci.yml", "_layer.yml"} <= WORKFLOWS.keys()
    assert "setup" in ACTIONS
    assert len(LINES) > 5


@pytest.mark.parametrize(("line", "names"), LINES)
def test_a_step_runs_one_command_that_exists(line: str, names: set[str]) -> None:
    assert re.match(r"(\./run\.sh|\.ci/run)( |$)", line)
    assert not re.search(r"[;&|<>\n`]|\$\(", line), "one command, nothing around it"
    assert "${{" not in line, "an expression is pasted into the script: give it as a variable"
    used = set(re.findall(r"\$\{?(\w+)", line))
    assert used <= names, "a variable that the step does not get"
    for optional in ("1", ""):  # of ${NAME:+words}
        values = {name: optional if f"${{{name}:+" in line else FOLDERS[0] if name in ("FOLDER", "TESTS") else "1" for name in used}
        program, *words = typed(line, values)
        if program == ".ci/run":
            assert words in ([], ["prepare"])
            continue
        _, verb, rest = cli.split(words, FOLDERS)
        assert verb, "the whole job is not a step"
        parser(verb).parse_args(rest)


def test_a_step_with_a_mistake_is_found() -> None:
    """The test above can fail: a verb, an option and a value that do not exist."""
    with pytest.raises(UsageError):
        test_a_step_runs_one_command_that_exists("./run.sh biuld", set())
    for line in ("./run.sh build --archs all", "./run.sh publish --to nowhere"):
        with pytest.raises(SystemExit):
            test_a_step_runs_one_command_that_exists(line, set())
    for line in ("./run.sh build && ./run.sh test", './run.sh build --arch "$ARCH"', "./run.sh build --arch ${{ matrix.arch }}", "make"):
        with pytest.raises(AssertionError):
            test_a_step_runs_one_command_that_exists(line, set())


def test_actions_are_pinned_to_one_commit_each() -> None:
    found: dict[str, set[tuple[str, str]]] = {}
    for path in FILES:
        for line in re.findall(r"^\s*(?:- )?uses:.*$", path.read_text(), re.MULTILINE):
            name = line.split("uses:")[1].split("#")[0].strip()
            if name.startswith("./"):
                assert (ROOT / name).exists(), line
                continue
            pinned = re.fullmatch(r"\s*(?:- )?uses: ([\w.-]+/[\w.-]+(?:/[\w./-]+)?)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", line)
            assert pinned, f"{path.name}: {line.strip()}: not OWNER/NAME@COMMIT # vX.Y.Z"
            found.setdefault("/".join(pinned[1].split("/")[:2]), set()).add((pinned[2], pinned[3]))
    assert "actions/checkout" in found
    assert {name: pins for name, pins in found.items() if len(pins) > 1} == {}


@pytest.mark.parametrize("file", WORKFLOWS)
def test_rights_are_none_but_those_that_a_job_names(file: str) -> None:
    assert WORKFLOWS[file]["permissions"] == {}
    for job in WORKFLOWS[file]["jobs"].values():
        assert "permissions" in job
        assert job["permissions"] not in ("read-all", "write-all")


@pytest.mark.parametrize("where", JOBS)
def test_a_job_ends_and_leaves_no_credentials(where: str) -> None:
    job = JOBS[where]
    assert "timeout-minutes" in job or "uses" in job
    for step in job.get("steps", ()):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_only_one_run_of_a_kind_at_a_time() -> None:
    called = {name for name, content in WORKFLOWS.items() if set(content[True]) == {"workflow_call"}}  # YAML 1.1 reads `on` as true
    assert {name for name, content in WORKFLOWS.items() if "concurrency" not in content} == called


def facts() -> set[str]:
    """What only the catalogue may spell."""
    catalogue = PROJECT.catalogue
    return {*catalogue.regions, *catalogue.runtimes, *catalogue.layers, *FOLDERS, *(layer.folder for layer in catalogue.layers.values())}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOME)))
def test_no_fact_of_the_catalogue_stands_in_a_workflow(path: Path) -> None:
    text = path.read_text()
    assert [fact for fact in facts() if re.search(rf"(?<![\w-]){re.escape(fact)}(?![\w-])", text)] == []


def matrices(job: dict[str, Any]) -> set[str]:
    """The keys of a matrix that a job uses."""
    return set(re.findall(r"\bmatrix\.(\w+)", json.dumps(job)))


def test_a_layer_more_is_built_and_tested_without_a_change_to_a_workflow(tmp_path: Path) -> None:
    root = copy_project(tmp_path)
    text = (root / "layers.toml").read_text()
    first = text[text.index("[layers.") : text.index("\n\n", text.index("[layers."))]
    table = re.sub(r"(?m)^\[layers\..*", "[layers.opentelemetry-novel]", re.sub(r"(?m)^folder = .*", 'folder = "novel"', first))
    (root / "layers.toml").write_text(text.replace(first, f"{table}\n\n{first}"))
    shutil.copytree(root / "python", root / "novel", symlinks=True)
    output = tmp_path / "output"
    env = {**os.environ, workflow.OUTPUTS: str(output)}
    command = [root / "run.sh", "matrix", "--changed-since", "", "--github", "layers"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=True)
    name, _, said = output.read_text().strip().partition("=")
    assert name == "layers"
    assert json.loads(said) == json.loads(done.stdout)
    entries = json.loads(said)["include"]
    novel = [entry for entry in entries if entry["layer"] == "opentelemetry-novel"]
    assert [entry["arch"] for entry in novel] == list(PROJECT.catalogue.architectures)
    assert {entry["tests"] for entry in novel} == {"novel"}
    job = WORKFLOWS["ci.yml"]["jobs"]["layer"]
    assert job["strategy"]["matrix"] == f"${{{{ fromJSON(needs.plan.outputs.{name}) }}}}"
    assert matrices(job) <= set.intersection(*(set(entry) for entry in entries))
    assert {key for key, value in WORKFLOWS["_layer.yml"][True]["workflow_call"]["inputs"].items() if value.get("required")} <= set(job["with"])


def test_every_folder_is_tested_once_for_each_architecture() -> None:
    entries = workflow.matrix(PROJECT, PROJECT.catalogue.layers.values())["include"]
    tested = sorted((entry["tests"], entry["arch"]) for entry in entries if entry["tests"])
    assert tested == sorted({(entry["folder"], entry["arch"]) for entry in entries})
    assert {(entry["arch"], entry["runner"]) for entry in entries} == {("amd64", "ubuntu-24.04"), ("arm64", "ubuntu-24.04-arm")}


def test_a_folder_without_tests_is_built_and_asks_for_none(tmp_path: Path) -> None:
    project = open_project(root=copy_project(tmp_path))
    folder = next(layer.folder for layer in project.catalogue.layers.values() if not test.go_modules(project.root / layer.folder))
    shutil.rmtree(project.root / folder / test.TESTS)
    entries = [entry for entry in workflow.matrix(project, project.catalogue.layers.values())["include"] if entry["folder"] == folder]
    assert entries
    assert {entry["tests"] for entry in entries} == {""}


def test_outputs_are_lines_and_need_a_workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(workflow.OUTPUTS, raising=False)
    with pytest.raises(UsageError, match="GITHUB_OUTPUT"):
        workflow.hand_on({"a": "b"})
    monkeypatch.setenv(workflow.OUTPUTS, str(tmp_path / "output"))
    workflow.hand_on({"text": "1.0.0", "list": {"include": []}})
    workflow.hand_on({"more": ""})
    assert (tmp_path / "output").read_text() == 'text=1.0.0\nlist={"include": []}\nmore=\n'
    with pytest.raises(UsageError, match="several lines"):
        workflow.hand_on({"text": "1.0.0\nother=2"})


def git(root: Path, *arguments: str) -> str:
    names = ("-c", "user.name=Someone", "-c", "user.email=someone@example.com", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *names, "-C", root, *arguments], capture_output=True, text=True, timeout=60, check=True).stdout


CHANGES = {
    "docs": (["docs/a.md"], []),
    "one folder": (["python/a.py"], ["python"]),
    "a part of a bundle": (["collector/a.go"], ["collector", "python"]),
    "what concerns all": (["utils/a.py"], ["collector", "python"]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_pull_request_is_about_what_changed(tmp_path: Path, what: str) -> None:
    """As in the workflow: the checkout is the merge of the request, and HEAD^1 what it is merged into."""
    root = copy_project(tmp_path)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=First")
    git(root, "switch", "--quiet", "--create=request")
    files, folders = CHANGES[what]
    for name in files:
        (root / name).write_text("new\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=Request")
    git(root, "switch", "--quiet", "main")
    (root / "collector/meanwhile.go").write_text("package main\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=Meanwhile")
    git(root, "merge", "--quiet", "--no-ff", "--message=Merge", "request")
    done = subprocess.run([root / "run.sh", "matrix", "--changed-since", "HEAD^1"], capture_output=True, text=True, timeout=120, check=True)
    found = json.loads(done.stdout)["include"]
    assert sorted({entry["folder"] for entry in found}) == folders
    if what == "a part of a bundle":
        assert {entry["layer"] for entry in found if entry["folder"] == "python"} == {"opentelemetry-python-bundle"}


def test_a_file_that_moved_out_of_a_folder_has_changed_it(tmp_path: Path) -> None:
    root = copy_project(tmp_path)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=First")
    git(root, "mv", "python/DESIGN.md", "docs/python-design.md")
    done = subprocess.run([root / "run.sh", "matrix", "--changed-since", "HEAD"], capture_output=True, text=True, timeout=120, check=True)
    assert {entry["folder"] for entry in json.loads(done.stdout)["include"]} == {"python"}


PIN = "@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0"
BROKEN = {  # the file, what is in it, what is put there, what then finds which fault
    "an input that there is not": ("_layer.yml", "inputs.runner", "inputs.runer", "workflows", "runer"),
    "an action that is not pinned": ("_layer.yml", PIN, "@v5", "workflows' security", "unpinned-uses"),
    "credentials that stay": ("ci.yml", "persist-credentials: false", "clean: true", "workflows' security", "artipacked"),
    "an expression in a script": ("ci.yml", '"$TIER"', "${{ github.head_ref }}", "workflows' security", "template-injection"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_check_finds_what_is_wrong_in_a_workflow(tmp_path: Path, what: str) -> None:
    file, before, after, finder, fault = BROKEN[what]
    shutil.copytree(HOME, tmp_path / ".github")
    for name in ("requirements", ".cache"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".git").mkdir()  # where actionlint takes a repository to begin
    path = tmp_path / ".github/workflows" / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    commands = dict(check.workflows(dataclasses.replace(PROJECT, root=tmp_path), TOOLS))
    done = subprocess.run(commands[finder], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert fault in done.stdout
    assert file in done.stdout


def test_a_template_with_a_mistake_is_found(tmp_path: Path) -> None:
    (tmp_path / ".github/aws").mkdir(parents=True)
    (tmp_path / ".github/aws/role.yaml").write_text("Resources:\n  Role:\n    Type: AWS::IAM::Rolle\n")
    ((name, command),) = check.workflows(dataclasses.replace(PROJECT, root=tmp_path), TOOLS)
    assert name == "CloudFormation templates"
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "AWS::IAM::Rolle" in done.stdout


def test_without_workflows_nothing_is_checked(tmp_path: Path) -> None:
    assert check.workflows(dataclasses.replace(PROJECT, root=tmp_path), TOOLS) == []
