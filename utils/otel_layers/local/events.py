"""The platform.* events of one environment, with the content that AWS's have."""

from __future__ import annotations

import math
from typing import Any

from ..function import Function
from .generation import Current
from .model import stamp
from .runtimes import Runtime
from .telemetry_api import Telemetry


def tracing(current: Current) -> dict[str, Any]:
    """The tracing object of an event."""
    parts = dict(p.split("=", 1) for p in current.trace_header.split(";") if "=" in p)
    return {"spanId": parts.get("Parent", ""), "type": "X-Amzn-Trace-Id", "value": current.trace_header}


def init_start(telemetry: Telemetry, function: Function, runtime: Runtime, init_type: str, phase: str, at: int) -> None:
    """platform.initStart."""
    record = {
        "initializationType": init_type,
        "phase": phase,
        "runtimeVersion": f"python:{runtime.exact}",
        "functionName": function.name,
        "functionVersion": function.version,
        "instanceMaxMemory": function.memory_mb << 20,
    }
    telemetry.emit("platform.initStart", record, at=at)


def init_runtime_done(telemetry: Telemetry, init_type: str, phase: str, error: dict[str, Any] | None, at: int) -> None:
    """platform.initRuntimeDone."""
    telemetry.emit("platform.initRuntimeDone", {"initializationType": init_type, "phase": phase, **outcome(error)}, at=at)


def init_report(telemetry: Telemetry, init_type: str, phase: str, ms: float, error: dict[str, Any] | None, at: int) -> None:
    """platform.initReport."""
    record = {"initializationType": init_type, "phase": phase, **outcome(error), "metrics": {"durationMs": round(ms, 3)}}
    telemetry.emit("platform.initReport", record, at=at)


def restore_start(telemetry: Telemetry, function: Function, runtime: Runtime, at: int) -> None:
    """platform.restoreStart."""
    record = {
        "runtimeVersion": f"python:{runtime.exact}",
        "functionName": function.name,
        "functionVersion": function.version,
        "instanceMaxMemory": function.memory_mb << 20,
    }
    telemetry.emit("platform.restoreStart", record, at=at)


def restore_done(telemetry: Telemetry, ms: float, error: dict[str, Any] | None, at: int) -> None:
    """platform.restoreRuntimeDone and platform.restoreReport."""
    telemetry.emit("platform.restoreRuntimeDone", outcome(error), at=at)
    telemetry.emit("platform.restoreReport", {**outcome(error), "metrics": {"durationMs": round(ms, 3)}}, at=at)


def start(telemetry: Telemetry, function: Function, current: Current, *, managed: bool = False) -> None:
    """platform.start; on managed instances it names the function."""
    record = {"requestId": current.request_id, "version": function.version, "tracing": tracing(current)}
    if managed:
        record["functionArn"] = function.arn
    telemetry.emit("platform.start", record, at=current.started_at)


def runtime_done(telemetry: Telemetry, current: Current, status: str, error: dict[str, Any] | None, at: int) -> None:
    """platform.runtimeDone."""
    metrics: dict[str, Any] = {"durationMs": round((at - current.started_at) / 1e6, 3)}
    spans = []
    if current.response is not None:
        metrics["producedBytes"] = len(current.response)
    if current.response_at:
        spans = [_span("responseLatency", current.started_at, current.response_at), _span("runtimeOverhead", current.response_at, at)]
    record = {"requestId": current.request_id, "status": status, "tracing": tracing(current), "metrics": metrics, "spans": spans}
    if error:
        record["errorType"] = error["errorType"]
    telemetry.emit("platform.runtimeDone", record, at=at)


def report(
    telemetry: Telemetry, function: Function, current: Current, status: str, error: dict[str, Any] | None, figures: dict[str, float], at: int
) -> None:
    """platform.report; `figures` are durationMs, billedDurationMs, maxMemoryUsedMB and, after a cold start, initDurationMs or restoreDurationMs."""
    metrics = {**figures, "memorySizeMB": function.memory_mb, "maxMemoryUsedMB": math.ceil(figures["maxMemoryUsedMB"])}
    record = {"requestId": current.request_id, "metrics": metrics, "tracing": tracing(current), "status": status}
    if error:
        record["errorType"] = error["errorType"]
    telemetry.emit("platform.report", record, at=at)


def managed_report(telemetry: Telemetry, current: Current, status: str, error: dict[str, Any] | None, at: int) -> None:
    """platform.report of managed instances, where there is no platform.runtimeDone and nothing is measured but times."""
    spans = []
    if current.handed_at and current.response_at:
        spans = [_span("responseLatency", current.handed_at, current.response_at), _span("responseDuration", current.response_at, at)]
    metrics = {"durationMs": round((at - current.started_at) / 1e6, 3)}
    record = {"requestId": current.request_id, "status": status, "metrics": metrics, "tracing": tracing(current), "spans": spans}
    if error:
        record["errorType"] = error["errorType"]
    telemetry.emit("platform.report", record, at=at)


def outcome(error: dict[str, Any] | None) -> dict[str, str]:
    """status, and errorType where there is one."""
    return {"status": "error", "errorType": str(error["errorType"])} if error else {"status": "success"}


def _span(name: str, start_at: int, end_at: int) -> dict[str, Any]:
    return {"name": name, "start": stamp(start_at), "durationMs": round((end_at - start_at) / 1e6, 3)}
