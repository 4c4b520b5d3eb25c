"""A batch of messages: the CONSUMER span's name and attributes, and a link for each message that carries trace context."""

import os

from opentelemetry.trace import Link

from . import propagation


class Batch:
    """The messages of one invocation."""

    __slots__ = ("attributes", "carriers", "name")

    def __init__(self, name, attributes, carriers):
        """`name`: the span's. `carriers`: for each message its id, the fields it carries, and its X-Ray header or None."""
        self.name, self.attributes, self.carriers = name, attributes, carriers

    def contexts(self, propagators):
        """For each message that carries one: its id and context, the sender's own fields before AWS's header."""
        for identifier, carrier, header in self.carriers:
            context = propagators.extract(carrier) if carrier else None
            found = propagation.span_context(context)
            if found is None:
                found, context = propagation.xray(header), None
            if found is not None:
                yield identifier, found, context

    def links(self, propagators):
        """A link per message."""
        return [Link(found, {"messaging.message.id": identifier} if identifier else {}) for identifier, found, _ in self.contexts(propagators)]


def single_parent(batch, propagators):
    """The context of the only message, for OTEL_LAMBDA_SINGLE_MESSAGE_PARENT; None when there are several."""
    if len(batch.carriers) != 1:
        return None
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    for _, found, context in batch.contexts(propagators):
        return context if context is not None else set_span_in_context(NonRecordingSpan(found))
    return None


def environment_header():
    """The X-Ray header that the runtime client keeps in the environment."""
    return os.environ.get("_X_AMZN_TRACE_ID")
