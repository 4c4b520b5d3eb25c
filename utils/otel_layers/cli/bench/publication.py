"""Publishing everything that is built to one region and to all of them, each with an embedded AWS that answers late; time and memory."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ... import console, toolchain
from ...aws.client import Access
from ...aws.embedded import EmbeddedAws
from ...errors import FunctionFailed
from ...project import Project, open_project
from ...release import receipt as receipts
from .. import publishing
from .page import Table

LATENCY = 0.1  # seconds added to every call
_LIMIT = 600.0


def measure(project: Project, tmp: Path, runs: int) -> tuple[dict[str, Any], dict[str, Table]]:
    """`runs` pairs of publications, one region and all in turn; the figures for machines, and the table."""
    places = {"one region": project.catalogue.home_region.name, "all regions": "all"}
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in places}
    for number in range(runs):
        console.step(f"publishing, {number + 1} of {runs}")
        for name, region in places.items():
            samples[name].append(_one(project, region, tmp / f"{number}-{region}.json"))
    rows = []
    for name, values in samples.items():
        seconds = sorted(v["seconds"] for v in values)
        against = statistics.median(seconds) / statistics.median(v["seconds"] for v in samples["one region"])
        middle = f"{statistics.median(seconds):.1f} ({seconds[len(seconds) // 10]:.1f} to {seconds[-1 - len(seconds) // 10]:.1f})"
        rows.append([name, f"{values[0]['steps']:.0f}", middle, f"{against:.2f}", f"{max(v['peakMB'] for v in values):.0f}"])
    head = ("published to", "layers x regions", "seconds", "over one region", "peak memory, MB")
    return {"publications": samples}, {"One region and all": (head, rows)}


def _one(project: Project, region: str, receipt: Path) -> dict[str, float]:
    """One publication in a process of its own, to an AWS of its own: what it says of itself."""
    with EmbeddedAws(project, latency=LATENCY) as aws:
        command = [sys.executable, "-m", __name__, str(project.root), aws.endpoint, region, str(receipt)]
        env = toolchain.environment(project, PYTHONPATH=str(project.root / "utils"))
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=_LIMIT, check=False)
    if done.returncode:
        raise FunctionFailed(f"the publication to {region} failed", why=done.stderr.strip()[-2000:])
    return dict(json.loads(done.stdout))


def main(root: str, endpoint: str, region: str, receipt: str) -> None:
    """Publish what is in dist/ of the project at `root`, publicly, and print {"seconds", "steps", "peakMB"}."""
    console.set_quiet(True)
    project = open_project(root=Path(root))
    begin = time.monotonic()
    plan = publishing.plan(project, project.layers(), to="local", region=region, public=True)
    access = Access(endpoint)
    new = receipts.new(plan, publishing.caller(access, plan))
    publishing.check(publishing.publish(project, new, Path(receipt), access, region_timeout=_LIMIT, quiet=True))
    seconds = time.monotonic() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "steps": len(plan.items) * len(plan.targets), "peakMB": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
