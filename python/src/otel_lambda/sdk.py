"""The OpenTelemetry SDK put together by hand, without its plug-in scan: when the function imports OpenTelemetry, or a setting asks for it."""

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.version import __version__

from . import bridge, ids, processors


def assemble(resource, spans):
    """Build the provider from our `resource`, with `spans`, the exporter of ended ones, or None, and make it the API's."""
    resource.attributes["telemetry.sdk.version"] = __version__  # the function may bring another one
    generator = ids.Urandom()
    provider = TracerProvider(resource=Resource(resource.attributes), shutdown_on_exit=False, id_generator=generator)
    if spans is not None:
        provider.add_span_processor(processors.Spans(spans))
    bridge.install(provider, generator)
    return provider
