"""A bundle: what the catalogue takes of it, and how it is put together from its parts' zips."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from contract.elf_files import elf_file
from contract.small_layer import ROOT, write
from otel_layers import archive, build, catalog
from otel_layers.build import contract
from otel_layers.errors import BuildFailed, CatalogueError, ContractBroken
from otel_layers.project import Project, open_project

TEXT = (ROOT / "layers.toml").read_text()
BUNDLE = next(layer for layer in catalog.load(ROOT / "layers.toml").layers.values() if layer.bundle)
LISTED = f"bundle = {json.dumps(list(BUNDLE.bundle))}"
COLLECTOR, LANGUAGE = BUNDLE.bundle
AMD64, ARM64 = catalog.architecture("amd64"), catalog.architecture("arm64")
METADATA = "Metadata-Version: 2.4\nName: {0}\nVersion: 1.0\nLicense-Expression: MIT\n"
SECOND = f"""
[layers.second]
bundle = ["{BUNDLE.name}", "{LANGUAGE}"]
description = "A bundle of a bundle"
role = "bundle"
zipped-bytes = 1
unzipped-bytes = 1

[runtimes]
"""


def load(tmp_path: Path, text: str) -> catalog.Catalogue:
    (tmp_path / "layers.toml").write_text(text)
    return catalog.load(tmp_path / "layers.toml")


def test_a_bundle_has_the_rest_from_its_parts() -> None:
    layers = catalog.load(ROOT / "layers.toml").layers
    collector, language = layers[COLLECTOR], layers[LANGUAGE]
    assert (BUNDLE.folder, BUNDLE.language, BUNDLE.runtimes) == (language.folder, language.language, language.runtimes)
    assert BUNDLE.executables == (*collector.executables, *language.executables)
    assert BUNDLE.folders == (collector.folder, language.folder)
    assert BUNDLE.architectures == language.architectures


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (LISTED, f'bundle = ["{COLLECTOR}", "opentelemetry-pyton"]', f"unknown layer 'opentelemetry-pyton'\n  try: {LANGUAGE!r} looks like it"),
        (LISTED, f'bundle = ["{COLLECTOR}"]', "one layer of the role 'language', and has none"),
        (LISTED, f'bundle = ["{LANGUAGE}"]', "one layer of the role 'collector', and has none"),
        (LISTED, "bundle = []", "and has none"),
        (LISTED, LISTED[:-1] + ', "opentelemetry-collector-full"]', f"of the role 'collector', and has {COLLECTOR} and opentelemetry-collector-full"),
        ("[runtimes]\n", SECOND, f"{BUNDLE.name!r}, which is a bundle itself"),
        (LISTED, LISTED + '\nfolder = "python"', "a bundle has no key 'folder'"),
        (LISTED, LISTED + '\nlanguage = "python"', "a bundle has no key 'language'"),
        (LISTED, LISTED + '\ncolour = "red"', "'colour'"),
        ('role = "bundle"', 'role = "language"', "'language'"),
        ('role = "collector"', 'role = "bundle"', "'bundle'"),
    ],
)
def test_a_wrong_bundle_is_refused_by_name(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in TEXT
    with pytest.raises(CatalogueError) as error:
        load(tmp_path, TEXT.replace(old, new, 1))
    assert named in "\n".join(error.value.lines())


def table(name: str) -> str:
    found = re.search(rf"(?ms)^\[layers\.{name}\]\n.*?\n\n", TEXT)
    assert found
    return found[0]


def test_parts_of_other_architectures_and_languages_are_refused(tmp_path: Path) -> None:
    one = table(LANGUAGE).replace('["amd64", "arm64"]', '["amd64"]')
    with pytest.raises(CatalogueError, match="for different architectures") as error:
        load(tmp_path, TEXT.replace(table(LANGUAGE), one))
    assert f"{LANGUAGE} is for amd64" in error.value.why
    other = table(LANGUAGE).replace(LANGUAGE, "other").replace('language = "python"', 'language = "ruby"')
    with pytest.raises(CatalogueError, match=f"has {LANGUAGE} and other") as error:
        load(tmp_path, TEXT.replace(table(LANGUAGE), table(LANGUAGE) + other).replace(LISTED, LISTED[:-1] + ', "other"]'))
    assert "different languages, python and ruby" in error.value.why


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    write(root / "layers.toml", TEXT)
    write(root / "LICENSE", "the licence\n")
    for layer in (catalog.load(ROOT / "layers.toml").layers[name] for name in BUNDLE.bundle):
        for arch in (AMD64, ARM64):
            write(root / layer.folder / f"program-{arch.name}", elf_file(arch.elf))
        copies = "\n".join(
            f'mkdir -p "$(dirname "$OUT/{path}")"; cp "program-$ARCH" "$OUT/{path}"; chmod 755 "$OUT/{path}"' for path in layer.executables
        )
        write(root / layer.folder / "build.sh", copies + '\necho "$VERSION" >"$OUT/version-$LAYER"\n')
        info = root / layer.folder / f"layer/from-{layer.folder}/its_{layer.folder}-1.0.dist-info"
        write(info / "METADATA", METADATA.format(f"its_{layer.folder}"))
        write(info / "licenses/LICENSE", f"the terms of what {layer.folder} has\n")
    return open_project(root=root)


def make(project: Project, arch: catalog.Architecture = AMD64, **options: object) -> build.Built:
    return build.build(project, project.catalogue.layers[BUNDLE.name], arch, **options)  # type: ignore[arg-type]


def test_it_is_the_union_of_its_parts(project: Project, tmp_path: Path) -> None:
    built = make(project, ARM64, version="1.2.3")
    archive.unpack(built.zip, tmp_path / "bundle")
    for name in BUNDLE.bundle:
        archive.unpack(project.dist / project.catalogue.layers[name].zip_name("arm64"), tmp_path / "parts")
        assert (tmp_path / f"bundle/version-{name}").read_text() == "1.2.3\n"
    archive.pack(tmp_path / "parts", tmp_path / "parts.zip")
    assert built.zip.read_bytes() == (tmp_path / "parts.zip").read_bytes()
    facts = json.loads(built.zip.with_suffix(".json").read_text())
    assert (facts["layer"], facts["version"], facts["runtimes"]) == (BUNDLE.name, "1.2.3", list(BUNDLE.runtimes))


def test_its_bill_has_its_parts_and_all_that_is_in_them(project: Project) -> None:
    built = make(project)
    bill = json.loads(built.zip.with_suffix(".cdx.json").read_text())
    assert [entry["name"] for entry in bill["components"]] == [*BUNDLE.bundle, "its_collector", "its_python"]
    parts = [json.loads((project.dist / f"{name}-amd64.cdx.json").read_text()) for name in BUNDLE.bundle]
    first, *others = bill["dependencies"]
    assert first["dependsOn"] == [part["metadata"]["component"]["bom-ref"] for part in parts]
    assert others == [entry for part in parts for entry in part["dependencies"]]
    assert contract.check(built.zip, built.layer, AMD64, project.catalogue, bill["components"]) == []


def test_it_is_built_again_when_a_part_is_another(project: Project) -> None:
    first = make(project)
    assert (first.fresh, make(project).fresh) == (False, True)
    source = project.root / project.catalogue.layers[COLLECTOR].folder / "layer/config.yaml"
    write(source, "a: 1\n")
    again = make(project)
    assert not again.fresh
    assert again.facts.sha256 != first.facts.sha256
    source.unlink()
    assert make(project).facts.sha256 == first.facts.sha256
    assert not make(project, force=True).fresh


@pytest.mark.parametrize("both", [("share/it", "share/it"), ("share", "share/it"), ("share/it", "share")])
def test_a_path_in_two_parts_is_an_error_that_names_it(project: Project, both: tuple[str, str]) -> None:
    for name, path in zip(BUNDLE.bundle, both, strict=True):
        write(project.root / project.catalogue.layers[name].folder / "layer" / path, "x")
    with pytest.raises(BuildFailed, match="same paths") as error:
        make(project)
    assert min(both) in error.value.why
    assert not (project.dist / BUNDLE.zip_name("amd64")).exists()


def test_its_own_budget_counts(project: Project) -> None:
    text = TEXT.replace(f"zipped-bytes = {BUNDLE.zipped_bytes:_}", "zipped-bytes = 9")
    assert text != TEXT
    write(project.root / "layers.toml", text)
    with pytest.raises(ContractBroken, match=BUNDLE.name) as error:
        make(open_project(root=project.root))
    assert "above the budget of 9" in error.value.why


def test_a_release_of_the_language_alone_names_its_version_in_both_parts(project: Project, tmp_path: Path) -> None:
    """The tag is of the language's folder; what dist/ has for the Collector stays a development build."""
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "x"], ["tag", f"layer-{BUNDLE.folder}/2.0.0"]):
        subprocess.run([*git, *words], cwd=project.root, check=True)
    part = build.build(project, project.catalogue.layers[COLLECTOR], AMD64)
    built = make(project)
    archive.unpack(built.zip, tmp_path / "bundle")
    assert {name: (tmp_path / f"bundle/version-{name}").read_text() for name in BUNDLE.bundle} == dict.fromkeys(BUNDLE.bundle, "2.0.0\n")
    assert archive.measure(project.dist / part.layer.zip_name("amd64")).sha256 == part.facts.sha256
    assert part.facts.version == "0.0.0-dev"
    assert make(project).fresh
    assert build.build(project, project.catalogue.layers[COLLECTOR], AMD64).fresh
