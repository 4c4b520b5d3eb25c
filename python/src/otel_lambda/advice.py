"""What to do about telemetry that was not delivered: imported only then."""


def about(destination, why):
    """What the user can do about `why`, the reason in words; "" when there is nothing to say. docs/troubleshooting.md has each."""
    host, _, port = destination.url.partition("://")[2].partition("/")[0].rpartition("@")[2].rpartition(":")
    if destination.collector:
        return "the Collector is attached, so its own lines in this log say why"
    if any(text in why for text in ("status 401", "status 403", "UNAUTHENTICATED", "PERMISSION_DENIED")):
        return "check the credentials in OTEL_EXPORTER_OTLP_HEADERS"
    if "status 404" in why:
        return f"OTEL_EXPORTER_OTLP_ENDPOINT is the address without /v1/{destination.signal}, which is added"
    if host in ("localhost", "127.0.0.1", "[::1]") and port in ("4317", "4318"):
        return "attach the opentelemetry-collector layer, or name your backend in OTEL_EXPORTER_OTLP_ENDPOINT"
    if port == "4317" and destination.protocol != "grpc":
        return "4317 is the port of gRPC: name 4318, or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
    if "certificate" in why:
        return "name the file of a private authority in OTEL_EXPORTER_OTLP_CERTIFICATE"
    if "status" in why:
        return ""  # it was reached, and its answer says what is wrong
    return "the function's network must reach that address: see its VPC, security groups and OTEL_EXPORTER_OTLP_ENDPOINT"
