"""
OTLP/JSON, made of the protobuf encoding: whatever is encoded once is the same in both.

Field names, hexadecimal ids, decimal texts for 64 bits and numbers for enumerations are as the OTLP specification writes them.
"""

from _struct import iter_unpack, unpack

# A message: field number -> (JSON name, how the value is read). A name that ends with "*" is a list; a reader that is a dict is a message.
_ANY: "dict[int, tuple]" = {1: ("stringValue", "text"), 2: ("boolValue", "bool"), 3: ("intValue", "int64"), 4: ("doubleValue", "double")}
_KEY_VALUE = {1: ("key", "text"), 2: ("value", _ANY)}
_ANY.update({5: ("arrayValue", {1: ("values*", _ANY)}), 6: ("kvlistValue", {1: ("values*", _KEY_VALUE)}), 7: ("bytesValue", "base64")})
_RESOURCE = {1: ("attributes*", _KEY_VALUE), 2: ("droppedAttributesCount", "number")}
_SCOPE = {1: ("name", "text"), 2: ("version", "text"), 3: ("attributes*", _KEY_VALUE), 4: ("droppedAttributesCount", "number")}
_EVENT = {1: ("timeUnixNano", "fixed64"), 2: ("name", "text"), 3: ("attributes*", _KEY_VALUE), 4: ("droppedAttributesCount", "number")}
_LINK = {
    1: ("traceId", "hex"),
    2: ("spanId", "hex"),
    3: ("traceState", "text"),
    4: ("attributes*", _KEY_VALUE),
    5: ("droppedAttributesCount", "number"),
    6: ("flags", "fixed32"),
}
_SPAN = {
    1: ("traceId", "hex"),
    2: ("spanId", "hex"),
    3: ("traceState", "text"),
    4: ("parentSpanId", "hex"),
    5: ("name", "text"),
    6: ("kind", "number"),
    7: ("startTimeUnixNano", "fixed64"),
    8: ("endTimeUnixNano", "fixed64"),
    9: ("attributes*", _KEY_VALUE),
    10: ("droppedAttributesCount", "number"),
    11: ("events*", _EVENT),
    12: ("droppedEventsCount", "number"),
    13: ("links*", _LINK),
    14: ("droppedLinksCount", "number"),
    15: ("status", {2: ("message", "text"), 3: ("code", "number")}),
    16: ("flags", "fixed32"),
}
_LOG = {
    1: ("timeUnixNano", "fixed64"),
    2: ("severityNumber", "number"),
    3: ("severityText", "text"),
    5: ("body", _ANY),
    6: ("attributes*", _KEY_VALUE),
    7: ("droppedAttributesCount", "number"),
    8: ("flags", "fixed32"),
    9: ("traceId", "hex"),
    10: ("spanId", "hex"),
    11: ("observedTimeUnixNano", "fixed64"),
    12: ("eventName", "text"),
}
_TIMES = {2: ("startTimeUnixNano", "fixed64"), 3: ("timeUnixNano", "fixed64")}
_EXEMPLAR = {
    2: ("timeUnixNano", "fixed64"),
    3: ("asDouble", "double"),
    4: ("spanId", "hex"),
    5: ("traceId", "hex"),
    6: ("asInt", "sfixed64"),
    7: ("filteredAttributes*", _KEY_VALUE),
}
_NUMBER = {
    **_TIMES,
    4: ("asDouble", "double"),
    5: ("exemplars*", _EXEMPLAR),
    6: ("asInt", "sfixed64"),
    7: ("attributes*", _KEY_VALUE),
    8: ("flags", "number"),
}
_HISTOGRAM = {
    **_TIMES,
    4: ("count", "fixed64"),
    5: ("sum", "double"),
    6: ("bucketCounts", "fixed64s"),
    7: ("explicitBounds", "doubles"),
    8: ("exemplars*", _EXEMPLAR),
    9: ("attributes*", _KEY_VALUE),
    10: ("flags", "number"),
    11: ("min", "double"),
    12: ("max", "double"),
}
_BUCKETS = {1: ("offset", "signed"), 2: ("bucketCounts", "varints")}
_EXPONENTIAL = {
    1: ("attributes*", _KEY_VALUE),
    **_TIMES,
    4: ("count", "fixed64"),
    5: ("sum", "double"),
    6: ("scale", "signed"),
    7: ("zeroCount", "fixed64"),
    8: ("positive", _BUCKETS),
    9: ("negative", _BUCKETS),
    10: ("flags", "number"),
    11: ("exemplars*", _EXEMPLAR),
    12: ("min", "double"),
    13: ("max", "double"),
}


def _points(kind):
    return {1: ("dataPoints*", kind), 2: ("aggregationTemporality", "number"), 3: ("isMonotonic", "bool")}


_METRIC = {
    1: ("name", "text"),
    2: ("description", "text"),
    3: ("unit", "text"),
    5: ("gauge", _points(_NUMBER)),
    7: ("sum", _points(_NUMBER)),
    9: ("histogram", _points(_HISTOGRAM)),
    10: ("exponentialHistogram", _points(_EXPONENTIAL)),
}


def _request(signal, records, record):
    scope = {1: ("scope", _SCOPE), 2: (records + "*", record), 3: ("schemaUrl", "text")}
    return {1: (f"resource{signal}*", {1: ("resource", _RESOURCE), 2: (f"scope{signal}*", scope), 3: ("schemaUrl", "text")})}


_REQUESTS = {
    "traces": _request("Spans", "spans", _SPAN),
    "logs": _request("Logs", "logRecords", _LOG),
    "metrics": _request("Metrics", "metrics", _METRIC),
}
ANSWER = {1: ("partialSuccess", {1: ("rejected", "number"), 2: ("errorMessage", "text")})}  # of any signal


def transcode(signal, body) -> bytes:
    """The request `body` of `signal` (traces, logs or metrics) as JSON."""
    from json import dumps

    return dumps(message(memoryview(body), _REQUESTS[signal]), separators=(",", ":")).encode()


def message(data, schema) -> dict:
    """The protobuf message in the memoryview `data`, read by `schema`."""
    out: dict = {}
    place, end = 0, len(data)
    while place < end:
        tag, place = _varint(data, place)
        name, kind = schema[tag >> 3]
        wire = tag & 7
        if wire == 0:
            value, place = _varint(data, place)
        else:
            length, place = (8, place) if wire == 1 else (4, place) if wire == 5 else _varint(data, place)
            value, place = data[place : place + length], place + length
        value = message(value, kind) if isinstance(kind, dict) else _READ[kind](value)
        if name[-1] == "*":
            out.setdefault(name[:-1], []).append(value)
        else:
            out[name] = value
    return out


def _varint(data, place):
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7


def _varints(data):
    out, place = [], 0
    while place < len(data):
        value, place = _varint(data, place)
        out.append(str(value))
    return out


def _double(data):
    return _finite(unpack("<d", data)[0])


def _finite(value):
    if value - value == 0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _base64(data):
    from binascii import b2a_base64

    return b2a_base64(data, newline=False).decode()


_READ = {
    "text": lambda data: str(data, "utf-8", "replace"),
    "hex": lambda data: data.hex(),
    "base64": _base64,
    "bool": bool,
    "number": int,
    "signed": lambda value: value >> 1 ^ -(value & 1),
    "int64": lambda value: str(value - (1 << 64) if value >> 63 else value),
    "fixed32": lambda data: int.from_bytes(data, "little"),
    "fixed64": lambda data: str(int.from_bytes(data, "little")),
    "sfixed64": lambda data: str(int.from_bytes(data, "little", signed=True)),
    "double": _double,
    "doubles": lambda data: [_finite(one[0]) for one in iter_unpack("<d", data)],
    "fixed64s": lambda data: [str(one[0]) for one in iter_unpack("<Q", data)],
    "varints": _varints,
}
