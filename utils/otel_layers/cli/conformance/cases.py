"""What is run: the event files with the telemetry that they expect, and which of it shares an execution environment."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...local import expectation
from ...local.expectation import Conditions, Expectation

FOLDER = "utils/conformance"


@dataclass(frozen=True)
class Case:
    """One event and what is expected of it."""

    name: str
    event: bytes
    expected: Expectation
    times: int = 2  # how often it is invoked in one environment

    @property
    def bare(self) -> tuple[bytes, str]:
        """What the function itself sees of it: what it does without a layer is the same for all cases of the same."""
        return self.event, json.dumps(self.conditions.result)

    @property
    def conditions(self) -> Conditions:
        """How it is invoked."""
        return self.expected.conditions or Conditions()


def common(root: Path) -> Mapping[str, Any]:
    """What is the same for all events."""
    return expectation.common(root / FOLDER / "common.json")


def load(root: Path, only: Sequence[str] = ()) -> list[Case]:
    """The cases of the files, by name; of those that match a pattern of `only` where there are any."""
    events, expected = (_files(root / FOLDER / folder) for folder in ("events", "expected"))
    for name in events.keys() ^ expected.keys():
        there, lacking = ("events", "expected") if name in events else ("expected", "events")
        raise UsageError(f"{FOLDER}/{there}/{name}.json has no {FOLDER}/{lacking}/{name}.json")
    names = [name for name in sorted(events) if chosen(name, only)]
    return [Case(name, _event(events[name]), expectation.load(expected[name])) for name in names]


def chosen(name: str, only: Sequence[str]) -> bool:
    """Whether a case's name matches one of the patterns, as a shell reads them; any name without patterns."""
    return not only or any(fnmatch.fnmatchcase(name, pattern) for pattern in only)


def by_environment(cases: Iterable[Case]) -> list[tuple[Case, ...]]:
    """The cases in groups of the same environment variables: each group shares an execution environment."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(json.dumps(case.conditions.environment, sort_keys=True), []).append(case)
    return [tuple(group) for group in groups.values()]


def of_invocation(case: Case, request_id: str, *, cold: bool) -> Expectation:
    """What is expected of one invocation: its own request id, and whether it is a cold start, on the SERVER span."""
    own = {"faas.invocation_id": request_id, "faas.coldstart": cold}
    spans = tuple(
        replace(span, attributes={**span.attributes, **own}) if span.kind == "SERVER" and own.keys() <= span.attributes.keys() else span
        for span in case.expected.spans
    )
    return replace(case.expected, spans=spans)


def _files(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in folder.glob("*.json")}


def _event(path: Path) -> bytes:
    body = path.read_bytes()
    try:
        json.loads(body)
    except ValueError as exc:
        raise UsageError(f"{path} is not JSON", why=str(exc)) from exc
    return body
