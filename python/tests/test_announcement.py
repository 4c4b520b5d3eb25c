"""What the layer says at the start of an invocation, so that the Collector can finish the span when the function is killed."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
from sandbox import attributes

pytestmark = pytest.mark.tiers

ECHO = "def handler(event, context):\n    return event"


@pytest.fixture
def attached(layer, tmp_path):
    """The layer beside a Collector, as in /opt."""
    opt = Path(shutil.copytree(layer, tmp_path / "opt"))
    (opt / "extensions").mkdir()
    (opt / "extensions/collector").touch()
    return opt


@pytest.fixture
def ear():
    """A socket that hears announcements."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        heard.settimeout(20)
        yield heard


def settings(ear, **more):
    return {"OTEL_LAMBDA_ANNOUNCEMENT_PORT": str(ear.getsockname()[1]), "OPENTELEMETRY_COLLECTOR_CONFIG_URI": "/var/task/collector.yaml", **more}


def silent(ear):
    ear.settimeout(0)
    with pytest.raises(BlockingIOError):
        ear.recv(2000)


def test_an_invocation_announces_its_span(start, attached, ear, receiver, version):
    function = start(version, ECHO, layer=attached, **settings(ear))
    function.invoke({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    word, request, context, parent, began, trigger, name = ear.recv(2000).decode().split(" ", 6)
    (span,) = receiver.spans()
    assert word == "otel-lambda-1"
    assert request == attributes(span)["faas.invocation_id"]
    assert context == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
    assert parent == span.parent_span_id.hex() == "b7ad6b7169203331"
    assert (int(began), trigger, name) == (span.start_time_unix_nano, "other", span.name)
    function.invoke(1)
    assert ear.recv(2000).split(b" ")[3] == b"-", "a root has no parent"


def test_nobody_is_told_when_it_is_switched_off_or_there_is_no_collector(start, attached, layer, ear, receiver, python):
    start(python, ECHO, layer=attached, **settings(ear, OTEL_TRACES_EXPORTER="none")).invoke(1)
    start(python, ECHO, layer=layer, **settings(ear)).invoke(1)
    start(python, ECHO, layer=attached, **{**settings(ear), "OTEL_LAMBDA_ANNOUNCEMENT_PORT": "0"}).invoke(1)
    silent(ear)
    assert len(receiver.spans()) == 2


def test_a_collector_that_does_not_listen_costs_nothing(start, attached, ear, receiver, python):
    port = settings(ear)
    ear.close()
    function = start(python, ECHO, layer=attached, **port)
    assert [function.invoke(n) for n in range(5)] == [start(python, ECHO, layer=None).invoke(n) for n in range(5)]
    assert len(receiver.spans()) == 5
