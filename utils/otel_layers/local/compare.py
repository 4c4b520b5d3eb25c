"""
Telemetry compared with what was expected (`invoke --expect FILE`).

The file is JSON:

    {
      "spans": [
        {
          "name": "process orders",              required; everything else is compared only where it is given
          "kind": "CONSUMER",                    INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER
          "parent": "worker",                    the parent's name; null: the span is a root
          "attributes": {"messaging.system": "aws_sqs", "messaging.message.id": "*"},   these at least; "*": any value
          "resource": {"faas.name": "worker"},   likewise
          "links": ["SQS.SendMessage"],          the names of all received spans that it links to, in any order
          "status": "ERROR"                      UNSET, OK, ERROR
        }
      ],
      "unexpected": "fail"                       what a span that is not in the list is: "fail" (default) or "allow"
    }

Each expected span stands for one received span; of several with its name it takes the one that differs least.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .otlp import KINDS, STATUSES, Span

ANY = "*"
_ABSENT: Any = object()
_MISSING = 1000  # a missing span is worse than any number of differences
_SPAN = {"name": str, "kind": str, "parent": (str, type(None)), "attributes": dict, "resource": dict, "links": list, "status": str}


@dataclass(frozen=True)
class Expected:
    """One expected span; a field that is None is not compared, but `parent` None means a root (and '*' any)."""

    name: str
    kind: str | None = None
    parent: str | None = ANY
    attributes: Mapping[str, Any] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[str, ...] | None = None
    status: str | None = None


@dataclass(frozen=True)
class Expectation:
    """What a file expects."""

    spans: tuple[Expected, ...]
    allow_unexpected: bool = False


def load(path: Path) -> Expectation:
    """The file's expectation; UsageError with the place of what is wrong in it."""
    try:
        return parse(json.loads(path.read_text()))
    except (OSError, ValueError) as exc:
        raise UsageError(f"cannot read the expected telemetry {path}", why=str(exc)) from exc
    except UsageError as exc:
        raise UsageError(f"{path}: {exc.what}", remedy=exc.remedy) from exc


def parse(raw: Any) -> Expectation:
    """The expectation in decoded JSON; UsageError with the place of what is wrong."""
    _keys("the file", raw, {"spans": list, "unexpected": str}, required=("spans",))
    if raw.get("unexpected", "fail") not in ("fail", "allow"):
        raise UsageError(f"unexpected is {raw['unexpected']!r}", remedy='"fail" or "allow"')
    return Expectation(tuple(_expected(f"spans[{i}]", one) for i, one in enumerate(raw["spans"])), raw.get("unexpected") == "allow")


def _expected(where: str, raw: Any) -> Expected:
    _keys(where, raw, _SPAN, required=("name",))
    for key, known in (("kind", KINDS), ("status", STATUSES)):
        if raw.get(key, known[0]) not in known:
            raise UsageError(f"{where}.{key} is {raw[key]!r}", remedy=f"one of {', '.join(known)}")
    return Expected(**{**raw, **({"links": tuple(raw["links"])} if "links" in raw else {})})


def _keys(where: str, raw: Any, types: Mapping[str, Any], required: Sequence[str]) -> None:
    if not isinstance(raw, dict):
        raise UsageError(f"{where} is not an object")
    for key in required:
        if key not in raw:
            raise UsageError(f"{where} has no {key!r}")
    for key, found in raw.items():
        if key not in types:
            raise UsageError(f"{where} has an unknown key {key!r}", remedy=f"one of {', '.join(types)}")
        if not isinstance(found, types[key]):
            raise UsageError(f"{where}.{key} is {json.dumps(found)}")


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
    parent = _parent(span, by_id)
    if want.parent != ANY and parent != want.parent:
        out.append(f"parent: want {want.parent!r}, got {parent!r}")
    for what, wanted, got in (("attribute", want.attributes, span.attributes), ("resource attribute", want.resource, span.resource)):
        for key, value in wanted.items():
            found = got.get(key, _ABSENT)
            if found is _ABSENT:
                near = difflib.get_close_matches(key, got, n=1, cutoff=0.75)
                out.append(f"{what} {key}: want {value!r}, it is absent" + (f" (there is {near[0]})" if near else ""))
            elif value != ANY and not _same(value, found):
                out.append(f"{what} {key}: want {value!r}, got {found!r}")
    if want.links is not None:
        linked = sorted(by_id[link.trace_id, link.span_id].name for link in span.links if (link.trace_id, link.span_id) in by_id)
        if linked != sorted(want.links):
            unknown = sum((link.trace_id, link.span_id) not in by_id for link in span.links)
            more = f", and {unknown} to spans that were not received" if unknown else ""
            out.append(f"links: want {sorted(want.links)}, got {linked}{more}")
    if want.status is not None and span.status != want.status:
        out.append(f"status: want {want.status}, got {span.status}" + (f" ({span.status_message})" if span.status_message else ""))
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
