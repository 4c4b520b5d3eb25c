"""Sends what the function logs with the standard logging module, and through the API, with the logs SDK."""

import logging
import os
import sys
import threading

from opentelemetry import _logs
from opentelemetry.sdk import _logs as sdk
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter, SimpleLogRecordProcessor

from . import destination, otlp_logs
from .forks import safe
from .say import cause, say
from .variables import whole

# What a record has of itself, and what the layer and the runtime client add for stdout; anything else was given as `extra`.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "aws_request_id", "tenant_id"}
_TEXTS = {"WARNING": "WARN", "CRITICAL": "FATAL"}


def install(resource, delivery, settings):
    """Set the API's logger provider, and a handler on the root logger; `settings.logs` says where records go."""
    count, length = whole("OTEL_ATTRIBUTE_COUNT_LIMIT", 128, 0), whole("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", None, 0)
    count = whole("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", count, 0)
    length = whole("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", length, 0)
    none = sdk.LogRecordLimits.UNSET
    limits = sdk.LogRecordLimits(count, none, count, none if length is None else length)
    provider = safe(sdk.LoggerProvider, "_logger_cache_lock", "_active_loggers_lock")(resource, shutdown_on_exit=False, log_record_limits=limits)
    if "otlp" in settings.logs:
        limit = whole("OTEL_BLRP_MAX_QUEUE_SIZE", 2048)
        batch = min(whole("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 512), limit)
        provider.add_log_record_processor(
            Records(
                delivery.signal(
                    destination.read("logs", settings.root), lambda records: otlp_logs.request(records, resource), "log records", limit, batch
                )
            )
        )
    if "console" in settings.logs:
        provider.add_log_record_processor(SimpleLogRecordProcessor(ConsoleLogRecordExporter(out=sys.stdout)))
    _logs.set_logger_provider(provider)
    handler = Handler(provider, delivery)
    handler.attach()
    return handler


class Records(sdk.LogRecordProcessor):
    """Keeps log records in an exporter, encoded at once: what was logged may change until it is sent."""

    def __init__(self, exporter):
        """`exporter` is of export.py."""
        self._exporter = exporter

    def on_emit(self, log_record):
        """Keep a record."""
        self._exporter.add((log_record.instrumentation_scope, otlp_logs.record(log_record)))

    def shutdown(self):
        """Nothing of its own to end."""

    def force_flush(self, timeout_millis=30_000):
        """What the user's own code may call."""
        return self._exporter.force(timeout_millis / 1000)


class Handler(logging.Handler):
    """Makes OpenTelemetry's log records of logging's."""

    def __init__(self, provider, delivery):
        """Emits to `provider`; not what is logged while `delivery` sends, which would never come to an end."""
        super().__init__(_level())
        self._provider, self._delivery = provider, delivery
        self._inside = threading.local()

    def attach(self):
        """Go on the root logger, unless there already: a function's own set-up of logging may have removed it."""
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)

    def emit(self, record):
        """Emit a record. Raises nothing."""
        if getattr(self._inside, "yes", False) or self._delivery.sender == threading.get_ident():
            return
        self._inside.yes = True
        try:
            self._provider.get_logger(record.name).emit(_translated(record))
        except Exception as exc:  # noqa: BLE001 - never break the function
            say(f"a log record was not kept: {cause(exc)}", topic="logs")
        finally:
            self._inside.yes = False


def _level():
    name = "OTEL_PYTHON_LOG_HANDLER_LEVEL" if os.environ.get("OTEL_PYTHON_LOG_HANDLER_LEVEL") else "OTEL_PYTHON_LOG_LEVEL"
    text = os.environ.get(name, "").strip()
    known = logging.getLevelName(text.upper()) if text else logging.NOTSET
    if isinstance(known, int):
        return known
    say(f"{name} is {text!r}, which is no level of the logging module: all records are sent")
    return logging.NOTSET


def _translated(record):
    attributes = {
        key: _attribute(value) for key, value in vars(record).items() if key not in _OWN and key[:4] not in ("otel", "_fra") and value is not None
    }
    attributes["code.file.path"], attributes["code.function.name"] = record.pathname, record.funcName
    attributes["code.line.number"] = record.lineno
    request = getattr(record, "aws_request_id", None)
    if isinstance(request, str) and request:
        attributes["faas.invocation_id"] = request
    exception = record.exc_info[1] if record.exc_info else None
    return _logs.LogRecord(
        timestamp=int(record.created * 1e9),
        severity_text=_TEXTS.get(record.levelname, record.levelname),
        severity_number=_logs.SeverityNumber(_severity(record.levelno)),
        body=_body(record),
        attributes=attributes,
        exception=exception,
    )


def _body(record):
    if isinstance(record.msg, dict) and not record.args:
        return record.msg
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit the text
        return str(record.msg)


def _attribute(value):
    return value if isinstance(value, (str, bool, int, float, bytes, list, tuple, dict)) else str(value)


def _severity(level):
    """OpenTelemetry's number of a level of logging's: DEBUG 10 is 5, INFO 20 is 9 ... and 0 below DEBUG."""
    if level < 10:
        return 0
    return 24 if level > 52 else level // 10 * 4 + 1 + min(level % 10, 3)
