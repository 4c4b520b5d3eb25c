"""The sampler and the limits of spans that the environment asks for, for the SDK. A bad value is one line and the specification's default."""

import os

from . import entry_points, users
from .say import say
from .variables import one_of, whole

_SAMPLERS = ("parentbased_always_on", "always_on", "always_off", "traceidratio", "parentbased_always_off", "parentbased_traceidratio")
_READ_ON_IMPORT = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"  # by opentelemetry.sdk.trace, which cannot be imported when it is no number


class readable:  # noqa: N801 - reads as `with limits.readable():`
    """A variable that the SDK fails on is unset while the block, which imports it, runs."""

    def __enter__(self):
        """Unset it."""
        text = os.environ.get(_READ_ON_IMPORT, "").strip()
        self._text = os.environ.pop(_READ_ON_IMPORT) if text and not (text.isascii() and text.isdigit()) else None

    def __exit__(self, *_):
        """Set it again."""
        if self._text is not None:
            os.environ[_READ_ON_IMPORT] = self._text


def sampler():
    """The SDK's Sampler."""
    from opentelemetry.sdk.trace import sampling

    asked = os.environ.get("OTEL_TRACES_SAMPLER", "").strip()
    if asked.lower() not in ("", *_SAMPLERS):
        found = entry_points.offered("opentelemetry_traces_sampler", asked)
        argument = os.environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
        own = found and entry_points.make(f"OTEL_TRACES_SAMPLER={asked}", found, users.SAMPLER, argument)
        if own is not None:
            from .samplers import Guarded

            return Guarded(own)
    name = one_of("OTEL_TRACES_SAMPLER", _SAMPLERS)
    root = sampling.ALWAYS_ON
    if name.endswith("always_off"):
        root = sampling.ALWAYS_OFF
    elif name.endswith("traceidratio"):
        root = sampling.TraceIdRatioBased(_ratio())
    return sampling.ParentBased(root) if name.startswith("parentbased") else root


def _ratio():
    text = os.environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    try:
        ratio = float(text or 1)
    except ValueError:
        ratio = -1.0
    if 0 <= ratio <= 1:
        return ratio
    say(f"OTEL_TRACES_SAMPLER_ARG is {text!r}, which is no ratio between 0 and 1: 1 is used")
    return 1.0


def spans():
    """The SDK's SpanLimits."""
    from opentelemetry.sdk.trace import SpanLimits

    count, length = whole("OTEL_ATTRIBUTE_COUNT_LIMIT", 128, 0), whole("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", None, 0)
    of_spans = whole("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", length, 0)
    return SpanLimits(
        max_attributes=count,
        max_events=whole("OTEL_SPAN_EVENT_COUNT_LIMIT", 128, 0),
        max_links=whole("OTEL_SPAN_LINK_COUNT_LIMIT", 128, 0),
        max_span_attributes=whole("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", count, 0),
        max_event_attributes=whole("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", count, 0),
        max_link_attributes=whole("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", count, 0),
        max_attribute_length=SpanLimits.UNSET if length is None else length,
        max_span_attribute_length=SpanLimits.UNSET if of_spans is None else of_spans,
    )
