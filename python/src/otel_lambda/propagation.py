"""Trace context in and out: the configured propagators, and where AWS puts their fields."""

import os

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter, TextMapPropagator

from .say import say

XRAY = "X-Amzn-Trace-Id"
_KNOWN = {
    "tracecontext": ("opentelemetry.trace.propagation.tracecontext", "TraceContextTextMapPropagator"),
    "baggage": ("opentelemetry.baggage.propagation", "W3CBaggagePropagator"),
    "xray": ("opentelemetry.propagators.aws", "AwsXRayPropagator"),
    "xray-lambda": ("opentelemetry.propagators.aws", "AwsXRayLambdaPropagator"),
    "b3": ("opentelemetry.propagators.b3", "B3SingleFormat"),
    "b3multi": ("opentelemetry.propagators.b3", "B3MultiFormat"),
}


class Lookup(Getter):
    """Reads carriers whose keys are lower case and whose values are strings."""

    def get(self, carrier, key):
        """The value of `key` in any letter case, as the list that the API asks for."""
        value = carrier.get(key.lower()) or carrier.get(key)  # some propagators ask with a carrier of their own
        return [value] if isinstance(value, str) and value else None

    def keys(self, carrier):
        """All keys."""
        return list(carrier)


LOOKUP = Lookup()


class Propagators(TextMapPropagator):
    """
    The configured propagators in order; the first valid context wins.

    AWS adds an X-Ray header to nearly everything, which must not hide the sender's own.

    With nothing configured an X-Ray context that is not sampled is no parent, because AWS sends one whenever X-Ray is off.
    """

    def __init__(self, parts, ignore_unsampled_xray):
        """`parts` are pairs of a name and a propagator."""
        self._parts, self._ignore = parts, ignore_unsampled_xray

    def extract(self, carrier, context=None, getter=LOOKUP):
        """The context of `carrier`."""
        context = Context() if context is None else context
        found = None
        for name, part in self._parts:
            after = part.extract(carrier, context=context, getter=getter)
            span = trace.get_current_span(after)
            if name != "baggage" and span is not trace.get_current_span(context) and span.get_span_context().is_valid:
                if found is not None or (self._ignore and name == "xray" and not span.get_span_context().trace_flags.sampled):
                    continue
                found = name
            context = after
        return context

    def inject(self, carrier, context=None, **setter):
        """Write every propagator's fields."""
        for _, part in self._parts:
            part.inject(carrier, context=context, **setter)

    @property
    def fields(self):
        """What inject writes."""
        return {field for _, part in self._parts for field in part.fields}


def load(names, ignore_unsampled_xray):
    """The propagators called `names`; an unknown one is one line."""
    from importlib import import_module

    parts = []
    for name in dict.fromkeys(names):
        if name == "none":
            return Propagators((), False)
        if name not in _KNOWN:
            say(f"OTEL_PROPAGATORS names {name!r}, which this layer does not have: {', '.join(_KNOWN)} or none")
            continue
        module, attribute = _KNOWN[name]
        parts.append((name, getattr(import_module(module), attribute)()))
    return Propagators(tuple(parts), ignore_unsampled_xray)


def install(propagators):
    """Make `propagators` the API's own. The API would look for plug-ins by reading every package's metadata if it saw the variable."""
    asked = os.environ.pop("OTEL_PROPAGATORS", None)
    try:
        from opentelemetry import propagate
    finally:
        if asked is not None:
            os.environ["OTEL_PROPAGATORS"] = asked
    propagate.set_global_textmap(propagators)


def span_context(context):
    """The valid span context in `context`, or None."""
    found = trace.get_current_span(context).get_span_context() if context is not None else None
    return found if found is not None and found.is_valid else None


def xray(header):
    """The span context of an X-Ray header's text, or None."""
    if not isinstance(header, str) or "Parent=" not in header:
        return None
    from opentelemetry.propagators.aws import AwsXRayPropagator

    try:
        return span_context(AwsXRayPropagator().extract({XRAY.lower(): header}, getter=LOOKUP))
    except Exception:  # noqa: BLE001 - a header of any shape
        return None
