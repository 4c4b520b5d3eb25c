"""Invoking a deployed function where it really is."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from .client import Access, in_words


@dataclass(frozen=True)
class Answer:
    """What Lambda said to one invocation; figures are of the REPORT line, None where it has none."""

    function: str
    request_id: str
    status: str  # success | error
    response: bytes
    init_ms: float | None
    duration_ms: float | None
    billed_ms: float | None
    max_memory_mb: float | None
    log: str


def invoke(access: Access, function: str, region: str, event: bytes) -> Answer:
    """Invoke `function` with `event` and wait for its response."""
    with in_words(f"invoking {function} in {region}"):
        got = access.lambda_(region).invoke(FunctionName=function, Payload=event, LogType="Tail")
        response = got["Payload"].read()
    log = base64.b64decode(got.get("LogResult", "")).decode(errors="replace")
    return Answer(
        function=function,
        request_id=got["ResponseMetadata"].get("RequestId", ""),
        status="error" if got.get("FunctionError") else "success",
        response=response,
        init_ms=_figure(log, "Init Duration"),
        duration_ms=_figure(log, "Duration"),
        billed_ms=_figure(log, "Billed Duration"),
        max_memory_mb=_figure(log, "Max Memory Used"),
        log=log,
    )


def _figure(log: str, name: str) -> float | None:
    """The number behind `name` in the REPORT line."""
    found = re.search(rf"^REPORT .*?\t{re.escape(name)}: ([\d.]+)", log, re.MULTILINE)
    return float(found[1]) if found else None
