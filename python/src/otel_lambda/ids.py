"""Trace and span ids from the operating system, which stay random after a fork or a restored snapshot."""

import os

from opentelemetry.sdk.trace.id_generator import IdGenerator


class Urandom(IdGenerator):
    """Ids that are never zero."""

    def generate_trace_id(self):
        """128 bits."""
        return int.from_bytes(os.urandom(16), "big") or 1

    def generate_span_id(self):
        """64 bits."""
        return int.from_bytes(os.urandom(8), "big") or 1

    def is_trace_id_random(self):
        """All bits are random, which the W3C flag may say."""
        return True
