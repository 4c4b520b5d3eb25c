"""The OpenTelemetry SDK put together by hand, without its plug-in scan: when the function imports OpenTelemetry, or a setting asks for it."""

import os

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.version import __version__

from . import bridge, ids, limits, processors, signals
from .forks import safe


def assemble(resource, spans, delivery, settings):
    """
    Build the provider from our `resource`, with `spans`, the exporter of ended ones, or None, and make it the API's; then the other signals.

    Gives the handler of logs, or None.
    """
    resource.attributes["telemetry.sdk.version"] = __version__  # the function may bring another one
    if os.environ.get("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"):
        for key, value in Resource.create().attributes.items():
            resource.attributes.setdefault(key, value)
    described, generator = Resource(resource.attributes), ids.Urandom()
    resource.copies.append(described)
    provider = safe(TracerProvider, "_tracers_lock")(
        limits.sampler(), described, shutdown_on_exit=False, id_generator=generator, span_limits=limits.spans()
    )
    if spans is not None:
        provider.add_span_processor(processors.Spans(spans))
    bridge.install(provider, generator)
    return signals.install(provider, described, delivery, settings)
