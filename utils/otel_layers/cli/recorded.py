"""Working on what receipts say was published: where to ask, as whom, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from .. import console
from ..aws import standing
from ..aws.client import Access
from ..errors import NothingToDo, RegionsFailed, UsageError
from ..project import Project
from ..release import receipt as receipts
from ..release.execute import Step, execute
from ..release.outcome import Result, Status
from ..release.plan import Plan
from . import publishing


def named(project: Project, names: Sequence[str]) -> list[tuple[Path, receipts.Receipt]]:
    """The receipts in the files `names`, by default the newest of the folder's layers; NothingToDo without any."""
    if names:
        return [(Path(name), receipts.load(Path(name))) for name in names]
    found = receipts.newest(project.dist, [layer.name for layer in project.layers()])
    if not found:
        raise NothingToDo("nothing has been published yet: there is no receipt in dist/receipts", remedy="./run.sh publish, or name a RECEIPT")
    console.detail(f"receipt: {found[0]}")
    return [found]


@contextmanager
def connect(project: Project, plan: Plan, path: Path) -> Iterator[Access]:
    """The AWS that the receipt `path` is about; UsageError when it was an embedded one that has ended."""
    if plan.to == "local" and standing.running(project) is None:
        why = "an embedded AWS forgets everything when it ends, and none is running"
        raise UsageError(f"{path.name} is of an embedded AWS", why=why, remedy="./run.sh aws start, then publish again")
    with standing.connect(project, plan.to) as access:
        yield access


def carry_out(plan: Plan, step: Step, access: Access, region_timeout: float, good: Status, keep: Callable[[Result], None]) -> list[Result]:
    """Do `step` for every layer in every region, telling what comes out other than `good`; `keep` hears every result."""
    left = Counter(dict.fromkeys((t.region for t in plan.targets), len(plan.items)))

    def report(result: Result) -> None:
        keep(result)
        left[result.region] -= 1
        if result.status != good:
            once = f"{result.region} {result.status}" if result.status in ("unreachable", "refused") else ""
            console.warn(f"{result.region}: {result.name}: {result.status}: {result.reason}".removesuffix(": "), once=once)
        elif not left[result.region]:
            console.detail(f"{result.region}: {good}")

    return execute(plan, step, cache(publishing.within(access, region_timeout).lambda_), report, region_timeout)


def as_text(plan: Plan, results: Sequence[Result], good: Status) -> str:
    """How many regions came out well, by layer, and a line for each that did not."""
    counts = Counter(r.name for r in results if r.status == good)
    rows = [(item.name, counts[item.name], len(plan.targets)) for item in plan.items]
    parts = [console.table(("layer", good, "of regions"), rows)]
    if troubled := [(r.region, r.name, r.status, r.reason) for r in results if r.status != good]:
        parts.append(console.table(("region", "layer", "", "reason"), troubled))
    return "\n\n".join(parts)


def check(plan: Plan, results: Sequence[Result], good: Status, remedy: str) -> None:
    """RegionsFailed when a required region did not come out well; a line about the others."""
    needed = {t.region for t in plan.targets if t.required}
    bad = [r for r in results if r.status != good]
    if required := publishing.regions_in_words([r for r in bad if r.region in needed]):
        raise RegionsFailed(f"not {good} in {required}", remedy=remedy)
    if bad:
        console.warn(f"not {good} in {publishing.regions_in_words(bad)}, which are not required")
