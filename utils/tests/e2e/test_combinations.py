"""Contrib's components of all kinds, in the local Lambda: each combination of utils/conformance/collector is built, starts, and passes data."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from e2e.contrib_parts import LOGS, METRICS, SENDER, attribute, span, traces
from e2e.local_parts import HERE, PROJECT, function
from e2e.recorder import Recorder, recorder
from otel_layers import archive, process, toolchain
from otel_layers.build import custom
from otel_layers.cli.session import session
from otel_layers.errors import BuildFailed
from otel_layers.local import otlp

COMBINATIONS = PROJECT.root / "utils/conformance/collector"

Result = tuple[list[Any], dict[str, Any], Recorder]
Runner = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    """Build a combination, invoke the function with each event: (what it returned, the session's result, what went elsewhere)."""

    def go(name: str, *events: Mapping[str, Any], layers: tuple[Path, ...] = ()) -> Result:
        (built,) = custom.build_custom(
            PROJECT, [COMBINATIONS / f"{name}.yaml"], [], arch=HERE.name, name=f"opentelemetry-collector-{name}", embed=True
        )
        made = function(tmp_path, SENDER, layers=(built.zip, *layers), memory_mb=512, timeout_s=60)
        with recorder() as elsewhere, session(PROJECT, [made], aws_port=elsewhere.port) as (ours, finish):
            done = [ours.invoke("it", json.dumps(event).encode()) for event in events]
            result = finish()
        lines = [line["text"] for line in result["logs"]]
        assert [one.status for one in done] == ["success"] * len(events), lines
        answers = [json.loads(one.response or b"") for one in done]
        assert all(status == 200 for answer in answers for status in answer["answers"]), lines
        assert result["counts"]["collector"].get("dropped", {}).get("spans", 0) == 0, lines
        return answers, result, elsewhere

    return go


pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # the compiler needs minutes


def test_processors_change_and_drop_what_passes(run: Runner) -> None:
    card = {"note": "card 4111111111111111", "http_request_method": "GET", "http_route": "/orders", "password": "secret"}
    _, result, _ = run("shaping", {"send": traces(span(1, **card), span(2, http_route="/health"), span(3, ms=1500))})
    found = {one.span_id: one for one in otlp.spans(result["resourceSpans"])}
    assert sorted(found) == [f"{1:016x}", f"{3:016x}"], "filter"
    first, third = (found[f"{number:016x}"] for number in (1, 3))
    assert first.name == "GET /orders", "span"
    assert "password" not in first.attributes, "attributes"
    assert first.attributes["seen"] is True, "attributes"
    assert first.attributes["note"] == "card ****", "redaction"
    assert "slow" not in first.attributes
    assert third.attributes["slow"] is True, "transform"
    (resource,) = (r["resource"]["attributes"] for r in result["resourceSpans"])
    assert attribute("team", "blue") in resource, "resource"


def test_samplers_choose_whole_traces(run: Runner) -> None:
    sent = traces(span(1, trace=1, team="blue"), span(2, trace=1, error=True, team="blue"), span(3, trace=2, team="blue"))
    _, result, _ = run("sampling", {"send": sent, "wait": 4})
    assert sorted(one.span_id for one in otlp.spans(result["resourceSpans"])) == [f"{1:016x}", f"{2:016x}"]
    assert all(attribute("team", "blue") in r["resource"]["attributes"] for r in result["resourceSpans"]), "groupbyattrs"


def test_metrics_are_made_of_spans_and_written_remotely(run: Runner) -> None:
    answers, result, elsewhere = run("metrics", {"send": traces(span(1)), "wait": 2, "ask": "http://localhost:13133/"})
    assert answers[0]["asked"] == 200, "health_check"
    assert len(otlp.spans(result["resourceSpans"])) == 1
    written = elsewhere.at("/api/v1/write")
    assert written
    assert all(one.headers["content-encoding"] == "snappy" for one in written)
    assert any(b"calls_total" in one.body for one in written), "names in a short message stand in it as they are, though it is compressed"


def test_aws_exporters_and_signatures(run: Runner) -> None:
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [METRICS]}]}]}
    _, _, elsewhere = run("aws", {"send": {**traces(span(1, colour="red")), "metrics": metrics, "logs": LOGS}})
    (segments,) = elsewhere.at("/TraceSegments")
    (document,) = (json.loads(one) for one in json.loads(segments.body)["TraceSegmentDocuments"])
    assert (document["name"], document["id"]) == ("shop", f"{1:016x}")
    assert document["annotations"]["colour"] == "red"
    put = [one for one in elsewhere.requests if one.headers.get("x-amz-target", "").endswith(".PutLogEvents")]
    (event,) = json.loads(put[0].body)["logEvents"]
    said = json.loads(event["message"])
    assert said["orders"] == 3
    assert said["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Orders"
    (signed,) = elsewhere.at("/signed/v1/logs")
    assert signed.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=local/")
    assert b"a line" in signed.body


def test_kafka_gets_spans(run: Runner, tmp_path: Path) -> None:
    opt = tmp_path / "kafka/opt"
    env = toolchain.go_environment(PROJECT, CGO_ENABLED="0", GOWORK="off")
    build = [toolchain.go(PROJECT), "build", "-trimpath", "-o", str(opt / "bin/kafka"), "."]
    process.run(build, cwd=Path(__file__).with_name("kafka"), env=env, error=BuildFailed, echo=False)
    for folder in (opt, opt / "bin"):
        folder.chmod(0o755)
    archive.pack(opt, tmp_path / "kafka.zip")
    event = {"start": ["/opt/bin/kafka", "/tmp/kafka.txt"], "wait": 1, "send": traces(span(7))}
    answers, _, _ = run("kafka", event, {"read": "/tmp/kafka.txt"}, layers=(tmp_path / "kafka.zip",))
    (resource,) = json.loads(answers[1]["read"])["resourceSpans"]
    assert resource["scopeSpans"][0]["spans"][0]["name"] == "span 7"


def test_authenticators_add_their_credentials(run: Runner) -> None:
    _, _, elsewhere = run("auth", {"send": traces(span(1))}, {"send": traces(span(2))})
    basic = base64.b64encode(b"user:secret").decode()
    expected = {
        "basic": ("authorization", f"Basic {basic}"),
        "bearer": ("authorization", "Bearer token-of-mine"),
        "headers": ("x-tenant", "tenant-7"),
        "oauth2": ("authorization", "Bearer fresh"),
    }
    for path, (header, value) in expected.items():
        came = elsewhere.at(f"/{path}/v1/traces")
        assert [one.headers.get(header) for one in came] == [value] * 2, path
    assert len(elsewhere.at("/token")) == 1, "a token is used until it expires"


def test_files_and_what_works_inside(run: Runner) -> None:
    ask = "http://localhost:55679/"  # zpages listens; its pages are of the Collector's own service, which is not here
    answers, result, _ = run("files", {"send": traces(span(1)), "ask": ask}, {"read": "/tmp/out.json"})
    assert answers[0]["asked"] == 404, "zpages"
    (resource,) = json.loads(answers[1]["read"].splitlines()[0])["resourceSpans"]
    assert resource["scopeSpans"][0]["spans"][0]["name"] == "span 1"
    assert len(otlp.spans(result["resourceSpans"])) == 1
