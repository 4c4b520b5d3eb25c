"""
OTEL_PYTHON_LOG_CORRELATION: the ids of the current span in what the logging module writes to stdout, without the SDK.

Records get the attributes that contrib's instrumentation of logging gives them, so that formats made for it work. The runtime client's own
handler writes them too: as text before the message, in Lambda's JSON format as keys of the names that OpenTelemetry has for logs that are not OTLP.
"""

import logging
import os

from . import tracing

_TEXT = "[trace_id=%(otelTraceID)s span_id=%(otelSpanID)s trace_sampled=%(otelTraceSampled)s] %(message)s"
_NOTHING = {"otelTraceID": "0", "otelSpanID": "0", "otelTraceSampled": False, "otelServiceName": ""}


def install(service):
    """Add the ids to every record from now on; `service` is the service's name."""
    make = logging.getLogRecordFactory()
    nothing = {**_NOTHING, "otelServiceName": service}

    def factory(*args, **kwargs):
        record = make(*args, **kwargs)
        found = nothing
        try:
            context = tracing.current().context
            if context is not None:
                found = {
                    "otelTraceID": f"{context.trace_id:032x}",
                    "otelSpanID": f"{context.span_id:016x}",
                    "otelTraceSampled": bool(context.trace_flags & 1),
                    "otelServiceName": service,
                }
        except Exception:  # noqa: BLE001, S110 - never break the function's logging
            pass
        record.__dict__.update(found)
        return record

    logging.setLogRecordFactory(factory)
    for handler in logging.getLogger().handlers:
        inner = handler.formatter
        if type(inner).__name__ == "JsonFormatter":
            handler.setFormatter(Keys(inner))
        elif type(inner) is logging.Formatter and "%(message)s" in inner._fmt:
            handler.setFormatter(logging.Formatter(_format(inner._fmt), inner.datefmt, defaults=nothing))


def _format(text):
    asked = os.environ.get("OTEL_PYTHON_LOG_FORMAT", "")
    if asked:
        return asked + ("\n" if text.endswith("\n") else "")
    return text.replace("%(message)s", _TEXT)


class Keys(logging.Formatter):
    """Lambda's JSON formatter writes a record's further attributes as keys: here with the standard names, and no keys where there is no span."""

    def __init__(self, inner):
        """`inner` is the runtime client's."""
        super().__init__()
        self._inner = inner

    def format(self, record):
        """One line of JSON."""
        fields = record.__dict__
        ours = {key: fields.pop(key) for key in _NOTHING if key in fields}
        added = {}
        if ours.get("otelTraceID", "0") != "0":
            added = {"trace_id": ours["otelTraceID"], "span_id": ours["otelSpanID"], "trace_flags": "01" if ours["otelTraceSampled"] else "00"}
            added = {key: value for key, value in added.items() if key not in fields}
        fields.update(added)
        try:
            return self._inner.format(record)
        finally:
            for key in added:
                fields.pop(key, None)
            fields.update(ours)
