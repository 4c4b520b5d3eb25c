"""docs/telemetry.md's matrix of event x runtime, written from a run."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from ...files import write_atomically
from ...project import Project
from ..bench.page import Table, machine, markdown, written
from .cases import FOLDER, Case
from .runner import TIERS, Outcome

PAGE = "docs/telemetry.md"
MARKS = ("<!-- conformance: begin -->", "<!-- conformance: end -->")
YES, NO, NOT_RUN = "yes", "**no**", "-"


def columns(project: Project) -> list[str]:
    """The runtimes of the language layers, in the catalogue's order."""
    return list(dict.fromkeys(name for layer in project.catalogue.layers.values() if layer.role == "language" for name in layer.runtimes))


def row(case: Case) -> list[str]:
    """What a row says before the runtimes."""
    rules = ", ".join(f"`{rule}`" for rule in case.conditions.rules)
    return [f"[{case.name}](../{FOLDER}/events/{case.name}.json)", case.conditions.description.replace("|", "\\|"), rules]


def table(project: Project, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> Table:
    """The matrix: whether a case was as expected in a runtime, in every tier that was run there."""
    found: dict[tuple[str, str], list[bool]] = {}
    for one in outcomes:
        found.setdefault((one.case, one.runtime), []).append(not one.differences)
    names = columns(project)

    def cell(case: Case, name: str) -> str:
        fine = found.get((case.name, name))
        return NOT_RUN if fine is None else YES if all(fine) else NO

    rows = [[*row(case), *(cell(case, name) for name in names)] for case in cases]
    return ["event", "what it shows", "rules", *names], rows


def write(project: Project, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> Path:
    """Put the matrix into the page."""
    page = project.root / PAGE
    others = len({one.case for one in outcomes} - {case.name for case in cases})
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    lead = (
        f"{today}, {machine()}: {len(cases)} events, tiers {' and '.join(TIERS)}; and {others:,} cases of propagation. "
        f"`{YES}`: as expected in both tiers, `{NOT_RUN}`: the machine did not have the runtime."
    )
    text = written(page.read_text(encoding="utf-8"), f"{lead}\n\n{markdown(table(project, cases, outcomes))}", *MARKS, page=PAGE)
    write_atomically(page, text)
    return page
