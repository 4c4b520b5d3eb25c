"""Ended spans as the body of an OTLP request: a small protobuf writer, so that no protobuf package can meet the function's own."""

from _struct import pack

from .protobuf import message, number, text, varint


def request(spans, resource) -> bytes:
    """An ExportTraceServiceRequest with `spans`, of the recorder or of the OpenTelemetry SDK, grouped by instrumentation scope."""
    scopes: dict[object, list[bytes]] = {}
    for span in spans:
        scopes.setdefault(span.instrumentation_scope, []).append(_span(span))
    return envelope(scopes, resource)


def envelope(scopes, resource) -> bytes:
    """The request of any signal: encoded records by instrumentation scope, of one resource."""
    parts = [message(1, attributes(1, resource.attributes))]
    same = {}
    for scope, encoded in scopes.items():
        same.setdefault(_scope(scope), []).extend(encoded)
    for (head, schema), encoded in same.items():
        parts.append(message(2, head + b"".join(message(2, one) for one in encoded) + text(3, schema)))
    if resource.schema_url:
        parts.append(text(3, resource.schema_url))
    return message(1, b"".join(parts))


def _scope(scope):
    """An instrumentation scope as its message and its schema: the same for the recorder's (a name, or name, version and schema) and the SDK's."""
    if isinstance(scope, str):
        return message(1, text(1, scope)), ""
    if isinstance(scope, tuple):
        return message(1, text(1, scope[0]) + text(2, scope[1])), scope[2]
    if scope is None:
        return b"", ""
    return message(
        1, text(1, scope.name) + text(2, scope.version) + attributes(3, getattr(scope, "attributes", None))
    ), scope.schema_url  # older SDKs have none


def _state(state) -> str:
    return state if isinstance(state, str) else state.to_header() if state else ""


def _span(span) -> bytes:
    context, parent = span.context, span.parent
    out = [
        message(1, context.trace_id.to_bytes(16, "big")),
        message(2, context.span_id.to_bytes(8, "big")),
        text(3, _state(context.trace_state)),
        message(4, parent.span_id.to_bytes(8, "big")) if parent is not None else b"",
        text(5, span.name),
        b"\x30" + varint(getattr(span.kind, "value", span.kind) + 1),  # OTLP counts kinds from 1, with 0 for unspecified
        b"\x39" + pack("<Q", span.start_time or 0),
        b"\x41" + pack("<Q", span.end_time or 0),
        attributes(9, span.attributes),
        number(10, span.dropped_attributes),
    ]
    for event in span.events:
        body = b"\x09" + pack("<Q", event.timestamp) + text(2, event.name) + attributes(3, event.attributes)
        out.append(message(11, body + number(4, getattr(event.attributes, "dropped", 0))))
    out.append(number(12, span.dropped_events))
    for link in span.links:
        linked = link.context
        body = message(1, linked.trace_id.to_bytes(16, "big")) + message(2, linked.span_id.to_bytes(8, "big"))
        body += text(3, _state(linked.trace_state)) + attributes(4, link.attributes)
        body += number(5, getattr(link.attributes, "dropped", 0)) + b"\x35" + pack("<I", _flags(linked.trace_flags, linked.is_remote))
        out.append(message(13, body))
    out.append(number(14, span.dropped_links))
    code, description = span.status if isinstance(span.status, tuple) else (span.status.status_code.value, span.status.description)
    status = text(2, _clean(description or "")) + number(3, code)
    if status:
        out.append(message(15, status))
    flags = _flags(context.trace_flags, parent is not None and parent.is_remote)
    out.append(b"\x85\x01" + pack("<I", flags))
    return b"".join(out)


def _flags(trace_flags, remote) -> int:
    return int(trace_flags) | 0x100 | (0x200 if remote else 0)


def attributes(field, mapping) -> bytes:
    """The KeyValues of a mapping, as a repeated field."""
    if not mapping:
        return b""
    return b"".join(
        message(field, text(1, key) + message(2, any_value(_query(value) if key == "url.query" else value))) for key, value in mapping.items()
    )


def any_value(value) -> bytes:
    """An AnyValue. A member of a oneof is written also when it is empty, so that '' and 0 stay what they are."""
    if isinstance(value, str):
        data = _clean(value).encode("utf-8", "replace")
        return b"\x0a" + varint(len(data)) + data
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            return any_value(str(value))
        return b"\x18" + varint(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return b"\x21" + pack("<d", value)
    if isinstance(value, (bytes, bytearray)):
        return b"\x3a" + varint(len(value)) + bytes(value)
    if isinstance(value, (list, tuple)):
        return message(5, b"".join(message(1, any_value(one)) for one in value))
    if hasattr(value, "items"):
        return message(6, attributes(1, value))
    return b"" if value is None else any_value(str(value))


def _clean(text) -> str:
    """`text` without the credentials that URLs carry: here, so that it holds for every instrumentation and the user's own spans."""
    if not ("@" in text and "://" in text) and not ("?" in text and _signed(text)):
        return text
    from .redact import clean

    return clean(text)


def _signed(text):
    """Whether one of the keys of `redact` may be in `text`, whose patterns cost half a millisecond of the first invocation."""
    low = text.lower()
    return "sig" in low or "amz-" in low or "accesskeyid" in low


def _query(value):
    if not isinstance(value, str) or not _signed(value):
        return value
    from .redact import query

    return query(value)
