"""A configuration that cannot be used never fails the function; one line says what is wrong and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.local_parts import PROJECT, SENDER, collector, function
from otel_layers.cli.session import session

GOOD = """
receivers:
  otlp:
    protocols:
      http:
        endpoint: localhost:4318
exporters:
  otlphttp:
    endpoint: http://127.0.0.1:14318
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlphttp]
"""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (GOOD.replace("receivers:\n  otlp", "receivers: [\n  otlp", 1), ["collector.yaml"]),
        (GOOD.replace("exporters:\n  otlphttp", "exporters:\n  nosuch", 1), ["collector.yaml", "nosuch"]),
        (None, ["collector.yaml"]),
        (GOOD.replace("http://127.0.0.1:14318", "${file:/var/task/nowhere}"), ["nowhere"]),
        (GOOD.replace("localhost:4318", "localhost:9001"), ["9001"]),
        (GOOD.replace("    endpoint: http", "    endpiont: http"), ["collector.yaml", "endpiont"]),
    ],
    ids=["invalid YAML", "unknown component", "missing file", "unreadable secret", "port taken", "wrong key"],
)
def test_the_function_works_and_one_line_names_the_cause(tmp_path: Path, text: str | None, names: list[str]) -> None:
    wish = {"OPENTELEMETRY_COLLECTOR_CONFIG_URI": "/var/task/collector.yaml"}
    made = function(tmp_path, SENDER, layers=(collector(),), environment=wish)
    if text is not None:
        (made.code / "collector.yaml").write_text(text)
        (made.code / "collector.yaml").chmod(0o644)
    with session(PROJECT, [made]) as (ours, finish):
        for number in range(3):
            done = ours.invoke("it", json.dumps({"first": 1 + number, "spans": 1}).encode())
            assert (done.status, json.loads(done.response or b"")) == ("success", {"first": 1 + number, "answers": [200]})
        result = finish()
    assert result["counts"]["collector"]["received"]["spans"] == 3
    assert result["counts"]["collector"]["dropped"]["spans"] == 3
    lines = [json.loads(line["text"]) for line in result["logs"] if line["source"].startswith("extension")]
    errors = [line for line in lines if line["level"].upper() == "ERROR"]
    assert len(errors) == 1, lines
    for name in names:
        assert name in json.dumps(errors[0])
    assert errors[0]["cause"]
    assert errors[0]["remedy"]
    assert errors[0]["configuration"] == "/var/task/collector.yaml"
    assert text is None or errors[0]["line"] > 0


def test_the_configuration_that_is_spoiled_is_good(tmp_path: Path) -> None:
    made = function(tmp_path, SENDER, layers=(collector(),), environment={"OPENTELEMETRY_COLLECTOR_CONFIG_URI": "/var/task/collector.yaml"})
    (made.code / "collector.yaml").write_text(GOOD)
    (made.code / "collector.yaml").chmod(0o644)
    with session(PROJECT, [made]) as (ours, finish):
        assert ours.invoke("it", b'{"first": 1, "spans": 3}').status == "success"
        counts = finish()["counts"]
    assert counts["backend"]["spans"]["unique"] == counts["collector"]["sent"]["spans"] == 3
