"""Advisories that somebody has judged: each with a reason and the day on which it must be judged again."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError

_KEYS = {"id", "package", "reason", "until"}


@dataclass(frozen=True)
class Ignored:
    """One judgement: `package` '' means wherever the advisory is met."""

    id: str
    reason: str
    until: datetime.date  # the last day
    package: str = ""

    def covers(self, names: Collection[str], package: str) -> bool:
        """Whether it is about an advisory that has these `names`, in `package`."""
        return self.id in names and self.package in ("", package)


def load(path: Path, today: datetime.date) -> list[Ignored]:
    """The judgements in the file `path`; UsageError names an entry that has no reason, no day, or whose day is over."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path.name} cannot be read", why=str(exc)) from exc
    entries = data.get("ignore", [])
    if set(data) - {"ignore"} or not isinstance(entries, list):
        raise UsageError(f"{path.name} has something else than [[ignore]]: {', '.join(sorted(set(data) - {'ignore'})) or entries!r}")
    return [_entry(path.name, number, entry, today) for number, entry in enumerate(entries, 1)]


def _entry(file: str, number: int, entry: Any, today: datetime.date) -> Ignored:
    what = f"{file}: entry {number}" + (f", {entry['id']}" if isinstance(entry, dict) and "id" in entry else "")
    if not isinstance(entry, dict):
        raise UsageError(f"{what} is no table: {entry!r}")
    if odd := sorted(set(entry) - _KEYS):
        raise UsageError(f"{what}: unknown {', '.join(odd)}", remedy=f"known: {', '.join(sorted(_KEYS))}")
    for key in ("id", "reason", "package"):
        value = entry.get(key, "" if key != "package" else "any")
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"{what} has no {key}", remedy="say it in a sentence that a user may read" if key == "reason" else "")
    until = entry.get("until")
    if type(until) is not datetime.date:
        raise UsageError(f"{what}: until is {until!r}, not a day", remedy=f"until = {today + datetime.timedelta(days=90)}")
    if until < today:
        raise UsageError(f"{what} has ended on {until}", why=f"its reason was: {entry['reason']}", remedy="judge it again: a new day, or no entry")
    return Ignored(entry["id"], entry["reason"], until, entry.get("package", ""))
