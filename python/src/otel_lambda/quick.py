"""
Keeps typing_extensions out of start-up.

OpenTelemetry marks old functions with its `deprecated`, which imports asyncio (with ssl and subprocess) to look at each:
more than half of the SDK's whole import. While OpenTelemetry is being imported a stand-in answers instead; it is gone when
the function imports typing_extensions for itself.
"""

import sys
import typing

_NAME = "typing_extensions"


def _deprecated(message, /, **_):
    """Marks without warning, and without a look at what it marks."""

    def mark(marked):
        marked.__deprecated__ = message
        return marked

    return mark


def _assert_never(value, /):
    raise AssertionError(f"expected code to be unreachable, but got: {value!r}")


class _StandIn(type(sys)):
    deprecated = staticmethod(_deprecated)
    assert_never = staticmethod(_assert_never)
    final = staticmethod(typing.final)

    def __getattr__(self, name):
        """Any other name is the real module's; a library that is imported meanwhile may ask for it."""
        if name.startswith("__"):
            raise AttributeError(name)
        aside = sys.modules.pop(_NAME, None)
        try:
            import typing_extensions
        finally:
            if aside is not None:
                sys.modules[_NAME] = aside
        return getattr(typing_extensions, name)


class imports:  # noqa: N801 - reads as `with quick.imports():`
    """The stand-in is in place while the block runs, unless the real module is loaded already."""

    def __enter__(self):
        """Put it there."""
        self._placed = None
        if _NAME not in sys.modules:
            self._placed = sys.modules[_NAME] = _StandIn(_NAME)

    def __exit__(self, *_):
        """Take it away."""
        if self._placed is not None and sys.modules.get(_NAME) is self._placed:
            del sys.modules[_NAME]
