"""Says where an invocation's parent came from, and what is a link instead: each answer once in an environment, and only at debug level."""

from . import propagation
from .say import debug

_said = set()


def parent(chosen, carrier, place, links, propagators):
    """Say it of the SpanContext `chosen`, or None, that `carrier` brought from `place`, and of the X-Ray contexts in `links`."""
    line = "no parent: a trace begins here" if chosen is None else _chosen(chosen, carrier, place, propagators)
    for linked, _ in links:
        owner = "Lambda's environment" if propagation.same(linked, propagation.environment()) else place
        line += f"; X-Ray's context of {owner}{_unsampled(linked, ', which is not sampled,')} is a link"
    if line not in _said:
        _said.add(line)
        debug(line)


def _chosen(chosen, carrier, place, propagators):
    name = propagators.reads(propagation.reader(carrier), chosen)
    if name == "xray-lambda" and propagation.same(chosen, propagation.environment()):
        place = "Lambda's environment"
    by = f", read by {name}" if name else ""
    return f"the parent is the context of {place}{by}{_unsampled(chosen, '. It is not sampled: no span is recorded')}"


def _unsampled(context, words):
    return "" if context.trace_flags & 1 else words
