"""The door: folders and verbs in either order, short flags, clear errors with their exit codes, no traceback."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from command_lines import copy_project
from otel_layers import archive, cli
from otel_layers.cli import verbs
from otel_layers.errors import UsageError

ROOT = Path(__file__).parents[3]
KNOWN = ("collector", "python", "sample-apps/python-api")


def run(*args: str, cwd: Path = ROOT, script: Path = ROOT / "run.sh") -> subprocess.CompletedProcess[str]:
    return subprocess.run([script, *args], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ("", "", [])),
        ("list", ("", "list", [])),
        ("python list --json", ("python", "list", ["--json"])),
        ("list python/", ("python", "list", [])),
        ("./sample-apps/python-api list", ("sample-apps/python-api", "list", [])),
        ("all list", ("all", "list", [])),
        ("python", ("python", "", [])),
        ("python -b", ("python", "build", [])),
        ("sample-apps/python-api -d -r eu-west-1 -s x", ("sample-apps/python-api", "deploy", ["-r", "eu-west-1", "-s", "x"])),
        ("python -l", ("python", "list-arn", [])),
    ],
)
def test_folder_verb_and_rest(words: str, expected: tuple[str, str, list[str]]) -> None:
    assert cli.split(words.split(), KNOWN) == expected


def test_an_unknown_word_names_near_ones() -> None:
    with pytest.raises(UsageError) as error:
        cli.split(["pyton", "list"], KNOWN)
    assert "python" in error.value.remedy


def test_every_verb_has_help_and_a_summary() -> None:
    page = run("--help")
    assert page.returncode == 0
    modules = {path.stem.replace("_", "-") for path in Path(verbs.__file__).parent.glob("*.py")} - {"--init--"}
    assert modules == {*verbs.VERBS, *verbs.SILENT}
    for name, verb in verbs.VERBS.items():
        assert verb.summary in page.stdout
        one = run(name, "--help")
        assert one.returncode == 0, one.stderr
        assert one.stdout.startswith(f"usage: ./run.sh {name}")


@pytest.mark.parametrize("words", ["nonsense", "list --nonsense", "build --arch mips", "build --layer nothing"])
def test_bad_usage_is_words_and_exit_2(words: str) -> None:
    done = run(*words.split())
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_every_folder_has_the_same_run_sh() -> None:
    copies = [*ROOT.glob("*/run.sh"), *ROOT.glob("sample-apps/*/run.sh")]
    assert len(copies) >= 3
    assert {p.read_bytes() for p in copies} == {copies[0].read_bytes()}
    assert all(os.access(p, os.X_OK) for p in copies)


def test_a_folder_works_from_anywhere(tmp_path: Path) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(ROOT / "python")
    for script in (ROOT / "python/run.sh", link / "run.sh"):
        done = run("list", "--json", cwd=tmp_path, script=script)
        assert {layer["folder"] for layer in json.loads(done.stdout)["layers"]} == {"python"}


def test_a_catalogue_with_a_typo_is_refused(tmp_path: Path) -> None:
    root = copy_project(tmp_path)
    text = (root / "layers.toml").read_text()
    (root / "layers.toml").write_text(text.replace('role = "collector"', 'roel = "collector"'))
    done = run("list", cwd=root, script=root / "run.sh")
    assert done.returncode == 2
    assert "'role'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_region_and_a_runtime_are_one_line_each(tmp_path: Path) -> None:
    root = copy_project(tmp_path)
    text = (root / "layers.toml").read_text()
    text = text.replace("[runtimes]\n", '[runtimes]\n"python3.99" = { language = "python", os = "al2023" }\n')
    text = text.replace("[regions]\n", '[regions]\nxx-new-1 = { partition = "aws", opt-in = false, required = false, at = [0, 0] }\n')
    (root / "layers.toml").write_text(text)
    listed = json.loads(run("list", "--json", cwd=root, script=root / "run.sh").stdout)
    assert "python3.99" in next(la for la in listed["layers"] if la["language"] == "python")["runtimes"]
    assert "xx-new-1" in [r["name"] for r in listed["regions"]]
    matrix = json.loads(run("matrix", cwd=root, script=root / "run.sh").stdout)
    assert [e["layer"] for e in matrix["include"]] == [la["name"] for la in listed["layers"] for _ in la["architectures"]]
    small_zips(root, [la for la in listed["layers"] if la["language"] == "python"])
    plan = json.loads(run("python", "publish", "--dry-run", "--region", "all", "--json", cwd=root, script=root / "run.sh").stdout)
    assert "xx-new-1" in json.dumps(plan["targets"])
    assert "python3.99" in json.dumps(plan["items"])


def test_a_command_sweeps_its_temporary_files_and_those_of_killed_ones(tmp_path: Path) -> None:
    root = copy_project(tmp_path)
    killed, running = (root / ".cache/tmp" / f"command-{pid}" for pid in (2**22 + 1, os.getpid()))  # the first is above any pid
    for folder in (killed, running):
        (folder / "go-build1").mkdir(parents=True)
    assert run("list", cwd=root, script=root / "run.sh").returncode == 0
    assert list((root / ".cache/tmp").iterdir()) == [running]


def small_zips(root: Path, layers: list[dict[str, Any]]) -> None:
    """Small zips with their facts in dist/, as if they had been built: a plan reads no more."""
    (root / "dist").mkdir()
    for layer, arch in ((la, a) for la in layers for a in la["architectures"]):
        place = root / "dist" / f"{layer['name']}-{arch}.zip"
        with zipfile.ZipFile(place, "w") as made:
            made.writestr("otel-handler", "#!/bin/sh\n")
        size = archive.measure(place)
        facts = {"layer": layer["name"], "version": "0.0.0-dev", "arch": arch, "runtimes": layer["runtimes"], "source_revision": "unknown"}
        facts |= {"sha256": size.sha256, "code_sha256": size.code_sha256, "zipped_bytes": size.zipped_bytes, "unzipped_bytes": size.unzipped_bytes}
        place.with_suffix(".json").write_text(json.dumps(facts))


ALONE = """
import importlib, importlib.metadata, re, sys
from pathlib import Path
from typing import Any
from otel_layers.cli import verbs
name, root = sys.argv[1], Path(sys.argv[2])
verb = {**verbs.VERBS, **verbs.SILENT}[name]
text = "".join((root / "requirements" / f"{extra}.txt").read_text() for extra in verb.extras)
locked = {re.sub(r"[-_.]+", "-", n).lower() for n in re.findall(r"(?m)^([A-Za-z0-9._-]+)==", text)}
owners = importlib.metadata.packages_distributions()
absent = {m for m, dists in owners.items() if not locked & {re.sub(r"[-_.]+", "-", d).lower() for d in dists}}
class Blocked:
    def find_spec(self, full, path=None, target=None):
        if full.partition(".")[0] in absent - {"otel_layers"}:
            raise ModuleNotFoundError(f"{full} is in no extra of {name}")
sys.meta_path.insert(0, Blocked())
importlib.import_module(f"otel_layers.cli.verbs.{name.replace('-', '_')}")
"""


@pytest.mark.parametrize("name", [*verbs.VERBS, *verbs.SILENT])
def test_a_verb_needs_no_package_but_those_of_its_extras(name: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "utils")}
    done = subprocess.run([sys.executable, "-c", ALONE, name, ROOT], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_set_up_leaves_a_shared_environment_alone(tmp_path: Path) -> None:
    """A fresh checkout whose .venv is a link: newer files are no reason to set up again, and never one to clear what the link leads to."""
    shared, checkout = tmp_path / "shared", tmp_path / "checkout"
    for folder in (shared / "bin", checkout / "requirements"):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / "run.sh", checkout)
    python = shared / "bin/python"
    python.write_text('#!/bin/sh\necho "started $*"\n')
    python.chmod(0o755)
    (shared / ".ready").write_text("uv==1\n")
    lock = checkout / "requirements/uv.txt"
    lock.write_text("uv==1\n")
    os.utime(shared / ".ready", (1, 1))
    (checkout / ".venv").symlink_to(shared)
    (checkout / "layers.toml").touch()
    done = run("list", cwd=checkout, script=checkout / "run.sh")
    assert done.stdout == "started -m otel_layers list\n"
    lock.write_text("uv==2\n")
    done = run("list", cwd=checkout, script=checkout / "run.sh")
    assert done.returncode == 4
    assert "is a link" in done.stderr
    assert python.is_file()
