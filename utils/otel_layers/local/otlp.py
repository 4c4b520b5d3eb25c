"""OTLP/JSON decoded into small frozen dataclasses, and spans grouped into stories: traces joined by their links."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUSES = ("UNSET", "OK", "ERROR")


@dataclass(frozen=True)
class Link:
    """A span's link to another span."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    trace_state: str = ""


@dataclass(frozen=True)
class Event:
    """Something that happened during a span."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """One span; ids are hex, `parent_id` is '' for a root."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    events: tuple[Event, ...] = ()
    status: str = "UNSET"
    status_message: str = ""
    resource: Mapping[str, Any] = field(default_factory=dict)
    scope: str = ""
    scope_version: str = ""
    trace_state: str = ""

    @property
    def id(self) -> tuple[str, str]:
        """What makes the span unique."""
        return self.trace_id, self.span_id

    @property
    def service(self) -> str:
        """The service's name, else the function's."""
        return str(self.resource.get("service.name") or self.resource.get("faas.name") or "")


@dataclass(frozen=True)
class Log:
    """One log record."""

    time_ns: int
    severity: str
    body: Any
    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    scope: str


def value(any_value: Mapping[str, Any]) -> Any:
    """An AnyValue as a plain Python value."""
    for kind, found in any_value.items():
        match kind:
            case "intValue":
                return int(found)
            case "doubleValue":
                return float(found)
            case "arrayValue":
                return [value(v) for v in found.get("values", [])]
            case "kvlistValue":
                return attributes(found.get("values", []))
            case "bytesValue":
                return base64.b64decode(found)
            case "stringValue" | "boolValue":
                return found
    return None


def attributes(pairs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A list of KeyValue as a dict."""
    return {p.get("key", ""): value(p.get("value", {})) for p in pairs}


def _enum(names: Sequence[str], number: Any) -> str:
    number = int(number or 0)
    return names[number] if 0 <= number < len(names) else str(number)


def _link(found: Mapping[str, Any]) -> Link:
    return Link(found.get("traceId", ""), found.get("spanId", ""), attributes(found.get("attributes", [])), found.get("traceState", ""))


def _event(found: Mapping[str, Any]) -> Event:
    return Event(found.get("name", ""), int(found.get("timeUnixNano", 0)), attributes(found.get("attributes", [])))


def spans(resource_spans: Iterable[Mapping[str, Any]]) -> list[Span]:
    """The spans of OTLP/JSON's resourceSpans, in their order."""
    return list(_spans(resource_spans))


def _spans(resource_spans: Iterable[Mapping[str, Any]]) -> Iterator[Span]:
    for rs in resource_spans:
        resource = attributes(rs.get("resource", {}).get("attributes", []))
        for ss in rs.get("scopeSpans", []):
            scope = ss.get("scope", {})
            for s in ss.get("spans", []):
                status = s.get("status", {})
                yield Span(
                    trace_id=s.get("traceId", ""),
                    span_id=s.get("spanId", ""),
                    parent_id=s.get("parentSpanId", ""),
                    name=s.get("name", ""),
                    kind=_enum(KINDS, s.get("kind")),
                    start_ns=int(s.get("startTimeUnixNano", 0)),
                    end_ns=int(s.get("endTimeUnixNano", 0)),
                    attributes=attributes(s.get("attributes", [])),
                    links=tuple(_link(k) for k in s.get("links", [])),
                    events=tuple(_event(e) for e in s.get("events", [])),
                    status=_enum(STATUSES, status.get("code")),
                    status_message=status.get("message", ""),
                    resource=resource,
                    scope=scope.get("name", ""),
                    scope_version=scope.get("version", ""),
                    trace_state=s.get("traceState", ""),
                )


def logs(resource_logs: Iterable[Mapping[str, Any]]) -> list[Log]:
    """The records of OTLP/JSON's resourceLogs, in their order."""
    return list(_logs(resource_logs))


def _logs(resource_logs: Iterable[Mapping[str, Any]]) -> Iterator[Log]:
    for rl in resource_logs:
        resource = attributes(rl.get("resource", {}).get("attributes", []))
        for sl in rl.get("scopeLogs", []):
            for r in sl.get("logRecords", []):
                yield Log(
                    time_ns=int(r.get("timeUnixNano") or r.get("observedTimeUnixNano") or 0),
                    severity=r.get("severityText") or str(r.get("severityNumber", "")),
                    body=value(r.get("body", {})),
                    trace_id=r.get("traceId", ""),
                    span_id=r.get("spanId", ""),
                    attributes=attributes(r.get("attributes", [])),
                    resource=resource,
                    scope=sl.get("scope", {}).get("name", ""),
                )


@dataclass(frozen=True)
class Row:
    """A span's place in its story: how deep it stands, and the span of another trace that its trace was linked from."""

    span: Span
    depth: int
    linked_from: Span | None = None


@dataclass(frozen=True)
class Story:
    """Traces that belong together because a span of one links to a span of another; rows in the order in which to read them."""

    rows: tuple[Row, ...]

    @property
    def spans(self) -> tuple[Span, ...]:
        """The story's spans."""
        return tuple(row.span for row in self.rows)

    @property
    def trace_ids(self) -> tuple[str, ...]:
        """The story's traces, the first one first."""
        return tuple(dict.fromkeys(row.span.trace_id for row in self.rows))


def traces(found: Iterable[Span]) -> list[Story]:
    """The stories that `found` tells, by time; a span that came twice appears once."""
    by_id = {s.id: s for s in sorted(found, key=lambda s: (s.start_ns, -s.end_ns))}
    joined: dict[str, str] = {}

    def top(trace: str) -> str:
        while joined.get(trace, trace) != trace:
            trace = joined[trace]
        return trace

    for span in by_id.values():
        for link in span.links:
            if (link.trace_id, link.span_id) in by_id:
                joined[top(span.trace_id)] = top(link.trace_id)
    stories: dict[str, list[Span]] = {}
    for span in by_id.values():
        stories.setdefault(top(span.trace_id), []).append(span)
    return [Story(tuple(_rows(members, by_id))) for members in stories.values()]


def _sources(span: Span, by_id: Mapping[tuple[str, str], Span]) -> list[Span]:
    """The received spans of other traces that `span` links to."""
    return [by_id[k.trace_id, k.span_id] for k in span.links if k.trace_id != span.trace_id and (k.trace_id, k.span_id) in by_id]


def _rows(members: Sequence[Span], by_id: Mapping[tuple[str, str], Span]) -> Iterator[Row]:
    """Trace after trace (a linked one after the one that it links to), each as a tree in pre-order."""
    by_trace: dict[str, list[Span]] = {}
    for span in members:
        by_trace.setdefault(span.trace_id, []).append(span)
    sources = {trace: [s for span in own for s in _sources(span, by_id)] for trace, own in by_trace.items()}
    waiting, done = list(by_trace), set[str]()
    while waiting:
        # In a circle of links no trace is first: then the earliest is.
        trace = next((t for t in waiting if all(s.trace_id in done for s in sources[t])), waiting[0])
        waiting.remove(trace)
        done.add(trace)
        yield from _tree(by_trace[trace], by_id, linked=bool(sources[trace]))


def _tree(trace: Sequence[Span], by_id: Mapping[tuple[str, str], Span], *, linked: bool) -> Iterator[Row]:
    children: dict[str, list[Span]] = {}
    for span in trace:
        children.setdefault(span.parent_id, []).append(span)
    known = {span.span_id for span in trace}
    seen: set[str] = set()
    roots = [span for span in trace if span.parent_id not in known]
    for root in (*roots, *trace):  # the second half: spans that are their own ancestors, which no root reaches
        stack = [(root, 1 if linked else 0)]
        while stack:
            span, depth = stack.pop()
            if span.span_id in seen:
                continue
            seen.add(span.span_id)
            yield Row(span, depth, next(iter(_sources(span, by_id)), None))
            stack += [(child, depth + 1) for child in reversed(children.get(span.span_id, []))]
