"""Ended spans as the body of an OTLP request: a small protobuf writer, so that no protobuf package can meet the function's own."""

from struct import pack


def request(spans, resource) -> bytes:
    """An ExportTraceServiceRequest with `spans` (of the OpenTelemetry SDK), grouped by instrumentation scope."""
    scopes: dict[object, list[bytes]] = {}
    for span in spans:
        scopes.setdefault(span.instrumentation_scope, []).append(_span(span))
    parts = [_message(1, _attributes(1, resource.attributes))]
    for scope, encoded in scopes.items():
        body = b""
        if scope is not None:
            body = _message(1, _text(1, scope.name) + _text(2, scope.version) + _attributes(3, scope.attributes))
        body += b"".join(_message(2, one) for one in encoded)
        if scope is not None and scope.schema_url:
            body += _text(3, scope.schema_url)
        parts.append(_message(2, body))
    if resource.schema_url:
        parts.append(_text(3, resource.schema_url))
    return _message(1, b"".join(parts))


def _span(span) -> bytes:
    context, parent = span.context, span.parent
    out = [
        _bytes(1, context.trace_id.to_bytes(16, "big")),
        _bytes(2, context.span_id.to_bytes(8, "big")),
        _text(3, context.trace_state.to_header() if context.trace_state else ""),
        _bytes(4, parent.span_id.to_bytes(8, "big")) if parent is not None else b"",
        _text(5, span.name),
        b"\x30" + _varint(span.kind.value + 1),  # OTLP counts kinds from 1, with 0 for unspecified
        b"\x39" + pack("<Q", span.start_time or 0),
        b"\x41" + pack("<Q", span.end_time or 0),
        _attributes(9, span.attributes),
        _number(10, span.dropped_attributes),
    ]
    for event in span.events:
        body = b"\x09" + pack("<Q", event.timestamp) + _text(2, event.name) + _attributes(3, event.attributes)
        out.append(_message(11, body + _number(4, getattr(event.attributes, "dropped", 0))))
    out.append(_number(12, span.dropped_events))
    for link in span.links:
        linked = link.context
        body = _bytes(1, linked.trace_id.to_bytes(16, "big")) + _bytes(2, linked.span_id.to_bytes(8, "big"))
        body += _text(3, linked.trace_state.to_header() if linked.trace_state else "") + _attributes(4, link.attributes)
        body += _number(5, getattr(link.attributes, "dropped", 0)) + b"\x35" + pack("<I", _flags(linked.trace_flags, linked.is_remote))
        out.append(_message(13, body))
    out.append(_number(14, span.dropped_links))
    status = _text(2, _clean(span.status.description or "")) + _number(3, span.status.status_code.value)
    if status:
        out.append(_message(15, status))
    flags = _flags(context.trace_flags, parent is not None and parent.is_remote)
    out.append(b"\x85\x01" + pack("<I", flags))
    return b"".join(out)


def _flags(trace_flags, remote) -> int:
    return int(trace_flags) | 0x100 | (0x200 if remote else 0)


def _attributes(field, attributes) -> bytes:
    if not attributes:
        return b""
    return b"".join(
        _message(field, _text(1, key) + _message(2, _any(_query(value) if key == "url.query" else value))) for key, value in attributes.items()
    )


def _any(value) -> bytes:
    """An AnyValue. A member of a oneof is written also when it is empty, so that '' and 0 stay what they are."""
    if isinstance(value, str):
        data = _clean(value).encode("utf-8", "replace")
        return b"\x0a" + _varint(len(data)) + data
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            return _any(str(value))
        return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return b"\x21" + pack("<d", value)
    if isinstance(value, (bytes, bytearray)):
        return b"\x3a" + _varint(len(value)) + bytes(value)
    if isinstance(value, (list, tuple)):
        return _message(5, b"".join(_message(1, _any(one)) for one in value))
    if hasattr(value, "items"):
        return _message(6, _attributes(1, value))
    return b"" if value is None else _any(str(value))


def _clean(text) -> str:
    """`text` without the credentials that URLs carry: here, so that it holds for every instrumentation and the user's own spans."""
    if "?" not in text and "@" not in text:
        return text
    from .redact import clean

    return clean(text)


def _query(value):
    if not isinstance(value, str):
        return value
    from .redact import query

    return query(value)


def _message(field, body) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _text(field, text) -> bytes:
    return _message(field, str(text).encode("utf-8", "replace")) if text else b""


def _bytes(field, data) -> bytes:
    return _message(field, data)


def _number(field, value) -> bytes:
    return _varint(field << 3) + _varint(value) if value else b""


def _varint(value) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
