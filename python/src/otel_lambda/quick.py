"""
Keeps typing_extensions, and most of packaging, out of start-up.

OpenTelemetry marks old functions with its `deprecated`, which imports asyncio (with ssl and subprocess) to look at each:
more than half of the SDK's whole import. While OpenTelemetry is being imported a stand-in answers instead; it is gone when
the function imports typing_extensions for itself.
"""

import gc
import sys

_NAME = "typing_extensions"
_REQUIREMENTS = "packaging.requirements"


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

    def __getattr__(self, name):
        """Any other name is the real module's; a library that is imported meanwhile may ask for it."""
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "final":
            from typing import final

            return final
        aside = sys.modules.pop(_NAME, None)
        try:
            import typing_extensions
        finally:
            if aside is not None:
                sys.modules[_NAME] = aside
        return getattr(typing_extensions, name)


class imports:  # noqa: N801 - reads as `with quick.imports():`
    """
    The stand-in is in place while the block runs, unless the real module is loaded already.

    Garbage is not collected meanwhile: an import makes none, and a collection in the middle of the SDK's takes 4 ms.
    """

    def __enter__(self):
        """Put it there."""
        self._placed, self._collecting = None, gc.isenabled()
        gc.disable()
        if _NAME not in sys.modules:
            self._placed = sys.modules[_NAME] = _StandIn(_NAME)

    def __exit__(self, *_):
        """Take it away."""
        if self._collecting:
            gc.enable()
        if self._placed is not None and sys.modules.get(_NAME) is self._placed:
            del sys.modules[_NAME]


class requirements:  # noqa: N801 - reads as `with quick.requirements():`
    """
    While the block runs packaging.requirements is a stand-in, with the two names that contrib's check of versions imports.

    The check itself is skipped whenever we attach; the stand-in loads the real module when somebody else asks for one.
    """

    def __enter__(self):
        """Put it there, unless the real module is loaded already."""
        self._placed = None
        if _REQUIREMENTS not in sys.modules:
            self._placed = sys.modules[_REQUIREMENTS] = type(sys)(_REQUIREMENTS)
            self._placed.Requirement = _requirement
            self._placed.InvalidRequirement = ValueError  # of which the real one is a subclass

    def __exit__(self, *_):
        """Take it away."""
        if self._placed is not None and sys.modules.get(_REQUIREMENTS) is self._placed:
            del sys.modules[_REQUIREMENTS]


def _requirement(text):
    from packaging.requirements import Requirement

    return Requirement(text)
