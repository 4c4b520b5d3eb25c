"""A Collector that is built for a configuration: contrib's own components run in the host, in the local Lambda, with what was put into the layer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.local_parts import HERE, PROJECT, SENDER, function, layer
from otel_layers import archive
from otel_layers.build import custom
from otel_layers.cli import main
from otel_layers.cli.session import session
from otel_layers.cli.verbs.components import inside
from otel_layers.errors import BuildFailed, NothingToDo, UsageError
from otel_layers.local import otlp
from otel_layers.ondemand import components

NAME = "opentelemetry-collector-custom-test"
CONFIGURATION = """
receivers:
  otlp:
    protocols:
      http:
        endpoint: localhost:4318
processors:
  redaction:
    allow_all_keys: true
    blocked_values: ["4[0-9]{15}"]
  groupbyattrs:
    keys: [team]
exporters:
  otlphttp:
    endpoint: ${env:OTEL_EXPORTER_OTLP_ENDPOINT}
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [redaction, groupbyattrs]
      exporters: [otlphttp]
"""
ATTRIBUTES = """[{"key": "card", "value": {"stringValue": "it is 4111111111111111"}}, {"key": "team", "value": {"stringValue": "blue"}}]"""


def test_contrib_components_change_the_data_as_the_embedded_configuration_says(tmp_path: Path) -> None:
    config = tmp_path / "my.yaml"
    config.write_text(CONFIGURATION)
    (built,) = custom.build_custom(PROJECT, [config], [], arch=HERE.name, name=NAME, embed=True)
    (again,) = custom.build_custom(PROJECT, [config], [], arch=HERE.name, name=NAME, embed=True)
    assert again.fresh
    (anew,) = custom.build_custom(PROJECT, [config], [], arch=HERE.name, name=NAME, embed=True, force=True)
    assert not anew.fresh
    assert anew.facts.sha256 == built.facts.sha256
    bill = json.loads(built.zip.with_name(f"{built.zip.stem}.cdx.json").read_text())
    assert any(one["name"].endswith("/redactionprocessor") for one in bill["components"])
    added = {one["type"]: one["module"] for one in inside(PROJECT, built.zip)["processors"] if "module" in one}
    assert sorted(added) == ["groupbyattrs", "redaction"]
    assert added["redaction"].endswith("/processor/redactionprocessor v0.164.0")
    with archive.opened(built.zip) as zipped:
        assert zipped.read("collector-config/00-my.yaml").decode() == CONFIGURATION
    source = SENDER.replace('"kind": 1,', f'"kind": 1, "attributes": {ATTRIBUTES},')
    with session(PROJECT, [function(tmp_path, source, layers=(built.zip,))]) as (ours, finish):
        for first in (1, 4):
            assert ours.invoke("it", json.dumps({"first": first, "spans": 3}).encode()).status == "success"
        result = finish()
    assert result["counts"]["backend"]["spans"]["unique"] == 6
    text = json.dumps(result["resourceSpans"])
    assert "4111111111111111" not in text
    assert "it is ****" in text
    teams = [a["value"]["stringValue"] for r in result["resourceSpans"] for a in r["resource"]["attributes"] if a["key"] == "team"]
    assert teams
    assert set(teams) == {"blue"}
    assert len(otlp.spans(result["resourceSpans"])) == 6


def test_validate_names_line_and_key_of_a_component_that_is_not_built_in(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "my.yaml"
    config.write_text(CONFIGURATION.replace("${env:OTEL_EXPORTER_OTLP_ENDPOINT}", "http://127.0.0.1:14318"))
    assert main(["collector", "validate", "--config", str(config)]) == 0
    assert "the configuration is good" in capfd.readouterr().out
    config.write_text(config.read_text().replace("blocked_values:", "blocked_vaules:"))
    assert main(["collector", "validate", "--config", str(config)]) == 2
    said = capfd.readouterr().err
    assert "my.yaml:10" in said
    assert "blocked_vaules" in said


def test_a_layer_without_a_collector_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no Collector layer"):
        inside(PROJECT, layer(tmp_path, "other", {"a.txt": "a"}))


def test_an_unknown_component_is_answered_with_near_names_and_the_module_that_was_tried(tmp_path: Path) -> None:
    config = tmp_path / "my.yaml"
    config.write_text(CONFIGURATION.replace("redaction", "redactoin"))
    with pytest.raises(BuildFailed, match="processor/redactoin") as caught:
        custom.build_custom(PROJECT, [config], [], arch=HERE.name, name=NAME)
    assert "processor/redactoinprocessor@" in caught.value.why
    assert "processor/redaction?" in caught.value.remedy


def test_a_configuration_of_built_in_components_needs_no_build(tmp_path: Path) -> None:
    config = tmp_path / "my.yaml"
    config.write_text("receivers: {otlp: }\nexporters: {otlp_http: }\n")
    with pytest.raises(NothingToDo):
        custom.build_custom(PROJECT, [config], [], arch=HERE.name, name=NAME)


@pytest.mark.slow
def test_a_component_that_does_not_compile_is_answered_with_the_version_that_would(tmp_path: Path) -> None:
    config = tmp_path / "my.yaml"
    config.write_text(CONFIGURATION)
    known = components.load(PROJECT.root / "collector/components.toml").module("processor/redaction")
    old = f"processor/redaction={known.path}@v0.110.0"
    with pytest.raises(BuildFailed, match=r"processor/redaction cannot be compiled against the Collector v0\.164\.0") as caught:
        custom.build_custom(PROJECT, [config], [old], arch=HERE.name, name=NAME)
    assert "undefined: processorhelper." in caught.value.why
    assert "groupbyattrs" not in caught.value.why, "only what does not compile is named"
    assert f"--with processor/redaction={known.path}@{known.version}" in caught.value.remedy
