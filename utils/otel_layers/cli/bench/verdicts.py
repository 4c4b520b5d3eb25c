"""What is judged: figures against budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .page import Table


@dataclass(frozen=True)
class Budget:
    """One figure and its bound."""

    what: str
    measured: float
    bound: float
    least: bool = False  # the bound is the least that it may be, not the most
    goal: float | None = None  # what is aimed at beyond the bound

    @property
    def holds(self) -> bool:
        """Whether the figure is within its bound."""
        return self.measured >= self.bound if self.least else self.measured <= self.bound

    def plain(self) -> dict[str, Any]:
        """For machines."""
        goal = {} if self.goal is None else {"goal": self.goal}
        return {"what": self.what, "measured": self.measured, "atLeast" if self.least else "atMost": self.bound, **goal, "pass": self.holds}

    def cells(self) -> list[str]:
        """For people."""
        goal = "" if self.goal is None else f" (goal {self.goal:g})"
        return [
            self.what,
            f"{self.measured:.2f}",
            f"{'at least' if self.least else 'at most'} {self.bound:g}{goal}",
            "pass" if self.holds else "miss",
        ]


def table(budgets: Sequence[Budget]) -> Table:
    """Head and cells."""
    return ("budget", "measured", "bound", ""), [one.cells() for one in budgets]
