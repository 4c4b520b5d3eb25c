"""The layer's words: single lines on stderr, repeated ones at most once a minute."""

import os
import sys
import time

_level = os.environ.get("OTEL_LOG_LEVEL", "").strip().lower()
debugging, _quiet = _level == "debug", _level in ("none", "off", "fatal", "error")  # the lines are warnings
_last: "dict[str, float]" = {}


def say(line: str, topic: str = "") -> None:
    """Write `line`; of a `topic`, at most one line a minute of wall time (which also runs while the sandbox is frozen)."""
    if _quiet:
        return
    if topic:
        now = time.time()
        if now - _last.get(topic, 0.0) < 60:
            return
        _last[topic] = now
    try:
        sys.stderr.write("otel: " + " ".join(line.split()) + "\n")
        sys.stderr.flush()
    except Exception:  # noqa: BLE001, S110 - a closed stderr must not fail the function
        pass


def debug(line: str) -> None:
    """Write `line` when OTEL_LOG_LEVEL is debug."""
    if debugging:
        say("debug: " + line)


def cause(exc: BaseException) -> str:
    """An exception in one line."""
    text = str(exc)
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__
