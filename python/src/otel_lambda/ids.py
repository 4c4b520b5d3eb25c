"""Trace and span ids from the operating system, which stay random after a fork or a restored snapshot."""

import os
from _thread import get_ident
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.trace.id_generator import IdGenerator


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
        return (self._other.generate_trace_id() if self._other is not None else int.from_bytes(os.urandom(16), "big")) or 1

    def generate_span_id(self):
        """64 bits."""
        given = self._given
        if given is not None and given[0] == get_ident():
            self._given = None  # one span only: a processor may start others
            return given[2]
        return (self._other.generate_span_id() if self._other is not None else int.from_bytes(os.urandom(8), "big")) or 1

    def is_trace_id_random(self):
        """All bits are random, which the W3C flag may say, when the function's API knows it."""
        if not hasattr(trace.TraceFlags, "RANDOM_TRACE_ID"):
            return False
        return self._other is None or bool(getattr(self._other, "is_trace_id_random", bool)())
