"""The environment variables that the layer reads, as one object. A bad value is one line on stderr and the default."""

import os

from . import destination, propagation
from .say import say
from .variables import one_of, whole, words

DEFAULT_PROPAGATORS = ("tracecontext", "baggage", "xray")
SPAN_EXPORTERS = "opentelemetry_traces_exporter"  # entry points of the function's packages
_OTHERS = (("DD_LAMBDA_HANDLER", "Datadog"), ("NEW_RELIC_LAMBDA_HANDLER", "New Relic"), ("LUMIGO_ORIGINAL_HANDLER", "Lumigo"))


class Settings:
    """What was configured."""

    __slots__ = (
        "beside",
        "default_propagators",
        "disabled_instrumentations",
        "enabled_instrumentations",
        "logs",
        "max_batch",
        "max_queue",
        "metrics",
        "propagators",
        "root",
        "sdk",
        "single_message_parent",
        "to",
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
    s.traces, s.metrics, s.logs = exporters("TRACES", "otlp"), exporters("METRICS", "otlp"), exporters("LOGS", "none")
    s.root, s.sdk = root, needs_sdk(s)
    s.to = destination.read("traces", root)
    s.beside = destination.attached(root)
    for name in ("OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"):
        if env.get(name):
            say(f"{name} is set, but this layer is configured by variables: the file is not read")
    for variable, layer in _OTHERS:
        if env.get(variable):
            say(f"{layer} wraps this function's handler too ({variable} is set): each invocation is traced twice, keep one of the two layers")
    return s


def exporters(signal: str, default: str) -> "tuple[str, ...]":
    """What OTEL_<signal>_EXPORTER names, without none; an unknown name is one line, and alone it is the default."""
    name = f"OTEL_{signal}_EXPORTER"
    known, found = ("otlp", "console", "none"), words(os.environ.get(name, ""))
    for other in found:
        if other not in known:
            if signal == "TRACES":
                from .entry_points import offered

                if offered(SPAN_EXPORTERS, other) is not None:
                    known = (*known, other)
                    continue
            say(f"{name} names {other!r}, which this layer does not have: {', '.join(known)}")
    return tuple(one for one in [one for one in found if one in known] or [default] if one != "none")


_SDK_ONLY = (  # variables that the SDK or contrib's instrumentations read, and nobody else
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE",
    "OTEL_LAMBDA_CONFIGURE",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_PYTHON_CONTEXT",
    "OTEL_PYTHON_ID_GENERATOR",
    "OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS",
    "OTEL_PYTHON_TRACER_PROVIDER",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
)


def needs_sdk(s: Settings) -> bool:
    """Whether the SDK is wanted from the start, by OTEL_LAMBDA_TIER or because a variable asks for what only it can do."""
    env = os.environ
    if one_of("OTEL_LAMBDA_TIER", ("auto", "sdk")) == "sdk" or any(env.get(name) for name in _SDK_ONLY):
        return True
    if env.get("OTEL_TRACES_SAMPLER", "").strip().lower() not in ("", "always_on", "parentbased_always_on"):
        return True
    if {"http", "database"} - set(words(env.get("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database"))):
        return True  # older names too, or only they: contrib's instrumentations know both
    # Metrics that nobody asked for are those of the function's own code, which brings the SDK when it imports OpenTelemetry.
    if set(s.traces) - {"otlp"} or any(map(propagation.offered, s.propagators)):
        return True  # the console, or what a package of the function has
    return bool(s.logs or (s.metrics and env.get("OTEL_METRICS_EXPORTER")))
