"""Traces as a waterfall on a terminal, with the phases of the invocations that they ran in, and what each invocation cost."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from .. import console
from .otlp import Span
from .waterfall_rows import Chart, Line, charts, costs
from .waterfall_scale import Scale, duration

# how a bar is drawn: with and without Unicode, and its colour
_BARS = {
    "init": ("░", ":", "35"),
    "handler": ("▒", "=", "36"),
    "flush": ("▓", "+", "33"),
    "frozen": ("·", ".", "2"),
    "span": ("█", "#", "34"),
    "error": ("█", "!", "31"),
}
_LEGEND = {"init": "init", "handler": "handler (to the response)", "flush": "flush (response to last next)", "frozen": "frozen", "span": "span"}


def show(spans: Sequence[Span], invocations: Sequence[Mapping[str, Any]], stream: TextIO) -> None:
    """Print the waterfalls and the cost table as this stream can show them."""
    tty = stream.isatty()
    width = shutil.get_terminal_size((100, 24)).columns if tty else 100
    try:
        "█░▒▓·┊⤷✗…▏".encode(stream.encoding or "ascii")
        unicode = True
    except (UnicodeEncodeError, LookupError):
        unicode = False
    text = render(spans, invocations, width=width, unicode=unicode, colour=console.coloured(stream))
    stream.write(text)
    stream.flush()


def render(spans: Sequence[Span], invocations: Sequence[Mapping[str, Any]], *, width: int = 100, unicode: bool = True, colour: bool = False) -> str:
    """The waterfalls and the cost table as text; no line is wider than `width` (at least 60)."""
    painter = _Painter(max(60, width), unicode, colour)
    blocks = [painter.chart(chart) for chart in charts(spans, invocations)]
    if not blocks:
        return "no invocations, no spans\n"
    blocks.append(painter.legend())
    if invocations:
        blocks.append(cost_table(invocations, unicode=unicode))
    return "\n\n".join(blocks) + "\n"


def cost_table(invocations: Sequence[Mapping[str, Any]], *, unicode: bool = True) -> str:
    """What each invocation took and cost, as aligned text."""
    painter = _Painter(100, unicode, colour=False)
    head, rows = costs(invocations)
    cells = [[painter.clean(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    adjusted = [[c.ljust(w) if i in (1, 2) else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))] for row in cells]
    return console.table(adjusted[0], adjusted[1:])


class _Painter:
    """Widths and marks of one terminal."""

    def __init__(self, width: int, unicode: bool, colour: bool) -> None:
        self.unicode, self.colour = unicode, colour
        self.times = 9
        self.names = min(46, max(26, width * 42 // 100))
        self.bars = width - self.names - self.times - 2

    def mark(self, fancy: str, plain: str) -> str:
        return fancy if self.unicode else plain

    def clean(self, text: str) -> str:
        """Text that cannot move the cursor or change colours, whatever a function named its spans."""
        text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))
        return text if self.unicode else text.encode("ascii", "replace").decode()

    def paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code and text.strip() else text

    def chart(self, chart: Chart) -> str:
        total = duration(chart.axis.end_ns - chart.axis.start_ns)
        if chart.trace_ids:
            services = f", {len(chart.services)} services" if len(chart.services) > 1 else ""
            more = f" and {len(chart.trace_ids) - 1} linked" if len(chart.trace_ids) > 1 else ""
            title = f"Trace {chart.trace_ids[0]}{more}: {chart.spans} spans{services}, {total}"
        else:
            title = f"No span was received for this invocation: {total}"
        return "\n".join([self.paint("1", title), self.axis(chart.axis), *(self.line(line, chart.axis) for line in chart.lines)])

    def axis(self, axis: Scale) -> str:
        cells = [" "] * self.bars
        for place, label in axis.ticks():
            at = round(place * (self.bars - 1))
            text = f"{self.mark('▏', '|')}{label}"
            if at + len(text) <= self.bars and all(c == " " for c in cells[at : at + len(text)]):
                cells[at : at + len(text)] = text
        return self.paint("2", (" " * (self.names + 1) + "".join(cells)).rstrip())

    def line(self, line: Line, axis: Scale) -> str:
        indent = "  " * min(line.depth, (self.names - 16) // 2)
        whole = self.names + self.bars + self.times
        if line.kind == "link":
            text = f"{indent}{self.mark('⤷', '->')} {line.label} {self.clean(line.note)}"
            return self.paint("35", _fit(text, whole, self.unicode).rstrip())
        error = f" {self.mark('✗', 'x')} {self.clean(line.error)}" if line.error else ""
        text = f"{indent}{self.clean(line.label)}" + (f"  {self.clean(line.note)}" if line.note else "")
        if line.kind == "invocation":
            return self.paint("1;31" if error else "1", _fit(text + error, whole, self.unicode).rstrip())
        if error:  # where there is no room for all, the name's end goes before the error
            text = _fit(text, max(8, self.names - _width(error)), self.unicode).rstrip() + error
        name = self.paint("31" if error else "2" if line.phase else "", _fit(text, self.names, self.unicode))
        return f"{name} {self.bar(line, axis)} {duration(line.end_ns - (line.start_ns or 0)):>{self.times}}"

    def bar(self, line: Line, axis: Scale) -> str:
        kind = line.phase.kind if line.phase else "error" if line.error else "span"
        fancy, plain, code = _BARS[kind]
        left = min(self.bars - 1, int(axis.at(line.start_ns or 0) * self.bars))
        right = max(left + 1, round(axis.at(line.end_ns) * self.bars))
        cells = [" "] * self.bars
        for cut in axis.cuts():
            cells[min(self.bars - 1, int((cut.left + cut.right) / 2 * self.bars))] = self.mark("┊", "|")
        before, after = "".join(cells[:left]), "".join(cells[right:])
        return before + self.paint(code, self.mark(fancy, plain) * (right - left)) + after

    def legend(self) -> str:
        marks = [f"{self.paint(_BARS[k][2], self.mark(*_BARS[k][:2]) * 2)} {words}" for k, words in _LEGEND.items()]
        return "  ".join([*marks, f"{self.mark('┊', '|')} time cut out"])


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _fit(text: str, width: int, unicode: bool) -> str:
    """`text` in exactly `width` columns: padded, or cut with an ellipsis."""
    if _width(text) <= width:
        return text + " " * (width - _width(text))
    end = "…" if unicode else "..."
    while text and _width(text) > width - len(end):
        text = text[:-1]
    return text + end + " " * (width - _width(text) - len(end))
