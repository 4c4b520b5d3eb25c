"""What a person sees: progress and commands on stderr, results on stdout, colours only on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_state = {"quiet": False}
_said: set[str] = set()


def set_quiet(quiet: bool) -> None:
    """With `quiet`, progress and echoed commands are not printed; warnings and errors still are."""
    _state["quiet"] = quiet


def coloured(stream: object = None) -> bool:
    """Whether `stream` (default stderr) is a terminal that shows colours (NO_COLOR is respected)."""
    stream = stream or sys.stderr
    return bool(getattr(stream, "isatty", lambda: False)()) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _paint(code: str, text: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if coloured() else text


def step(text: str) -> None:
    """One line of progress."""
    if not _state["quiet"]:
        print(_paint("1", f"==> {text}"), file=sys.stderr, flush=True)


def detail(text: str) -> None:
    """A line under the current step."""
    if not _state["quiet"]:
        print(f"    {text}", file=sys.stderr, flush=True)


def echo(command: Sequence[str]) -> None:
    """A command, as it could be typed, before it runs."""
    if not _state["quiet"]:
        import shlex

        print(_paint("2", "+ " + shlex.join(command)), file=sys.stderr, flush=True)


def warn(text: str, *, once: str = "") -> None:
    """A warning; with `once`, only the first warning of that key in this process is printed."""
    if once:
        if once in _said:
            return
        _said.add(once)
    print(_paint("33", f"warning: {text}"), file=sys.stderr, flush=True)


def error(lines: Sequence[str]) -> None:
    """An error, its first line marked."""
    print(_paint("31", f"error: {lines[0]}"), *lines[1:], sep="\n", file=sys.stderr, flush=True)


def counted(number: int, what: str) -> str:
    """`number` of `what`, a regular noun in the singular: "1 layer", "2 layers"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """`rows` under `head` as aligned text; columns whose cells are all numbers are right-aligned."""
    cells = [[str(c) for c in row] for row in rows]
    widths = [max(len(r[i]) for r in [list(head), *cells]) for i in range(len(head))]
    numeric = [bool(rows) and all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numeric, strict=True)).rstrip()

    return "\n".join([line(head), line(["-" * w for w in widths]), *(line(r) for r in cells)])
