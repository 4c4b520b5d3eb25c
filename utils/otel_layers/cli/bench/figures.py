"""From samples to figures: medians, spreads, what a set-up adds to the bare function, and ours over stock."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .cases import BARE, COLLECTOR, OURS, OURS_ALONE, OURS_BUNDLED, OURS_COLLECTED, PLAIN, STOCK, Case
from .measure import Sample
from .verdicts import Budget


@dataclass(frozen=True)
class Figure:
    """The samples of one quantity."""

    median: float
    low: float  # 10th percentile
    high: float  # 90th percentile

    def __str__(self) -> str:
        return f"{self.median:.1f} ({self.low:.1f} to {self.high:.1f})"


QUANTITIES: dict[str, Callable[[Sample], float]] = {
    "start": lambda s: s.start,
    "first": lambda s: s.first,
    "startAndFirst": lambda s: s.start + s.first,
    "init": lambda s: s.init,
    "warm": lambda s: s.warm,
    "answered": lambda s: s.answered,
    "memoryMB": lambda s: s.memory_mb,
}


def figure(values: Sequence[float]) -> Figure:
    """Median and spread of `values`."""
    tenths = statistics.quantiles(values, n=10, method="inclusive") if len(values) > 1 else [values[0]] * 9
    return Figure(statistics.median(values), tenths[0], tenths[-1])


def extra(rows: Sequence[Sample], bare: Sequence[Sample], quantity: Callable[[Sample], float]) -> Figure:
    """What a set-up adds, from the differences to the bare function in the same round: what slows a whole round falls out."""
    return figure([quantity(one) - quantity(base) for one, base in zip(rows, bare, strict=True)])


def summary(cases: Sequence[Case], samples: Mapping[str, Sequence[Sample]]) -> list[dict[str, Any]]:
    """One dictionary a row: each quantity's figure, and what it adds to the bare function."""
    out = []
    for case in cases:
        mine, bare = samples[case.key], samples[Case(case.function, BARE).key]
        row: dict[str, Any] = {"function": case.function, "setup": case.setup, "runs": len(mine)}
        for name, quantity in QUANTITIES.items():
            row[name] = asdict(figure([quantity(s) for s in mine]))
            if case.setup != BARE:
                row[f"{name}Extra"] = asdict(extra(mine, bare, quantity))
        extensions = [s.extension for s in mine if s.extension is not None]
        if extensions:
            row["extension"] = asdict(figure(extensions))
        out.append(row)
    return out


def ratios(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Ours over stock for each function: of what is added to the start, to start and first invocation, and to a warm invocation."""
    by = {(row["function"], row["setup"]): row for row in rows}
    out = []
    for function in dict.fromkeys(row["function"] for row in rows):
        stock = by[function, STOCK]
        for setup in (one for one in (OURS, OURS_COLLECTED, OURS_BUNDLED) if (function, one) in by):
            ours = by[function, setup]
            extras = {q: (ours[f"{q}Extra"]["median"], stock[f"{q}Extra"]["median"]) for q in ("start", "startAndFirst")}
            out.append({"function": function, "setup": setup, **{q: mine / theirs for q, (mine, theirs) in extras.items() if theirs > 0}})
    return out


def budgets(rows: Sequence[Mapping[str, Any]], ratio: Sequence[Mapping[str, Any]], zip_bytes: int) -> list[Budget]:
    """What is judged of the language layer (design: budgets)."""
    by = {(row["function"], row["setup"]): row for row in rows}
    judged = []
    for one in ratio:
        if one["setup"] == OURS:
            for quantity, words in (("start", "start"), ("startAndFirst", "start + first invocation")):
                judged.append(Budget(f"{words}, of stock's extra, {one['function']}", one.get(quantity, 0.0), 0.10, goal=0.03))
    plain, alone = by[PLAIN, OURS], by[PLAIN, OURS_ALONE]
    return [
        *judged,
        Budget("a warm invocation more than bare, backend healthy, ms", plain["warmExtra"]["median"], 0.4),
        Budget("first invocation more than bare, nobody listens, ms", alone["firstExtra"]["median"], 50),
        Budget("a warm invocation more than bare, nobody listens, ms", alone["warmExtra"]["median"], 50),
        Budget("memory more than bare, MB", plain["memoryMBExtra"]["median"], 6),
        Budget("zip, MB", zip_bytes / 1e6, 8),
    ]


def rows_table(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Head and cells: what each row takes, and adds."""
    head = ("function", "set-up", "start, ms", "adds", "first invocation, ms", "start + first adds", "warm, ms", "warm, answered, ms", "memory, MB")
    return head, [
        [
            row["function"],
            row["setup"],
            _spread(row["start"]),
            _added(row, "start"),
            _spread(row["first"]),
            _added(row, "startAndFirst"),
            f"{row['warm']['median']:.2f}",
            f"{row['answered']['median']:.2f}",
            f"{row['memoryMB']['median']:.1f}",
        ]
        for row in rows
    ]


def ratios_table(ratio: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Head and cells: ours over stock."""
    head = ("function", "set-up", "start, of stock's extra", "start + first, of stock's extra")
    return head, [[r["function"], r["setup"], *(f"{r[q]:.3f}" if q in r else "-" for q in ("start", "startAndFirst"))] for r in ratio]


def extension_table(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Head and cells: the collector's own start, and the whole init with and without it."""
    head = ("function", "set-up", "collector start, ms", "whole init, ms", "adds to the init")
    shown = [row for row in rows if row["setup"] in (BARE, COLLECTOR, OURS, OURS_COLLECTED, OURS_BUNDLED)]
    cells = []
    for row in shown:
        own = _spread(row["extension"]) if "extension" in row else "-"
        cells.append([row["function"], row["setup"], own, _spread(row["init"]), _added(row, "init")])
    return head, cells


def _spread(values: Mapping[str, float]) -> str:
    return str(Figure(**values))


def _added(row: Mapping[str, Any], quantity: str) -> str:
    return f"{row[f'{quantity}Extra']['median']:+.1f}" if f"{quantity}Extra" in row else ""
