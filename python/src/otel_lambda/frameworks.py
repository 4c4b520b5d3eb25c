"""Web frameworks that need more than an instrumentor's call at the end of an import."""

import sys

from .say import cause, say

_STARLETTE = "starlette.applications"
_plain = None  # Starlette's own class, when another has taken its place


def django(attach, *what):
    """Have `attach(*what)` called when the first handler loads its middleware: contrib would configure empty settings where there are none yet."""
    from django.core.handlers.base import BaseHandler

    BaseHandler.load_middleware = _AtFirstUse(BaseHandler, BaseHandler.load_middleware, attach, what)


class _AtFirstUse:
    """In the place of the method, until it is read to be called: so no frame of ours is in the stack trace of an error in the settings."""

    def __init__(self, owner, method, *attach):
        self._owner, self._method, self._attach = owner, method, attach

    def __get__(self, instance, owner=None):
        if instance is not None and self._configured():
            self._owner.load_middleware = self._method
            attach, what = self._attach
            try:
                attach(*what)
            except Exception as exc:  # noqa: BLE001 - never break the function
                say(f"django is not traced: {cause(exc)}")
        return self._method.__get__(instance, owner)

    @staticmethod
    def _configured():
        from django.conf import settings

        try:
            return settings.MIDDLEWARE is not None
        except Exception:  # noqa: BLE001 - the method that follows raises it, for the user
            return False


def starlette(attach, *what):
    """Attach, and remember the class that is replaced."""
    global _plain
    plain = sys.modules[_STARLETTE].Starlette
    attach(*what)
    _plain = plain


def fastapi(load, module, waiting):
    """Import FastAPI on Starlette's own class: as a subclass of the traced one it would be traced twice. `waiting` is what the finder waits for."""
    held = waiting.pop(_STARLETTE, None)
    traced = sys.modules[_STARLETTE].Starlette if _plain is not None else None
    if traced is not None:
        sys.modules[_STARLETTE].Starlette = _plain
    try:
        load(module)
    finally:
        if traced is not None:
            sys.modules[_STARLETTE].Starlette = traced
        if held is not None:
            _late(held, waiting)


def _late(held, waiting):
    if _STARLETTE not in sys.modules:
        waiting[_STARLETTE] = held
        return
    from .instrumentations import attach

    for each in held:
        attach(*each)
