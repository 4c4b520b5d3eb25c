"""Where the catalogue and what AWS offers have come apart."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import process, toolchain
from ..catalog import ARCHITECTURES, MAX_COMPATIBLE_RUNTIMES, Catalogue
from ..errors import LayersError
from ..project import Project
from . import offered


@dataclass(frozen=True)
class Difference:
    """One fact that the two tell differently."""

    kind: str  # region, runtime, architecture or limit
    name: str
    what: str  # new, gone or deprecated; for a limit its two values
    todo: str


def newest(project: Project) -> dict[str, Any]:
    """What the newest botocore of the package registry says (offered.read), asked for each time."""
    command = [str(toolchain.newest(project, "botocore")), "-I", str(Path(offered.__file__))]
    said = process.run(command, env=toolchain.environment(project), capture=True, error=LayersError, echo=False)
    found: dict[str, Any] = json.loads(said)
    return found


def compare(catalogue: Catalogue, offer: Mapping[str, Any]) -> list[Difference]:
    """Every difference between `catalogue` and `offer` (offered.read) that somebody must decide on."""
    return [*_regions(catalogue, offer["partitions"]), *_runtimes(catalogue, offer["runtimes"]), *_limits(offer)]


def left_out(catalogue: Catalogue, offer: Mapping[str, Any]) -> list[str]:
    """What AWS has and the catalogue leaves out on purpose, or for now: whole partitions, and regions that have no Lambda."""
    partitions = offer["partitions"]
    others = {name: entry["regions"] for name, entry in partitions.items() if name not in catalogue.partitions}
    out = [f"partition {name}: {', '.join(regions) or 'no region'}" for name, regions in others.items()]
    return out + [f"region {region} has no Lambda" for name in catalogue.partitions for region in partitions.get(name, {}).get("without", ())]


def _regions(catalogue: Catalogue, partitions: Mapping[str, Any]) -> Iterator[Difference]:
    for partition in catalogue.partitions:
        here = {r.name for r in catalogue.regions.values() if r.partition == partition}
        there = partitions.get(partition, {}).get("regions", {})
        for region in sorted(set(there) - here):
            yield Difference("region", region, "new", f"a line in [regions], partition {partition}; opt-in unless AWS says otherwise")
        for region in sorted(here - set(there)):
            yield Difference("region", region, "gone", "look whether AWS closed it; then take its line out of [regions]")
        for region in sorted(here & {name for name, deprecated in there.items() if deprecated}):
            yield Difference("region", region, "deprecated", "required = false, and say so in the release notes")


def _runtimes(catalogue: Catalogue, runtimes: list[str]) -> Iterator[Difference]:
    known = {**dict.fromkeys(catalogue.runtimes, "[runtimes]"), **dict.fromkeys(catalogue.retired, "[retired]")}
    for runtime in sorted(set(runtimes) - set(known)):
        yield Difference("runtime", runtime, "new", "a line in [runtimes], and its language's compilers and tests")
    for runtime in sorted(set(known) - set(runtimes)):
        yield Difference("runtime", runtime, "gone", f"take it out of {known[runtime]}")


def _limits(offer: Mapping[str, Any]) -> Iterator[Difference]:
    ours = {architecture.aws for architecture in ARCHITECTURES.values()}
    for name in sorted(ours ^ set(offer["architectures"])):
        yield Difference("architecture", name, "gone" if name in ours else "new", "ARCHITECTURES in utils/otel_layers/catalog.py")
    if offer["compatible_runtimes"] != MAX_COMPATIBLE_RUNTIMES:
        what = f"{offer['compatible_runtimes']}, not {MAX_COMPATIBLE_RUNTIMES}"
        yield Difference("limit", "CompatibleRuntimes", what, "MAX_COMPATIBLE_RUNTIMES in utils/otel_layers/catalog.py")
