"""Where one signal is sent and how, from the OTEL_EXPORTER_OTLP_* variables: a signal's own before the general one."""

import os

from .say import say
from .variables import one_of, pairs, whole

COLLECTOR = "http://localhost:4318"
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_EXPORT_TIMEOUTS = {"traces": "OTEL_BSP_EXPORT_TIMEOUT", "logs": "OTEL_BLRP_EXPORT_TIMEOUT", "metrics": "OTEL_METRIC_EXPORT_TIMEOUT"}
_PROTOCOLS = ("http/protobuf", "http/json", "grpc")


class Destination:
    """
    One signal's place: `url` (of gRPC without a path), `protocol`, `headers`, `gzip`, `timeout` in seconds.

    `certificate`, `client_certificate` and `client_key` are files or ""; `collector`: it is the Collector beside us.
    """

    __slots__ = ("certificate", "client_certificate", "client_key", "collector", "gzip", "headers", "protocol", "signal", "timeout", "url")


def read(signal: str, root: str) -> Destination:
    """The destination of `signal` (traces, metrics or logs); `root` is where the layers are unpacked."""
    d = Destination()
    d.signal = signal
    d.protocol = one_of(_name(signal, "PROTOCOL"), _PROTOCOLS)
    d.url, own = endpoint(signal, root)
    if d.protocol == "grpc":
        if _speaks_grpc(signal, root, own):
            d.url = _grpc(signal)
        else:
            d.protocol = _PROTOCOLS[0]
    d.collector = attached(root) and is_collector(d.url)
    d.headers = pairs(variable(signal, "HEADERS")) if own else {}
    d.gzip = own and one_of(_name(signal, "COMPRESSION"), ("none", "gzip")) == "gzip"
    if not own:
        d.protocol = _PROTOCOLS[0]
    d.timeout = min(whole(_name(signal, "TIMEOUT"), 10_000), whole(_EXPORT_TIMEOUTS[signal], 30_000)) / 1000  # they count milliseconds
    d.certificate, d.client_certificate, d.client_key = (variable(signal, n) for n in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"))
    return d


def endpoint(signal: str, root: str) -> "tuple[str, bool]":
    """
    Where `signal` is posted, and whether the user's exporter settings (headers ...) are about that place.

    With the collector beside us and no configuration file of its own, the endpoint variables say where the *collector* sends, and we send to it.
    """
    env = os.environ
    exact, general = env.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "").strip(), env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    configured = env.get("OPENTELEMETRY_COLLECTOR_CONFIG_URI") or env.get("OPENTELEMETRY_COLLECTOR_CONFIG_FILE")
    beside, path = attached(root), "/v1/" + signal
    named = exact or general
    if beside and named and not is_collector(named) and not configured:
        return COLLECTOR + path, False
    if beside and is_collector(named) and _port(named) == 4317:
        return COLLECTOR + path, True  # the collector's gRPC port; we speak HTTP
    for candidate in (exact, general):
        if candidate and not candidate.startswith(("http://", "https://")):
            if variable(signal, "PROTOCOL").strip().lower() != "grpc":  # where it is a matter of course
                say(f"the OTLP endpoint {candidate!r} does not begin with http:// or https://: {COLLECTOR} is used", topic=candidate)
            return COLLECTOR + path, True
    return exact or (general or COLLECTOR).rstrip("/") + path, True


def _speaks_grpc(signal, root, own):
    """Not to the Collector beside us, which takes the same over HTTP, where nothing has to be imported."""
    named = variable(signal, "ENDPOINT").strip()
    return own and not (attached(root) and (not named or is_collector(named)))


def _grpc(signal):
    """The address of a gRPC endpoint: without a scheme it is https unless INSECURE says otherwise."""
    named = variable(signal, "ENDPOINT").strip() or "http://localhost:4317"
    scheme, found, rest = named.rpartition("://")
    if not found:
        scheme, rest = "http" if variable(signal, "INSECURE").strip().lower() == "true" else "https", named
    if scheme not in ("http", "https"):
        say(f"the OTLP endpoint {named!r} is neither http nor https: http is used", topic=named)
        scheme = "http"
    return f"{scheme}://{rest.partition('/')[0]}"


def attached(root: str) -> bool:
    """Whether the collector extension is beside us."""
    return os.path.isfile(os.path.join(root, "extensions", "collector"))


def is_collector(url: str) -> bool:
    """Whether `url` is the collector's own receiver: this host, port 4317 or 4318."""
    authority = url.rpartition("://")[2].partition("/")[0].rpartition("@")[2]
    return _port(url) in (4317, 4318) and authority.rpartition(":")[0] in _LOOPBACK


def _port(url: str) -> int:
    authority = url.rpartition("://")[2].partition("/")[0]
    port = authority.rpartition(":")[2]
    return int(port) if port.isascii() and port.isdigit() else 0


def _name(signal: str, name: str) -> str:
    """The variable that counts: the signal's own when it is set."""
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}"
    return own if os.environ.get(own) else f"OTEL_EXPORTER_OTLP_{name}"


def variable(signal: str, name: str) -> str:
    """The text of a variable of the exporter, "" when neither is set."""
    return os.environ.get(_name(signal, name), "")
