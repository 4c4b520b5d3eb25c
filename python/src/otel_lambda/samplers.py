"""Keeps the function going when a sampler of the user's fails."""

from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Sampler, SamplingResult

from .say import cause, say


class Guarded(Sampler):
    """A sampler of the user's: what it raises is a line, and then the specification's default decides."""

    def __init__(self, sampler):
        """Stands for `sampler`."""
        self._sampler = sampler

    def should_sample(self, *arguments, **keywords):
        """As the sampler says."""
        try:
            result = self._sampler.should_sample(*arguments, **keywords)
            if isinstance(result, SamplingResult):
                return result
            why = f"{result!r:.100} is no SamplingResult"
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - never break the function
            why = cause(exc)
        name = type(self._sampler).__name__
        say(f"{name}.should_sample, a sampler of the function's, failed, so parentbased_always_on decides: {why}", topic="should_sample")
        return DEFAULT_ON.should_sample(*arguments, **keywords)

    def get_description(self):
        """The sampler's."""
        return self._sampler.get_description()
