"""The report's waterfalls: a line each for phases and spans, a span opens to its attributes, events and links."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .otlp import Span
from .report_html import Html, el, join
from .waterfall_rows import Chart, Line
from .waterfall_scale import Scale, duration

LEGEND = {
    "init": "init",
    "handler": "handler (to the response)",
    "flush": "flush (response to last next)",
    "frozen": "frozen",
    "error": "failed span",
}


def chart(shown: Chart, known: Mapping[tuple[str, str], Span], colours: Mapping[str, int]) -> Html:
    """One waterfall."""
    axis = shown.axis
    total = el("span", duration(axis.end_ns - axis.start_ns), class_="soft")
    if shown.trace_ids:
        more = f" and {len(shown.trace_ids) - 1} linked" if len(shown.trace_ids) > 1 else ""
        what = [el("span", "Trace ", el("code", shown.trace_ids[0]), more), el("span", f"{shown.spans} spans", class_="soft")]
        what.append(el("span", ", ".join(shown.services), class_="soft"))
    else:
        what = [el("span", "No span was received for this invocation", class_="bad")]
    lines = [_line(line, axis, known, colours) for line in shown.lines]
    return el("section", el("div", *what, total, class_="title"), _axis(axis), *lines, class_="chart", aria_label="waterfall")


def anchor(span: Span) -> str:
    """A span's name in the page's address."""
    return f"{span.trace_id}-{span.span_id}"


def _percent(place: float) -> str:
    return f"{place * 100:.3f}%"


def _axis(axis: Scale) -> Html:
    marks = []
    for place, label in axis.ticks():
        x = _percent(place)
        marks.append(el("g", el("line", x1=x, x2=x, y1="0", y2="16"), el("text", label, x=x, y="12", dx="4")))
    return el("div", el("span"), el("svg", *marks, aria_hidden="true"), el("span"), class_="row axis")


def _bar(line: Line, axis: Scale, kind: str) -> Html:
    left, right = axis.at(line.start_ns or 0), axis.at(line.end_ns)
    cuts = [_percent((cut.left + cut.right) / 2) for cut in axis.cuts()]
    width = max(right - left, 0.003)
    return el(
        "svg",
        el("rect", class_="track", x="0", y="0", width="100%", height="100%", rx="2"),
        *(el("line", class_="cut", x1=x, x2=x, y1="-8", y2="22") for x in cuts),
        el("rect", class_=kind, x=_percent(min(left, 1 - width)), y="0", width=_percent(width), height="100%", rx="2"),
        aria_hidden="true",
    )


def _line(line: Line, axis: Scale, known: Mapping[tuple[str, str], Span], colours: Mapping[str, int]) -> Html:
    indent = f"name d{min(line.depth, 8)}" if line.depth > 0 else "name"
    tag = el("span", line.error, class_="tag") if line.error else None
    if line.kind == "invocation":
        return el("div", el("div", line.label, el("small", line.note), tag, class_=indent), class_="row invocation")
    if line.kind == "link":
        target = el("a", line.note, href=f"#span={anchor(line.span)}") if line.span else line.note
        return el("div", el("div", "\u2937 linked from ", target, class_=indent), class_="row link")
    took = el("span", duration(line.end_ns - (line.start_ns or 0)), class_="took")
    if line.phase or not line.span:
        kind = line.phase.kind if line.phase else "init"
        return el("div", el("span", line.label, class_=indent), _bar(line, axis, kind), took, class_="row phase")
    kind = "error" if line.error else f"s{colours.get(line.span.service, 0)}"
    service = el("span", line.note, class_="service") if line.note else None
    summary = el("summary", el("span", line.label, service, tag, class_=indent, title=line.label), _bar(line, axis, kind), took, class_="row")
    failed = " failed" if line.error else ""
    return el("details", summary, _inside(line.span, axis, known), class_=f"span{failed}", id=f"span-{anchor(line.span)}")


def _inside(span: Span, axis: Scale, known: Mapping[tuple[str, str], Span]) -> Html:
    facts: list[tuple[str, object]] = [
        ("kind", span.kind),
        ("status", " ".join(filter(None, (span.status, span.status_message)))),
        ("start", f"{duration(span.start_ns - axis.start_ns)} after the first of this chart"),
        ("span id", span.span_id),
        ("parent", _reference(span.trace_id, span.parent_id, known) if span.parent_id else "none"),
        ("scope", " ".join(filter(None, (span.scope, span.scope_version))) or "none"),
    ]
    parts = [_pairs(facts)]
    if span.attributes:
        parts += [el("h3", "Attributes"), attributes(span.attributes)]
    for event in span.events:
        parts += [el("h3", "Event ", el("code", event.name), f" at {duration(event.time_ns - axis.start_ns)}"), attributes(event.attributes)]
    for link in span.links:
        parts += [el("h3", "Link to ", _reference(link.trace_id, link.span_id, known)), attributes(link.attributes)]
    if span.resource:
        parts += [el("h3", "Resource"), attributes(span.resource)]
    return el("div", *parts, class_="inside")


def _reference(trace_id: str, span_id: str, known: Mapping[tuple[str, str], Span]) -> Html:
    span = known.get((trace_id, span_id))
    return el("a", span.name or span_id, href=f"#span={anchor(span)}") if span else join(el("code", f"{trace_id} {span_id}"), " (not received)")


def attributes(found: Mapping[str, Any]) -> Html:
    """A table of attributes."""
    return _pairs([(key, el("pre", text(value))) for key, value in sorted(found.items())])


def _pairs(pairs: Sequence[tuple[str, object]]) -> Html:
    return el("table", *(el("tr", el("th", key, scope="row"), el("td", value)) for key, value in pairs))


def text(value: Any) -> str:
    """Any value as text: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=repr)
