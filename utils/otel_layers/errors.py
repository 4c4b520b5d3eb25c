"""Every way a command can fail, each with its exit code. A message says what happened, why, and what to do next."""

from __future__ import annotations


class LayersError(Exception):
    """Base of all errors that are reported in words, without a traceback."""

    exit_code = 1
    status = 0  # of the program that failed, where one did

    def __init__(self, what: str, *, why: str = "", remedy: str = "") -> None:
        """`what` happened, `why` (a cause or a tool's own words), and the `remedy`: what to do next."""
        super().__init__(what)
        self.what, self.why, self.remedy = what, why, remedy

    def lines(self) -> list[str]:
        """The message as lines, first the fact, then cause and remedy where they are known."""
        out = [self.what]
        if self.why:
            out += [f"  because: {line}" if i == 0 else f"           {line}" for i, line in enumerate(self.why.strip().splitlines())]
        if self.remedy:
            out += [f"  try: {line}" if i == 0 else f"       {line}" for i, line in enumerate(self.remedy.strip().splitlines())]
        return out


class UsageError(LayersError):
    """The command line, or a file that it names, is not as it must be."""

    exit_code = 2


class CatalogueError(UsageError):
    """layers.toml has a missing, wrong or unknown key."""


class NothingToDo(LayersError):
    """The command is right and there is nothing for it to do."""

    exit_code = 3


class ToolMissing(LayersError):
    """A program or a machine feature that the command needs is not there."""

    exit_code = 4


class BuildFailed(LayersError):
    """A recipe did not finish."""

    exit_code = 5


class ContractBroken(LayersError):
    """A built layer is not what the catalogue promises."""

    exit_code = 6


class RegionsFailed(LayersError):
    """Some regions are not done; the message carries the command that finishes them."""

    exit_code = 7


class FunctionFailed(LayersError):
    """The function, or its telemetry, was not as expected."""

    exit_code = 8


class Behind(LayersError):
    """The world knows something that this project does not: an advisory, a region, a runtime."""

    exit_code = 9
