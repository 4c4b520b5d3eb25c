"""What others wrote in a tree is found, whatever package manager put it there, and its licence texts become one file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contract import bills
from contract.small_layer import AMD64, CATALOGUE, LAYER, sound, write
from otel_layers import archive
from otel_layers.build import contract, inventory, licences, notices, recipe, sbom
from otel_layers.errors import BuildFailed
from otel_layers.project import open_project

MIT = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy\nof this software ... The above copyright notice and this"
    " permission notice shall\nbe included in all copies"
)
GEMSPEC = """# -*- encoding: utf-8 -*-
# stub: google-protobuf 4.31.0 x86_64-linux-gnu lib

Gem::Specification.new do |s|
  s.name = "google-protobuf".freeze
  s.version = "4.31.0".freeze
  s.platform = "x86_64-linux-gnu".freeze
  s.authors = ["Protobuf Authors".freeze]
  s.licenses = ["BSD-3-Clause".freeze]
end
"""
POM = """<project xmlns='http://maven.apache.org/POM/4.0.0'><licenses><license>
<name>The Apache License, Version 2.0</name></license></licenses></project>"""


def found(tree: Path) -> dict[str, inventory.Component]:
    return {component.purl: component for _, component in inventory.find(open_project(), tree)}


def jar(files: dict[str, str | bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as out:
        for name, content in files.items():
            out.writestr(name, content)
    return body.getvalue()


def pom(group: str, artifact: str, version: str) -> dict[str, str | bytes]:
    return {f"META-INF/maven/{group}/{artifact}/pom.properties": f"#Generated\nartifactId={artifact}\ngroupId={group}\nversion={version}\n"}


def test_npm_packages_also_scoped_and_nested(tmp_path: Path) -> None:
    home = tmp_path / "nodejs/node_modules"
    write(home / "@opentelemetry/api/package.json", json.dumps({"name": "@opentelemetry/api", "version": "1.9.0", "license": "Apache-2.0"}))
    write(home / "@opentelemetry/api/LICENSE", "terms")
    write(home / "@opentelemetry/api/license.js", "module.exports = 1")
    write(home / "@opentelemetry/api/build/esm/package.json", '{"type": "module"}')
    old = {"name": "old", "version": "0.1.0", "licenses": [{"type": "MIT"}, {"type": "ISC"}]}
    write(home / "@opentelemetry/api/node_modules/old/package.json", json.dumps(old))
    write(home / "bare/package.json", '{"type": "module"}')
    inside = found(tmp_path)
    assert {purl: one.licence for purl, one in inside.items()} == {
        "pkg:npm/%40opentelemetry/api@1.9.0": "Apache-2.0",
        "pkg:npm/old@0.1.0": "MIT OR ISC",
    }
    assert [path.name for path in inside["pkg:npm/%40opentelemetry/api@1.9.0"].files] == ["LICENSE"]


def test_gems(tmp_path: Path) -> None:
    home = tmp_path / "ruby/gems/3.4.0"
    write(home / "specifications/google-protobuf-4.31.0-x86_64-linux-gnu.gemspec", GEMSPEC)
    write(home / "gems/google-protobuf-4.31.0-x86_64-linux-gnu/LICENSE", "terms")
    write(home / "gems/google-protobuf-4.31.0-x86_64-linux-gnu/google-protobuf.gemspec", "the sources' own, not an installed one")
    [(purl, gem)] = found(tmp_path).items()
    assert purl == "pkg:gem/google-protobuf@4.31.0?platform=x86_64-linux-gnu"
    assert (gem.name, gem.version, gem.licence, gem.texts) == ("google-protobuf", "4.31.0", "BSD-3-Clause", ("terms",))


def test_jars_and_what_is_shaded_into_them(tmp_path: Path) -> None:
    inner = jar({"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\r\nImplementation-Version: 3.1\r\nBundle-License: EPL-\r\n 2.0\r\n"})
    shaded = {"META-INF/maven/io.a/agent/pom.xml": POM, "META-INF/LICENSE": "terms", "META-INF/NoticeBoard.class": b"x", "lib/small-3.0.jar": inner}
    write(tmp_path / "java/agent-1.0.jar", jar({**pom("io.a", "agent", "1.0"), **pom("com.b", "shaded", "2.0"), **shaded}))
    inside = found(tmp_path)
    assert list(inside) == ["pkg:maven/io.a/agent@1.0", "pkg:maven/com.b/shaded@2.0", "pkg:generic/small@3.1"]
    assert inside["pkg:maven/io.a/agent@1.0"].licence == "The Apache License, Version 2.0"
    assert inside["pkg:maven/com.b/shaded@2.0"].texts == ("terms",)
    assert inside["pkg:generic/small@3.1"].licence == "EPL-2.0"
    write(tmp_path / "java/broken.jar", b"PK")
    with pytest.raises(BuildFailed, match=r"broken\.jar is not a sound jar"):
        found(tmp_path)


def three(tree: Path) -> Path:
    """Two packages with the same text, in a sound layer; a third's text is what its recipe gives."""
    for name in ("one", "two"):
        write(tree / f"node_modules/{name}/package.json", json.dumps({"name": name, "version": "1.0.0", "license": "MIT"}))
        write(tree / f"node_modules/{name}/LICENSE", f"{MIT}\n")
    write(tree / "node_modules/three/package.json", json.dumps({"name": "three", "version": "3.0.0"}))
    write(tree / f"licenses/{LAYER.name}/pkg/npm/three@3.0.0/LICENSE-MIT", f"{MIT} of three")
    return tree


def collected(tree: Path) -> list[dict[str, object]]:
    return [sbom.component(one) for one in notices.collect(tree, LAYER.name, inventory.find(open_project(), tree))]


def test_each_text_stands_once_and_nowhere_else(tmp_path: Path) -> None:
    tree = three(sound(tmp_path / "t"))
    components = collected(tree)
    page = (tree / f"licenses/{LAYER.name}/NOTICES").read_text()
    assert "\none 1.0.0, MIT: 1\nthree 3.0.0, MIT: 2\ntwo 1.0.0, MIT: 1\n" in page
    assert page.count("Permission is hereby granted") == 2
    assert [p for p in tree.rglob("LICENSE*") if p.is_file()] == []
    assert not (tree / f"licenses/{LAYER.name}/pkg").exists()
    assert [component["licenses"] for component in components] == [[{"expression": "MIT"}]] * 3
    assert notices.covered(page) == {("one", "1.0.0"), ("two", "1.0.0"), ("three", "3.0.0")}
    archive.pack(tree, tmp_path / "t.zip")
    assert contract.check(tmp_path / "t.zip", LAYER, AMD64, CATALOGUE, components) == []


def test_a_component_without_a_text_breaks_the_contract(tmp_path: Path) -> None:
    tree = three(sound(tmp_path / "t"))
    (tree / "node_modules/two/LICENSE").unlink()
    (tree / f"licenses/{LAYER.name}/pkg/npm/three@3.0.0").rename(tree / f"licenses/{LAYER.name}/pkg/npm/three@2.9.0")
    components = collected(tree)
    archive.pack(tree, tmp_path / "t.zip")
    said = contract.check(tmp_path / "t.zip", LAYER, AMD64, CATALOGUE, components)
    assert said == [f"{name} has no licence text in licenses/*/NOTICES" for name in ("three 3.0.0", "two 1.0.0")]
    (tree / f"licenses/{LAYER.name}/NOTICES").unlink()
    archive.pack(tree, tmp_path / "t.zip")
    assert len(contract.check(tmp_path / "t.zip", LAYER, AMD64, CATALOGUE, components)) == 3


def mixed(tree: Path) -> Path:
    """A sound layer with a package of every kind, of names and versions that a package URL must spell otherwise."""
    for name, said in {
        "@scope/one": {"version": "1.0.0+built.7", "license": "MIT"},
        "two": {"version": "2.0.0", "license": "SEE LICENSE IN x"},
    }.items():
        write(tree / f"node_modules/{name}/package.json", json.dumps({"name": name, **said}))
        write(tree / f"node_modules/{name}/LICENSE", MIT)
    write(tree / "python/Some.Name-1.0.dist-info/METADATA", "Name: Some.Name\nVersion: 1.0+local\nLicense-Expression: MIT\n")
    write(tree / "ruby/specifications/google-protobuf-4.31.0-x86_64-linux-gnu.gemspec", GEMSPEC)
    write(tree / "java/small lib-3.0.jar", jar({"META-INF/LICENSE": MIT}))
    write(tree / "java/agent-1.0.jar", jar({**pom("io.a", "agent", "1.0 beta"), "META-INF/maven/io.a/agent/pom.xml": POM}))
    return tree


def bill(tmp_path: Path) -> str:
    components = collected(mixed(sound(tmp_path / "t")))
    archive.pack(tmp_path / "t", tmp_path / "t.zip")
    order = recipe.Order(LAYER, AMD64, "1.0.0", docker=False, folder=tmp_path, variables={})
    return json.dumps(sbom.describe(open_project(), order, components, archive.measure(tmp_path / "t.zip")))


def test_a_bill_of_all_kinds_is_sound_by_the_schema_and_by_the_rules_of_package_urls(tmp_path: Path) -> None:
    text = bill(tmp_path)
    assert bills.faults(text) == []
    assert {one["purl"] for one in json.loads(text)["components"]} == {
        "pkg:npm/%40scope/one@1.0.0%2Bbuilt.7",
        "pkg:npm/two@2.0.0",
        "pkg:pypi/some-name@1.0%2Blocal",
        "pkg:gem/google-protobuf@4.31.0?platform=x86_64-linux-gnu",
        "pkg:generic/small%20lib@3.0",
        "pkg:maven/io.a/agent@1.0%20beta",
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda b: b["components"][0].pop("name"), "'name' is a required property"),
        (lambda b: b.update(colour="red"), "Additional properties are not allowed"),
        (lambda b: b["components"][0].update(purl="pkg:npm/@scope/one@1.0.0+built.7"), "should be pkg:npm/%40scope"),
        (lambda b: b["components"][0].update(version="1.0.1"), "is not of 1.0.1"),
        (lambda b: b["components"][0].update(licenses=[{"expression": "BSD-like"}]), "BSD-like"),
        (lambda b: b["components"].append(b["components"][0]), "is there twice"),
        (lambda b: b["dependencies"][0]["dependsOn"].append("pkg:npm/none@1"), "nothing is pkg:npm/none@1"),
        (lambda b: b["dependencies"][0]["dependsOn"].pop(), "nothing depends on"),
    ],
)
def test_what_is_wrong_with_a_bill_is_found(tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str) -> None:
    broken = json.loads(bill(tmp_path))
    change(broken)
    assert any(said in fault for fault in bills.faults(json.dumps(broken))), bills.faults(json.dumps(broken))


def test_a_number_without_its_text_covers_nothing() -> None:
    page = "head\n\none 1.0, MIT: 1, 2\ntwo 1.0, MIT: 1\n\n\n[1] " + "-" * 80 + "\n\ntext\n"
    assert notices.covered(page) == {("two", "1.0")}
    assert notices.covered("text\n\n\nthree 1.0, MIT: 1\n\n\n[1] ---") == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MIT", MIT),
        ("MIT", MIT.replace("\n", "\n// ")),
        ("Apache-2.0", "                                 Apache License\n                           Version 2.0, January 2004"),
        ("MPL-2.0", "Mozilla Public License, version 2.0"),
        ("BSD-3-Clause", "Redistribution and use in source and binary forms, with ... used to endorse or promote products"),
        ("BSD-2-Clause", "Redistribution and use in source and\nbinary forms, with or without"),
        ("Apache-2.0 AND MIT", f"Apache License, Version 2.0\n{MIT}"),
        ("", "All rights reserved, of which you have none"),
    ],
)
def test_texts_are_told_apart(name: str, text: str) -> None:
    assert licences.identify(text) == name


def test_the_project_s_own_licence_is_told() -> None:
    assert licences.identify((open_project().root / "LICENSE").read_text()) == CATALOGUE.license
