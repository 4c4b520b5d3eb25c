"""What all tests stand on."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """A shell's background job ignores SIGINT, and so would every program that a test starts in order to interrupt it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
