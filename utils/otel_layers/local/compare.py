"""Received telemetry against what was expected, in words (expectation.py has the format)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from .expectation import ANY, Expectation, Expected, ExpectedLink, Reference
from .otlp import Link, Span

_ABSENT: Any = object()
_MISSING = 1000  # a missing span is worse than any number of differences


def differences(expectation: Expectation, received: Sequence[Span]) -> list[str]:
    """What is missing, different and unexpected, a line each; empty when all is as expected."""
    by_id = {span.id: span for span in received}
    spans = list(by_id.values())
    matched = _match(expectation.spans, spans, by_id)
    free = [span for j, span in enumerate(spans) if j not in matched.values()]
    out: list[str] = []
    for i, want in enumerate(expectation.spans):
        if i in matched:
            out += [f"span {want.name!r}: {words}" for words in _differ(want, spans[matched[i]], by_id)]
        else:
            near = difflib.get_close_matches(want.name, sorted({s.name for s in free}), n=2)
            out.append(f"missing span {want.name!r}" + (f" (there is {' and '.join(map(repr, near))})" if near else ""))
    if expectation.resource is not None:
        wrong = (_attributes("resource attribute", expectation.resource, resource, exact=True) for resource in _distinct(spans))
        out += [words for words_of_one in wrong for words in words_of_one]
    if not expectation.allow_unexpected:
        out += [f"unexpected span {s.name!r} ({s.kind}, parent {_parent(s, by_id)!r})" for s in free]
    duplicated = len(received) - len(spans)
    if duplicated:
        out.append(f"{duplicated} span{'s' * (duplicated > 1)} came twice")
    return out


def _match(expected: Sequence[Expected], spans: Sequence[Span], by_id: Mapping[tuple[str, str], Span]) -> dict[int, int]:
    """Expected span -> received span of the same name, so that all together differ least."""
    matched: dict[int, int] = {}
    for name in dict.fromkeys(want.name for want in expected):
        rows = [i for i, want in enumerate(expected) if want.name == name]
        columns = [j for j, span in enumerate(spans) if span.name == name]
        nobody = [_MISSING] * max(0, len(rows) - len(columns))
        costs = [[len(_differ(expected[i], spans[j], by_id)) for j in columns] + nobody for i in rows]
        matched |= {rows[r]: columns[c] for r, c in _assign(costs).items() if c < len(columns)}
    return matched


def _assign(costs: Sequence[Sequence[int]]) -> dict[int, int]:
    """Row -> column at the least total cost; no more rows than columns. A row's way to a free column may move rows placed before it."""
    taken: dict[int, int] = {}  # column -> row
    width = len(costs[0])
    for new in range(len(costs)):
        placed = {row: column for column, row in taken.items()}
        # column -> (cost of the cheapest way there, the column before it on that way)
        best: dict[int, tuple[int, int | None]] = {c: (costs[new][c], None) for c in range(width)}
        for _ in range(len(taken)):  # Bellman and Ford: giving a column to us frees its row's share
            for column, row in taken.items():
                freed = best[column][0] - costs[row][column]
                for other in range(width):
                    if other != placed[row] and freed + costs[row][other] < best[other][0]:
                        best[other] = (freed + costs[row][other], column)
        step: int | None = min((best[c][0], c) for c in range(width) if c not in taken)[1]
        while step is not None:
            before = best[step][1]
            taken[step] = taken[before] if before is not None else new
            step = before
    return {row: column for column, row in taken.items()}


def _differ(want: Expected, span: Span, by_id: Mapping[tuple[str, str], Span]) -> list[str]:
    out = []
    if want.kind is not None and span.kind != want.kind:
        out.append(f"kind: want {want.kind}, got {span.kind}")
    out += _parents(want, span, by_id)
    out += _attributes("attribute", want.attributes, span.attributes, exact=want.exact)
    out += _attributes("resource attribute", want.resource, span.resource, exact=False)
    if want.links is not None:
        out += _links(want, want.links, span, by_id)
    if want.events is not None:
        names, got = [event.name for event in want.events], [event.name for event in span.events]
        if names != got:
            out.append(f"events: want {names}, got {got}")
        else:
            for expected, event in zip(want.events, span.events, strict=True):
                out += _attributes(f"event {event.name}: attribute", expected.attributes, event.attributes, exact=want.exact)
    if want.trace_state is not None and span.trace_state != want.trace_state:
        out.append(f"traceState: want {want.trace_state!r}, got {span.trace_state!r}")
    if want.status is not None and span.status != want.status:
        out.append(f"status: want {want.status}, got {span.status}" + (f" ({span.status_message})" if span.status_message else ""))
    return out


def _parents(want: Expected, span: Span, by_id: Mapping[tuple[str, str], Span]) -> list[str]:
    if isinstance(want.parent, Reference):
        got = Reference(span.trace_id, span.parent_id)
        return [] if got == want.parent else [f"parent: want {_ids(want.parent)}, got {_ids(got) if span.parent_id else 'a root'}"]
    parent = _parent(span, by_id)
    return [f"parent: want {want.parent!r}, got {parent!r}"] if want.parent not in (ANY, parent) else []


def _attributes(what: str, wanted: Mapping[str, Any], got: Mapping[str, Any], *, exact: bool) -> list[str]:
    out = []
    for key, value in wanted.items():
        found = got.get(key, _ABSENT)
        if exact and key.endswith("*"):
            continue
        if found is _ABSENT:
            near = difflib.get_close_matches(key, got, n=1, cutoff=0.75)
            out.append(f"{what} {key}: want {value!r}, it is absent" + (f" (there is {near[0]})" if near else ""))
        elif value != ANY and not _same(value, found):
            out.append(f"{what} {key}: want {value!r}, got {found!r}")
    if exact:
        any_of = tuple(key.removesuffix("*") for key in wanted if key.endswith("*"))
        out += [f"{what} {key}: not wanted, got {found!r}" for key, found in got.items() if key not in wanted and not key.startswith(any_of)]
    return out


def _links(want: Expected, wanted: Sequence[ExpectedLink], span: Span, by_id: Mapping[tuple[str, str], Span]) -> list[str]:
    """All links where the file names ids or is exact; else only those to received spans, by name."""
    if not want.exact and all(isinstance(link.to, str) for link in wanted):
        linked = sorted(by_id[link.trace_id, link.span_id].name for link in span.links if (link.trace_id, link.span_id) in by_id)
        names = sorted(str(link.to) for link in wanted)
        if linked == names:
            return []
        unknown = sum((link.trace_id, link.span_id) not in by_id for link in span.links)
        more = f", and {unknown} to spans that were not received" if unknown else ""
        return [f"links: want {names}, got {linked}{more}"]
    out, free, other = [], list(span.links), []
    for expected in wanted:  # those that are right first, so that a wrong one takes none of theirs
        found = next((link for link in free if _leads_to(link, expected.to, by_id) and not _link_attributes(want, expected, link)), None)
        if found:
            free.remove(found)
        else:
            other.append(expected)
    for expected in other:
        found = next((link for link in free if _leads_to(link, expected.to, by_id)), None)
        if found:
            free.remove(found)
            out += _link_attributes(want, expected, found)
        else:
            out.append(f"link to {_target(expected.to)}: it is absent")
    return out + [f"link to {_target(_to(link, by_id))}: not wanted" for link in free]


def _link_attributes(want: Expected, expected: ExpectedLink, link: Link) -> list[str]:
    where = f"link to {_target(expected.to)}"
    out = _attributes(f"{where}: attribute", expected.attributes, link.attributes, exact=want.exact)
    if expected.trace_state is not None and link.trace_state != expected.trace_state:
        out.append(f"{where}: traceState: want {expected.trace_state!r}, got {link.trace_state!r}")
    return out


def _leads_to(link: Link, to: str | Reference, by_id: Mapping[tuple[str, str], Span]) -> bool:
    return Reference(link.trace_id, link.span_id) == to or _to(link, by_id) == to


def _to(link: Link, by_id: Mapping[tuple[str, str], Span]) -> str | Reference:
    linked = by_id.get((link.trace_id, link.span_id))
    return linked.name if linked else Reference(link.trace_id, link.span_id)


def _target(to: str | Reference) -> str:
    return repr(to) if isinstance(to, str) else _ids(to)


def _ids(reference: Reference) -> str:
    return f"{reference.trace_id}-{reference.span_id}"


def _distinct(spans: Sequence[Span]) -> list[Mapping[str, Any]]:
    out: list[Mapping[str, Any]] = []
    for span in spans:
        if span.resource not in out:
            out.append(span.resource)
    return out


def _parent(span: Span, by_id: Mapping[tuple[str, str], Span]) -> str | None:
    if not span.parent_id:
        return None
    parent = by_id.get((span.trace_id, span.parent_id))
    return parent.name if parent else f"(not received: {span.parent_id})"


def _same(want: Any, got: Any) -> bool:
    """Equal, also in type: true is not 1, and 200 is not "200"; "*" inside lists and maps is any value."""
    if want == ANY:
        return True
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(_same(w, g) for w, g in zip(want, got, strict=True))
    if isinstance(want, dict) and isinstance(got, dict):
        return want.keys() == got.keys() and all(_same(w, got[k]) for k, w in want.items())
    return type(want) is type(got) and bool(want == got)
