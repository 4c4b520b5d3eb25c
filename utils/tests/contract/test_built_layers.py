"""Every built zip keeps its contract, is what its facts say, and comes out the same from the same source at another place."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from contract import bills
from contract.pairs import PAIRS, identify
from otel_layers import archive, build, catalog, toolchain
from otel_layers.build import bytecode, contract, elf, reproducible, sbom
from otel_layers.errors import ContractBroken
from otel_layers.project import Project

PYTHON = [pair for pair in PAIRS if pair[0].language == "python"]
QEMU = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")


def native(place: Path) -> dict[str, elf.Elf]:
    with zipfile.ZipFile(place) as source:
        read = {info.filename: elf.read(source.read(info)) for info in source.infolist()}
    return {name: found for name, found in read.items() if found}


def test_contract(built: build.Built, project: Project) -> None:
    components = sbom.load(built.zip)["components"]
    assert contract.check(built.zip, built.layer, built.arch, project.catalogue, components) == []
    assert components


def test_facts(built: build.Built) -> None:
    facts = json.loads(built.zip.with_suffix(".json").read_text())
    size = archive.measure(built.zip)
    assert {key: facts[key] for key in dataclasses.asdict(size)} == dataclasses.asdict(size)
    assert (facts["layer"], facts["arch"], facts["runtimes"]) == (built.layer.name, built.arch.name, list(built.layer.runtimes))
    assert re.fullmatch(r"([0-9a-f]{40}(-dirty)?|unknown)", facts["source_revision"])


def test_bill_of_materials_names_what_is_inside(built: build.Built) -> None:
    bill = sbom.load(built.zip)
    assert bill["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": archive.measure(built.zip).sha256}]
    names = {component["name"] for component in bill["components"]}
    with zipfile.ZipFile(built.zip) as source:
        inside = set(source.namelist())
    assert [one["name"] for one in bill["components"] if one["type"] == "application"] == list(built.layer.bundle)
    for component in bill["components"]:
        assert component["version"]
        assert component["licenses"]
        assert not component["name"].startswith(".")
        for occurrence in component["evidence"]["occurrences"] if component["type"] == "library" else ():
            assert occurrence["location"] in inside
    expected = {
        "collector": {"stdlib", "go.opentelemetry.io/collector/pdata", "go.opentelemetry.io/collector/component"},
        "python": {"opentelemetry-api", "opentelemetry-sdk", "wrapt"},
    }
    assert expected.get(built.layer.folder, set()) <= names


def test_bill_of_materials_is_sound(built: build.Built) -> None:
    assert bills.faults(built.zip.with_suffix(".cdx.json").read_text()) == []


def test_another_architecture_is_refused(built: build.Built, project: Project, tmp_path: Path) -> None:
    """The other architecture's zip under this one's name, as a mixed-up release would have it."""
    if not native(built.zip):
        pytest.skip(f"{built.layer.name} has no native files")
    other = next(a for a in catalog.ARCHITECTURES.values() if a != built.arch)
    with pytest.raises(ContractBroken, match=f"for {other.name} breaks its contract") as caught:
        contract.require(built.zip, built.layer, other, project.catalogue)
    assert f"is for {built.arch.name}, not for {other.name}" in caught.value.why


def test_over_budget_is_refused(built: build.Built, project: Project) -> None:
    for key, size in (("zipped_bytes", built.facts.zipped_bytes), ("unzipped_bytes", built.facts.unzipped_bytes)):
        assert contract.check(built.zip, dataclasses.replace(built.layer, **{key: size}), built.arch, project.catalogue) == []
        tight = dataclasses.replace(built.layer, **{key: size - 1})
        assert len(contract.check(built.zip, tight, built.arch, project.catalogue)) == 1


def test_without_its_executable_it_is_refused(built: build.Built, project: Project, tmp_path: Path) -> None:
    gone = built.layer.executables[0]
    with zipfile.ZipFile(built.zip) as source, zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        for info in source.infolist():
            if info.filename != gone:
                body = source.read(info)
                out.writestr(info, body, compress_type=zipfile.ZIP_STORED)
    roomy = dataclasses.replace(built.layer, zipped_bytes=archive.MAX_ZIPPED)
    assert contract.check(tmp_path / "x.zip", roomy, built.arch, project.catalogue) == [f"{gone} is missing"]


def test_unpacking_and_packing_gives_the_same_bytes(built: build.Built, tmp_path: Path) -> None:
    archive.unpack(built.zip, tmp_path / "opt")
    archive.pack(tmp_path / "opt", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == built.zip.read_bytes()


def test_built_again_it_has_the_same_bytes(built: build.Built, project: Project) -> None:
    before = built.zip.read_bytes()
    again = build.build(project, built.layer, built.arch, force=True)
    assert not again.fresh
    assert again.zip.read_bytes() == before


@pytest.mark.slow
def test_same_source_at_another_place_gives_the_same_bytes(built: build.Built, project: Project) -> None:
    assert reproducible.differences(project, built) == []


def test_the_arm64_collector_runs(project: Project, tmp_path: Path) -> None:
    if QEMU is None:
        pytest.skip("qemu-aarch64 (Debian's qemu-user-static) is not installed")
    layer = project.catalogue.layers["opentelemetry-collector"]
    built = build.build(project, layer, catalog.architecture("arm64"))
    archive.unpack(built.zip, tmp_path / "opt")
    told = subprocess.run([QEMU, tmp_path / "opt/extensions/collector", "-v"], capture_output=True, text=True, check=True, timeout=60)
    assert built.facts.version in told.stdout + told.stderr


@pytest.mark.parametrize("built", PYTHON, indirect=True, ids=identify)
def test_the_python_layer_hides_nothing_of_the_function_s(built: build.Built) -> None:
    """/opt/python stands before the runtime's own packages on the search path: only our entry may lie there."""
    with zipfile.ZipFile(built.zip) as source:
        first = {name.split("/")[1] for name in source.namelist() if name.startswith("python/")}
    assert len(first - {"__pycache__"}) == 1, first
    assert not first & {"lib", "opentelemetry", "wrapt", "google", "typing_extensions"}


@pytest.mark.parametrize("built", PYTHON, indirect=True, ids=identify)
def test_the_python_layer_is_compiled_for_every_interpreter_at_hand(built: build.Built) -> None:
    with zipfile.ZipFile(built.zip) as source:
        names = source.namelist()
    sources = {name for name in names if name.endswith(".py")}
    at_hand = {version for version in toolchain.interpreters() if f"python{version}" in built.layer.runtimes}
    compiled = {version: {bytecode.source_of(n) for n in names if n.endswith(".pyc") and bytecode.tag_of(n) == version} for version in at_hand}
    one = next(iter(compiled.values()))
    assert {name for name in sources - one if name.startswith("python/")} == set()
    assert len(one) > len(sources) / 2  # its folder's tests hold which modules it spares, and that no start compiles a source
    for version in at_hand:
        assert compiled[version] == one, f"not compiled for {version}"
