"""The OpenTelemetry SDK put together by hand, without its plug-in scan: when the function imports OpenTelemetry, or a setting asks for it."""

import os

from opentelemetry import trace
from opentelemetry import version as api
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.version import __version__

from . import bridge, entry_points, ids, limits, processors, signals, tracing, users
from .forks import safe
from .say import cause, say

_DETECTORS, _IDS = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "OTEL_PYTHON_ID_GENERATOR"


class Provider(safe(TracerProvider, "_tracers_lock")):
    """The SDK's, which keeps the user's span processors from breaking the function and from keeping spans through a freeze."""

    def __init__(self, *arguments, **keywords):
        """As the SDK's."""
        self.others = []
        super().__init__(*arguments, **keywords)

    def add_span_processor(self, span_processor):
        """A processor of the user's."""
        self.others.append(processors.Guarded(span_processor))
        super().add_span_processor(self.others[-1])

    def flush_others(self, seconds):
        """Flush the user's processors, for some `seconds` in all."""
        if self.others:
            with tracing.suppress(everything=True):
                for one in self.others:
                    one.flush(seconds / len(self.others))


def assemble(resource, spans, delivery, settings):
    """
    Build the provider from our `resource`, with `spans`, the exporter of ended ones, or None, and make it the API's; then the other signals.

    Gives the handler of logs, or None.
    """
    resource.attributes["telemetry.sdk.version"] = __version__  # the function may bring another one
    for key, value in _detected().items():
        resource.attributes.setdefault(key, value)
    own = users.configured(resource.attributes, limits.sampler(), _ids() or ids.Urandom())
    resource.attributes.update(own.resource)
    described = Resource(resource.attributes)
    resource.copies.append(described)
    generator = own.id_generator if isinstance(own.id_generator, ids.Urandom) else ids.Urandom(own.id_generator)
    if api.__version__ != __version__:
        if not hasattr(trace.TraceFlags, "random_trace_id"):
            trace.TraceFlags.random_trace_id = False  # APIs before 1.42 lack it, and our SDK asks each parent for it
        _try(ids.Urandom())
    provider = Provider(own.sampler, described, shutdown_on_exit=False, id_generator=generator, span_limits=limits.spans())
    for processor in own.span_processors:
        provider.add_span_processor(processor)
    if spans is not None:
        super(Provider, provider).add_span_processor(processors.Spans(spans))
    delivery.others = provider.flush_others
    bridge.install(provider, generator)
    return signals.install(provider, described, delivery, settings)


def _try(generator):
    """Use an SDK with an API of another version once: what does not fit raises here, where the recorder goes on instead, and not in the function."""
    span = TracerProvider(shutdown_on_exit=False, id_generator=generator).get_tracer("otel_lambda").start_span("try", attributes={"a": 1})
    link = trace.Link(span.get_span_context(), {"a": 1})
    with trace.use_span(span):
        inner = TracerProvider(shutdown_on_exit=False, id_generator=generator).get_tracer("otel_lambda").start_span("try", links=[link])
        inner.add_event("happened", {"a": "b"})
        inner.record_exception(ValueError("try"))
        inner.set_status(trace.Status(trace.StatusCode.ERROR, "try"))
        inner.end()
    span.end()


def _detected():
    """The attributes that the resource detectors find which a variable names; those of unknown names are left out, with a line each."""
    asked = os.environ.get(_DETECTORS, "")
    names = [name.strip() for name in asked.split(",") if name.strip()]
    known = []
    for name in names:
        found = name != "*" and entry_points.offered("opentelemetry_resource_detector", name)
        if found is None:
            say(f"{_DETECTORS} names {name!r}, which neither this layer nor a package of the function has: it is left out")
        else:
            known.append(found.name if found else name)
    if not known:
        return {}
    try:
        os.environ[_DETECTORS] = ",".join(known)
        return Resource.create().attributes
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - never break the function
        say(f"{_DETECTORS}={asked} is not used, telemetry goes on without it: {cause(exc)}")
        return {}
    finally:
        os.environ[_DETECTORS] = asked


def _ids():
    """The generator of one of the function's packages, where a variable names one."""
    name = os.environ.get(_IDS, "").strip()
    if name in ("", "random"):
        return None
    found = entry_points.offered("opentelemetry_id_generator", name)
    if found is None:
        say(f"{_IDS} is {name!r}, which neither this layer nor a package of the function has: random ids are used")
        return None
    return entry_points.make(f"{_IDS}={name}", found, users.IDS)
