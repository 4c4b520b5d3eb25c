"""The environment variables that the layer reads, as one object. A bad value is one line on stderr and the default."""

import os

from . import destination
from .say import say
from .variables import whole, words

DEFAULT_PROPAGATORS = ("tracecontext", "baggage", "xray")


class Settings:
    """What was configured."""

    __slots__ = (
        "beside",
        "default_propagators",
        "disabled_instrumentations",
        "enabled_instrumentations",
        "export",
        "max_batch",
        "max_queue",
        "propagators",
        "single_message_parent",
        "traces",
    )


def read(root: str) -> Settings:
    """The settings; `root` is where the layers are unpacked, /opt."""
    env = os.environ
    s = Settings()
    asked = words(env.get("OTEL_PROPAGATORS", ""))
    s.propagators = asked or DEFAULT_PROPAGATORS
    s.default_propagators = not asked
    s.disabled_instrumentations = words(env.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", ""))
    s.enabled_instrumentations = words(env.get("OTEL_LAMBDA_ENABLED_INSTRUMENTATIONS", ""))
    s.single_message_parent = env.get("OTEL_LAMBDA_SINGLE_MESSAGE_PARENT", "").strip().lower() == "true"
    s.max_queue = whole("OTEL_BSP_MAX_QUEUE_SIZE", 2048)
    s.max_batch = min(whole("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512), s.max_queue)
    exporters = words(env.get("OTEL_TRACES_EXPORTER", "")) or ("otlp",)
    s.export = "otlp" in exporters
    for other in exporters:
        if other not in ("otlp", "none"):
            say(f"OTEL_TRACES_EXPORTER names {other!r}, which this layer does not have: otlp or none")
            s.export = True
    s.traces = destination.read("traces", root)
    s.beside = destination.attached(root)
    return s
