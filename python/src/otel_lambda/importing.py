"""Something more to do when a module has been imported, by way of its own loader."""

import sys

_IMPORTLIB = "<frozen importlib._bootstrap_external>"


def completed(finder, fullname, path, target, run):
    """
    The spec that the finders other than `finder` give, its loading replaced by `run(load, module)`, which must call `load(module)`.

    None when there is no such module; the second value says whether the loading could be replaced.
    """
    spec = None
    for other in sys.meta_path:
        if other is not finder and hasattr(other, "find_spec"):
            spec = other.find_spec(fullname, path, target)
            if spec is not None:
                break
    loader = spec.loader if spec is not None else None
    load, before = (
        getattr(loader, "exec_module", None),
        getattr(loader, "__dict__", {}).get("exec_module"),
    )  # another of our finders may have been here
    if load is None:
        return spec, spec is None or loader is None

    def exec_module(module):
        if before is None:
            del loader.exec_module  # the loader is again as it was
        else:
            loader.exec_module = before
        run(load, module)

    # The import system leaves its own frames out of a failing import's traceback: this one belongs to it.
    exec_module.__code__ = exec_module.__code__.replace(co_filename=_IMPORTLIB)
    try:
        loader.exec_module = exec_module
    except (AttributeError, TypeError):
        return spec, False
    return spec, True


def hidden(function):
    """`function` leaves no frame of its own in the traceback of a failing import."""
    function.__code__ = function.__code__.replace(co_filename=_IMPORTLIB)
    return function
