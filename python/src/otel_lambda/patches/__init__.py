"""
Small instrumentations of the libraries that nearly every function uses, on `tracing` alone: nothing of OpenTelemetry is imported for them.

A module each, with `attach()`, called once when the library has been imported. What they emit stands in docs/telemetry.md.
"""

from .. import tracing
from ..say import cause, say


def replace(owner, name, make):
    """Put `make(original)` in the place of the method `name` of the class `owner`, looking to introspection like the original."""
    original = getattr(owner, name)
    wrapper = make(original)
    for key in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(wrapper, key, getattr(original, key))
    wrapper.__wrapped__ = original
    setattr(owner, name, wrapper)


def hide(exc, trace):
    """Take the frame that is leaving its `with` block, a replacement's, out of the traceback. Python 3.10 puts it back."""
    if trace is not None:
        exc.__traceback__ = trace.tb_next


class _Hidden:
    """`with HIDDEN:` does nothing but that."""

    __slots__ = ()

    def __enter__(self):
        """Nothing to do."""

    def __exit__(self, kind, exc, trace):
        """The error passes."""
        if exc is not None:
            hide(exc, trace)


HIDDEN = _Hidden()


class Call:
    """
    A call under way, as a context manager: its span is current inside, HTTP clients beneath make none, and it fails when the block raises.

    Nothing in here raises but what the block does.
    """

    __slots__ = ("_open", "span")

    def __init__(self, span):
        """`span` is running."""
        self.span, self._open = span, []

    def __enter__(self):
        """Make the span current."""
        self.guarded(self._enter)
        return self

    def _enter(self):
        for manager in (lambda: tracing.use(self.span), tracing.suppress):  # suppress: what is current then
            made = manager()
            made.__enter__()
            self._open.append(made)

    def __exit__(self, kind, exc, trace):
        """End the span; the error passes."""
        for manager in reversed(self._open):
            self.guarded(manager.__exit__, None, None, None)
        if exc is not None:
            hide(exc, trace)
            self.guarded(self.failed, exc)
        self.guarded(self.span.end)

    def failed(self, exc):
        """Say of the span how it failed."""
        raise NotImplementedError

    def guarded(self, function, *arguments):
        """Call it; a failure is one line."""
        try:
            return function(*arguments)
        except Exception as exc:  # noqa: BLE001 - never break the function
            say(f"a call's span is incomplete: {cause(exc)}", topic="patches")


def qualified(kind):
    """The full name of an exception's class, as `error.type` has it."""
    return kind.__qualname__ if kind.__module__ in (None, "builtins") else f"{kind.__module__}.{kind.__qualname__}"


def text(exc):
    """What the exception says; its `__str__` may fail."""
    try:
        return str(exc)
    except Exception:  # noqa: BLE001 - the user's own class
        return ""
