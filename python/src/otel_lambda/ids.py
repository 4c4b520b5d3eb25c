"""Trace and span ids from the operating system, which stay random after a fork or a restored snapshot."""

import os
from _thread import get_ident
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.trace.id_generator import IdGenerator

from .say import cause, say


class Urandom(IdGenerator):
    """Ids that are never zero."""

    _given = None

    def __init__(self, other=None):
        """Ids of `other`, a generator of the user's, where there is one."""
        self._other = other

    @contextmanager
    def given(self, trace_id, span_id):
        """The next span of this thread gets these ids."""
        self._given = (get_ident(), trace_id, span_id)
        try:
            yield
        finally:
            self._given = None

    def generate_trace_id(self):
        """128 bits."""
        given = self._given
        if given is not None and given[0] == get_ident():
            return given[1]
        return self._made("generate_trace_id", 16)

    def generate_span_id(self):
        """64 bits."""
        given = self._given
        if given is not None and given[0] == get_ident():
            self._given = None  # one span only: a processor may start others
            return given[2]
        return self._made("generate_span_id", 8)

    def _made(self, method, size):
        """An id of `size` bytes: the user's generator's, where there is one and it makes one."""
        if self._other is not None:
            try:
                made = getattr(self._other, method)()
                if isinstance(made, int) and 0 < made < 1 << 8 * size:
                    return made
                why = f"{made!r:.100} is no id"
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - never break the function
                why = cause(exc)
            name = type(self._other).__name__
            say(f"{name}.{method}, of an id generator of the function's, failed, so the id is random: {why}", topic=method)
        return int.from_bytes(os.urandom(size), "big") or 1

    def is_trace_id_random(self):
        """All bits are random, which the W3C flag may say, when the function's API knows it."""
        if not hasattr(trace.TraceFlags, "RANDOM_TRACE_ID"):
            return False
        try:
            return self._other is None or bool(getattr(self._other, "is_trace_id_random", bool)())
        except (Exception, SystemExit):  # noqa: BLE001 - nothing says that they are
            return False
