"""A batch of messages: the CONSUMER span's name and attributes, and a link for each message that carries trace context."""

from . import propagation, tracing

_XRAY = propagation.XRAY.lower()


class Batch:
    """The messages of one invocation."""

    __slots__ = ("attributes", "carriers", "name")

    def __init__(self, name, attributes, carriers):
        """`name`: the span's. `carriers`: for each message its id, the fields it carries, and its X-Ray header or None."""
        self.name, self.attributes, self.carriers = name, attributes, carriers

    def contexts(self, propagators):
        """For each message that carries one: its id, SpanContext and baggage, the sender's own fields before AWS's header."""
        for identifier, carrier, header in self.carriers:
            found, baggage = propagators.extract(propagation.reader(carrier)) if carrier else (None, None)
            if found is None:
                found, baggage = propagation.xray(carrier.get(_XRAY)) or propagation.xray(header), None
            if found is not None:
                yield identifier, found, baggage

    def links(self, propagators):
        """A link per message."""
        return [(found, {"messaging.message.id": identifier} if identifier else None) for identifier, found, _ in self.contexts(propagators)]


def single_parent(batch, propagators):
    """
    The context of the only message, for OTEL_LAMBDA_SINGLE_MESSAGE_PARENT; None when there are several.

    An X-Ray context that is not sampled, as AWS sends it whenever X-Ray is off, only when the propagators take it.
    """
    if len(batch.carriers) != 1:
        return None
    _, carrier, header = batch.carriers[0]
    for fields in (carrier, {_XRAY: header}):
        found, baggage = propagators.extract(propagation.reader(fields))
        if found is not None:
            return tracing.remote(found, baggage)
    found = propagation.xray(carrier.get(_XRAY)) or propagation.xray(header)
    return tracing.remote(found, None) if found is not None and found.trace_flags & 1 else None
