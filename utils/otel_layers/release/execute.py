"""One step for every layer of a plan in every region: all regions at once, each within its own time; one that hangs delays nobody."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .calls import Clock, Place
from .outcome import Result, classify
from .plan import Plan, Target

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

Connect = Callable[[str], "LambdaClient"]
Step = Callable[[Place, Target, Callable[[Result], None]], Result]  # it never raises; it may say a result before the last one

_AT_ONCE = 40  # regions; each is a thread that mostly waits


@dataclass(frozen=True)
class _Worker:
    target: Target
    clock: Clock


@dataclass(frozen=True)
class _Run:
    plan: Plan
    step: Step
    connect: Connect
    events: queue.SimpleQueue[tuple[_Worker, Result | None]]


def execute(plan: Plan, step: Step, connect: Connect, report: Callable[[Result], None], region_timeout: float) -> list[Result]:
    """
    Do `step` for every item of `plan` in every region, and return how each ended.

    `connect(region)` gives a client whose calls have time-outs and no retries of their own; `report` hears every result at once,
    in this thread. A region that is not done after `region_timeout` seconds is given up.
    """
    run = _Run(plan, step, connect, queue.SimpleQueue())
    waiting, active = list(plan.targets), dict[str, _Worker]()
    results: dict[tuple[str, str], Result] = {}

    def hear(result: Result) -> None:
        results[result.region, result.name] = result
        report(result)

    try:
        while waiting or active:
            while waiting and len(active) < _AT_ONCE:
                worker = _Worker(waiting.pop(0), Clock(time.monotonic() + region_timeout, threading.Event()))
                active[worker.target.region] = worker
                # A daemon, because a call that hangs must not keep this process from ending.
                threading.Thread(target=_work, args=(run, worker), daemon=True, name=worker.target.region).start()
            _hear_next(run, active, hear)
            for worker in [w for w in active.values() if w.clock.deadline <= time.monotonic()]:
                worker.clock.given_up.set()
                del active[worker.target.region]
                for result in _unfinished(plan, worker.target, results):
                    hear(replace(result, status="unreachable", reason=f"not done within {region_timeout:g} s"))
    finally:
        for worker in active.values():
            worker.clock.given_up.set()
    return [results[t.region, i.name] for t in plan.targets for i in plan.items]


def _hear_next(run: _Run, active: dict[str, _Worker], hear: Callable[[Result], None]) -> None:
    """Take one event, waiting at most until the first region's time is over."""
    soonest = min(w.clock.deadline for w in active.values())
    try:
        worker, result = run.events.get(timeout=max(0.0, soonest - time.monotonic()))
    except queue.Empty:
        return
    if active.get(worker.target.region) is not worker:
        return  # given up before: what it did meanwhile is found by the next run
    if result is None:
        del active[worker.target.region]
    else:
        hear(result)


def _unfinished(plan: Plan, target: Target, results: Mapping[tuple[str, str], Result]) -> list[Result]:
    """The region's results that are not final: the one that was under way, and those not begun."""
    current = [results.get((target.region, item.name), Result(item.name, target.region, "pending")) for item in plan.items]
    return [result for result in current if result.status == "pending"]


def _work(run: _Run, worker: _Worker) -> None:
    """One region's items, one after the other; when nobody answers, the rest is not tried."""
    target = worker.target
    over: Result | None = None
    client: LambdaClient | None = None
    for item in run.plan.items:
        if over:
            result = replace(over, name=item.name, arn="", version=0)
        else:
            try:
                client = client or run.connect(target.region)
                place = Place(client, item, worker.clock)
                result = run.step(place, target, lambda r: run.events.put((worker, r)))
            except Exception as exc:  # noqa: BLE001 - no client for this region is this region's result
                status, reason = classify(exc, target)
                result = Result(item.name, target.region, status, reason=reason)
            over = result if result.status in ("unreachable", "refused") else None
        run.events.put((worker, result))
    run.events.put((worker, None))
