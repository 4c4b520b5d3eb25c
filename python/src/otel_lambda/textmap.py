"""The configured formats for OpenTelemetry's API; imported when somebody imports opentelemetry.propagate."""

from opentelemetry import baggage as baggage_api
from opentelemetry import trace
from opentelemetry.context.context import Context
from opentelemetry.propagators.textmap import TextMapPropagator, default_getter, default_setter

from . import bridge


class Propagators(TextMapPropagator):
    """The configured formats as the API's propagator."""

    def __init__(self, own):
        """`own` is a propagation.Propagators."""
        self._own = own

    def extract(self, carrier, context=None, getter=default_getter):
        """The context of `carrier`, on top of `context`."""

        def get(key):
            values = getter.get(carrier, key)
            return (",".join(values) if key == "tracestate" else next(iter(values), None)) if values else None

        context = Context() if context is None else context
        found, baggage = self._own.extract(get, trace.get_current_span(context).get_span_context().is_valid)
        for key, value in (baggage or {}).items():
            context = baggage_api.set_baggage(key, value, context)
        return context if found is None else trace.set_span_in_context(trace.NonRecordingSpan(bridge.span_context(found)), context)

    def inject(self, carrier, context=None, setter=default_setter):
        """Write every format's fields."""
        fields = self._own.fields(bridge.ours(trace.get_current_span(context).get_span_context()), baggage_api.get_all(context))
        for key, value in fields.items():
            setter.set(carrier, key, value)

    @property
    def fields(self):
        """What inject may write."""
        return self._own.all_fields()
