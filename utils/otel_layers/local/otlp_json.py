"""OTLP's protobuf messages to and from OTLP/JSON: ids are hex (not base64), enums are numbers, 64-bit numbers are strings."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

_IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


@dataclass(frozen=True)
class Signal:
    """One of OTLP's three signals and what its requests are called."""

    name: str  # as in this project's accounts: spans, metrics, logs
    path: str  # OTLP/HTTP
    method: str  # OTLP/gRPC
    key: str  # OTLP/JSON
    request: Callable[[], Any]
    response: Callable[[], Any]


SIGNALS = {
    s.name: s
    for s in (
        Signal(
            "spans",
            "/v1/traces",
            f"/{trace_service_pb2.DESCRIPTOR.services_by_name['TraceService'].full_name}/Export",
            "resourceSpans",
            trace_service_pb2.ExportTraceServiceRequest,
            trace_service_pb2.ExportTraceServiceResponse,
        ),
        Signal(
            "metrics",
            "/v1/metrics",
            f"/{metrics_service_pb2.DESCRIPTOR.services_by_name['MetricsService'].full_name}/Export",
            "resourceMetrics",
            metrics_service_pb2.ExportMetricsServiceRequest,
            metrics_service_pb2.ExportMetricsServiceResponse,
        ),
        Signal(
            "logs",
            "/v1/logs",
            f"/{logs_service_pb2.DESCRIPTOR.services_by_name['LogsService'].full_name}/Export",
            "resourceLogs",
            logs_service_pb2.ExportLogsServiceRequest,
            logs_service_pb2.ExportLogsServiceResponse,
        ),
    )
}


class Undecodable(ValueError):
    """A body is not the OTLP message that it should be."""


def decode(signal: Signal, encoding: str, body: bytes) -> Any:
    """The request message in `body`; Undecodable when it is none, or when a span's ids have wrong lengths."""
    message = signal.request()
    try:
        if encoding == "json":
            ParseDict(_bytes_ids(_object(json.loads(body))), message, ignore_unknown_fields=True)
        else:
            message.ParseFromString(body)
    except (DecodeError, ParseError, ValueError, RecursionError) as exc:
        raise Undecodable(f"not OTLP {signal.name} as {encoding}: {exc}") from exc
    if signal.name == "spans":
        for span in (span for rs in message.resource_spans for ss in rs.scope_spans for span in ss.spans):
            if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.trace_id) or not any(span.span_id):
                raise Undecodable(f"span {span.name!r} has trace id {span.trace_id.hex()!r} and span id {span.span_id.hex()!r}")
            if len(span.parent_span_id) not in (0, 8):
                raise Undecodable(f"span {span.name!r} has parent span id {span.parent_span_id.hex()!r}")
    return message


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Undecodable(f"a JSON {type(value).__name__} where an object was expected")  # the protobuf library takes an empty list for one
    return value


def to_json(message: Message) -> dict[str, Any]:
    """The message as OTLP/JSON."""
    plain: dict[str, Any] = MessageToDict(message, use_integers_for_enums=True)
    return {key: _hex_ids(inner) for key, inner in plain.items()}


def _hex_ids(value: Any) -> Any:
    """Base64 ids as hex. Attribute keys are values of `key`, never keys here, so a user's data is not touched."""
    if isinstance(value, dict):
        return {k: base64.b64decode(v).hex() if k in _IDS and isinstance(v, str) else _hex_ids(v) for k, v in value.items()}
    return [_hex_ids(v) for v in value] if isinstance(value, list) else value


def _bytes_ids(value: Any) -> Any:
    """Hex ids as base64, which the protobuf library wants; ValueError for an id that is not hex."""
    if isinstance(value, dict):
        return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in _IDS and isinstance(v, str) else _bytes_ids(v) for k, v in value.items()}
    return [_bytes_ids(v) for v in value] if isinstance(value, list) else value
