"""A recipe in a project of its own: what it is told, what becomes of its tree, and when it runs again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from contract.elf_files import elf_file
from contract.small_layer import ROOT, write
from otel_layers import archive, build, catalog
from otel_layers.build import reproducible, revision
from otel_layers.errors import BuildFailed, ContractBroken, UsageError
from otel_layers.project import Project, open_project

LAYER, FOLDER = "opentelemetry-collector", "collector"
AMD64, ARM64 = catalog.architecture("amd64"), catalog.architecture("arm64")
RECIPE = """
mkdir -p "$OUT/extensions"
cp "agent-$ARCH" "$OUT/extensions/collector"
chmod 755 "$OUT/extensions/collector"
echo "$VERSION" > "$OUT/version"
echo run >> "$CACHE/runs"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    write(root / "layers.toml", (ROOT / "layers.toml").read_text())
    write(root / "LICENSE", "the licence\n")
    for name in ("go", "uv"):
        write(root / f"requirements/{name}.txt", f"{name}==1\n")
    for arch in (AMD64, ARM64):
        write(root / FOLDER / f"agent-{arch.name}", elf_file(arch.elf))
    write(root / FOLDER / "build.sh", RECIPE)
    write(root / FOLDER / "layer/otel/config.yaml", "a: 1\n")
    write(root / FOLDER / "layer/otel/script", "#!/bin/sh\n", 0o755)
    return open_project(root=root)


def make(project: Project, arch: catalog.Architecture = AMD64, **options: object) -> build.Built:
    return build.build(project, project.catalogue.layers[LAYER], arch, **options)  # type: ignore[arg-type]


def runs(project: Project) -> int:
    return len((project.cache / "build" / FOLDER / "runs").read_text().splitlines())


def git(project: Project, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]
    return subprocess.run(["git", *identity, *arguments], cwd=project.root, capture_output=True, text=True, check=True).stdout.strip()


def test_zip_facts_and_bill(project: Project, tmp_path: Path) -> None:
    built = make(project, ARM64, version="1.2.3")
    assert built.zip == project.root / "dist/opentelemetry-collector-arm64.zip"
    archive.unpack(built.zip, tmp_path / "opt")
    assert (tmp_path / "opt/extensions/collector").read_bytes() == elf_file(183)
    assert os.access(tmp_path / "opt/otel/script", os.X_OK)
    assert not os.access(tmp_path / "opt/otel/config.yaml", os.X_OK)
    assert (tmp_path / "opt/version").read_text() == "1.2.3\n"
    assert (tmp_path / "opt/licenses/opentelemetry-collector/LICENSE").read_text() == "the licence\n"
    facts = json.loads((project.dist / "opentelemetry-collector-arm64.json").read_text())
    size = archive.measure(built.zip)
    assert facts == {
        "layer": LAYER,
        "version": "1.2.3",
        "arch": "arm64",
        "runtimes": [],
        "sha256": size.sha256,
        "code_sha256": size.code_sha256,
        "zipped_bytes": size.zipped_bytes,
        "unzipped_bytes": size.unzipped_bytes,
        "source_revision": "unknown",
    }
    bill = json.loads((project.dist / "opentelemetry-collector-arm64.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"], bill["metadata"]["component"]["version"]) == ("CycloneDX", "1.5", "1.2.3")
    assert sorted(p.name for p in project.dist.iterdir()) == [f"opentelemetry-collector-arm64.{end}" for end in ("cdx.json", "json", "zip")]
    assert list((project.cache / "tmp").glob("*/*")) == []


def test_what_a_recipe_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "GOOS", "GOFLAGS", "CGO_ENABLED"):
        monkeypatch.setenv(name, "of the person's shell")
    write(project.root / FOLDER / "build.sh", RECIPE + 'env > "$CACHE/env"; ls -A "$OUT" > "$CACHE/out"; pwd > "$CACHE/pwd"; umask > "$CACHE/umask"')
    make(project)
    cache = project.cache / "build" / FOLDER
    told = dict(line.split("=", 1) for line in (cache / "env").read_text().splitlines() if "=" in line)
    assert (told["ARCH"], told["LAYER"], told["VERSION"], told["ROOT"], told["DOCKER"]) == ("amd64", LAYER, "0.0.0-dev", str(project.root), "")
    assert told["CACHE"] == str(cache)
    assert told["GOCACHE"].startswith(str(project.cache))
    assert told["GOFLAGS"] == "-modcacherw"
    assert told["SOURCE_DATE_EPOCH"] == "315532800"
    assert not {"PYTHONPATH", "GOOS", "CGO_ENABLED", "GO"} & set(told)
    assert Path(told["UV"]).is_file()
    assert Path(told["PYTHON"]).is_file()
    assert (cache / "pwd").read_text().strip() == str(project.root / FOLDER)


def test_recipes_are_told_of_the_runtimes(project: Project) -> None:
    (project.root / "python").mkdir()
    recipe = 'printf "#!/bin/sh\\n" > "$OUT/otel-handler"; chmod 755 "$OUT/otel-handler"; cp -p "$OUT/otel-handler" "$OUT/otel-instrument"\n'
    write(project.root / "python/build.sh", recipe + 'echo "$RUNTIMES" > "$CACHE/told"\n')
    build.build(project, project.catalogue.layers["opentelemetry-python"], AMD64)
    told = (project.cache / "build/python/told").read_text().split()
    assert told == [r.name for r in project.catalogue.runtimes.values() if r.language == "python"]


def test_twice_the_same_bytes(project: Project) -> None:
    first = make(project).zip.read_bytes()
    again = make(project, force=True)
    assert not again.fresh
    assert runs(project) == 2
    assert again.zip.read_bytes() == first


@pytest.mark.parametrize("line", ['pwd >"$OUT/odd"', 'umask >"$OUT/odd"', 'cat /proc/sys/kernel/random/uuid >"$OUT/odd"'])
def test_a_zip_that_depends_on_its_surroundings_is_found(project: Project, line: str) -> None:
    built = make(project)
    umask, zone = os.umask(0o022), os.environ.get("TZ")
    assert reproducible.differences(project, built) == []
    write(project.root / FOLDER / "build.sh", f"{RECIPE}{line}\n")
    assert reproducible.differences(project, make(project)) == ["odd"]
    assert (os.umask(umask), os.environ.get("TZ")) == (0o022, zone)


def test_what_differs_is_named(project: Project) -> None:
    """What is only in one, and what differs in bytes or mode."""
    first, second = project.root / "1", project.root / "2"
    for tree in (first, second):
        write(tree / "same", "s")
        write(tree / "mode", "m", 0o755 if tree == first else 0o644)
        write(tree / "bytes", tree.name)
    write(second / "new", "n")
    for tree in (first, second):
        archive.pack(tree, tree.with_suffix(".zip"))
    assert reproducible.compare(first.with_suffix(".zip"), second.with_suffix(".zip")) == ["bytes", "mode", "new"]


def test_unchanged_inputs_are_not_built_again(project: Project) -> None:
    make(project)
    assert make(project).fresh
    assert runs(project) == 1
    write(project.root / FOLDER / "tests/test_x.py", "assert True\n")
    write(project.root / FOLDER / "main_test.go", "package main\n")
    assert make(project).fresh


CHANGES = {
    "a source": lambda p: write(p.root / FOLDER / "new.go", "package main\n"),
    "a source's mode": lambda p: (p.root / FOLDER / "layer/otel/config.yaml").chmod(0o755),
    "a name": lambda p: (p.root / FOLDER / "layer/otel/config.yaml").rename(p.root / FOLDER / "layer/otel/other.yaml"),
    "a link": lambda p: (p.root / FOLDER / "layer/link").symlink_to("otel"),
    "the recipe": lambda p: write(p.root / FOLDER / "build.sh", RECIPE + "\n: more\n"),
    "a pin": lambda p: write(p.root / "requirements/go.txt", "go==2\n"),
    "the licence": lambda p: write(p.root / "LICENSE", "another\n"),
    "the zip is gone": lambda p: (p.dist / "opentelemetry-collector-amd64.zip").unlink(),
    "the zip was changed": lambda p: write(p.dist / "opentelemetry-collector-amd64.zip", b"PK broken"),
    "the bill is gone": lambda p: (p.dist / "opentelemetry-collector-amd64.cdx.json").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_built(project: Project, change: str) -> None:
    make(project)
    CHANGES[change](project)
    assert not make(project).fresh
    assert make(project).fresh


def test_version_and_catalogue_are_inputs(project: Project) -> None:
    make(project)
    assert not make(project, version="1.0.0").fresh
    assert make(project, version="1.0.0").fresh
    toml = project.root / "layers.toml"
    toml.write_text(toml.read_text().replace("unzipped-bytes = 9_500_000", "unzipped-bytes = 9_400_000"))
    assert not make(open_project(root=project.root), version="1.0.0").fresh


def test_a_source_that_changes_meanwhile_is_built_next_time(project: Project) -> None:
    write(project.root / FOLDER / "build.sh", RECIPE + 'echo "$RANDOM$RANDOM" > "$ROOT/collector/written"\n')
    make(project)
    write(project.root / FOLDER / "build.sh", RECIPE)
    assert not make(project).fresh


def test_docker_always_builds(project: Project) -> None:
    write(project.root / FOLDER / "build.sh", RECIPE + '[[ "$DOCKER" == 1 ]]\n')
    make(project, docker=True)
    assert not make(project, docker=True).fresh


def test_a_failing_recipe_leaves_the_last_zip_alone(project: Project) -> None:
    before = make(project).zip.read_bytes()
    write(project.root / FOLDER / "build.sh", "echo half > $OUT/half; false; touch $OUT/never")
    with pytest.raises(BuildFailed, match="ended with 1") as caught:
        make(project)
    assert caught.value.exit_code == 5
    assert (project.dist / "opentelemetry-collector-amd64.zip").read_bytes() == before
    assert list((project.cache / "tmp").glob("*/*")) == []
    write(project.root / FOLDER / "build.sh", RECIPE)
    assert not make(project).fresh, "after a failure nothing counts as fresh"


def test_a_broken_layer_never_reaches_dist(project: Project) -> None:
    write(project.root / FOLDER / "agent-amd64", elf_file(ARM64.elf))
    with pytest.raises(ContractBroken, match="breaks its contract"):
        make(project)
    assert not project.dist.exists()


def test_recipe_and_layer_must_not_make_the_same_file(project: Project) -> None:
    write(project.root / FOLDER / "layer/version", "mine\n")
    with pytest.raises(BuildFailed, match="version is made by the recipe and is also in"):
        make(project)


@pytest.mark.parametrize("made", ["licenses/$LAYER", "licenses/$LAYER/LICENSE"])
def test_the_licence_is_the_project_s(project: Project, made: str) -> None:
    write(project.root / FOLDER / "build.sh", RECIPE + f'mkdir -p "$OUT/$(dirname "{made}")"; echo notices > "$OUT/{made}"\n')
    with pytest.raises(BuildFailed, match="has made licenses/opentelemetry-collector/LICENSE itself"):
        make(project)


def test_a_folder_without_recipe(project: Project) -> None:
    (project.root / FOLDER / "build.sh").unlink()
    with pytest.raises(BuildFailed, match="has no recipe"):
        make(project)


def test_builds_of_one_folder_wait_for_each_other(project: Project) -> None:
    write(
        project.root / FOLDER / "build.sh",
        RECIPE + 'mkdir "$CACHE/alone"; for i in 1 2 3 4 5; do read -rt 0.05 <> <(:) || :; done; rmdir "$CACHE/alone"\n',
    )
    failures: list[BaseException] = []

    def one(arch: catalog.Architecture) -> None:
        try:
            make(project, arch)
        except BaseException as exc:  # noqa: BLE001 - handed to the test's thread
            failures.append(exc)

    threads = [threading.Thread(target=one, args=(arch,)) for arch in (AMD64, ARM64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert runs(project) == 2


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_version_and_revision_from_git(project: Project) -> None:
    layer = project.catalogue.layers[LAYER]
    write(project.root / ".gitignore", "/.cache/\n/dist/\n")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    head = git(project, "rev-parse", "HEAD")
    assert make(project).facts.source_revision == head
    assert revision.version(project, layer) == "0.0.0-dev"
    for tag in ("1.9.0", "1.10.0-rc.1", "1.10.0"):
        git(project, "tag", f"layer-{FOLDER}/{tag}")
    git(project, "tag", "layer-python/9.0.0")
    assert make(project).facts.version == "1.10.0"
    assert revision.version(project, layer, "2.0.0") == "2.0.0"
    write(project.root / "README.md", "not of the layer\n")
    assert revision.source(project, layer) == head
    write(project.root / FOLDER / "new.go", "package main\n")
    assert make(project).facts.source_revision == f"{head}-dirty"
    git(project, "add", ".")
    git(project, "commit", "-qm", "second")
    renewed = make(project)
    assert renewed.facts.source_revision == git(project, "rev-parse", "HEAD"), "facts follow the revision although the zip stays"
    assert renewed.facts.version == "0.0.0-dev"
    git(project, "tag", f"layer-{FOLDER}/nonsense")
    with pytest.raises(UsageError, match="has no version"):
        revision.version(project, layer)


def test_the_version_of_a_job_is_that_of_its_builds_and_of_its_tests(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYER_VERSION", "1.2.3")
    assert make(project).facts.version == "1.2.3"
    assert make(project).fresh, "a test that needs the layer takes the zip that is there"
    assert make(project, version="2.0.0").facts.version == "2.0.0"
    monkeypatch.setenv("LAYER_VERSION", "latest")
    with pytest.raises(UsageError, match="is not a version"):
        make(project)
    monkeypatch.setenv("LAYER_VERSION", "")
    assert make(project).facts.version == revision.DEVELOPMENT


@pytest.mark.parametrize("version", ["1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3 ", "1.2.3/4"])
def test_bad_versions(project: Project, version: str) -> None:
    with pytest.raises(UsageError, match="is not a version"):
        make(project, version=version)


def test_python_distributions_are_on_the_bill(project: Project) -> None:
    info = project.root / FOLDER / "layer/python/Some_Thing-1.0.dist-info"
    write(info / "METADATA", "Metadata-Version: 2.4\nName: Some_Thing\nVersion: 1.0\nLicense-Expression: Apache-2.0 OR MIT\n\nName: body\n")
    write(info / "LICENSE", "terms\n")
    make(project)
    bill = json.loads((project.dist / "opentelemetry-collector-amd64.cdx.json").read_text())
    (component,) = bill["components"]
    assert component["purl"] == "pkg:pypi/some-thing@1.0"
    assert component["licenses"] == [{"expression": "Apache-2.0 OR MIT"}]
    assert component["evidence"]["occurrences"] == [{"location": "python/Some_Thing-1.0.dist-info/METADATA"}]
    assert bill["dependencies"][0]["dependsOn"] == ["pkg:pypi/some-thing@1.0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_no_process_and_no_file(project: Project, number: signal.Signals) -> None:
    pipe = project.root / "pipe"
    os.mkfifo(pipe)
    write(project.root / FOLDER / "build.sh", f'touch "$OUT/half"; sleep 300 & echo "$! $$" > {pipe}; wait\n')
    program = (
        "import signal, sys; from pathlib import Path; from otel_layers import build, catalog, cli; from otel_layers.project import open_project\n"
        "signal.signal(signal.SIGTERM, cli._interrupt)\n"
        f"p = open_project(root=Path({str(project.root)!r}))\n"
        f"build.build(p, p.catalogue.layers[{LAYER!r}], catalog.architecture('amd64'))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT / "utils")}, stderr=subprocess.PIPE) as child:
        started = [int(pid) for pid in pipe.read_text().split()]
        assert list((project.cache / "tmp").glob("command-*/*"))
        child.send_signal(number)
        child.communicate(timeout=60)
    assert child.returncode not in (0, None)
    assert list((project.cache / "tmp").glob("*/*")) == []
    assert not project.dist.exists()
    assert [pid for pid in started if alive(pid)] == []


def alive(pid: int) -> bool:
    """Whether `pid` still runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
