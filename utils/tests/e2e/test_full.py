"""The flavour `full`: configurations like the community layer's examples (utils/conformance/community) run on it without a change."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from e2e.contrib_parts import METRICS, SENDER, span, traces
from e2e.local_parts import HERE, PROJECT, function
from e2e.recorder import Recorder, recorder
from otel_layers import build
from otel_layers.cli.session import session
from otel_layers.local import otlp

EXAMPLES = PROJECT.root / "utils/conformance/community"

Result = tuple[dict[str, Any], Recorder]
Runner = Callable[..., Result]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # the compiler needs minutes


@pytest.fixture(scope="session")
def full() -> Path:
    """The built zip."""
    return build.build(PROJECT, PROJECT.catalogue.layer("opentelemetry-collector-full"), HERE).zip


@pytest.fixture
def run(full: Path, tmp_path: Path) -> Runner:
    """Invoke a function that has the example as /var/task/collector.yaml: the session's result, and what went elsewhere."""

    def go(name: str, *events: Mapping[str, Any], served: Mapping[str, Any] | None = None, **environment: str) -> Result:
        settings = {"OPENTELEMETRY_COLLECTOR_CONFIG_URI": "/var/task/collector.yaml", **environment}
        made = function(tmp_path, SENDER, layers=(full,), memory_mb=512, timeout_s=60, environment=settings)
        (tmp_path / "code/collector.yaml").write_bytes((EXAMPLES / f"{name}.yaml").read_bytes())
        with recorder(**(served or {})) as elsewhere, session(PROJECT, [made], aws_port=elsewhere.port) as (ours, finish):
            done = [ours.invoke("it", json.dumps(event).encode()) for event in events]
            result = finish()
        lines = said(result)
        assert [one.status for one in done] == ["success"] * len(events), lines
        assert all(status == 200 for one in done for status in json.loads(one.response or b"")["answers"]), lines
        assert [line for line in lines if '"level":"ERROR"' in line.replace('": "', '":"')] == []
        assert result["counts"]["collector"].get("dropped", {}).get("spans", 0) == 0, lines
        return result, elsewhere

    return go


def said(result: Mapping[str, Any]) -> list[str]:
    """What the Collector printed."""
    return [line["text"] for line in result["logs"] if str(line["source"]).startswith("extension")]


def ids(result: Mapping[str, Any]) -> list[int]:
    """The numbers of the spans that reached the backend."""
    return sorted(int(one.span_id, 16) for one in otlp.spans(result["resourceSpans"]) if one.name != "init")


def test_the_layer_s_own_configuration(run: Runner) -> None:
    result, _ = run("default", {"send": traces(span(1))})
    assert any("span 1" in line for line in said(result)), "debug prints what comes"


def test_the_readme_s_configuration(run: Runner) -> None:
    result, _ = run("readme", {"send": traces(span(1))}, {"send": traces(span(2))}, BACKEND="127.0.0.1:14317")
    assert ids(result) == [1, 2]


def test_several_telemetryapi_receivers_and_the_processors_of_the_layer(run: Runner) -> None:
    result, _ = run("telemetryapi", {"send": traces(span(1))})
    assert 1 in ids(result)
    bodies = json.dumps(result["resourceLogs"])
    assert "platform.start" in bodies or "REPORT" in bodies, "platform's records came"


def test_signed_metrics_for_prometheus_and_attributes_that_are_dropped(run: Runner) -> None:
    cumulative = {**METRICS, "sum": {**METRICS["sum"], "aggregationTemporality": 2}}  # Prometheus knows no other
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [cumulative]}]}]}
    result, elsewhere = run("prometheus", {"send": {**traces(span(1, process_command__args="x")), "metrics": metrics}}, TOKEN="mine")
    assert ids(result) == [1]
    assert "process.command_args" not in json.dumps(result["resourceSpans"])
    written = elsewhere.at("/api/v1/remote_write")
    assert written
    assert all(one.headers["authorization"].startswith("AWS4-HMAC-SHA256 ") for one in written)


def test_its_other_processors_the_connector_and_basicauth(run: Runner) -> None:
    sent = traces(span(1, db_system="pg", operation="select"), span(2, http_route="/health"))
    result, elsewhere = run("processors", {"send": sent, "wait": 2})
    (one,) = otlp.spans(result["resourceSpans"])
    assert (one.name, one.attributes["mended"]) == ("pg::select", "yes")
    basic = base64.b64encode(b"user:secret").decode()
    came = elsewhere.at("/basic/v1/metrics")
    assert came
    assert all(each.headers["authorization"] == f"Basic {basic}" for each in came)
    assert any(b"calls" in each.body for each in came), "spanmetrics"


def test_a_configuration_in_s3_with_values_of_secrets_manager_and_the_parameter_store(run: Runner) -> None:
    served = {
        "objects": {"/mine/collector.yaml": (EXAMPLES / "sources.yaml").read_bytes()},
        "calls": {
            "GetSecretValue": {"Name": "backend", "SecretString": json.dumps({"key": "key-of-mine"})},
            "GetParameter": {"Parameter": {"Name": "/collector/parameter", "Value": "parameter-of-mine"}},
        },
    }
    uri = "s3://mine.s3.us-east-1.amazonaws.com/collector.yaml"
    events = [{"send": traces(span(number)), "wait": 1} for number in (1, 2)]
    result, elsewhere = run("sources", *events, served=served, OPENTELEMETRY_COLLECTOR_CONFIG_URI=uri)
    came = elsewhere.at("/sources/v1/traces")
    assert came
    assert {(one.headers.get("x-key"), one.headers.get("x-parameter")) for one in came} == {("key-of-mine", "parameter-of-mine")}
    assert b"span 1" in b"".join(one.body for one in came)
    assert not [line for line in said(result) if "key-of-mine" in line or "parameter-of-mine" in line]
