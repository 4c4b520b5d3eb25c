"""Puts the OpenTelemetry SDK together by hand, without its plug-in scan, and holds it for the invocations."""

import os
import sys
import time

from . import quick
from . import settings as settings_module


class Telemetry:
    """The running SDK."""

    __slots__ = ("announcer", "cold", "delivery", "propagators", "ready", "settings", "tracer")

    def begin(self, event, context):
        """Start the spans of an invocation."""
        from . import invocation

        cold, self.cold = self.cold and time.time() - self.ready < 10, False  # later: the environment was made ready ahead of need
        return invocation.begin(self, event, context, cold)

    def finish(self, opened, result, error):
        """End the spans of an invocation and deliver them, within the function's deadline."""
        from . import export, invocation

        try:
            if opened is not None:
                invocation.finish(opened, result, error)
        finally:
            left = invocation.remaining(opened) if opened is not None else None
            request = opened.request if opened is not None else ""
            ends = request if request.isascii() and request.isprintable() else ""  # it becomes a header
            self.delivery.flush(export.LONGEST if left is None else min(export.LONGEST, left - export.SPARE), ends)


def start(root):
    """Set up the SDK, with the layers unpacked in `root`; hooks attach instrumentations when their libraries are imported."""
    folder = os.path.join(root, "otel-python")
    if folder not in sys.path:
        sys.path.append(folder)  # behind everything: what the function brings comes first
    settings = settings_module.read(root)
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    with quick.imports():
        return _assemble(settings)


def _assemble(settings):
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    from . import announce, export, ids, instrumentations, otlp, processors, propagation, resource

    propagators = propagation.load(settings.propagators, ignore_unsampled_xray=settings.default_propagators)
    propagation.install(propagators)
    described = resource.build()
    provider = TracerProvider(resource=described, shutdown_on_exit=False, id_generator=ids.Urandom())
    telemetry = Telemetry()
    telemetry.settings, telemetry.propagators, telemetry.delivery = settings, propagators, export.Delivery()
    telemetry.announcer = announce.Announcer(settings.beside and settings.export)
    if settings.export:
        spans = telemetry.delivery.signal(
            settings.traces, lambda batch: otlp.request(batch, described), "spans", settings.max_queue, settings.max_batch
        )
        provider.add_span_processor(processors.Spans(spans))
    trace.set_tracer_provider(provider)
    telemetry.tracer = provider.get_tracer("otel_lambda")
    instrumentations.install(settings.disabled_instrumentations, settings.enabled_instrumentations)
    telemetry.cold = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") == "on-demand"
    telemetry.ready = time.time()
    return telemetry
