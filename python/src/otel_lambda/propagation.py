"""Trace context and baggage in and out, in the formats that OTEL_PROPAGATORS names; nothing of OpenTelemetry is needed for it."""

import os

from .recorder import SpanContext
from .say import say

XRAY = "X-Amzn-Trace-Id"
XRAY_ENVIRONMENT = "_X_AMZN_TRACE_ID"  # where the runtime client keeps an invocation's header
_HEX = "0123456789abcdef"
_ANY_HEX = "0123456789abcdefABCDEF"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_STATE_KEY = _LOWER + "0123456789_-*/"
_STATE_VALUE = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) not in ",=")
_BAGGAGE_KEY = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"(),/:;<=>?@[\\]{}')
_BAGGAGE_VALUE = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '",;\\')
_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~"  # what percent-encoding leaves as it is
_LONGEST, _LONGEST_ENTRY, _ENTRIES = 8192, 4096, 180  # of a baggage header


class Propagators:
    """
    The configured formats in order; the first valid context wins.

    AWS adds an X-Ray header to nearly everything, which must not hide the sender's own.

    With nothing configured an X-Ray context that is not sampled is no parent, because AWS sends one whenever X-Ray is off.
    """

    __slots__ = ("_ignore", "names")

    def __init__(self, names, ignore_unsampled_xray):
        """`names` as in OTEL_PROPAGATORS; one that is unknown is one line."""
        known = []
        for name in dict.fromkeys(names):
            if name == "none":
                known.clear()
                break
            if name in _FORMATS or _plugged(name):
                known.append(name)
            else:
                say(f"OTEL_PROPAGATORS names {name!r}, which this layer does not have: {', '.join(_FORMATS)} or none")
        self.names, self._ignore = tuple(known), ignore_unsampled_xray

    def extract(self, get, inside=False):
        """
        The SpanContext and the baggage that a carrier brings, each or None; `get(key)` gives a field's text or None.

        `inside` a running trace X-Ray's environment is not asked.
        """
        found = baggage = None
        for name in self.names:
            if name == "baggage":
                baggage = _baggage(get("baggage"))
            elif found is None:
                found = _FORMATS[name][0](get, inside)
                if found is not None and name == "xray" and self._ignore and not found.trace_flags & 1:
                    found = None
        return found, baggage

    def reads(self, get, context):
        """The first format that gives `context`, by name; '' when none does."""
        formats = (name for name in self.names if name != "baggage")
        return next((name for name in formats if same(_FORMATS[name][0](get, False), context)), "")

    def all_fields(self):
        """The names of what `fields` may give."""
        out = {}
        for name in self.names:
            if name != "baggage":
                _FORMATS[name][1](out, SpanContext(1, 1, 0, "a=b"))
        return {*out, *(("baggage",) if "baggage" in self.names else ())}

    def fields(self, span_context, baggage):
        """What a carrier gets."""
        out = {}
        for name in self.names:
            if name == "baggage":
                text = _baggage_text(baggage) if baggage else ""
                if text:
                    out["baggage"] = text
            elif span_context is not None:
                _FORMATS[name][1](out, span_context)
        return out


def reader(carrier):
    """What `extract` reads a dict with, whose keys are in lower case."""
    return lambda key: carrier.get(key.lower())


def same(one, other):
    """Whether two SpanContexts, each of which may be None, are of one span."""
    return one is not None and other is not None and (one.trace_id, one.span_id) == (other.trace_id, other.span_id)


def span_id(context):
    """A span id as text."""
    return f"{context.span_id:016x}"


def _made_of(text, allowed):
    return bool(text) and not text.strip(allowed)


def w3c(get, _inside=False):
    """The SpanContext of `traceparent` and `tracestate`, or None."""
    text = get("traceparent")
    parts = text.strip(" \t").split("-", 4) if isinstance(text, str) else ()
    if len(parts) < 4 or [len(p) for p in parts[:4]] != [2, 32, 16, 2] or not all(_made_of(p, _HEX) for p in parts[:4]):
        return None
    version, trace, span, flags = parts[:4]
    if version == "ff" or (version == "00" and len(parts) > 4) or not trace.strip("0") or not span.strip("0"):
        return None
    return SpanContext(int(trace, 16), int(span, 16), int(flags, 16), _state(get("tracestate")), True)


def _state(text):
    """A valid `tracestate`, written anew; '' when any part of it is not valid, or there are too many."""
    if not isinstance(text, str) or not text or len(text) > 8192:
        return ""
    found = {}
    for member in text.split(","):
        member = member.strip(" \t")
        if not member:
            continue
        key, equals, value = member.partition("=")
        if not equals or key in found or not _state_key(key) or not _made_of(value, _STATE_VALUE) or len(value) > 256 or value.endswith(" "):
            return ""
        found[key] = value
    return ",".join(f"{key}={value}" for key, value in found.items()) if len(found) <= 32 else ""


def _state_key(key):
    tenant, at, vendor = key.partition("@")
    if not _made_of(tenant, _STATE_KEY):
        return False
    if not at:
        return tenant[0] in _LOWER and len(tenant) <= 256
    return tenant[0] in _LOWER + "0123456789" and len(tenant) <= 241 and _made_of(vendor, _STATE_KEY) and vendor[0] in _LOWER and len(vendor) <= 14


def _put_w3c(out, context):
    out["traceparent"] = f"00-{context.trace_id:032x}-{span_id(context)}-{context.trace_flags:02x}"
    if context.trace_state:
        out["tracestate"] = context.trace_state


def xray(header):
    """The SpanContext of an X-Ray header's text, or None."""
    if not isinstance(header, str):
        return None
    found = {}
    for part in header.split(";"):
        key, equals, value = part.partition("=")
        if not equals or "=" in value:
            return None
        found[key.strip()] = value.strip()
    version, _, trace = found.get("Root", "").partition("-")
    began, _, unique = trace.partition("-")
    span, sampled = found.get("Parent", ""), found.get("Sampled", "0")
    if (
        version != "1"
        or sampled not in ("0", "1")
        or [len(began), len(unique), len(span)] != [8, 24, 16]
        or not _made_of(began + unique + span, _ANY_HEX)
    ):
        return None
    trace_id, parent = int(began + unique, 16), int(span, 16)
    return SpanContext(trace_id, parent, int(sampled), "", True) if trace_id and parent else None


def environment():
    """The SpanContext that X-Ray has for this invocation, or None."""
    return xray(os.environ.get(XRAY_ENVIRONMENT))


def _get_xray(get, _inside):
    return xray(get(XRAY))


def _get_xray_lambda(get, inside):
    return (None if inside else environment()) or xray(get(XRAY))


def _put_xray(out, context):
    trace = f"{context.trace_id:032x}"
    out[XRAY] = f"Root=1-{trace[:8]}-{trace[8:]};Parent={span_id(context)};Sampled={context.trace_flags & 1}"


def _get_b3(get, _inside):
    """Either form of B3: each format reads both."""
    single = get("b3")
    if single:
        parts = single.split("-", 4)
        if not 2 <= len(parts) <= 4:
            return None
        trace, span, sampled, flags = parts[0], parts[1], parts[2] if len(parts) > 2 else "1", None  # left to us to decide: yes
    else:
        trace, span, sampled, flags = (get("x-b3-" + name) for name in ("traceid", "spanid", "sampled", "flags"))
    if not trace or not span or len(trace) not in (16, 32) or len(span) != 16 or not _made_of(trace + span, _ANY_HEX):
        return None
    trace_id, parent = int(trace, 16), int(span, 16)
    flag = 1 if sampled in ("1", "True", "true", "d") or flags == "1" else 0
    return SpanContext(trace_id, parent, flag, "", True) if trace_id and parent else None


def _put_b3(out, context):
    out["b3"] = f"{context.trace_id:032x}-{span_id(context)}-{context.trace_flags & 1}"


def _put_b3_multi(out, context):
    out["x-b3-traceid"], out["x-b3-spanid"] = f"{context.trace_id:032x}", span_id(context)
    out["x-b3-sampled"] = str(context.trace_flags & 1)


def _baggage(header):
    """The entries of a baggage header; None when there is none that is valid."""
    if not isinstance(header, str) or not header or len(header.encode("utf-8", "replace")) > _LONGEST:
        return None
    found = {}
    for entry in _within(part.strip(" \t") for part in header.split(",")):
        name, equals, value = entry.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        text, *properties = value.split(";")
        if not equals or not _made_of(name, _BAGGAGE_KEY) or text.rstrip(" \t").strip(_BAGGAGE_VALUE) or not all(map(_is_property, properties)):
            continue
        if "%" in entry or "+" in entry:
            from urllib.parse import unquote_plus

            name, value = unquote_plus(name).strip(), unquote_plus(value).strip()
        found[name] = value
    return found or None


def _is_property(text):
    key, equals, value = text.partition("=")
    return _made_of(key.strip(" \t"), _BAGGAGE_KEY) and (not equals or not value.strip(" \t").strip(_BAGGAGE_VALUE))


def _baggage_text(baggage):
    return ",".join(_within(_quoted(key) + "=" + _quoted(value) for key, value in baggage.items()))


def _quoted(value):
    text = str(value)
    if not text.strip(_PLAIN):
        return text
    from urllib.parse import quote_plus

    return quote_plus(text)


def _within(entries):
    """Entries of a baggage header as long as its limits allow."""
    count = length = 0
    for entry in entries:
        if not entry or not entry.isascii() or len(entry) > _LONGEST_ENTRY:
            continue
        length += len(entry) + (1 if count else 0)
        count += 1
        if count > _ENTRIES or length > _LONGEST:
            return
        yield entry


_FORMATS = {
    "tracecontext": (w3c, _put_w3c),
    "baggage": None,
    "xray": (_get_xray, _put_xray),
    "xray-lambda": (_get_xray_lambda, _put_xray),
    "b3": (_get_b3, _put_b3),
    "b3multi": (_get_b3, _put_b3_multi),
}
_KNOWN = frozenset({*_FORMATS, "none"})


def offered(name):
    """The entry point of one of the function's packages that has the format `name`, which is none of ours; or None."""
    if name in _KNOWN:
        return None
    from . import entry_points

    return entry_points.offered("opentelemetry_propagator", name)


def _plugged(name):
    """Whether a package of the function has the format `name`, which is then one of ours; it is loaded when it is first used."""
    found = offered(name)
    if found is not None:
        from .plugged import Format

        plugged = Format(name, found)
        _FORMATS[name] = (plugged.get, plugged.put)
    return found is not None
