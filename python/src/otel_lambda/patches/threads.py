"""
threading: what runs in another thread continues the trace of what started it.

A traceback has the frames of Python's own machinery and no others: what is replaced lies outside of where errors are caught.
"""

import sys

from .. import tracing
from ..say import cause, say
from . import HIDDEN, replace


def attach():
    """Threads, timers among them: the context at `start()`."""
    from threading import Thread

    def wrap_start(original):
        def start(self):
            try:
                _carry(self)
            except Exception as exc:  # noqa: BLE001 - never break the function
                say(f"a thread's spans have no parent: {cause(exc)}", topic="threads")
            with HIDDEN:
                return original(self)

        return start

    def wrap_inner(original):
        def _bootstrap_inner(self):
            context = self.__dict__.pop("_otel_lambda_context", None)
            if context is None:
                return original(self)
            with tracing.resume(context):
                return original(self)

        return _bootstrap_inner

    replace(Thread, "start", wrap_start)
    replace(Thread, "_bootstrap_inner", wrap_inner)


def _carry(thread):
    context = tracing.capture()
    if not hasattr(thread, "_context"):
        thread.__dict__["_otel_lambda_context"] = context
    elif thread._context is None and not sys.flags.thread_inherit_context:
        # Python 3.14 runs the thread in a Context object, by default an empty one, which it makes in start().
        from contextvars import Context

        thread._context = Context()
        thread._context.run(tracing.resume(context).__enter__)
