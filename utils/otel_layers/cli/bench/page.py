"""docs/benchmarks.md: the tables between its marks are written by `bench`; the words around them are people's."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import UsageError
from ...files import write_atomically

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
GROUP = ("<!-- bench collector: begin -->", "<!-- bench collector: end -->")  # rerun alone by --only collector
PUBLISHING = ("<!-- bench publish: begin -->", "<!-- bench publish: end -->")  # by --only publish
ON_DEMAND = ("<!-- bench ondemand: begin -->", "<!-- bench ondemand: end -->")

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def markdown(table: Table) -> str:
    """A table in Markdown."""
    head, rows = table
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def written(text: str, body: str, begin: str = BEGIN, end: str = END, page: str = "docs/benchmarks.md") -> str:
    """The page `text` with `body` between its marks; UsageError when the marks are not there once each, in order."""
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise UsageError(f"{page} has no place for the tables", remedy=f"put {begin} and {end} on lines of their own, once each")
    return text[: text.index(begin) + len(begin)] + f"\n\n{body.strip()}\n\n" + text[text.index(end) :]


def write(root: Path, sections: Mapping[str, Table], lead: str, begin: str = BEGIN, end: str = END) -> Path:
    """Put the tables, each under its heading, into docs/benchmarks.md, after the line `lead`."""
    page = root / "docs/benchmarks.md"
    parts = [lead, *(f"### {heading}\n\n{markdown(table)}" for heading, table in sections.items())]
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as exc:
        raise UsageError("docs/benchmarks.md cannot be read", why=str(exc)) from exc
    write_atomically(page, written(text, "\n\n".join(parts), begin, end))
    return page


def machine() -> str:
    """This machine in words."""
    try:
        info = Path("/proc/cpuinfo").read_text()
        memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 1024**2  # type: ignore[index]
    except (OSError, TypeError):
        return f"{os.cpu_count()} processors, {platform.system()} {platform.machine()}"
    model = re.search(r"model name\s*:\s*(.+)", info)
    kernel = ".".join(platform.release().split("-")[0].split(".")[:2])
    cpus = len(os.sched_getaffinity(0))
    return f"{cpus} processors ({model[1].strip() if model else platform.machine()}), {memory:.0f} GB, Linux {kernel}"
