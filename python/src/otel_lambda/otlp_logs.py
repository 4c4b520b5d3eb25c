"""Log records of the OpenTelemetry SDK as the body of an OTLP request."""

from _struct import pack

from . import otlp
from .protobuf import fixed64, message, number, text


def request(records, resource) -> bytes:
    """An ExportLogsServiceRequest with `records`, pairs of the instrumentation scope and what `record` gave."""
    scopes: dict[object, list[bytes]] = {}
    for scope, encoded in records:
        scopes.setdefault(scope, []).append(encoded)
    return otlp.envelope(scopes, resource)


def record(readable) -> bytes:
    """A LogRecord of the SDK's ReadWriteLogRecord."""
    log = readable.log_record
    severity = log.severity_number
    out = [
        fixed64(1, log.timestamp or 0),
        number(2, severity.value if severity is not None else 0),
        text(3, log.severity_text),
        message(5, otlp.any_value(log.body)),
        otlp.attributes(6, log.attributes),
        number(7, readable.dropped_attributes),
    ]
    if log.trace_id:
        out.append(b"\x45" + pack("<I", int(log.trace_flags or 0) & 0xFF))
        out.append(message(9, log.trace_id.to_bytes(16, "big")))
    if log.span_id:
        out.append(message(10, log.span_id.to_bytes(8, "big")))
    out += [fixed64(11, log.observed_timestamp or 0), text(12, log.event_name)]
    return b"".join(out)
