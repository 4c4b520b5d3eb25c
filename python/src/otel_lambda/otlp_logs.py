"""Log records of the OpenTelemetry SDK as the body of an OTLP request."""

from struct import pack

from . import otlp
from .protobuf import fixed64, message, number, text


def request(records, resource) -> bytes:
    """An ExportLogsServiceRequest with `records` (ReadableLogRecord), grouped by instrumentation scope."""
    scopes: dict[object, list[bytes]] = {}
    for record in records:
        scopes.setdefault(record.instrumentation_scope, []).append(_record(record))
    return otlp.envelope(scopes, resource)


def _record(readable) -> bytes:
    record = readable.log_record
    severity = record.severity_number
    out = [
        fixed64(1, record.timestamp or 0),
        number(2, severity.value if severity is not None else 0),
        text(3, record.severity_text),
        message(5, otlp.any_value(record.body)),
        otlp.attributes(6, record.attributes),
        number(7, readable.dropped_attributes),
    ]
    if record.trace_id:
        out.append(b"\x45" + pack("<I", int(record.trace_flags or 0) & 0xFF))
        out.append(message(9, record.trace_id.to_bytes(16, "big")))
    if record.span_id:
        out.append(message(10, record.span_id.to_bytes(8, "big")))
    out += [fixed64(11, record.observed_timestamp or 0), text(12, record.event_name)]
    return b"".join(out)
