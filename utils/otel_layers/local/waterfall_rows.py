"""What a waterfall shows, before it is painted: a chart a story, its lines in reading order, and the cost table's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import otlp
from .otlp import Span, Story
from .waterfall_scale import Scale, scale


@dataclass(frozen=True)
class Phase:
    """A part of an invocation; `kind` decides how it is drawn: init, handler, flush or frozen."""

    kind: str
    label: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    kind: str  # invocation | phase | link | span
    depth: int
    label: str
    note: str = ""  # the service where it changes; what an invocation was; the linked span's name
    error: str = ""
    start_ns: int | None = None
    end_ns: int = 0
    phase: Phase | None = None
    span: Span | None = None
    invocation: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Chart:
    """One story with the invocations that it ran in; or invocations without any span."""

    trace_ids: tuple[str, ...]
    lines: tuple[Line, ...]
    axis: Scale
    spans: int
    services: tuple[str, ...]


def phases(invocation: Mapping[str, Any]) -> list[Phase]:
    """
    The invocation's phases in order.

    Those of its "phases" ('runtime' and 'extension:NAME' are parts of the init); unless they are among them: frozen (the frozenMs before
    it), handler (to the response) and flush (from it to the end), from startedNs, responseNs and endedNs.
    """
    found = [_phase(p["name"], int(p["startNs"]), int(p["endNs"])) for p in invocation.get("phases") or () if p.get("startNs") and p.get("endNs")]
    start, response, end = (int(invocation.get(k) or 0) for k in ("startedNs", "responseNs", "endedNs"))
    init, have = int(invocation.get("initStartNs") or 0), {p.kind for p in found}
    if "init" not in have and init and start > init:
        found.append(_phase("init", init, start))
    if "handler" not in have and start and (response or end) > start:
        found.append(_phase("handler", start, response or end))
    if "flush" not in have and response and end > response:
        found.append(_phase("flush", response, end))
    if "frozen" not in have and (invocation.get("frozenMs") or 0) >= 1 and start:  # less is the time between init and invocation
        found.append(_phase("frozen", start - int(invocation["frozenMs"] * 1e6), start))
    return sorted(found, key=lambda p: (p.start_ns, p.end_ns))


def _phase(name: str, start_ns: int, end_ns: int) -> Phase:
    part = name.removeprefix("init").lstrip(" :")
    kind = name if name in ("handler", "flush", "frozen") else "init"
    label = name if kind != "init" else f"init: {part.removeprefix('extension:')}" if part else "init"
    return Phase(kind, label, start_ns, end_ns)


def charts(spans: Sequence[Span], invocations: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """A chart a story in order of time; an invocation that no span belongs to has a chart of its own."""
    of_span = _owners(spans, invocations)
    made = [_chart(story, of_span, invocations) for story in otlp.traces(spans)]
    silent = [i for i in range(len(invocations)) if i not in set(of_span.values())]
    made += [_chart(Story(()), {}, invocations, (i,)) for i in silent]
    return sorted(made, key=lambda c: c.axis.start_ns)


def _owners(spans: Sequence[Span], invocations: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """Span -> the number of the invocation in which it ran: by its request id, else that of its parent, else by function and time."""
    by_request = {str(inv.get("requestId")): i for i, inv in enumerate(invocations)}
    by_id = {span.id: span for span in spans}
    owners: dict[tuple[str, str], int] = {}
    for span in spans:
        at: Span | None = span
        seen: set[tuple[str, str]] = set()
        while at and at.id not in seen:
            seen.add(at.id)
            number = by_request.get(str(at.attributes.get("faas.invocation_id")))
            if number is None:
                number = owners.get(at.id)
            if number is not None:
                owners[span.id] = number
                break
            at = by_id.get((at.trace_id, at.parent_id))
        else:
            for i, inv in enumerate(invocations):
                start, end = int(inv.get("initStartNs") or inv.get("startedNs") or 0), int(inv.get("endedNs") or 0)
                if start <= span.start_ns <= end and span.resource.get("faas.name", inv.get("function")) == inv.get("function"):
                    owners[span.id] = i
                    break
    return owners


def _chart(story: Story, owners: Mapping[tuple[str, str], int], invocations: Sequence[Mapping[str, Any]], extra: Sequence[int] = ()) -> Chart:
    lines: list[Line] = []
    shown: set[int] = set()
    parents = {row.span.id: row.span for row in story.rows}
    trace = story.rows[0].span.trace_id if story.rows else ""
    for at, row in enumerate(story.rows):
        span, number = row.span, owners.get(row.span.id)
        if span.trace_id != trace:
            trace = span.trace_id
            source = next((r for r in story.rows[at:] if r.span.trace_id == trace and r.linked_from), None)
            if source and source.linked_from:
                lines.append(Line("link", row.depth - 1, "linked from", source.linked_from.name, span=source.linked_from))
        if number is not None and number not in shown:
            shown.add(number)
            lines += _invocation(invocations[number], number, row.depth)
        parent = parents.get((span.trace_id, span.parent_id))
        service = span.service if (parent is None or parent.service != span.service) and span.service != span.name else ""
        lines.append(Line("span", row.depth, span.name, service, error(span), span.start_ns, max(span.start_ns, span.end_ns), span=span))
    for number in extra:
        lines += _invocation(invocations[number], number, 0)
    # A freeze takes no room of its own: it is drawn where it lies beside something that ran, and cut at the axis' ends.
    active = [line for line in lines if line.start_ns is not None and not (line.phase and line.phase.kind == "frozen")]
    axis = scale((line.start_ns or 0, line.end_ns) for line in active)
    return Chart(story.trace_ids, tuple(lines), axis, len(story.rows), tuple(dict.fromkeys(s.service for s in story.spans if s.service)))


def _invocation(invocation: Mapping[str, Any], number: int, depth: int) -> list[Line]:
    initialised = any(p.kind == "init" for p in phases(invocation))
    cold = "cold start" if invocation.get("initMs") is not None else "initialised again" if initialised else "warm"
    status = str(invocation.get("status", ""))
    note = f"invocation {number + 1}, {cold}, {invocation.get('requestId', '')}"
    head = Line("invocation", depth, str(invocation.get("function", "")), note, "" if status == "success" else status, invocation=invocation)
    return [head, *(Line("phase", depth + 1, p.label, start_ns=p.start_ns, end_ns=p.end_ns, phase=p) for p in phases(invocation))]


def error(span: Span) -> str:
    """What went wrong in a span, in a word or two; '' when nothing did."""
    if span.status != "ERROR":
        return ""
    thrown = next((e.attributes.get("exception.type") for e in span.events if e.name == "exception"), None)
    return str(span.attributes.get("error.type") or thrown or span.status_message or "error")


_COSTS = {
    "initMs": "init ms",
    "durationMs": "duration ms",
    "extensionMs": "extension ms",
    "billedMs": "billed ms",
    "maxMemoryMB": "max MB",
    "frozenMs": "frozen ms",
}


def costs(invocations: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The cost table: its head, and a row an invocation; extensions have a column each."""
    names = list(dict.fromkeys(name for inv in invocations for name in inv.get("extensionsMs") or ()))
    head = ["#", "function", "status"]
    for key, words in _COSTS.items():
        head += [words, *(f"{name} ms" for name in names)] if key == "extensionMs" else [words]
    rows = []
    for number, inv in enumerate(invocations, 1):
        row = [str(number), str(inv.get("function", "")), str(inv.get("status", ""))]
        for key in _COSTS:
            row.append(_number(inv.get(key), key))
            if key == "extensionMs":
                row += [_number((inv.get("extensionsMs") or {}).get(name), key) for name in names]
        rows.append(tuple(row))
    return tuple(head), rows


def _number(found: Any, key: str) -> str:
    if not isinstance(found, (int, float)):
        return "-"
    return f"{found:.0f}" if key in ("billedMs", "maxMemoryMB") or found == int(found) else f"{found:.1f}"
