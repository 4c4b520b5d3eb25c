"""Which components a configuration names, and which module each of them is."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from contract.small_layer import ROOT
from otel_layers.archive import MAX_UNZIPPED, MAX_ZIPPED
from otel_layers.build import custom
from otel_layers.errors import CatalogueError, UsageError
from otel_layers.ondemand import components, fitting, module
from otel_layers.project import open_project

TOML = ROOT / "collector/components.toml"
KNOWN = components.load(TOML)
CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib"


def scan(folder: Path, text: str) -> list[str]:
    path = folder / "my.yaml"
    path.write_text(text)
    return components.scan(path, KNOWN.schemes)


def test_scan_finds_components_and_sources(tmp_path: Path) -> None:
    text = """
receivers: {otlp: {protocols: {http: {}}}}
processors: {"filter/one": {}, filter/two: , memory_limiter: }
exporters: {otlphttp: {endpoint: "${env:X:-${s3:bucket/key}}", headers: {a: "${secretsmanager:a#b}", b: "$${ssm:literal}", c: "$$${https://h}"}}}
connectors:
# ${ssm:in a comment}
service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}
"""
    assert scan(tmp_path, text) == [
        "exporter/otlphttp", "processor/filter", "processor/memory_limiter", "provider/s3", "provider/secretsmanager", "receiver/otlp",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["- a\n", "a: [", "receivers: [otlp]\n", "exporters: {'a b': }\n", ""])
def test_scan_refuses_what_is_no_configuration(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"my\.yaml"):
        scan(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml"):
        components.scan(tmp_path / "nowhere.yaml", ())


@pytest.mark.parametrize(
    ("name", "path", "known"),
    [
        ("processor/tail_sampling", f"{CONTRIB}/processor/tailsamplingprocessor", True),
        ("extension/file_storage", f"{CONTRIB}/extension/storage/filestorage", True),
        ("processor/memory_limiter", "go.opentelemetry.io/collector/processor/memorylimiterprocessor", True),
        ("receiver/host_metrics", f"{CONTRIB}/receiver/hostmetricsreceiver", False),
        ("provider/googlesecretmanager", f"{CONTRIB}/confmap/provider/googlesecretmanagerprovider", False),
    ],
)
def test_naming(name: str, path: str, known: bool) -> None:
    found = KNOWN.module(name)
    own = KNOWN.listed.get(name, ("", "", ""))[2]
    assert (found.path, found.known, found.version) == (path, known, own or KNOWN.sources["contrib"].version)


def test_own_modules_are_taken_from_here() -> None:
    own = [KNOWN.module(name) for name, (source, _, _) in KNOWN.listed.items() if source == "own"]
    assert own
    assert all((ROOT / "collector" / m.folder / "go.mod").read_text().startswith(f"module {m.path}\n") for m in own)


def test_the_pinned_version_is_that_of_the_collector() -> None:
    pinned = f"go.opentelemetry.io/collector/connector {KNOWN.sources['core'].version}\n"
    assert pinned in (ROOT / "collector/go.mod").read_text()
    assert KNOWN.sources["contrib"].version == KNOWN.sources["core"].version


def test_only_what_is_not_built_in_is_needed_and_each_module_once() -> None:
    needed = KNOWN.needed(["receiver/otlp", "processor/tail_sampling", "processor/tailsampling", "processor/filter"], [])
    assert [m.path.rpartition("/")[2] for m in needed] == ["filterprocessor", "tailsamplingprocessor"]
    mine = components.with_option("processor/filter=example.com/mine@v1.0.0")
    assert KNOWN.needed(["processor/filter"], [mine]) == (mine,)
    instead = components.with_option("receiver/otlp=go.opentelemetry.io/collector/receiver/otlpreceiver@v0.164.0")
    assert KNOWN.needed(["receiver/otlp"], [instead]) == (instead,)


@pytest.mark.parametrize("text", ["processor/x", "x=a@v1", "thing/x=a@v1", "processor/x=a", "processor/x=a b@v1", "processor/=a@v1"])
def test_with_needs_all_its_parts(text: str) -> None:
    with pytest.raises(UsageError, match="KIND/TYPE=MODULE@VERSION"):
        components.with_option(text)


def test_every_component_of_the_catalogue_has_its_hash_here() -> None:
    sums = (ROOT / "collector" / module.SUMS).read_text() + (ROOT / "collector/go.sum").read_text()
    served = [one for name in KNOWN.listed if not (one := KNOWN.module(name)).folder]
    assert served
    assert [one.path for one in served if f"{one.path} {one.version} h1:" not in sums] == []


def test_the_flavours_are_configurations_in_the_repository() -> None:
    flavours = ROOT / "collector/flavours"
    assert components.resolve(ROOT / "collector", [flavours / "default.yaml"], [])[1] == ()
    named = components.scan(flavours / "default.yaml", KNOWN.schemes)
    aliases = {"exporter/otlphttp", "exporter/otlp_grpc"}
    assert set(named) == set(KNOWN.built_in) - aliases
    full = open_project().catalogue.layer("opentelemetry-collector-full")
    added = components.resolve(ROOT / full.folder, [ROOT / full.folder / full.flavour], [])[1]
    assert {"processor/transform", "connector/spanmetrics", "extension/sigv4auth", "provider/ssm"} <= {f"{m.kind}/{m.name}" for m in added}


def test_every_component_of_the_catalogue_is_in_a_combination() -> None:
    named = {name for path in (ROOT / "utils/conformance/collector").glob("*.yaml") for name in components.scan(path, KNOWN.schemes)}
    assert {name for name in KNOWN.listed if not name.startswith("provider/")} <= named


def test_versions_are_tried_from_the_likeliest_and_never_the_one_that_failed() -> None:
    kafka = KNOWN.module("exporter/kafka")
    pinned = KNOWN.sources["contrib"].version
    asked = components.with_option(f"exporter/kafka={kafka.path}@v0.100.0")
    assert fitting.candidates(KNOWN, asked, ["v0.99.0", "v0.100.0", "v0.101.0", pinned, "v0.999.0"]) == [kafka.version, pinned, "v0.101.0", "v0.99.0"]
    other = components.with_option("exporter/x=example.com/x@v1.0.0")
    assert fitting.candidates(KNOWN, other, ["v0.9.0", "v1.0.0", "v1.1.0"]) == ["v1.1.0", "v0.9.0"]


def test_near_matches() -> None:
    assert KNOWN.near("processor/redactoin")[0] == "processor/redaction"
    assert KNOWN.near("exporter/spanmetrics")[0] == "connector/spanmetrics"
    assert KNOWN.near("processor/redaction") == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("schemes =", "shemes =", "schemes"),
        ("[sources]", 'more = 1\n[sources]', "more"),
        ('"connector/forward" = "core ', '"connector/forward" = "cor ', "connector/forward"),
        ('"connector/forward" =', '"conector/forward" =', "conector/forward"),
        ('"receiver/otlp",', '"otlp",', "otlp"),
        ("[sources]", "[sources", "components.toml"),
    ],
)  # fmt: skip
def test_a_wrong_catalogue_names_the_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = TOML.read_text()
    assert old in text
    (tmp_path / "components.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(CatalogueError) as caught:
        components.load(tmp_path / "components.toml")
    assert says in caught.value.what


def test_the_main_package_names_every_module() -> None:
    needed = KNOWN.needed(["processor/filter", "connector/forward", "provider/ssm"], [])
    text = module.main_source(needed)
    for each in needed:
        assert f'"{each.path}"' in text
    assert "Providers: []confmap.ProviderFactory{f" in text
    assert text.count(".Type().String()") == 2  # a provider is no component


def test_a_repository_that_moved_makes_its_module_anew(tmp_path: Path) -> None:
    # overlay.json names main.go by its path: one of before would be passed over, and the default flavour built without a word
    project, moved = open_project(), replace(open_project(), root=tmp_path)
    (tmp_path / "collector").mkdir()
    for name in ("go.mod", "go.sum", module.SUMS):
        shutil.copyfile(ROOT / "collector" / name, tmp_path / "collector" / name)
    here, there = (module.place_of(one, one.root / "collector", "package main", []) for one in (project, moved))
    assert here.name != there.name
    assert module.place_of(project, project.root / "collector", "package main", []) == here
    assert module.place_of(project, project.root / "collector", "package main", [ROOT / "run.sh"]) != here


def test_the_layer_has_lambdas_limits_and_no_name_of_the_catalogue() -> None:
    project = open_project()
    made = custom.layer(project, "my-collector")
    assert (made.zip_name("arm64"), made.zipped_bytes, made.unzipped_bytes) == ("my-collector-arm64.zip", MAX_ZIPPED, MAX_UNZIPPED)
    for name in ("opentelemetry-collector", "opentelemetry-python", "Mine", "../x"):
        with pytest.raises(UsageError, match="--name"):
            custom.layer(project, name)


def test_the_catalogues_collector_takes_a_configuration_of_ones_own_and_keeps_its_name() -> None:
    project = open_project()
    plain = next(la for la in project.catalogue.layers.values() if la.role == "collector" and not la.flavour)
    made = custom.layer(project, plain.name, own=True)
    assert made == replace(plain, zipped_bytes=MAX_ZIPPED, unzipped_bytes=MAX_UNZIPPED)
    for other in project.catalogue.layers.values():
        if other != plain:
            with pytest.raises(UsageError, match="no configuration of yours"):
                custom.layer(project, other.name, own=True)
    with pytest.raises(UsageError, match="unknown layer"):
        custom.layer(project, "my-collector", own=True)
