"""Starts the recorder, or the SDK when a setting asks for it, and holds what every invocation needs."""

import os
import time

from . import announce, export, handover, instrumentations, invocation, otlp, propagation, recorder, resource, tracing
from . import settings as settings_module
from .variables import flag


class Telemetry:
    """The running telemetry."""

    __slots__ = ("announcer", "cold", "delivery", "handler", "ready", "settings", "snapshot")

    def begin(self, event, context):
        """Start the spans of an invocation."""
        if self.snapshot is not None:
            self.snapshot.check()
        cold, self.cold = self.cold and time.time() - self.ready < 10, False  # later: the environment was made ready ahead of need
        if self.handler is not None:
            self.handler.attach()
        return invocation.begin(self, event, context, cold)

    def finish(self, opened, result, error):
        """End the spans of an invocation and deliver them, within the function's deadline."""
        try:
            if opened is not None:
                invocation.finish(opened, result, error)
        finally:
            left = invocation.remaining(opened) if opened is not None else None
            request = opened.request if opened is not None else ""
            ends = request if request.isascii() and request.isprintable() else ""  # it becomes a header
            self.delivery.flush(export.within(left), ends)


def start(root):
    """Set everything up, with the layers unpacked in `root`; hooks bring instrumentations and the SDK when the function imports what needs them."""
    settings = settings_module.read(root)
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    telemetry = Telemetry()
    telemetry.settings, telemetry.delivery, telemetry.handler = settings, export.Delivery(), None
    telemetry.announcer = announce.Announcer(settings.beside and "otlp" in settings.traces)
    described, spans = resource.build(), None
    if "otlp" in settings.traces:
        spans = telemetry.delivery.signal(settings.to, lambda batch: otlp.request(batch, described), "spans", settings.max_queue, settings.max_batch)
        recorder.keep = spans.add
    tracing.propagators = propagation.Propagators(settings.propagators, settings.default_propagators)
    tracing.always = os.environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() == "always_on"

    def assemble():
        from . import limits

        with limits.readable():
            from . import sdk
        telemetry.handler = sdk.assemble(described, spans, telemetry.delivery, settings)

    handover.install(os.path.join(root, "otel-python"), assemble, at_once=settings.sdk)
    if flag("OTEL_PYTHON_LOG_CORRELATION") and "logging" not in settings.disabled_instrumentations:
        from . import correlation

        correlation.install(described.attributes["service.name"])
    instrumentations.install(settings.disabled_instrumentations, settings.enabled_instrumentations, contrib=settings.sdk)
    kind = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    telemetry.cold, telemetry.snapshot = kind == "on-demand", None
    if kind == "snap-start":
        from .snapstart import Snapshot

        telemetry.snapshot = Snapshot(telemetry.delivery, described)
    telemetry.ready = time.time()
    return telemetry
