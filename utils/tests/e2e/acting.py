"""The project's real workflows under `act`: jobs on this machine, actions replaced by the stand-ins beside this file, no network."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from command_lines import share_cache
from otel_layers import catalog, project, toolchain

ROOT = project.find_root()
WORKFLOWS = ROOT / ".github/workflows"
HERE = toolchain.interpreters()
STANDINS = Path(__file__).parent / "actions"
# Not of the real layers: recipes that take no time, for every kind of layer.
CATALOGUE = """
[layers.tiny-extension]
folder = "extension"
description = "an extension that ends at once"
language = "any"
role = "collector"
architectures = ["amd64", "arm64"]
zipped-bytes = 100_000
unzipped-bytes = 100_000
executables = ["extensions/tiny"]
sample = ""

[layers.tiny-python]
folder = "tiny"
description = "a handler that does nothing"
language = "python"
role = "language"
architectures = ["amd64", "arm64"]
zipped-bytes = 100_000
unzipped-bytes = 100_000
executables = ["otel-handler"]
sample = ""

[layers.tiny-bundle]
bundle = ["tiny-extension", "tiny-python"]
description = "both"
role = "bundle"
zipped-bytes = 200_000
unzipped-bytes = 200_000

"""
# The contract of what lies in dist/, for the step that asks for it; the real tests are about the real layers.
CONTRACT = """
import pytest
from otel_layers import project
from otel_layers.build import contract

PROJECT = project.open_project()
BUILT = [(la, a) for la in PROJECT.layers() for a in PROJECT.catalogue.select_architectures("all", la)]


@pytest.mark.parametrize(("layer", "arch"), BUILT, ids=[f"{la.name}-{a.name}" for la, a in BUILT])
def test_contract(layer, arch):
    assert contract.check(PROJECT.dist / layer.zip_name(arch.name), layer, arch, PROJECT.catalogue) == []
"""
RECIPE_TEST = """
from pathlib import Path

def test_the_recipe_keeps_to_its_folder():
    assert "$OUT/" in (Path(__file__).parents[1] / "build.sh").read_text()
"""
RECIPE = """#!/usr/bin/env bash
mkdir -p "$(dirname "$OUT/{file}")"
printf '#!/bin/sh\\n# %s %s %s\\n' "$LAYER" "$ARCH" "$VERSION" > "$OUT/{file}"
chmod 755 "$OUT/{file}"
"""


def references() -> set[tuple[str, str]]:
    """(owner/name, ref) of every action that a workflow uses from elsewhere."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / ".github").rglob("*.yml")))
    return set(re.findall(r"uses: ([\w.-]+/[\w./-]+)@(\S+)", text))


def tree(root: Path) -> Path:
    """A repository with this project's command line and workflows and the small layers of CATALOGUE; its tools are this tree's own."""
    for name in (".github", "requirements", "utils/otel_layers"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("run.sh", "LICENSE", "pyproject.toml"):
        shutil.copy2(ROOT / name, root / name)
    whole = (ROOT / "layers.toml").read_text()
    start, end = whole.index("[layers."), whole.index("# One line a runtime")
    # Runtimes that this machine has not are left out: `test` would get their interpreters from elsewhere.
    kept = [line for line in whole[end:].splitlines() if not line.startswith('"python') or line.split('"')[1].removeprefix("python") in HERE]
    (root / "layers.toml").write_text("\n".join([whole[:start] + CATALOGUE, *kept, ""]))
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## layer-tiny/0.4.0\n\n- The handler does nothing, faster.\n")
    for folder, file in (("extension", "extensions/tiny"), ("tiny", "otel-handler")):
        (root / folder).mkdir()
        (root / folder / "build.sh").write_text(RECIPE.format(file=file))
        (root / folder / "tests").mkdir()
        (root / folder / "tests/test_recipe.py").write_text(RECIPE_TEST)
    (root / "utils/tests/contract").mkdir(parents=True)
    (root / "utils/tests/contract/test_contract.py").write_text(CONTRACT)
    (root / ".ci").mkdir()
    (root / ".ci/run").write_text("#!/bin/sh\n# This machine has what the jobs need.\n")
    (root / ".ci/run").chmod(0o755)
    (root / ".gitignore").write_text("__pycache__/\n/dist/\n/build/\n")
    # Every job's checkout has the same tools and downloads: those of this tree, and nothing else of it.
    (root / ".venv").symlink_to(Path(sys.prefix))
    cache = root.parent / "cache"
    share_cache(cache, "envs", "go", "pycache")
    (root / ".cache").symlink_to(cache)
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root, "All of it")
    return root


def add_collector(root: Path) -> str:
    """The real Collector joins the layers of a `tree`: its folder, which is the answer."""
    layer = next(one for one in project.open_project().catalogue.layers.values() if one.role == "collector" and not one.flavour)
    shutil.copytree(ROOT / layer.folder, root / layer.folder)
    table = re.search(rf"(?ms)^\[layers\.{layer.name}\]$.*?(?=^\[)", (ROOT / "layers.toml").read_text())
    assert table
    here = root / "layers.toml"
    here.write_text(here.read_text().replace("[layers.", re.sub(r"(?m)^sample = .*$", 'sample = ""', table[0]) + "[layers.", 1))
    commit(root, "Add the Collector")
    return layer.folder


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
    return subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path, message: str) -> str:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)
    return git(root, "rev-parse", "HEAD")


@dataclass
class Run:
    """What came of an event."""

    code: int
    log: str
    artefacts: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def jobs(self, how: str = "succeeded") -> set[str]:
        """The names of the jobs that succeeded or failed, without a matrix's numbers."""
        return {re.sub(r"-\d+$", "", name) for name in re.findall(rf"^\[(?:[^/\]]+/)?(\w+)[^\]]*\].*Job {how}", self.log, re.MULTILINE)}


class Runner:
    """Runs events; GitHub's releases and the site, which outlive a run, are below `state`."""

    def __init__(self, root: Path, home: Path, endpoint: str) -> None:
        self.root, self.home, self.endpoint = root, home, endpoint
        self.state = home / "state"
        (self.state / "releases").mkdir(parents=True)

    def run(self, event: str, payload: Mapping[str, object], *, workflow: str = "", job: str = "", variables: Mapping[str, str] | None = None) -> Run:
        """What happens when GitHub says `event`: in all workflows, or in the one that is named; in all jobs, or in one and those that it needs."""
        (self.home / "event.json").write_text(json.dumps(payload))
        kept = self.home / f"artefacts-{len(list(self.home.glob('artefacts-*')))}"
        given = {
            "STANDIN_REPOSITORY": str(self.root),
            "STANDIN_FILES": str(STANDINS),
            "STANDIN_STATE": str(self.state),
            "AWS_ENDPOINT_URL": self.endpoint,
        }
        pythons = dict.fromkeys(str(path.parent) for path in HERE.values())  # some are found by HOME, which is another one there
        path = os.pathsep.join([str(STANDINS / "bin"), os.environ["PATH"], *pythons])
        mine = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "GITHUB_", "ACTIONS_", "GH_", "PYTHON"))}
        env = {**mine, **given, "HOME": str(self.home), "PATH": path, "no_proxy": "*", "NO_PROXY": "*"}
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            env.pop(name, None)
        command = [
            str(Path(sys.executable).parent / "act"),
            event,
            "--eventpath",
            str(self.home / "event.json"),
            "--workflows",
            f".github/workflows/{workflow}",
        ]
        command += ["--job", job] if job else []
        for runner in {one.runner for one in catalog.ARCHITECTURES.values()}:
            command += ["--platform", f"{runner}=-self-hosted"]
        command += ["--no-skip-checkout", "--no-cache-server", "--concurrent-jobs", "2"]
        command += ["--artifact-server-addr", "127.0.0.1", "--artifact-server-port", str(_free_port()), "--artifact-server-path", str(kept)]
        command += ["--secret", "GITHUB_TOKEN=token-of-this-run"]
        for name, ref in sorted(references()):
            command += ["--local-repository", f"{name}@{ref}={STANDINS / name}"]
        for name, value in (variables or {}).items():
            command += ["--var", f"{name}={value}"]
        done = subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, timeout=280, check=False)
        return Run(done.returncode, done.stdout + done.stderr, _read(kept))

    def tag(self, name: str, **variables: str) -> Run:
        """The tag is pushed. Only the release's workflow is asked: act does not know that a filter by branches leaves tags out."""
        return self.run("push", {"ref": f"refs/tags/{name}"}, workflow="release.yml", variables=variables)

    def dispatch(self, inputs: Mapping[str, str], **variables: str) -> Run:
        """Somebody starts the release's workflow by hand on the main branch."""
        payload = {"ref": "refs/heads/main", "inputs": dict(inputs)}
        return self.run("workflow_dispatch", payload, workflow="release.yml", variables=variables)

    def release(self, tag: str) -> dict[str, object] | None:
        """GitHub's release of `tag`, with its assets' names."""
        place = self.state / "releases" / tag.replace("/", "%2F")
        if not place.is_dir():
            return None
        return {**json.loads((place / "release.json").read_text()), "assets": {path.name for path in (place / "assets").glob("*")}}


def _read(kept: Path) -> dict[str, dict[str, bytes]]:
    found = {}
    for path in sorted(kept.rglob("*.zip")):
        with zipfile.ZipFile(path) as source:
            found[path.stem] = {name: source.read(name) for name in source.namelist()}
    return found


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
