"""Plans are pure: what would be called is worked out, and held against every limit, without a call."""

import json
from dataclasses import replace

import pytest
from otel_layers import catalog
from otel_layers.errors import UsageError
from otel_layers.project import find_root, open_project
from otel_layers.release import plan as plans
from otel_layers.release.artefacts import Artefact

PROJECT = open_project()
CATALOGUE = PROJECT.catalogue
HOME = CATALOGUE.home_region


def artefact(of="opentelemetry-python", arch="amd64", **changed):
    found = CATALOGUE.layer(of)
    path = PROJECT.dist / found.zip_name(arch)
    base = Artefact(found, catalog.architecture(arch), path, "0.4.0", found.runtimes, "ab" * 32, "q6urq=", 1000, 3000, "c" * 40)
    return replace(base, **changed)


def make(*artefacts, catalogue=CATALOGUE, regions=(HOME,), to="aws", public=False, named=True, wanted=None, group="prod"):
    return plans.make(catalogue, artefacts, regions, to=to, public=public, named=named, wanted=wanted or {}, group=group)


def test_a_plan_says_every_parameter_of_the_call():
    [item] = make(artefact()).items
    assert item.name == "opentelemetry-python-amd64-0_4_0"
    assert item.architecture == "x86_64"
    assert item.runtimes == tuple(r.name for r in CATALOGUE.runtimes.values() if r.language == "python")
    assert item.license == "Apache-2.0"
    assert all(fact in item.description for fact in ("0.4.0", "amd64", "c" * 12, "ab" * 32))


def test_sources_that_were_not_committed_are_told_apart_from_those_that_were():
    clean, dirty = artefact(), artefact(arch="arm64", source_revision="c" * 40 + "-dirty")
    plan = make(clean, dirty)
    assert [("-dirty, sha256" in item.description) for item in plan.items] == [False, True]
    assert [f"of {'c' * 12}-dirty" in warning for warning in plan.warnings] == [True]


def test_a_layer_for_any_runtime_names_none():
    [item] = make(artefact("opentelemetry-collector")).items
    assert (item.runtimes, item.runtimes_text) == ((), "any runtime")


def test_all_regions_keep_the_catalogues_requirement_and_named_ones_are_required():
    regions = CATALOGUE.select_regions("all")
    whole = make(artefact(), regions=regions, named=False)
    assert {t.region: (t.required, t.opt_in) for t in whole.targets} == {r.name: (r.required, r.opt_in) for r in regions}
    assert {t.required for t in whole.targets} == {True, False}
    assert all(t.required for t in make(artefact(), regions=regions).targets)


def test_a_version_that_is_not_the_built_one_is_refused_with_the_build_command():
    with pytest.raises(UsageError, match=r"was built as version 0\.4\.0, not 0\.5\.0") as caught:
        make(artefact(), wanted={"opentelemetry-python": "0.5.0"})
    assert caught.value.remedy.endswith("--arch amd64 --version 0.5.0")


@pytest.mark.parametrize("version", ["latest", "v1", "1.0.0+x", ""])
def test_facts_with_a_version_that_is_none_are_refused(version):
    with pytest.raises(UsageError, match="is not of the form"):
        make(artefact(version=version))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"version": "0.0.0-dev"}, "development build"),
        ({"source_revision": "c" * 40 + "-dirty"}, "not committed"),
        ({"source_revision": "unknown"}, "not committed"),
    ],
)
def test_nothing_unrepeatable_becomes_public_in_aws(changed, why):
    with pytest.raises(UsageError, match=why):
        make(artefact(**changed), public=True)
    assert make(artefact(**changed), public=False).items
    assert make(artefact(**changed), public=True, to="local").items


def test_only_the_group_dev_takes_public_development_builds():
    [item] = make(artefact(version="0.0.0-dev"), public=True, group="dev").items
    assert item.name == "opentelemetry-python-dev-amd64-0_0_0-dev-abababab"
    with pytest.raises(UsageError, match="development build"):
        make(artefact(version="0.0.0-dev"), public=True, group="beta")
    with pytest.raises(UsageError, match="not committed"):
        make(artefact(source_revision="unknown"), public=True, group="dev")


def test_a_plan_goes_further_with_the_same_bytes_under_its_new_names():
    source = make(artefact(), artefact(arch="arm64"))
    moved = plans.moved(source.items, [HOME], to="aws", public=True, named=False, group="beta")
    assert [i.name for i in moved.items] == ["opentelemetry-python-beta-amd64-0_4_0", "opentelemetry-python-beta-arm64-0_4_0"]
    assert [replace(new, name=old.name) for old, new in zip(source.items, moved.items, strict=True)] == list(source.items)
    assert (moved.group, moved.public, [t.required for t in moved.targets]) == ("beta", True, [HOME.required])
    development = make(artefact(version="0.0.0-dev")).items
    with pytest.raises(UsageError, match="development build"):
        plans.moved(development, [HOME], to="aws", public=True, named=True, group="prod")


def test_names_descriptions_licences_and_runtimes_have_lambdas_limits():
    layer = CATALOGUE.layer("opentelemetry-python")
    cases = [
        (artefact(version="1.0.0-" + "x" * 120), CATALOGUE, "cannot be a layer's name"),
        (artefact(layer=replace(layer, description="d" * 200)), CATALOGUE, "the description of"),
        (artefact(), replace(CATALOGUE, license="l" * 513), "the licence of"),
        (artefact(layer=replace(layer, runtimes=tuple(f"python3.{n}" for n in range(16)))), CATALOGUE, "16 runtimes"),
    ]
    for bad, catalogue, message in cases:
        with pytest.raises(UsageError, match=message):
            make(bad, catalogue=catalogue)


def test_a_plan_without_layers_is_refused():
    with pytest.raises(UsageError, match="no layer to publish"):
        make()


def test_a_zip_from_before_a_runtime_was_added_is_named():
    plan = make(artefact(runtimes=CATALOGUE.layer("opentelemetry-python").runtimes[1:]))
    assert [CATALOGUE.layer("opentelemetry-python").runtimes[0] in w for w in plan.warnings] == [True]


def test_adding_a_region_or_a_runtime_is_one_line_of_the_catalogue(tmp_path):
    text = (find_root() / "layers.toml").read_text()
    text = text.replace("[regions]\n", '[regions]\nxx-north-1 = { partition = "aws", opt-in = false, required = true, at = [0, 0] }\n')
    text = text.replace("[runtimes]\n", '[runtimes]\n"python3.99" = { language = "python", os = "al2023" }\n')
    (tmp_path / "layers.toml").write_text(text)
    changed = catalog.load(tmp_path / "layers.toml")
    plan = make(artefact(layer=changed.layer("opentelemetry-python")), catalogue=changed, regions=changed.select_regions("all"), named=False)
    assert plans.Target("xx-north-1", True, False) in plan.targets
    assert "python3.99" in plan.items[0].runtimes
    assert len(plan.targets) == len(CATALOGUE.select_regions("all")) + 1


def test_the_digest_changes_with_bytes_regions_target_and_publicity_and_with_nothing_else():
    base = make(artefact(), artefact(arch="arm64"))
    assert base.digest == make(artefact(arch="arm64"), artefact()).digest
    others = [
        make(artefact()),
        make(artefact(sha256="cd" * 32), artefact(arch="arm64")),
        make(artefact(), artefact(arch="arm64"), regions=CATALOGUE.select_regions("all")),
        make(artefact(), artefact(arch="arm64"), public=True),
        make(artefact(), artefact(arch="arm64"), to="local"),
    ]
    assert len({p.digest for p in [base, *others]}) == 6


def test_text_and_json_say_the_same():
    plan = make(artefact(), artefact(arch="arm64"), regions=CATALOGUE.select_regions("all"), named=False, public=True)
    text, body = plans.as_text(plan), json.loads(json.dumps(plans.as_json(plan)))
    assert body["steps"] == 2 * len(plan.targets)
    assert f"2 layers x {len(plan.targets)} regions = {body['steps']} steps" in text
    assert all(t["region"] in text for t in body["targets"])
    assert all(i["name"] in text for i in body["items"])
    assert "public: everyone" in text
