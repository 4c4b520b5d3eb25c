"""SIGKILL of the Collector, alone or with its environment: under each flush policy it loses at most what docs/collector.md says."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from e2e.local_parts import PROJECT, SENDER, collector, function
from otel_layers.function import Function
from otel_layers.local import Endpoints, ExecutionEnvironment, Invocation, environment
from otel_layers.local.backend import Backend

SPANS = 20  # an invocation
ADAPT = 20  # invocations that `auto` always flushes at their ends
SENT = 25  # invocations before the kill
AGED = SENT - 2  # of `periodic`: those before it are older than its interval when it begins
# Of the invocations 0 to SENT - 1, which ended before the kill, those that may be lost.
MAY_BE_LOST = {"end": range(0), "auto": range(SENT - 1, SENT), "periodic,300": range(AGED, SENT), "shutdown": range(SENT)}
MOMENTS = ("idle", "busy")  # the kill: between two invocations, or at a random instant in one


def seeded() -> random.Random:
    """Randomness whose seed a failure prints."""
    seed = int(os.environ.get("KILLED_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    print(f"KILLED_SEED={seed}")
    return random.Random(seed)


def made(folder: Path, policy: str) -> Function:
    return function(folder, SENDER, layers=(collector(),), environment={"OTEL_LAMBDA_FLUSH": policy}, memory_mb=256, timeout_s=30)


def send(env: ExecutionEnvironment, number: int) -> Invocation:
    """The invocation `number`, which sends its own SPANS."""
    return env.invoke(json.dumps({"first": 1 + SPANS * number, "spans": SPANS}).encode())


def send_all(env: ExecutionEnvironment, numbers: Iterable[int], policy: str) -> None:
    """These invocations, which all succeed."""
    for number in numbers:
        if policy.startswith("periodic") and number == AGED:
            env.stay_frozen(0.4)
        done = send(env, number)
        assert done.status == "success", done.error


def missing(backend: Backend, numbers: Iterable[int]) -> set[int]:
    """The invocations of which the backend lacks a span."""
    there = {int(span.span_id, 16) for span in backend.spans()}
    return {n for n in numbers if not there.issuperset(range(1 + SPANS * n, 1 + SPANS * (n + 1)))}


def lambda_with(folder: Path, policy: str, backend: Backend, do: Callable[[ExecutionEnvironment], None]) -> list[dict[str, Any]]:
    """Do it in an environment; what the Collector said in JSON."""
    endpoints = Endpoints(("127.0.0.1", backend.http_port), watch=backend.watch, froze=backend.froze)
    with environment(PROJECT, made(folder, policy), endpoints) as env:
        do(env)
    backend.wait_quiet()
    return [json.loads(line["text"]) for line in env.logs if line["source"] == "extension:collector" and line["text"].startswith("{")]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("policy", MAY_BE_LOST)
def test_a_killed_extension_loses_at_most_what_its_policy_says(tmp_path: Path, policy: str, moment: str) -> None:
    """Lambda ends the environment then and makes a new one; of that nothing is lost."""
    random_ = seeded()

    def run(env: ExecutionEnvironment) -> None:
        send_all(env, range(SENT), policy)
        if moment == "idle":
            env.kill_now("extension:collector")
            killed = send(env, SENT)
        else:
            timer = threading.Timer(random_.uniform(0, 0.03), env.kill_now, ("extension:collector",))
            timer.start()
            killed = send(env, SENT)
            timer.join()
        assert killed.status in ("failure", "error", "success"), "killed before the response, at the POST, or when all was done"
        if killed.status == "success":  # then it dies at the next one's thaw
            send(env, SENT + 1)
        send_all(env, range(SENT + 2, SENT + 7), policy)

    with Backend() as backend:
        said = lambda_with(tmp_path, policy, backend, run)
        lost = missing(backend, range(SENT))
        assert not missing(backend, range(SENT + 2, SENT + 7)), "the environment after it"
        assert backend.counts()["spans"]["duplicated"] == 0
    assert [line["msg"] for line in said].count("shutdown") == 1, "the killed one had no chance to say good-bye"
    assert lost <= set(MAY_BE_LOST[policy])
    if policy == "shutdown":
        assert lost == set(range(SENT)), "it holds everything until then: the test sees losses"


@pytest.mark.parametrize("policy", MAY_BE_LOST)
def test_a_killed_environment_loses_at_most_what_its_policy_says(tmp_path: Path, policy: str) -> None:
    """SIGKILL to everything, with no SHUTDOWN, as when a machine fails."""

    class Killed(Exception):
        pass

    def run(env: ExecutionEnvironment) -> None:
        send_all(env, range(SENT), policy)
        raise Killed

    with Backend() as backend:
        with pytest.raises(Killed):
            lambda_with(tmp_path, policy, backend, run)
        assert missing(backend, range(SENT)) <= set(MAY_BE_LOST[policy])


def test_auto_is_as_end_for_the_first_invocations(tmp_path: Path) -> None:
    """Whoever is killed then loses nothing of the invocations that ended."""

    def run(env: ExecutionEnvironment) -> None:
        send_all(env, range(ADAPT), "auto")
        env.kill_now("extension:collector")
        assert send(env, ADAPT).status in ("failure", "error"), "the extension's end is seen before the POST that it does not answer, or after"

    with Backend() as backend:
        lambda_with(tmp_path, "auto", backend, run)
        assert not missing(backend, range(ADAPT))
