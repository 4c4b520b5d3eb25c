"""The user's own part in the SDK: what the function that OTEL_LAMBDA_CONFIGURE names makes of it."""

import os
from importlib import import_module

from .entry_points import checked
from .say import cause, say

SAMPLER, IDS, PROCESSOR = ("should_sample",), ("generate_trace_id", "generate_span_id"), ("on_start", "on_end", "force_flush", "shutdown")


class Configuration:
    """
    What the user's function gets, and may change, before anything is traced.

    `resource`: a dict of attributes. `sampler`, `id_generator`: the SDK's objects. `span_processors`: a list, empty at first; each sees every span
    before it is kept for export, and is flushed at the end of each invocation.
    """

    __slots__ = ("id_generator", "resource", "sampler", "span_processors")

    def __init__(self, resource, sampler, id_generator):
        """With what is used unless it is changed."""
        self.resource, self.sampler, self.id_generator, self.span_processors = resource, sampler, id_generator, []


def configured(resource, sampler, id_generator):
    """The Configuration as the user's function leaves it. Whatever is wrong with it is one line, and nothing of it is used."""
    asked = os.environ.get("OTEL_LAMBDA_CONFIGURE", "").strip()
    plain = Configuration(resource, sampler, id_generator)
    if not asked:
        return plain
    own = Configuration(dict(resource), sampler, id_generator)
    try:
        module, _, name = asked.partition(":")
        getattr(import_module(module.replace("/", ".")), name or "configure")(own)
        own.resource, own.span_processors = dict(own.resource), list(own.span_processors)
        checked(own.sampler, SAMPLER)
        checked(own.id_generator, IDS)
        for processor in own.span_processors:
            checked(processor, PROCESSOR)
        if own.sampler is not sampler:
            from .samplers import Guarded

            own.sampler = Guarded(own.sampler)
        return own
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - never break the function
        say(f"OTEL_LAMBDA_CONFIGURE={asked} is not used, telemetry goes on without it: {cause(exc)}")
        return plain
