"""The function's own code that a flush runs, such as callbacks of metrics and its exporters: it may hang, and the flush must not."""

import threading
from contextvars import copy_context


class Aside:
    """Runs one call at a time on a thread, in the caller's context; one that takes longer than it may is left to itself."""

    _running = None

    def __init__(self, name):
        """`name` is the thread's."""
        self._name = name

    def run(self, do, seconds, *arguments):
        """Call `do(*arguments)`; whether it ended within `seconds`. Nothing is called, nor waited for, while an earlier call is still running."""
        if self._running is not None and self._running.is_alive():
            return False
        self._running = threading.Thread(target=copy_context().run, args=(do, *arguments), name=self._name, daemon=True)
        self._running.start()
        self._running.join(seconds)
        return not self._running.is_alive()
