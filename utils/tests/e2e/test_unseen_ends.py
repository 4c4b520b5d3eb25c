"""Ends that nobody sees: time-out, lack of memory, crash and a failed init become one error span, in the trace that the function had begun."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.local_parts import HERE, PROJECT, function
from otel_layers import build
from otel_layers.cli.session import session
from otel_layers.local import otlp

ENDS = """
    import os, signal, sys, time
    try:
        from opentelemetry import trace
    except ImportError:
        trace = None
    def handler(event, context):
        if event == "fine":
            return event
        if trace is not None:  # a child that is delivered before the end
            trace.get_tracer("test").start_span("child").end()
            trace.get_tracer_provider().force_flush()
        if event == "timeout":
            time.sleep(60)
        if event == "memory":
            kept = []
            while True:
                kept.append(b"x" * (8 << 20))
        if event == "exit":
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL)
"""
KINDS = {"timeout": "Sandbox.Timedout", "memory": "Runtime.OutOfMemory", "exit": "Runtime.ExitError", "kill": "Runtime.ExitError"}
ALL_SIGNALS = """
receivers: {telemetryapi: {}, otlp: {protocols: {http: {}}}}
exporters: {otlphttp: {endpoint: "${env:OTEL_EXPORTER_OTLP_ENDPOINT}", compression: none}}
service:
  pipelines:
    traces: {receivers: [otlp, telemetryapi], exporters: [otlphttp]}
    metrics: {receivers: [telemetryapi], exporters: [otlphttp]}
    logs: {receivers: [telemetryapi], exporters: [otlphttp]}
"""


@pytest.fixture(scope="session")
def zips() -> dict[str, Path]:
    """The built layers by folder."""
    return {layer.folder: build.build(PROJECT, layer, HERE).zip for layer in PROJECT.catalogue.layers.values() if layer.sample}


def run(tmp_path: Path, zips: dict[str, Path], source: str, *events: str, language: bool, **environment: str) -> tuple[list[Any], dict[str, Any]]:
    """Invoke the function with each event; what came of it, and the session's result."""
    layers = [zips["collector"], *([zips["python"]] if language else [])]
    settings = {**environment, **({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-handler"} if language else {})}
    made = function(tmp_path, source, layers=tuple(layers), environment=settings, memory_mb=192, timeout_s=3)
    with session(PROJECT, [made]) as (ours, finish):
        outcomes = [ours.invoke("it", json.dumps(event).encode()) for event in events]
        result = finish()
    return outcomes, result


def failures(result: dict[str, Any]) -> list[Any]:
    return [s for s in otlp.spans(result["resourceSpans"]) if "error.type" in s.attributes]


@pytest.mark.parametrize("language", [True, False], ids=["with the Python layer", "without a language layer"])
@pytest.mark.parametrize("end", list(KINDS))
def test_an_end_that_nobody_sees_is_one_error_span(tmp_path: Path, zips: dict[str, Path], end: str, *, language: bool) -> None:
    outcomes, result = run(tmp_path, zips, ENDS, "fine", end, "fine", language=language)
    assert [o.status for o in outcomes] == ["success", "timeout" if end == "timeout" else "failure", "success"]
    spans = otlp.spans(result["resourceSpans"])
    (failed,) = failures(result)
    assert failed.attributes["error.type"] == KINDS[end]
    assert failed.attributes["faas.invocation_id"] == outcomes[1].request_id
    assert (failed.name, failed.attributes["faas.coldstart"]) == ("it", False)
    if language:
        (child,) = [s for s in spans if s.name == "child"]
        assert (child.trace_id, child.parent_id) == (failed.trace_id, failed.span_id)
        assert len([s for s in spans if s.name == "it"]) == 3
    else:
        assert len(spans) == 1


@pytest.mark.parametrize("language", [True, False], ids=["with the Python layer", "without a language layer"])
def test_a_failed_init_is_one_error_span(tmp_path: Path, zips: dict[str, Path], *, language: bool) -> None:
    outcomes, result = run(tmp_path, zips, "raise ValueError('at import')", "fine", language=language)
    assert outcomes[0].status == "error"
    (failed,) = failures(result)
    assert failed.attributes["error.type"] == outcomes[0].error["errorType"]
    assert len(otlp.spans(result["resourceSpans"])) == 1


def test_logs_and_metrics_of_the_telemetry_api_arrive(tmp_path: Path, zips: dict[str, Path]) -> None:
    source = """
        import logging
        def handler(event, context):
            print("printed", event)
            logging.getLogger().warning("logged %s", event)
            return event
    """
    outcomes, result = run(tmp_path, zips, source, "a", "b", "c", language=True, OPENTELEMETRY_COLLECTOR_CONFIG_URI="yaml:" + ALL_SIGNALS)
    spans = {s.attributes["faas.invocation_id"]: s for s in otlp.spans(result["resourceSpans"]) if "faas.invocation_id" in s.attributes}
    records = {r["body"]["stringValue"]: r for rl in result["resourceLogs"] for sl in rl["scopeLogs"] for r in sl["logRecords"]}
    for outcome, event in zip(outcomes, "abc", strict=True):
        span = spans[outcome.request_id]
        for text, severity in ((f"printed {event}", None), (f"logged {event}", "WARNING")):
            record = records[text]
            assert record.get("severityText") == severity
            assert (record["traceId"], record["spanId"]) == (span.trace_id, span.span_id)
    points: dict[str, int] = {}
    for rm in result["resourceMetrics"]:
        for metric in (m for sm in rm["scopeMetrics"] for m in sm["metrics"]):
            for point in metric.get("sum", metric.get("histogram"))["dataPoints"]:
                points[metric["name"]] = points.get(metric["name"], 0) + int(point.get("asInt", point.get("count", 0)))
    assert (points["faas.invocations"], points["faas.coldstarts"], points["faas.invoke_duration"], points["faas.mem_usage"]) == (3, 1, 3, 3)
    assert [s.name for s in otlp.spans(result["resourceSpans"])].count("init") == 1
    collector = result["counts"]["collector"]
    assert collector["received"] == collector["sent"]
