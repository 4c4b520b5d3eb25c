"""Every way in which a backend fails: the function's results are untouched, the account is exact, memory is bounded, what was kept arrives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.local_parts import PROJECT, SENDER, collector, function
from otel_layers.cli.session import session
from otel_layers.local.backend import HEALTHY, fault

FAILING = 4
PERMANENT = ("400", "401", "403", "404")
KEPT = (
    *("down", "hanging-connect", "hanging", "slow:2", "429:1", "500", "503", "cut-connection", "cut-body"),
    *("garbage", "garbage-body", "500,heal=2", "cut-connection,heal=2"),
)


@pytest.mark.parametrize("timeout_s", [3, pytest.param(900, marks=pytest.mark.slow)])
@pytest.mark.parametrize("spec", [*PERMANENT, *KEPT])
def test_a_backend_that_fails_and_heals(tmp_path: Path, spec: str, timeout_s: int) -> None:
    made = function(tmp_path, SENDER, layers=(collector(),), memory_mb=128, timeout_s=timeout_s)
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
            if spec not in PERMANENT and ours.backend.counts()["spans"]["unique"] == sent:
                break
        counts = finish()["counts"]
    print(f"{spec}, {timeout_s} s: ms held after the response: {held}")
    told, arrived = {what: n["spans"] for what, n in counts["collector"].items()}, counts["backend"]["spans"]
    assert told["received"] == sent
    assert told["sent"] + told["dropped"] == sent, "nothing is unaccounted for"
    assert arrived["unique"] == told["sent"]
    assert arrived["duplicated"] <= told.get("resent", 0)
    if spec in PERMANENT:
        assert told["dropped"] >= 10
    else:
        assert told["dropped"] == 0, "what can be sent again is kept until the backend takes it"


def test_the_specs_here_are_faults() -> None:
    assert all(fault(spec).kind for spec in (*PERMANENT, *KEPT))
