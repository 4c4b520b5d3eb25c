"""Every way in which a backend fails: the function's results are untouched, the account is exact, memory is bounded, what was kept arrives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.local_parts import PROJECT, SENDER, collector, destination, function
from otel_layers.cli.session import session
from otel_layers.local.backend import HEALTHY, fault

FAILING = 4
PERMANENT = ("400", "401", "403", "404")
KEPT = (
    *("down", "hanging-connect", "hanging", "slow:2", "429:1", "500", "503", "cut-connection", "cut-body"),
    *("garbage", "garbage-body", "500,heal=2", "cut-connection,heal=2"),
)


GRPC = destination("grpc")


@pytest.mark.parametrize("timeout_s", [3, pytest.param(900, marks=pytest.mark.slow)])
@pytest.mark.parametrize("spec", [*PERMANENT, *KEPT])
def test_a_backend_that_fails_and_heals(tmp_path: Path, spec: str, timeout_s: int) -> None:
    fail_and_heal(tmp_path, spec, timeout_s, {}, permanent=spec in PERMANENT)


@pytest.mark.parametrize("timeout_s", [3, pytest.param(900, marks=pytest.mark.slow)])
@pytest.mark.parametrize("spec", [*PERMANENT, *KEPT])
def test_a_backend_of_grpc_that_fails_and_heals(tmp_path: Path, spec: str, timeout_s: int) -> None:
    permanent = spec in PERMANENT or spec.startswith("500")  # the backend says INTERNAL, which OTLP over gRPC does not send again
    fail_and_heal(tmp_path, spec, timeout_s, GRPC, permanent=permanent)


def test_every_signal_by_grpc(tmp_path: Path) -> None:
    made = function(tmp_path, SENDER, layers=(collector(),), environment=GRPC)
    with session(PROJECT, [made]) as (ours, finish):
        for n in range(10):
            done = ours.invoke("it", json.dumps({"first": 1 + 10 * n, "spans": 10, "metrics": 7, "logs": 3}).encode())
            assert json.loads(done.response or b"")["answers"] == [200, 200, 200]
            ours.stay_frozen(0.05)
        counts = finish()["counts"]
    want = {"spans": 100, "metrics": 70, "logs": 30}
    assert counts["collector"]["sent"] == want
    assert {signal: (n["unique"], n["duplicated"]) for signal, n in counts["backend"].items() if signal in want} == {
        s: (n, 0) for s, n in want.items()
    }


def test_the_account_as_metrics_agrees_with_the_line(tmp_path: Path) -> None:
    made = function(tmp_path, SENDER, layers=(collector(),), environment={"OTEL_LAMBDA_ACCOUNT": "true,metrics"})
    with session(PROJECT, [made]) as (ours, finish):
        for n in range(5):
            ours.invoke("it", json.dumps({"first": 1 + 10 * n, "spans": 10, "logs": 3}).encode())
            ours.stay_frozen(0.05)
        result = finish()
    told: dict[tuple[str, str], int] = {}
    for resource in result["resourceMetrics"]:
        for metric in resource["scopeMetrics"][0]["metrics"]:
            for point in metric["sum"]["dataPoints"]:
                key = metric["name"], next(a["value"]["stringValue"] for a in point["attributes"] if a["key"] == "signal")
                told[key] = told.get(key, 0) + int(point["asInt"])
    line = result["counts"]["collector"]
    assert line["sent"]["spans"] == 50
    for fate in ("received", "sent"):
        for signal, name in (("traces", "spans"), ("logs", "logs")):
            assert told["otelcol.lambda." + fate, signal] == line[fate][name]
    assert not [key for key in told if key[0] == "otelcol.lambda.dropped"]


def fail_and_heal(tmp_path: Path, spec: str, timeout_s: int, variables: dict[str, str], *, permanent: bool) -> None:
    made = function(tmp_path, SENDER, layers=(collector(),), memory_mb=128, timeout_s=timeout_s, environment=variables)
    sent = 0
    with session(PROJECT, [made], fault_spec=spec) as (ours, finish):

        def invoke() -> None:
            nonlocal sent
            done = ours.invoke("it", json.dumps({"first": 1 + sent, "spans": 10}).encode())
            assert (done.status, json.loads(done.response or b"")) == ("success", {"first": 1 + sent, "answers": [200]}), done.error
            assert done.max_memory_mb <= 128
            sent += 10

        for _ in range(FAILING):
            invoke()
        held = [round(i["extensionMs"]) for i in ours.invocations]
        ours.backend.fault = HEALTHY
        for _ in range(12):
            ours.stay_frozen(0.5)
            invoke()
            if not permanent and ours.backend.counts()["spans"]["unique"] == sent:
                break
        counts = finish()["counts"]
    print(f"{spec}, {timeout_s} s: ms held after the response: {held}")
    told, arrived = {what: n["spans"] for what, n in counts["collector"].items()}, counts["backend"]["spans"]
    assert told["received"] == sent
    assert told["sent"] + told["dropped"] == sent, "nothing is unaccounted for"
    assert arrived["unique"] == told["sent"]
    assert arrived["duplicated"] <= told.get("resent", 0)
    if permanent:
        assert told["dropped"] >= 10
    else:
        assert told["dropped"] == 0, "what can be sent again is kept until the backend takes it"


def test_the_specs_here_are_faults() -> None:
    assert all(fault(spec).kind for spec in (*PERMANENT, *KEPT))
