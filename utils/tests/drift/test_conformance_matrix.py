"""The matrix in docs/telemetry.md has every event, as it is now, and nothing that differs; e2e/test_conformance.py holds that its cells are true."""

from __future__ import annotations

import json

from otel_layers.cli.conformance import cases, matrix
from otel_layers.project import open_project

PROJECT = open_project()
CASES = cases.load(PROJECT.root)
TEXT = (PROJECT.root / matrix.PAGE).read_text()
LINES = [line for line in TEXT[TEXT.index(matrix.MARKS[0]) : TEXT.index(matrix.MARKS[1])].splitlines() if line.startswith("|")]


def cells(line: str) -> list[str]:
    """The cells of a row."""
    return [cell.strip() for cell in line.replace("\\|", "\0").strip("|").split("|")]


def test_every_event_has_its_row() -> None:
    head, _, *rows = (cells(line) for line in LINES)
    assert head[3:] == matrix.columns(PROJECT), "run ./run.sh conformance --write"
    wanted = [[text.replace("\\|", "\0") for text in matrix.row(case)] for case in CASES]
    assert [row[:3] for row in rows] == wanted, "run ./run.sh conformance --write"


def test_everything_that_was_run_is_as_expected() -> None:
    for column in zip(*(cells(line)[3:] for line in LINES[2:]), strict=True):
        assert set(column) in ({matrix.YES}, {matrix.NOT_RUN})


def test_every_row_of_the_trigger_table_has_an_event() -> None:
    rows = {row["row"] for row in json.loads((PROJECT.root / cases.FOLDER / "triggers.json").read_text())["rows"]}
    assert {rule for case in CASES for rule in case.conditions.rules} == rows


def test_every_event_says_what_it_shows() -> None:
    assert [case.name for case in CASES if not case.conditions.description] == []
