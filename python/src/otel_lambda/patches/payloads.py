"""
Trace context in what a botocore call sends: message attributes, EventBridge's trace header, Lambda's client context; in bodies only when asked.

One piece of code for both tiers. Every function gives new parameters and leaves the user's own objects as they are.
"""

import json
import os

from .. import tracing
from ..say import say

XRAY = "X-Amzn-Trace-Id"
_MOST = 10  # attributes of a message
_SIZES = (262_144, 1_048_576)  # bytes: what services take, now and before; what fits without us must fit with us
_CLIENT_CONTEXT = 3_583  # bytes of base64
_BODIES = ("eventbridge", "kinesis", "stepfunctions")


def asked(variable="OTEL_LAMBDA_INJECT_PAYLOADS"):
    """The services whose bodies the user wants the context in."""
    words = {w.strip().lower() for w in os.environ.get(variable, "").split(",") if w.strip()}
    for word in sorted(words - {*_BODIES, "all", "none"}):
        say(f"{variable} names {word!r}, which this layer does not have: {', '.join(_BODIES)}, all or none", topic=variable)
    return frozenset(_BODIES if "all" in words else words)


def with_context(parameters, model, bodies):
    """The parameters with the current context in them, or the same object when nothing is to be added; `model` is botocore's of the operation."""
    function = _CALLS.get((str(model.service_model.service_id), model.name))
    return parameters if function is None or not isinstance(parameters, dict) else function(parameters, model, bodies)


def _fields():
    """The context's fields without X-Ray's, which AWS carries by itself from the header."""
    fields = {}
    tracing.inject(fields)
    fields.pop(XRAY, None)
    return {k: v for k, v in fields.items() if isinstance(v, str) and v}


def _message(parameters, *_):
    """One message of SQS or SNS."""
    if parameters.get("PhoneNumber"):
        return parameters
    return _entries([parameters], "MessageBody" if "MessageBody" in parameters else "Message")[0]


def _batch(key, body):
    def batch(parameters, *_):
        entries = parameters.get(key)
        return {**parameters, key: _entries(entries, body)} if isinstance(entries, list) else parameters

    return batch


def _entries(entries, body):
    """Messages with the context among their attributes: not in those that have ten, nor where the request would grow too large."""
    fields = _fields()
    size = sum(_size(e.get(body)) + sum(_size(k) + _size(v) for k, v in (e.get("MessageAttributes") or {}).items()) for e in entries)
    out = []
    for entry in entries:
        own = entry.get("MessageAttributes") or {}
        added = {k: {"DataType": "String", "StringValue": v} for k, v in fields.items() if k not in own}
        if added and len(own) + len(added) <= _MOST:
            more = sum(len(k) + 6 + len(v["StringValue"]) for k, v in added.items())
            if _fits(size, more):
                size += more
                entry = {**entry, "MessageAttributes": {**own, **added}}
        out.append(entry)
    return out


def _size(value):
    """Bytes of a text, of bytes, or of a message attribute."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return len(value) if isinstance(value, (bytes, bytearray)) else 0


def _fits(size, more):
    return all(size + more <= limit for limit in _SIZES if size <= limit)


def _in_json(text, size=None):
    """A JSON object's text with the context as its first members; everything else stays byte for byte. Other texts come back as they are."""
    raw = isinstance(text, (bytes, bytearray))
    try:
        written = bytes(text).decode() if raw else text
        found = json.loads(written)
    except (ValueError, TypeError):
        return text
    if not isinstance(found, dict):
        return text
    fields = {k: v for k, v in _fields().items() if k not in found}
    if not fields:
        return text
    members = json.dumps(fields)[1:-1]
    if not _fits(_size(text) if size is None else size, len(members) + 2):
        return text
    start = written.index("{") + 1
    out = written[:start] + members + (", " if found else "") + written[start:]
    return out.encode() if raw else out


def _record(parameters, _, bodies):
    return {**parameters, "Data": _in_json(parameters.get("Data"))} if "kinesis" in bodies and parameters.get("Data") else parameters


def _records(parameters, _, bodies):
    records = parameters.get("Records")
    if "kinesis" not in bodies or not isinstance(records, list):
        return parameters
    return {**parameters, "Records": [{**r, "Data": _in_json(r["Data"])} if r.get("Data") else r for r in records]}


def _events(parameters, model, bodies):
    """EventBridge: the X-Ray header as the parameter that is there for it, and the fields in the detail when asked."""
    entries = parameters.get("Entries")
    if not isinstance(entries, list):
        return parameters
    known = model.input_shape.members["Entries"].member.members
    # botocore refuses what it does not know
    text = (header() or os.environ.get("_X_AMZN_TRACE_ID")) if "TraceHeader" in known else None
    size = sum(_size(e) for e in entries)
    out = []
    for entry in entries:
        more = {}
        if text and len(text) <= 500 and "TraceHeader" not in entry and _fits(size, len(text)):
            more["TraceHeader"] = text
        if "eventbridge" in bodies and entry.get("Detail"):
            more["Detail"] = _in_json(entry["Detail"], size)
        size += _size(more) - _size({k: entry[k] for k in more if k in entry})
        out.append({**entry, **more})
    return {**parameters, "Entries": out}


def _execution(parameters, _, bodies):
    """Step Functions: not with a name, because the same name with another input is refused instead of taken as a repetition."""
    if "stepfunctions" not in bodies or "name" in parameters:
        return parameters
    return {**parameters, "input": _in_json(parameters.get("input", "{}"))}


def _invoke(parameters, *_):
    """Lambda: the client context's `custom`, which a function finds in its context."""
    import base64

    own = {}
    if parameters.get("ClientContext"):
        try:
            own = json.loads(base64.b64decode(parameters["ClientContext"], validate=True))
        except (ValueError, TypeError):
            return parameters
    custom = own.get("custom", {}) if isinstance(own, dict) else None
    if not isinstance(custom, dict):
        return parameters
    fields = {}
    tracing.inject(fields)
    text = base64.b64encode(json.dumps({**own, "custom": {**fields, **custom}}).encode()).decode()
    return {**parameters, "ClientContext": text} if fields and len(text) <= _CLIENT_CONTEXT else parameters


_CALLS = {
    ("SQS", "SendMessage"): _message,
    ("SQS", "SendMessageBatch"): _batch("Entries", "MessageBody"),
    ("SNS", "Publish"): _message,
    ("SNS", "PublishBatch"): _batch("PublishBatchRequestEntries", "Message"),
    ("Kinesis", "PutRecord"): _record,
    ("Kinesis", "PutRecords"): _records,
    ("EventBridge", "PutEvents"): _events,
    ("SFN", "StartExecution"): _execution,
    ("SFN", "StartSyncExecution"): _execution,
    ("Lambda", "Invoke"): _invoke,
}


def header(present=None):
    """
    The current context as X-Ray's header; None when what is `present` shall stay.

    botocore itself writes the runtime's own header, by which Lambda also finds functions that call themselves: its lineage is kept. It stays
    whole when X-Ray traces this invocation as another trace, whose map would fall apart. So does one that the function has written.
    """
    runtime = os.environ.get("_X_AMZN_TRACE_ID", "")
    found = tracing.current().context
    if found is None or (present and present != runtime):
        return None
    trace = f"{found.trace_id:032x}"
    root = f"Root=1-{trace[:8]}-{trace[8:]}"
    lineage = ""
    for part in runtime.split(";"):
        if part.startswith("Lineage="):
            lineage = ";" + part
    if "Sampled=1" in runtime and root not in runtime:
        return None
    return f"{root};Parent={found.span_id:016x};Sampled={found.trace_flags & 1}{lineage}"
