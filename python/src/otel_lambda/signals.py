"""What the SDK gets beside tracing: exporters to the console, metrics and logs, as far as the environment asks for them."""

import os
import sys
from logging import getLogger

from . import destination, entry_points, later, processors
from .quick import imports
from .say import cause, say
from .settings import SPAN_EXPORTERS
from .variables import one_of

_LEVELS = {"info": 20, "debug": 10, "warn": 30, "warning": 30, "error": 40, "fatal": 50, "none": 60, "off": 60}  # of the SDK's own words


def install(tracer_provider, resource, delivery, settings):
    """Add them; `delivery` sends what goes by OTLP. Gives the logging handler, or None."""
    if os.environ.get("OTEL_LOG_LEVEL"):
        getLogger("opentelemetry").setLevel(_LEVELS[one_of("OTEL_LOG_LEVEL", tuple(_LEVELS))])
    if "console" in settings.traces:
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

        tracer_provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stdout)))
    for name in settings.traces:
        if name not in ("otlp", "console"):
            found = entry_points.offered(SPAN_EXPORTERS, name)
            exporter = entry_points.make(f"OTEL_TRACES_EXPORTER={name}", found, ("export", "shutdown"))
            if exporter is not None:
                tracer_provider.add_span_processor(processors.Exported(exporter, settings.max_batch))
    if settings.metrics:
        later.after("opentelemetry.metrics", lambda: _metrics(resource, delivery, settings))
    if settings.logs:
        try:
            from . import logs

            return logs.install(resource, delivery, settings)
        except Exception as exc:  # noqa: BLE001 - the function may bring an SDK of another version
            say(f"logs are not sent, because the SDK cannot work with the function's packages: {cause(exc)}")
    return None


def _metrics(resource, delivery, settings):
    from opentelemetry.metrics import set_meter_provider

    from .meters import Meters

    def make():
        with imports():
            from . import metrics

            return metrics.provider(resource, delivery, destination.read("metrics", settings.root), settings.metrics)

    set_meter_provider(Meters(make, everybody=bool(os.environ.get("OTEL_METRICS_EXPORTER"))))
