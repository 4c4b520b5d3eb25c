"""Between invocations nothing runs: no thread, no child, no grandchild that left its session; by cgroup and by SIGSTOP."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.local_parts import PROJECT, function, result
from otel_layers.local import Endpoints, cgroups, environment

# Three things that count as fast as they can: a thread, a child, and a grandchild in a session of its own.
BUSY = """
    import os, sys, subprocess, threading, time
    COUNT = 0
    def run():
        global COUNT
        while True:
            COUNT += 1
            time.sleep(0.001)
    threading.Thread(target=run, daemon=True).start()
    WRITER = "import sys, time\\nn = 0\\nwhile True:\\n    n += 1\\n    open(sys.argv[1], 'w').write(str(n))\\n    time.sleep(0.001)\\n"
    open("/tmp/writer.py", "w").write(WRITER)
    subprocess.Popen([sys.executable, "/tmp/writer.py", "/tmp/child"])
    subprocess.Popen(["/bin/sh", "-c", "setsid " + sys.executable + " /tmp/writer.py /tmp/grandchild & exit 0"]).wait()
    def read(path):
        for _ in range(2000):
            try:
                return int(open(path).read())
            except (OSError, ValueError):
                time.sleep(0.001)
        return -1
    def counts():
        return [COUNT, read("/tmp/child"), read("/tmp/grandchild")]
    def handler(event, context):
        at_start = counts()
        clock = time.time()
        time.sleep(event)
        return [at_start, counts(), clock, time.time()]
"""


@pytest.fixture(params=["as the machine allows", "SIGSTOP"])
def freezer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "SIGSTOP":
        monkeypatch.setattr(cgroups, "make", lambda: cgroups.Cgroups("none", None, 0, None, 0))
    return str(request.param)


def test_a_frozen_process_makes_no_progress(tmp_path: Path, freezer: str) -> None:
    with environment(PROJECT, function(tmp_path, BUSY), Endpoints()) as env:
        if freezer == "SIGSTOP":
            assert env.isolation.freezer == "SIGSTOP"
            assert any("SIGSTOP" in line for line in env.isolation.less)
        _, before, _, clock_before = result(env.invoke(b"0.3"))
        env.stay_frozen(1.5)
        second = env.invoke(b"0.3")
        after, later, clock_after, _ = result(second)
    assert all(n > 20 for n in before), "the counters run while the function runs"
    # Awake for the few milliseconds between the reading and the freeze; 1.5 s awake would be about 1,000 more.
    assert all(b <= a < b + 200 for a, b in zip(after, before, strict=True))
    assert all(b > a + 20 for a, b in zip(after, later, strict=True)), "and they run again"
    assert second.frozen_ms >= 1500
    assert clock_after - clock_before >= 1.5, "the wall clock has jumped"


def test_freezing_can_be_left_out(tmp_path: Path) -> None:
    with environment(PROJECT, function(tmp_path, BUSY), Endpoints(), freeze=False) as env:
        assert env.isolation.freezer == "off"
        _, before, _, _ = result(env.invoke(b"0.1"))
        env.stay_frozen(1.5)
        after, _, _, _ = result(env.invoke(b"0"))
    assert all(a > b + 200 for a, b in zip(after, before, strict=True))


def test_a_hundred_freezes_in_a_row_lose_nothing(tmp_path: Path, freezer: str) -> None:
    source = """
        N = 0
        def handler(event, context):
            global N
            N += 1
            return N
    """
    with environment(PROJECT, function(tmp_path, source), Endpoints()) as env:
        assert [result(env.invoke(b"{}")) for _ in range(100)] == list(range(1, 101))
        assert len(env.inits) == 1
    assert freezer
