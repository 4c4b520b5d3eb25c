"""The layer's own failures: a line, and the function runs as if the layer were not there."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "src"))
from otel_lambda import export
from sandbox import attributes

ECHO = "def handler(event, context):\n    return [event]"


@pytest.fixture
def damaged(layer: Path, tmp_path: Path) -> Path:
    """A copy of the layer that a test may damage."""
    return Path(shutil.copytree(layer, tmp_path / "opt"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda opt: (opt / "python/otel_lambda/telemetry.py").write_text("def start(root: broken"),
        lambda opt: [p.unlink() for p in (opt / "python/otel_lambda").glob("*.py") if p.name not in ("bootstrap.py", "__init__.py")],
    ],
)
def test_a_damaged_layer(start, receiver, damaged, python, damage):
    for cache in damaged.rglob("__pycache__"):
        shutil.rmtree(cache)
    damage(damaged)
    function = start(python, ECHO, layer=damaged)
    assert function.invoke({"a": 1}).json == [{"a": 1}]
    assert function.invoke(2).json == [2]
    (line,) = function.said()
    assert "telemetry is off" in line
    assert "The function runs without it." in line
    assert receiver.requests == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda opt: shutil.rmtree(opt / "otel-python"),
        lambda opt: shutil.rmtree(opt / "otel-python/opentelemetry/sdk"),
        lambda opt: (opt / "otel-python/opentelemetry/sdk/trace/__init__.py").write_text("raise RuntimeError('damaged')"),
    ],
)
@pytest.mark.tiers
def test_a_damaged_sdk_is_no_loss_for_the_recorder(start, receiver, damaged, python, damage, tier):
    shutil.rmtree(damaged / "otel-python/opentelemetry/sdk/trace/__pycache__")
    damage(damaged)
    function = start(python, ECHO, layer=damaged)
    assert [function.invoke(n).json for n in range(2)] == [[0], [1]]
    said = function.said()
    assert len(said) == (tier == "sdk")
    assert all("spans are missing, because the SDK cannot" in line for line in said)
    assert len(receiver.spans()) == 2


def test_failures_in_flight(start, receiver, damaged, python):
    for cache in (damaged / "python").rglob("__pycache__"):
        shutil.rmtree(cache)
    (damaged / "python/otel_lambda/triggers.py").write_text("def recognise(*_):\n    raise ZeroDivisionError('ours')")
    function = start(python, ECHO, layer=damaged)
    assert [function.invoke(n).json for n in range(3)] == [[0], [1], [2]]
    (line,) = function.said()  # once a minute
    assert "ZeroDivisionError: ours" in line


def test_a_function_with_an_older_api_of_its_own(start, receiver, python, tmp_path):
    package = tmp_path / "task/opentelemetry/trace"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("MINE = 'own api'")
    function = start(python, "def handler(e, c):\n    from opentelemetry import trace\n    return trace.MINE")
    assert [function.invoke({}).json for _ in range(2)] == ["own api"] * 2
    (line,) = function.said()
    assert "the function's own OpenTelemetry spans are missing" in line
    assert len(receiver.spans()) == 2  # the recorder's


@pytest.mark.parametrize(
    ("variable", "text", "word"),
    [
        ("OTEL_PROPAGATORS", "tracecontext,nonsense", "nonsense"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "soon"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "-1"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon", "carrier-pigeon"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "zipkin"),
        ("OTEL_RESOURCE_ATTRIBUTES", "novalue,a=b", "key=value"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "=x", "key=value"),
    ],
)
def test_a_bad_value_is_one_line(start, receiver, python, variable, text, word):
    function = start(python, ECHO, **{variable: text})
    assert function.invoke(1).json == [1]
    (line,) = function.said()
    assert word in line
    assert len(receiver.spans()) == 1


@pytest.mark.parametrize(("variable", "text"), [("OTEL_TRACES_SAMPLER", "nonsense"), ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")])
def test_a_bad_value_for_the_sdk(start, receiver, python, variable, text):
    function = start(python, ECHO, **{variable: text})
    assert function.invoke(1).json == [1]
    assert text in function.log() or "sampler" in function.log().lower()


def test_switched_off(start, receiver, python):
    source = "import sys\ndef handler(e, c):\n    return [m for m in sys.modules if m.startswith(('opentelemetry', 'otel_lambda'))]"
    assert start(python, source, OTEL_SDK_DISABLED="True").invoke({}).json == []
    assert start(python, ECHO, OTEL_TRACES_EXPORTER="none").invoke(1).json == [1]
    assert receiver.requests == []


def _port_of_nobody() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_nothing_listens(start, receiver, python):
    function = start(python, ECHO, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{_port_of_nobody()}")
    assert [function.invoke(n).json for n in range(5)] == [[n] for n in range(5)]
    (line,) = function.said()
    assert "1 spans were not delivered" in line
    assert "connection refused" in line


def test_a_backend_that_hangs_is_waited_for_until_the_deadline_allows(start, receiver, python):
    release = threading.Event()
    receiver.answer = lambda _: (release.wait(30), None)[1]
    source = "def handler(event, context):\n    return context.get_remaining_time_in_millis()"
    function = start(python, source, OTEL_EXPORTER_OTLP_TIMEOUT="100")
    try:
        assert function.invoke({}, seconds=30).json > 0
    finally:
        release.set()
    (line,) = function.said()
    assert "no answer within 0.1 s" in line
    receiver.answer = lambda _: 200
    function.invoke({}, seconds=30)
    assert [attributes(s)["faas.invocation_id"] for s in receiver.spans()] == ["request-2"]


@pytest.mark.parametrize("seconds", [0.4, -1.0, -3600.0])
def test_little_time_and_a_clock_that_was_set_since_keep_nothing_back(start, receiver, python, seconds):
    """A function whose time-out is less than a second, or whose clock is ahead of Lambda's, would never send at all."""
    function = start(python, "def handler(event, context):\n    return context.get_remaining_time_in_millis()")
    for n in range(1, 4):
        assert function.invoke({}, seconds=seconds).json <= max(0, seconds * 1000)
        assert [attributes(s)["faas.invocation_id"] for s in receiver.spans()] == [f"request-{m}" for m in range(1, n + 1)]
    assert function.said() == []


def test_a_flush_ends_before_the_deadline():
    given = (None, 60.0, 2.0, 1.0, 0.4, 0.0, -5.0)
    assert [export.within(left) for left in given] == [2.0, 2.0, 1.5, 0.5, 0.2, 2.0, 2.0]


@pytest.mark.parametrize("status", [400, 401, 429, 503])
def test_a_backend_that_refuses(start, receiver, python, status):
    receiver.answer = lambda _: status
    function = start(python, ECHO)
    assert [function.invoke(n).json for n in range(3)] == [[0], [1], [2]]
    (line,) = function.said()
    assert f"HTTP status {status}" in line


def test_connections_that_died_while_frozen(start, receiver, python):
    function = start(python, ECHO)
    for n in range(6):
        assert function.invoke(n).json == [n]
        if n % 2:
            receiver.hang_up()
    ids = [attributes(s)["faas.invocation_id"] for s in receiver.spans()]
    assert ids == [f"request-{n}" for n in range(1, 7)]
    assert receiver.connections == 3
    assert function.said() == []


def test_a_receiver_that_hangs_up_after_reading(start, receiver, python):
    """A kept connection that ends instead of answering: once more on a new one; when that ends too it is over."""
    receiver.answer = lambda count: None if count == 1 and receiver.connections == 1 else 200
    function = start(python, ECHO)
    assert [function.invoke(n).json for n in range(3)] == [[0], [1], [2]]
    assert len(receiver.spans()) == 3
    assert function.said() == []


def test_an_exporter_that_raises(start, receiver, damaged, python):
    (damaged / "python/otel_lambda/otlp.py").write_text("def request(spans, resource):\n    raise MemoryError('ours')")
    shutil.rmtree(damaged / "python/otel_lambda/__pycache__")
    function = start(python, ECHO, layer=damaged)
    assert function.invoke(1).json == [1]
    (line,) = function.said()
    assert "MemoryError: ours" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_layer(start, receiver, damaged, python):
    (damaged / "otel-python").chmod(0)
    try:
        function = start(python, ECHO, layer=damaged)
        assert function.invoke(1).json == [1]
    finally:
        (damaged / "otel-python").chmod(0o755)
