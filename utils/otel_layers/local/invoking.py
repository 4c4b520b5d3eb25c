"""An invocation's beginning and its summary: the request to the runtime, the event for extensions, the figures at the end."""

from __future__ import annotations

import math
import secrets
import time
import uuid
from collections.abc import Mapping
from typing import Any

from ..function import Function
from . import model
from .generation import Current, Generation
from .model import Init, Invocation, Phase, wall


def current(function: Function, event: bytes, trace_header: str | None, client_context: str | None) -> Current:
    """The invocation that begins now."""
    now = time.monotonic_ns()
    deadline = now + int(function.timeout_s * 1e9)
    deadline_ms = model.deadline_ms(deadline)
    request_id = str(uuid.uuid4())
    # Always there on AWS, with Sampled=0 when tracing is off; '' leaves it out, as nothing but a test asks for.
    trace = _unsampled(now) if trace_header is None else trace_header
    headers = [
        ("Content-Type", "application/json"),
        ("Lambda-Runtime-Aws-Request-Id", request_id),
        ("Lambda-Runtime-Deadline-Ms", str(deadline_ms)),
        ("Lambda-Runtime-Invoked-Function-Arn", function.arn),
        *((("Lambda-Runtime-Trace-Id", trace),) if trace else ()),
    ]
    if client_context:
        headers.append(("Lambda-Runtime-Client-Context", client_context))
    return Current(request_id, event, tuple(headers), trace, now, deadline, deadline_ms)


def _unsampled(now: int) -> str:
    return f"Root=1-{wall(now) // 10**9:08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"


def event(function: Function, current: Current) -> dict[str, Any]:
    """The INVOKE that extensions get."""
    return {
        "eventType": "INVOKE",
        "deadlineMs": current.deadline_ms,
        "requestId": current.request_id,
        "invokedFunctionArn": function.arn,
        "tracing": {"type": "X-Amzn-Trace-Id", "value": current.trace_header},
    }


def outcome(
    function: Function,
    current: Current,
    init: Init | None,
    frozen_ms: float,
    status: str,
    error: dict[str, Any] | None,
    ended: int,
    peak_mb: float,
    *,
    held: Mapping[str, float] | None = None,
    billed: bool = True,
) -> Invocation:
    """The invocation as it went."""
    cold = init if init and not init.suppressed else None
    duration = (ended - current.started_at) / 1e6
    return Invocation(
        function=function.name,
        request_id=current.request_id,
        status=status,
        response=current.response,
        error=error,
        init_ms=round(cold.ms, 3) if cold else None,
        duration_ms=round(duration, 3),
        extension_ms=round((ended - current.response_at) / 1e6, 3) if current.response_at else 0.0,
        billed_ms=math.ceil(duration + (cold.ms if cold else 0)) if billed else 0,
        max_memory_mb=round(peak_mb, 1),
        frozen_ms=round(frozen_ms, 3),
        started_ns=wall(current.started_at),
        response_ns=wall(current.response_at) if current.response_at else 0,
        ended_ns=wall(ended),
        trace_header=current.trace_header,
        extensions_ms=held or {},
        init=init,
    )


def held(generation: Generation, current: Current, ended: int) -> dict[str, float]:
    """How long each extension that has the invocation's INVOKE took after the response, in ms; one that is not ready, until the end."""
    if not current.response_at:
        return {}
    told = [e for e in generation.extensions.values() if "INVOKE" in e.events]
    return {e.name: round(max(0, (e.next_at if e.idle else ended) - current.response_at) / 1e6, 3) for e in told}


def phases(generation: Generation, ended: int) -> tuple[Phase, ...]:
    """The processes' inits, the runtime's first."""

    def phase(name: str, started: int, ready: int) -> Phase:
        return Phase(name, wall(started), wall(ready or ended), "success" if ready else "error")

    runtime = generation.runtime
    out = [phase(f"extension:{e.name}", e.started_at, e.ready_at) for e in generation.extensions.values() if e.started_at]
    return (*((phase("runtime", runtime.started_at, runtime.ready_at),) if runtime.started_at else ()), *out)
