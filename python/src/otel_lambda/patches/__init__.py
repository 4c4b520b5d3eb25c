"""
Small instrumentations of the libraries that nearly every function uses, on `tracing` alone: nothing of OpenTelemetry is imported for them.

A module each, with `attach()`, called once when the library has been imported. What they emit stands in docs/telemetry.md.
"""


def replace(owner, name, make):
    """Put `make(original)` in the place of the method `name` of the class `owner`, looking to introspection like the original."""
    original = getattr(owner, name)
    wrapper = make(original)
    for key in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(wrapper, key, getattr(original, key))
    wrapper.__wrapped__ = original
    setattr(owner, name, wrapper)


def qualified(kind):
    """The full name of an exception's class, as `error.type` has it."""
    return kind.__qualname__ if kind.__module__ in (None, "builtins") else f"{kind.__module__}.{kind.__qualname__}"


def text(exc):
    """What the exception says; its `__str__` may fail."""
    try:
        return str(exc)
    except Exception:  # noqa: BLE001 - the user's own class
        return ""
