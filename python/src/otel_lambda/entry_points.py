"""
What packages of the function offer under a name that is none of ours: a sampler, an id generator, an exporter of spans, a propagator.

Looking reads the metadata of every package, so that it is done for such a name only.
"""

from .say import cause, say


def offered(group, name):
    """The entry point `name`, in whatever case, of `group`; or None."""
    from importlib.metadata import entry_points

    return next((one for one in entry_points(group=group) if one.name.lower() == name.lower()), None)


def make(asked, found, methods, *arguments):
    """Call what the entry point `found` loads; None, and a line, unless what it makes has all `methods`."""
    try:
        return checked(found.load()(*arguments), methods)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - never break the function
        say(f"{asked} is not used, because {found.value} of the function's packages failed: {cause(exc)}")
        return None


def checked(given, methods):
    """`given`; TypeError when it lacks one of `methods`."""
    for method in methods:
        if not callable(getattr(given, method, None)):
            raise TypeError(f"{given!r:.100} has no {method}")
    return given
