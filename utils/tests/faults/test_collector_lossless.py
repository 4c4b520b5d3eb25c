"""The Collector loses nothing: random amounts, freezes, latencies and policies; then SHUTDOWN. A failure prints its seed."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from e2e.local_parts import PROJECT, SENDER, collector, destination, function
from otel_layers.cli.session import session
from otel_layers.local.backend import HEALTHY, Fault

SIGNALS = ("spans", "metrics", "logs")
POLICIES = ("auto", "end", "periodic", "shutdown")


def freeze_at_random(ours: Any, random_: random.Random, over: threading.Event) -> None:
    """Freezes in the middle of whatever runs, until it is over."""
    while not over.wait(random_.uniform(0.0, 0.08)):
        ours.freeze_now("it", random_.choice((0.001, 0.02, 0.2)))


def latency(random_: random.Random) -> Fault:
    """What the backend does for a while: mostly it answers, soon, late, into a frozen environment, or never, since a freeze cuts the connection."""
    kind = random_.choice(("", "", "slow", "slow", "freeze-late", "freeze-cut"))
    return Fault(kind, random_.uniform(0, 0.3)) if kind == "slow" else Fault(kind)


def slow(*values: object) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("protocol", "count"), [("http/protobuf", 40), slow("http/protobuf", 250), slow("grpc", 250)])
@pytest.mark.timeout(1200)
def test_nothing_is_lost_and_nothing_comes_twice_but_what_a_freeze_cut(tmp_path: Path, policy: str, protocol: str, count: int) -> None:
    lossless(tmp_path, policy, protocol, count)


@pytest.mark.parametrize("policy", ["auto", "end"])
def test_nothing_is_lost_over_grpc(tmp_path: Path, policy: str) -> None:
    lossless(tmp_path, policy, "grpc", 40)


def lossless(tmp_path: Path, policy: str, protocol: str, count: int) -> None:
    """`count` invocations, and SHUTDOWN at the end."""
    seed = int(os.environ.get("LOSSLESS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    print(f"LOSSLESS_SEED={seed}")
    random_, over = random.Random(seed), threading.Event()
    made = function(
        tmp_path, SENDER, layers=(collector(),), environment={"OTEL_LAMBDA_FLUSH": policy, **destination(protocol)}, memory_mb=256, timeout_s=30
    )
    sent, freezes = dict.fromkeys(SIGNALS, 0), random.Random(seed + 1)
    with session(PROJECT, [made]) as (ours, finish):
        freezer = threading.Thread(target=freeze_at_random, args=(ours, freezes, over))
        freezer.start()
        try:
            for number in range(count):
                ours.backend.fault = latency(random_)
                event = {"first": 1 + 50 * number, **{signal: random_.randint(1, 50) for signal in SIGNALS}}
                done = ours.invoke("it", json.dumps(event).encode())
                assert done.status == "success", done.error
                assert json.loads(done.response or b"") == {"first": event["first"], "answers": [200, 200, 200]}
                for signal in SIGNALS:
                    sent[signal] += event[signal]
                time.sleep(random_.choice((0, 0, 0.01, 0.2)))
        finally:
            over.set()
            freezer.join()
        ours.backend.fault = HEALTHY
        counts = finish()["counts"]
    told, arrived = counts["collector"], counts["backend"]
    assert told["received"] == sent
    assert told["dropped"] == dict.fromkeys(SIGNALS, 0)
    assert {signal: arrived[signal]["unique"] for signal in SIGNALS} == sent
    assert told["sent"] == sent
    for signal in SIGNALS:
        assert arrived[signal]["duplicated"] <= told.get("resent", {}).get(signal, 0), "the extension counts what may have come twice"


def test_what_is_sent_again_after_a_kept_connection_ended_is_counted(tmp_path: Path) -> None:
    """The second request goes out on a connection that was used before; the backend has it when the freeze cuts the answer."""
    made = function(tmp_path, SENDER, layers=(collector(),), environment={"OTEL_LAMBDA_FLUSH": "end"}, memory_mb=256, timeout_s=30)
    with session(PROJECT, [made]) as (ours, finish):
        for number, fault in enumerate((HEALTHY, Fault("freeze-cut"), HEALTHY)):
            ours.backend.fault = fault
            assert ours.invoke("it", json.dumps({"first": 1 + 50 * number, "spans": 10}).encode()).status == "success"
        counts = finish()["counts"]
    assert counts["backend"]["spans"] == {"received": 40, "unique": 30, "duplicated": 10}
    assert counts["collector"].get("resent", {}).get("spans", 0) == 10
