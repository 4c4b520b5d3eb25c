"""A function that sends any OTLP/JSON to the Collector, and what it sends: for tests of contrib's components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# {"start": [PROGRAM, ...] beside it, "send": {SIGNAL: OTLP/JSON}, "wait": SECONDS, "ask": URL, "read": FILE that is to hold something within 20 s}
SENDER = """
    import json, os, subprocess, time, urllib.error, urllib.request

    def post(signal, body):
        request = urllib.request.Request("http://127.0.0.1:4318/v1/" + signal, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status

    def handler(event, context):
        if "start" in event:
            subprocess.Popen(event["start"])
        said = {"answers": [post(signal, body) for signal, body in event.get("send", {}).items()]}
        time.sleep(event.get("wait", 0))
        if "ask" in event:
            try:
                with urllib.request.urlopen(event["ask"], timeout=20) as answer:
                    said["asked"] = answer.status
            except urllib.error.HTTPError as answer:
                said["asked"] = answer.code
        if "read" in event:
            until = time.monotonic() + 20
            while not (os.path.exists(event["read"]) and os.path.getsize(event["read"])) and time.monotonic() < until:
                time.sleep(0.02)
            said["read"] = open(event["read"]).read()
        return said
"""


def attribute(key: str, value: object) -> dict[str, Any]:
    kind = {bool: "boolValue", int: "intValue"}.get(type(value), "stringValue")
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def span(number: int, *, trace: int = 1, ms: int = 1, error: bool = False, **attributes: object) -> dict[str, Any]:
    start = 1_800_000_000 * 10**9
    ids = {"traceId": f"{start // 10**9:08x}{trace:024x}", "spanId": f"{number:016x}"}  # X-Ray reads the time from the id
    times = {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + ms * 10**6)}
    named = [attribute(key.replace("__", "\0").replace("_", ".").replace("\0", "_"), value) for key, value in attributes.items()]
    return {**ids, **times, "name": f"span {number}", "kind": 2, "status": {"code": 2 if error else 0}, "attributes": named}


def traces(*spans: Mapping[str, Any]) -> dict[str, Any]:
    return {"traces": {"resourceSpans": [{"resource": {"attributes": [attribute("service.name", "shop")]}, "scopeSpans": [{"spans": list(spans)}]}]}}


METRICS: dict[str, Any] = {
    "name": "orders",
    "sum": {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": [{"timeUnixNano": "1", "asInt": "3"}]},
}
LOGS = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1", "body": {"stringValue": "a line"}}]}]}]}
