"""The sandbox's clock is not Lambda's: both are set now and then, a thawed machine's more than others. Nothing is lost by it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from e2e.local_parts import HERE, PROJECT, SENDER, collector, destination, function
from e2e.test_unseen_ends import ALL_SIGNALS, ENDS, failures
from otel_layers import build
from otel_layers.cli.session import session
from otel_layers.local import model, otlp

AHEAD = [1.7, 60, -60]  # seconds that the sandbox's clock is ahead of the one by which Lambda tells its deadlines


@pytest.fixture
def ahead(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Deadlines are told by a clock that differs from the sandbox's."""
    seconds = float(request.param)
    real = model.deadline_ms
    monkeypatch.setattr(model, "deadline_ms", lambda at: real(at) - int(seconds * 1000))
    assert abs(model.deadline_ms(time.monotonic_ns()) / 1000 - time.time() + seconds) < 1  # else nothing is tested
    return seconds


@pytest.mark.parametrize("policy", ["auto", "end", "shutdown"])
@pytest.mark.parametrize("ahead", AHEAD, indirect=True)
def test_the_collector_delivers_everything(tmp_path: Path, ahead: float, policy: str) -> None:
    made = function(tmp_path, SENDER, layers=(collector(),), environment={"OTEL_LAMBDA_FLUSH": policy, **destination("http/protobuf")}, timeout_s=30)
    each, count = {"spans": 7, "metrics": 3, "logs": 2}, 4
    with session(PROJECT, [made]) as (ours, finish):
        for number in range(count):
            done = ours.invoke("it", json.dumps({"first": 1 + 50 * number, **each}).encode())
            assert done.status == "success", done.error
        counts = finish()["counts"]
    sent = {signal: count * n for signal, n in each.items()}
    assert counts["collector"]["received"] == counts["collector"]["sent"] == sent
    assert {signal: counts["backend"][signal] for signal in sent} == {s: {"received": n, "unique": n, "duplicated": 0} for s, n in sent.items()}


@pytest.mark.parametrize("ahead", AHEAD, indirect=True)
def test_the_python_layer_and_the_end_that_nobody_sees(tmp_path: Path, ahead: float) -> None:
    layers = tuple(build.build(PROJECT, PROJECT.catalogue.layers[name], HERE).zip for name in ("opentelemetry-collector", "opentelemetry-python"))
    settings = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-handler", "OPENTELEMETRY_COLLECTOR_CONFIG_URI": "yaml:" + ALL_SIGNALS}
    made = function(tmp_path, ENDS, layers=layers, environment=settings, timeout_s=2)
    with session(PROJECT, [made]) as (ours, finish):
        outcomes = [ours.invoke("it", json.dumps(event).encode()) for event in ("fine", "fine", "timeout", "fine")]
        result: dict[str, Any] = finish()
    assert [o.status for o in outcomes] == ["success", "success", "timeout", "success"]
    spans = [s for s in otlp.spans(result["resourceSpans"]) if s.name == "it"]
    assert sorted(str(s.attributes["faas.invocation_id"]) for s in spans) == sorted(o.request_id for o in outcomes)
    (failed,) = failures(result)
    assert (failed.attributes["error.type"], failed.attributes["faas.invocation_id"]) == ("Sandbox.Timedout", outcomes[2].request_id)
    told = result["counts"]["collector"]
    assert told["received"] == told["sent"]
