"""Each line about delivery ends with what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "src"))
from otel_lambda import advice, destination

ECHO = "def handler(event, context):\n    return [event]"
REMOTE = "https://backend.example.com"


@pytest.mark.parametrize(
    ("url", "why", "words"),
    [
        ("http://localhost:4318", "connection refused", "attach the opentelemetry-collector layer"),
        ("http://127.0.0.1:4317", "no answer within 2.0 s", "attach the opentelemetry-collector layer"),
        (REMOTE, "HTTP status 401", "OTEL_EXPORTER_OTLP_HEADERS"),
        (REMOTE, "gRPC status PERMISSION_DENIED", "OTEL_EXPORTER_OTLP_HEADERS"),
        (REMOTE, "HTTP status 404", "without /v1/traces"),
        (REMOTE + ":4317", "connection reset by peer", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
        (REMOTE, "SSLCertVerificationError: certificate verify failed", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
        (REMOTE, "no answer within 2.0 s", "network must reach"),
        (REMOTE, "HTTP status 500", ""),
    ],
)
def test_what_to_do(monkeypatch, tmp_path, url, why, words):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    found = advice.about(destination.read("traces", str(tmp_path)), why)
    assert words in found
    assert bool(words) == bool(found)


def test_with_the_collector_beside_it_says_more(monkeypatch, tmp_path):
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions/collector").touch()
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert "its own lines" in advice.about(destination.read("traces", str(tmp_path)), "connection refused")


def test_no_collector_and_no_backend(start, python):
    function = start(python, ECHO, OTEL_EXPORTER_OTLP_ENDPOINT=None)
    assert [function.invoke(n).json for n in range(3)] == [[0], [1], [2]]
    (line,) = function.said()
    assert "connection refused (1 dropped so far)" not in line
    assert (
        "connection refused; attach the opentelemetry-collector layer, or name your backend in OTEL_EXPORTER_OTLP_ENDPOINT (1 dropped so far)" in line
    )


def test_a_key_that_the_backend_does_not_know(start, receiver, python):
    receiver.answer = lambda _: 401
    function = start(python, ECHO)
    assert function.invoke(1).json == [1]
    (line,) = function.said()
    assert "HTTP status 401; check the credentials in OTEL_EXPORTER_OTLP_HEADERS" in line


@pytest.mark.parametrize(
    ("variable", "other"), [("DD_LAMBDA_HANDLER", "Datadog"), ("NEW_RELIC_LAMBDA_HANDLER", "New Relic"), ("LUMIGO_ORIGINAL_HANDLER", "Lumigo")]
)
def test_two_telemetry_layers(start, receiver, python, variable, other):
    function = start(python, ECHO, **{variable: "app.handler"})
    assert function.invoke(1).json == [1]
    (line,) = function.said()
    assert f"{other} wraps this function's handler too ({variable} is set)" in line
    assert len(receiver.spans()) == 1
