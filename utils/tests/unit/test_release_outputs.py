"""What is made of receipts, held against the real parsers of those who read it: JSON Schema, cfn-lint, HCL; and SHA256SUMS by sha256sum."""

import json
import re
import subprocess
from pathlib import PurePosixPath

import hcl2
import jsonschema
import pytest
import yaml
from cfnlint.api import ManualArgs, lint
from otel_layers.errors import UsageError
from otel_layers.release import index, maps, notes, output
from otel_layers.release.snippets import SNIPPETS, fill
from unit.release_parts import CATALOGUE, COLLECTOR, LANGUAGE, REGIONS, made, receipt


def example():
    return index.example(made())


def problems(template):
    """What cfn-lint says of a template, errors and warnings alike."""
    return [f"{m.rule.id} {m.message}" for m in lint(template, config=ManualArgs(regions=REGIONS))]


def test_the_index_is_what_its_schema_says():
    schema = json.loads(index.SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    body = json.loads(json.dumps(made()))
    assert list(validator.iter_errors(body)) == []
    assert schema["properties"]["schema"]["const"] == index.SCHEMA
    keys = schema["properties"]["layers"]["items"]
    assert set(keys["required"]) == set(keys["properties"]) == set(body["layers"][0])
    for path, wrong in ((("version",), "1"), (("sha256",), "x"), (("arns",), {}), (("arns",), {"r": "arn"}), (("other",), 1)):
        broken = json.loads(json.dumps(body))
        broken["layers"][0][path[0]] = wrong
        assert list(validator.iter_errors(broken)), path


def test_earlier_releases_join_the_index_newest_first(tmp_path):
    (tmp_path / "index.json").write_text(json.dumps(made(receipt("0.3.0"), receipt("0.10.0", layers=(LANGUAGE,)))))
    both = made(receipt("0.9.0"), previous=index.load(tmp_path / "index.json"))
    assert [e["version"] for e in both["layers"] if (e["layer"], e["arch"]) == (LANGUAGE.name, "amd64")] == ["0.10.0", "0.9.0", "0.3.0"]
    assert {(e["layer"], e["version"]) for e in index.newest(both)} == {(COLLECTOR.name, "0.9.0"), (LANGUAGE.name, "0.10.0")}


def test_a_later_receipt_of_the_same_release_adds_its_regions():
    both = made(receipt(regions=REGIONS[:1]), previous=made(receipt(regions=REGIONS[1:])))
    assert len(both["layers"]) == 4
    assert set(both["layers"][0]["arns"]) == set(REGIONS)


def test_what_was_taken_back_is_not_the_newest_and_an_earlier_index_does_not_bring_it_back():
    both = made(receipt("0.3.0"), receipt("0.4.0", yanked="loses spans"))
    assert {e["version"]: e["yanked"] for e in both["layers"]} == {"0.3.0": "", "0.4.0": "loses spans"}
    assert {e["version"] for e in index.newest(both)} == {"0.3.0"}
    assert all("-0_3_0:1" in arn for arn in index.example(both)["arns"])
    undone = made(receipt("0.4.0"), previous=both)
    assert {e["version"] for e in index.newest(undone)} == {"0.4.0"}
    other_partition = made(receipt("0.4.0", regions=["r-other-1"]), previous=both)
    assert {e["version"] for e in index.newest(other_partition)} == {"0.3.0"}


def test_links_into_the_repository_are_words_in_the_notes():
    text = "# C\n\n## 0.4.0\n\nSee [the page](docs/x.md#a), [it](https://example.com/y) and `a[0](1)`.\n"
    assert notes.changes(text, {"0.4.0"}) == "See the page, [it](https://example.com/y) and `a[0](1)`."


def test_when_all_is_taken_back_nobody_is_shown_how_to_attach_it():
    found = receipt(yanked="loses spans")
    assert (index.newest(made(found)), index.example(made(found)), maps.files(made(found))) == ([], {}, {})
    text = notes.markdown([found])
    assert "How to attach" not in text
    assert text.count("**Taken back, do not use it: loses spans**") == 4
    assert text.startswith(f"> **`{found.plan.items[0].name}` was taken back, do not use it: loses spans**\n")


def test_the_maps_are_of_the_group_that_users_shall_find():
    both = made(receipt("0.3.0"), receipt("0.9.0", group="beta"), receipt("0.10.0", group="dev"))
    assert {(e["group"], e["version"]) for e in index.newest(both)} == {("prod", "0.3.0")}
    assert {e["version"] for e in index.newest(made(receipt("0.9.0", group="beta"), receipt("0.10.0", group="dev")))} == {"0.9.0"}
    assert "0.9.0 (beta)" in notes.markdown([receipt("0.9.0", group="beta")])


def test_other_bytes_under_a_name_of_an_earlier_index_are_refused():
    with pytest.raises(UsageError, match="the earlier index has other bytes"):
        made(receipt(sha="cd"), previous=made())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "opentelemetry-lambda-index/1", "layers": [{}]}'])
def test_what_is_no_index_is_refused(tmp_path, text):
    (tmp_path / "i.json").write_text(text)
    with pytest.raises(UsageError, match="is not an index"):
        index.load(tmp_path / "i.json")


def test_an_example_attaches_the_collector_and_a_language_in_one_region():
    shown = example()
    assert [COLLECTOR.name in shown["arns"][0], LANGUAGE.name in shown["arns"][1], len(shown["arns"])] == [True, True, 2]
    assert shown["runtime"] == LANGUAGE.runtimes[-1]
    assert all(f":{shown['region']}:" in arn for arn in shown["arns"])
    alone = index.example(made(receipt(layers=(COLLECTOR,))))
    assert (len(alone["arns"]), alone["runtime"], alone["wrapper"]) == (1, "", "")


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda s: s.key)
@pytest.mark.parametrize("layers", [(COLLECTOR,), (COLLECTOR, LANGUAGE)], ids=["alone", "both"])
def test_a_snippet_has_every_arn_once_and_no_mark_left(snippet, layers):
    shown = index.example(made(receipt(layers=layers)))
    text = fill(snippet, **shown)
    assert "@@" not in text
    assert [text.count(arn) for arn in shown["arns"]] == [1] * len(layers)
    assert ("AWS_LAMBDA_EXEC_WRAPPER" in text) == (len(layers) == 2)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in text


def snippet(key):
    return fill(next(s for s in SNIPPETS if s.key == key), **example())


def test_cfn_lint_takes_the_sam_snippet():
    assert problems(snippet("sam")) == []
    assert problems(snippet("sam").replace("Layers:", "Layer:"))  # it would say


def test_the_terraform_snippet_is_hcl():
    [function] = hcl2.loads(snippet("terraform"))["resource"]
    body = next(iter(next(iter(function.values())).values()))
    assert [arn.strip('"') for arn in body["layers"]] == example()["arns"]


def test_the_terraform_module_is_hcl_and_its_arns_are_the_newest():
    found = {str(path): text for path, text in maps.files(made(receipt("0.3.0"), receipt("0.4.0"))).items()}
    module = hcl2.loads(found["terraform/main.tf"])
    assert {name.strip('"') for block in module["variable"] for name in block} == {"region", "architecture", "layers"}
    assert {name.strip('"') for block in module["output"] for name in block} == {"arns", "environment"}
    arns = json.loads(found["terraform/arns.json"])
    assert arns[LANGUAGE.name]["arm64"][REGIONS[0]] == f"arn:aws:lambda:{REGIONS[0]}:123456789012:layer:{LANGUAGE.name}-arm64-0_4_0:1"
    assert found["terraform/arns.json"] == found["cdk/arns.json"]


def test_cfn_lint_takes_the_templates():
    found = {str(path): text for path, text in maps.files(made()).items()}
    assert problems(found["sam/template.yaml"]) == []
    assert problems(found["ssm/template.yaml"]) == []


def test_the_mappings_have_every_arn_under_keys_that_cloudformation_takes():
    found = {str(path): text for path, text in maps.files(made()).items()}
    mappings = yaml.safe_load(found["sam/mappings.yaml"])["Mappings"]
    assert mappings[maps.mapping_name(LANGUAGE.name)][REGIONS[1]]["arm64"].endswith(f"{LANGUAGE.name}-arm64-0_4_0:1")
    for name, regions in mappings.items():
        assert re.fullmatch("[A-Za-z0-9]+", name)
        assert all(re.fullmatch("[A-Za-z0-9.-]+", region) and set(arns) == {"amd64", "arm64"} for region, arns in regions.items())


def test_parameters_are_offered_where_all_layers_are():
    text = maps.files(made(receipt(layers=(COLLECTOR,)), receipt(layers=(LANGUAGE,), regions=REGIONS[:2])))
    text = next(body for path, body in text.items() if path.as_posix() == "ssm/template.yaml")
    assert f"Not for {REGIONS[2]}, which lack some of the layers." in text
    assert list(yaml.load(text, Loader=yaml.BaseLoader)["Mappings"][maps.mapping_name(COLLECTOR.name)]) == sorted(REGIONS[:2])


CHANGES = "# Changelog\n\nIntro.\n\n## Unreleased\n\n- new\n\n## layer-python/0.4.0 (2026-11-25)\n\n- python\n\n## 0.3.0\n\n- all\n"


@pytest.mark.parametrize(
    ("releases", "expected"), [({"Unreleased"}, "- new"), ({"0.4.0", "layer-python/0.4.0"}, "- python"), ({"0.3.0"}, "- all"), ({"0.4"}, "")]
)
def test_what_changed_is_the_section_of_the_release(releases, expected):
    assert notes.changes(CHANGES, releases) == expected


def test_notes_say_what_changed_and_every_way_to_attach():
    text = notes.markdown([receipt()], "- better")
    assert "## What changed\n\n- better\n" in text
    assert all(f"<summary>{s.title}</summary>\n\n```{s.language}\n" in text for s in SNIPPETS)
    assert "\n\n\n" not in text


def test_the_folder_of_a_release_is_whole_and_its_sums_hold(tmp_path):
    zipped = tmp_path / "x.zip"
    zipped.write_bytes(b"zip")
    folder = tmp_path / "release"
    for version in ("0.3.0", "0.4.0"):  # the second takes the first one's place
        output.write(folder, {PurePosixPath("notes.md"): "notes", **output.texts(made(receipt(version)), CATALOGUE)}, [zipped])
    assert subprocess.run(["sha256sum", "-c", "--quiet", output.SUMS], cwd=folder, check=False).returncode == 0
    summed = {line.split("  ")[1] for line in (folder / output.SUMS).read_text().splitlines()}
    assert summed == {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {output.SUMS}
    assert {"notes.md", "index.html", "index.json", "index.schema.json", "x.zip", "sam/template.yaml", "terraform/main.tf"} <= summed
    assert json.loads((folder / "index.json").read_text())["layers"][0]["version"] == "0.4.0"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["release", "x.zip"]


def test_another_folder_is_not_overwritten_and_a_failure_leaves_nothing(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("precious")
    with pytest.raises(UsageError, match="is no release's folder"):
        output.write(tmp_path / "mine", output.texts(made(), CATALOGUE), [])
    with pytest.raises(UsageError, match="is no release's folder"):
        output.write(tmp_path / "mine/file", output.texts(made(), CATALOGUE), [])
    with pytest.raises(UsageError, match="cannot write"):
        output.write(tmp_path / "new", output.texts(made(), CATALOGUE), [tmp_path / "missing.zip"])
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine/file").read_text() == "precious"
