"""The environment variables that the layer reads, as one object. A bad value is one line on stderr and the default."""

import os

from .say import say

DEFAULT_PROPAGATORS = ("tracecontext", "baggage", "xray")
COLLECTOR = "http://localhost:4318"
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Settings:
    """What was configured."""

    __slots__ = (
        "beside",
        "collector",
        "compression",
        "default_propagators",
        "disabled_instrumentations",
        "endpoint",
        "export",
        "headers",
        "max_batch",
        "max_queue",
        "propagators",
        "single_message_parent",
        "timeout",
    )


def read(root: str) -> Settings:
    """The settings; `root` is where the layers are unpacked, /opt."""
    env = os.environ
    s = Settings()
    asked = words(env.get("OTEL_PROPAGATORS", ""))
    s.propagators = asked or DEFAULT_PROPAGATORS
    s.default_propagators = not asked
    s.disabled_instrumentations = words(env.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", ""))
    s.single_message_parent = env.get("OTEL_LAMBDA_SINGLE_MESSAGE_PARENT", "").strip().lower() == "true"
    s.max_queue = whole("OTEL_BSP_MAX_QUEUE_SIZE", 2048)
    s.max_batch = min(whole("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512), s.max_queue)
    exporters = words(env.get("OTEL_TRACES_EXPORTER", "")) or ("otlp",)
    s.export = "otlp" in exporters
    for other in exporters:
        if other not in ("otlp", "none"):
            say(f"OTEL_TRACES_EXPORTER names {other!r}, which this layer does not have: otlp or none")
            s.export = True
    s.endpoint, own = endpoint(root)
    s.beside = attached(root)
    s.collector = s.beside and is_collector(s.endpoint)
    s.headers = pairs(_signal("HEADERS")) if own else {}
    s.compression = _signal("COMPRESSION").strip().lower() == "gzip" and own
    s.timeout = _timeout()
    protocol = _signal("PROTOCOL").strip().lower()
    if own and protocol not in ("", "http/protobuf"):
        say(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; this layer sends http/protobuf")
    return s


def endpoint(root: str) -> "tuple[str, bool]":
    """
    Where traces are posted, and whether the user's exporter settings (headers ...) are about that place.

    With the collector beside us and no configuration file of its own, the endpoint variables say where the *collector* sends, and we send to it.
    """
    env = os.environ
    traces, general = env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip(), env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    configured = env.get("OPENTELEMETRY_COLLECTOR_CONFIG_URI") or env.get("OPENTELEMETRY_COLLECTOR_CONFIG_FILE")
    beside = attached(root)
    named = traces or general
    if beside and named and not is_collector(named) and not configured:
        return COLLECTOR + "/v1/traces", False
    if beside and is_collector(named) and _port(named) == 4317:
        return COLLECTOR + "/v1/traces", True  # the collector's gRPC port; we speak HTTP
    for candidate in (traces, general):
        if candidate and not candidate.startswith(("http://", "https://")):
            say(f"the OTLP endpoint {candidate!r} does not begin with http:// or https://: {COLLECTOR} is used")
            return COLLECTOR + "/v1/traces", True
    return traces or (general or COLLECTOR).rstrip("/") + "/v1/traces", True


def attached(root: str) -> bool:
    """Whether the collector extension is beside us."""
    return os.path.isfile(os.path.join(root, "extensions", "collector"))


def is_collector(url: str) -> bool:
    """Whether `url` is the collector's own receiver: this host, port 4317 or 4318."""
    authority = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    return _port(url) in (4317, 4318) and authority.rpartition(":")[0] in _LOOPBACK


def _port(url: str) -> int:
    authority = url.partition("://")[2].partition("/")[0]
    port = authority.rpartition(":")[2]
    return int(port) if port.isascii() and port.isdigit() else 0


def _signal(name: str) -> str:
    """A variable of the exporter, the traces' own before the general one."""
    return os.environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}") or ""


def _timeout() -> float:
    """The configured time-out in seconds; the specification counts milliseconds."""
    name = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"
    return whole(name if os.environ.get(name) else "OTEL_EXPORTER_OTLP_TIMEOUT", 10_000) / 1000


def whole(name: str, default: int) -> int:
    """A variable that is a whole number above 0."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    say(f"{name} is {text!r}, not a whole number above 0: {default} is used")
    return default


def words(text: str) -> "tuple[str, ...]":
    """The parts of a list separated by commas, in lower case."""
    return tuple(w.strip().lower() for w in text.split(",") if w.strip())


def pairs(text: str) -> "dict[str, str]":
    """`key=value` pairs separated by commas, percent-decoded, as the specification writes headers and resource attributes."""
    found: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            say("a part of a key=value list has no key or no '=': it is left out", topic="pairs")
            continue
        if "%" in part:
            from urllib.parse import unquote

            key, value = unquote(key), unquote(value)
        found[key.strip()] = value.strip()
    return found
