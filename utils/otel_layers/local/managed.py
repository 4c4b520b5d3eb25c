"""Managed instances: an invocation beside others in one environment, whose runtime has a worker for each."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..function import Function
from . import events, faults, invoking
from .generation import Current, Generation
from .model import INIT_LIMIT_S, Invocation, stamp


def run(
    generation: Generation,
    function: Function,
    begin: Callable[[], Current],
    *,
    out_of_memory: Callable[[], bool],
    peak_mb: Callable[[], float],
    line: Callable[[str, str, int], None],
) -> Invocation:
    """
    The invocation that `begin` makes once a worker is free; it ends with its response.

    A time-out ends only it: its worker goes on, and what it answers then is refused. The end of the runtime or of an extension ends all.
    """
    with generation.changed:
        generation.wait(lambda: generation.runtime.waiting > len(generation.unhanded()) or generation.broken(), _from_now(INIT_LIMIT_S))
        current = begin()
        events.start(generation.telemetry, function, current, managed=True)
        generation.in_flight[current.request_id] = current
        generation.changed.notify_all()
        generation.wait(lambda: bool(current.response_at) or generation.broken(), current.deadline_at)
        ended = current.runtime_done_at = current.response_at or time.monotonic_ns()
        status, error = _outcome(generation, current, function, out_of_memory)
    if status == "timeout":
        line("function", f"{stamp(ended)} {current.request_id} Task timed out after {function.timeout_s:.2f} seconds", ended)
    invocation = invoking.outcome(function, current, None, 0.0, status, error, ended, peak_mb(), billed=False)
    events.managed_report(generation.telemetry, current, status, error, ended)
    with generation.changed:
        del generation.in_flight[current.request_id]
        generation.changed.notify_all()
    return invocation


def _outcome(generation: Generation, current: Current, function: Function, out_of_memory: Callable[[], bool]) -> tuple[str, faults.Error | None]:
    if current.response_at and not current.error:
        return "success", None  # whatever has ended since
    if not current.response_at and not generation.broken():
        return "timeout", faults.timeout(current, function)
    return faults.invocation(generation, current, function, out_of_memory=out_of_memory)


def _from_now(seconds: float) -> int:
    return time.monotonic_ns() + int(seconds * 1e9)
