"""Where telemetry goes, decided from the environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "src"))
from otel_lambda import destination, settings

BACKEND = "https://backend.example.com/otlp"
BESIDE = "http://localhost:4318/v1/traces"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An /opt with the collector in it, and an environment without a word about telemetry."""
    import os

    for name in [n for n in os.environ if n.startswith(("OTEL_", "OPENTELEMETRY_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions/collector").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("collector", "environment", "expected", "own"),
    [
        (False, {}, BESIDE, True),
        (True, {}, BESIDE, True),
        (False, {"OTEL_EXPORTER_OTLP_ENDPOINT": BACKEND + "/"}, BACKEND + "/v1/traces", True),
        (True, {"OTEL_EXPORTER_OTLP_ENDPOINT": BACKEND}, BESIDE, False),
        (True, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": BACKEND}, BESIDE, False),
        (True, {"OTEL_EXPORTER_OTLP_ENDPOINT": BACKEND, "OPENTELEMETRY_COLLECTOR_CONFIG_FILE": "/var/task/c.yaml"}, BACKEND + "/v1/traces", True),
        (True, {"OTEL_EXPORTER_OTLP_ENDPOINT": BACKEND, "OPENTELEMETRY_COLLECTOR_CONFIG_URI": "s3://b/c.yaml"}, BACKEND + "/v1/traces", True),
        (True, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "http://127.0.0.1:4318/v1/traces", True),
        (True, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317"}, BESIDE, True),
        (False, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://h:1/exact"}, "http://h:1/exact", True),
        (True, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:14318"}, BESIDE, False),
        (False, {"OTEL_EXPORTER_OTLP_ENDPOINT": "backend:4317"}, BESIDE, True),
    ],
)
def test_the_endpoint(root, monkeypatch, collector, environment, expected, own):
    if not collector:
        (root / "extensions/collector").unlink()
    for key, text in environment.items():
        monkeypatch.setenv(key, text)
    assert destination.endpoint("traces", str(root)) == (expected, own)


def test_the_collectors_secrets_stay_the_collectors(root, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", BACKEND)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret")
    assert settings.read(str(root)).to.headers == {}
    (root / "extensions/collector").unlink()
    assert settings.read(str(root)).to.headers == {"api-key": "secret"}


def test_headers_and_numbers(root, monkeypatch, capsys):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b%20c, Authorization=Basic%20eA==")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    found = settings.read(str(root))
    assert found.to.headers == {"a": "b c", "Authorization": "Basic eA=="}
    assert (found.to.timeout, found.max_queue, found.max_batch, found.to.gzip, found.traces) == (0.25, 10, 10, True, ("otlp",))
    assert found.propagators == ("tracecontext", "baggage", "xray")
    assert capsys.readouterr().err == ""
