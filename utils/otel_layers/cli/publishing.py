"""Publishing for the verbs that do it: a plan from what is built, its execution against an AWS, and what came of it."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from .. import console, files
from ..aws import standing
from ..aws.client import Access, in_words
from ..build import revision
from ..catalog import Layer
from ..errors import LayersError, RegionsFailed, UsageError
from ..project import Project
from ..release import artefacts
from ..release import receipt as receipts
from ..release.execute import Connect, execute
from ..release.outcome import DONE, Result
from ..release.plan import Item, Plan, make
from ..release.receipt import Receipt
from ..release.region import bring, look
from ..release.upload import Store, Uploads, check_store
from ..release.version import GROUPS

_LOOK_LIMIT = 15.0  # seconds a region has to say which names are taken


@dataclass(frozen=True)
class Published:
    """What one run did: how each step ended in it, and the receipt, which may know more from runs before."""

    results: Sequence[Result]
    receipt: Receipt
    path: Path
    resume: str  # the command that finishes what is open


def plan(
    project: Project,
    layers: Sequence[Layer],
    *,
    to: str,
    arch: str = "",
    region: str = "",
    partition: str = "",
    public: bool = False,
    version: str = "",
    group: str = GROUPS[0],
) -> Plan:
    """
    The plan for `layers` as they lie in dist/. UsageError when something is not built, or not as it must be.

    `arch` '': the architectures that are built, and a layer with a flavour or of others' files only when it is built; but all of them for a public
    release to AWS, of which nothing shall be missing by accident.
    """
    catalogue = project.catalogue
    wanted: dict[str, str] = {}
    found = []
    for layer in layers:
        archs = catalogue.select_architectures(arch or "all", layer)
        if not arch and not (to == "aws" and public):
            built = tuple(a for a in archs if artefacts.is_built(project.dist, layer, a))
            for missing in (a for a in archs if built and a not in built):
                console.detail(f"{layer.name} is not built for {missing.name} and will not be published for it")
            if not built and (layer.flavour or layer.bundle) and len(layers) > 1:
                console.detail(f"{layer.name} is not built and will not be published: {artefacts.build_command(layer, archs[0])}")
                continue
            archs = built or archs
        found += [artefacts.load(project.dist, layer, a) for a in archs]
        tagged = revision.version(project, layer, version)
        wanted[layer.name] = "" if tagged == revision.DEVELOPMENT and not version else tagged
    spec = region or default_region(project, to, partition)
    regions = catalogue.select_regions(spec, partition)
    made = make(catalogue, found, regions, to=to, public=public, named=spec != "all", wanted=wanted, group=group)
    if partition and made.partition != partition:
        raise UsageError(f"{spec} is not in the partition {partition}", remedy=f"--partition {made.partition}")
    return made


def default_region(project: Project, to: str, partition: str = "") -> str:
    """The region when none is named: for AWS the user's own, else the home region of `partition` (default: the default one)."""
    if partition:
        if partition not in project.catalogue.partitions:
            raise UsageError(f"unknown partition {partition!r}", remedy=f"one of {', '.join(project.catalogue.partitions)}")
        return project.catalogue.partitions[partition]
    own = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") if to == "aws" else ""
    return own or project.catalogue.home_region.name


def caller(access: Access, wanted: Plan, account: str = "") -> str:
    """The account that the credentials are of, checked before anything is written: its partition, and that it is `account` if that is given."""
    asked = replace(access, attempts=1, connect_timeout=3.0, read_timeout=10.0)
    regions = [t.region for t in sorted(wanted.targets, key=lambda t: not t.required)][:3]
    for region in regions:
        try:
            with in_words(f"asking {region} whose credentials these are"):
                identity = asked.sts(region).get_caller_identity()
            break
        except LayersError:
            if region == regions[-1]:  # one region that is down must not stop the others
                raise
    found, partition = identity["Account"], identity["Arn"].split(":")[1]
    if partition != wanted.partition:
        raise UsageError(
            f"the credentials are of the partition {partition}, the regions of {wanted.partition}", remedy="use that partition's credentials"
        )
    if account and found != account:
        raise UsageError(
            f"the credentials are of account {found}, not {account}", remedy="choose the right credentials (AWS_PROFILE), or the right --account"
        )
    return found


def resumed(project: Project, path: Path) -> Receipt:
    """The receipt in `path`, whose zips must still be in dist/ as they were."""
    receipt = receipts.load(path)
    for item in receipt.plan.items:
        layer = project.catalogue.layer(item.layer)
        [arch] = project.catalogue.select_architectures(item.arch, layer)
        built = artefacts.load(project.dist, layer, arch)
        if built.sha256 != item.sha256:
            why = f"the receipt is of {item.sha256[:12]}, dist/{item.zip} is {built.sha256[:12]}"
            remedy = f"check out {item.source_revision} and build again: {artefacts.build_command(layer, arch, item.version)}"
            raise UsageError(f"{item.zip} has other bytes than the release that {path.name} is about", why=why, remedy=remedy)
    for target in receipt.plan.targets:
        project.catalogue.region(target.region)
    return receipt


def time_for(plan: Plan) -> float:
    """Seconds that each region gets when nothing else is said: 60, and one more for each megabyte that it is sent."""
    return 60 + sum(item.zipped_bytes for item in plan.items) / 1e6


def _refuse_other_bytes(plan: Plan, connect: Connect, limit: float) -> None:
    """UsageError when a region that answers within `limit` seconds has other bytes under a name of `plan`: nothing is written anywhere then."""
    taken = [r for r in execute(plan, look, connect, lambda _: None, limit) if r.status == "failed"]
    if taken:
        where = ", ".join(dict.fromkeys(r.region for r in taken))
        names = ", ".join(dict.fromkeys(r.name for r in taken))
        raise UsageError(
            f"{names} is published already, from another build, in {where}",
            why=taken[0].reason,
            remedy="choose the next version and build it; or take back what nobody uses yet (docs/releasing.md)",
        )


def refuse_taken_back(project: Project, items: Sequence[Item], *own: Receipt) -> None:
    """UsageError when bytes of `items` were taken back, by what any receipt here says, or one of their `own`."""
    bad = receipts.taken_back([*receipts.kept(project.dist).values(), *own])
    for item in items:
        if item.sha256 in bad:
            remedy = "other bytes under another version; --layer NAME publishes another layer"
            raise UsageError(f"{item.name} was taken back: {bad[item.sha256]}", why="a receipt with these bytes says so", remedy=remedy)


def publish(
    project: Project,
    receipt: Receipt,
    path: Path,
    access: Access,
    *,
    region_timeout: float = 0.0,
    bucket: str = "",
    quiet: bool = False,
    zips: Mapping[str, Path] | None = None,
    resume: str = "",
) -> Published:
    """
    Carry out the receipt's plan, keeping the receipt in `path` up to date. Regions that are not done are in the result, never raised;
    but UsageError, before the first write, when a new publication finds one of its names taken by other bytes.

    `region_timeout` in seconds; 0 for the plan's own (time_for). `bucket`: where zips go that are too large for a direct upload.
    `zips`: by layer name, when they are not those of dist/. `resume`: the command that finishes it, when it is not `publish --resume`.
    """
    plan = receipt.plan
    refuse_taken_back(project, plan.items, receipt)
    region_timeout = region_timeout or time_for(plan)
    check_store(plan, bucket)
    calls = within(access, region_timeout)
    connect = cache(calls.lambda_)  # both passes over the regions, with the same connections
    if not receipt.results:
        _refuse_other_bytes(plan, connect, min(_LOOK_LIMIT, region_timeout))
    for part in path.parent.glob(f".{path.name}.*.part"):  # of a run that was killed while it wrote
        part.unlink(missing_ok=True)
    receipts.save(receipt, path)
    left = Counter(dict.fromkeys((t.region for t in plan.targets), len(plan.items)))

    def report(result: Result) -> None:
        receipt.record(result)
        receipts.save(receipt, path)
        if result.status == "pending":
            return
        left[result.region] -= 1
        if result.public and not plan.public:
            console.warn(f"{result.name} is public already, and stays so", once=f"public {result.name}")
        if result.status not in DONE:
            # Of a region that does not answer at all, one line is enough; the summary has the rest.
            once = f"{result.region} {result.status}" if result.status != "failed" else ""
            console.warn(f"{result.region}: {result.name}: {result.status}: {result.reason}", once=once)
        elif not quiet and not left[result.region]:
            console.detail(f"{result.region}: done")

    resume = resume or resume_command(project, plan, path, bucket)
    store = Store(bucket, receipt.account, calls.s3) if bucket else None
    try:
        paths = zips or {item.name: project.dist / item.zip for item in plan.items}
        with files.temporary(project, "publish") as folder, Uploads(paths, plan.items, store, folder) as uploads:
            step = partial(bring, public=plan.public, uploads=uploads)
            results = execute(plan, step, connect, report, region_timeout)
    except (KeyboardInterrupt, SystemExit):
        if plan.to == "aws" or standing.running(project) is not None:
            console.warn(f"interrupted; this finishes it: {resume}")
        raise
    return Published(results, receipt, path, resume)


def within(access: Access, region_timeout: float) -> Access:
    """`access` for a region that has so many seconds: a call is tried once, since a lost answer must be followed by a look, not by a second try."""
    return replace(access, attempts=1, connect_timeout=5.0, read_timeout=min(30.0, region_timeout))


def resume_command(project: Project, plan: Plan, path: Path, bucket: str = "") -> str:
    """What finishes the publication of which `path` is the receipt."""
    return shlex.join(["./run.sh", "publish", "--to", plan.to, "--resume", shown(project, path), *(["--bucket", bucket] if bucket else [])])


def shown(project: Project, path: Path) -> str:
    """`path` as one types it at the project's root."""
    whole = path.resolve()
    return str(whole.relative_to(project.root) if whole.is_relative_to(project.root) else whole)


def as_json(done: Published) -> dict[str, Any]:
    """The receipt, where it is, and what this run did."""
    counts = Counter(r.status for r in done.results)
    is_open = any(r.status not in DONE for r in done.receipt.stand())
    return {**receipts.as_json(done.receipt), "receipt": str(done.path), "run": dict(counts), "resume": done.resume if is_open else ""}


def as_text(done: Published) -> str:
    """How every layer stands, and what is open."""
    states = [s for s in ("published", "completed", "reused", "unreachable", "refused", "failed") if any(r.status == s for r in done.results)]
    rows = [(item.name, *(sum(r.name == item.name and r.status == s for r in done.results) for s in states)) for item in done.receipt.plan.items]
    parts = [console.table(("layer, regions that are", *states), rows)]
    troubled = [(r.region, r.name, r.status, r.reason) for r in done.results if r.status not in DONE]
    if troubled:
        parts.append(console.table(("region", "layer", "", "reason"), troubled))
    if all(r.status == "reused" for r in done.results):
        layers, regions = done.receipt.plan.extent
        parts.append(f"nothing to publish: {layers} in {regions}, there already with these bytes")
    parts.append(f"the ARNs: ./run.sh notes --table {shlex.quote(str(done.path))}")
    return "\n\n".join(parts)


def check(done: Published) -> None:
    """RegionsFailed with the command that finishes them when a required region is open; a line about the others."""
    required, others = (regions_in_words(done.receipt.open(required)) for required in (True, False))
    if required:
        raise RegionsFailed(f"not done in {required}", why=f"also not done, though not required: {others}" if others else "", remedy=done.resume)
    if others:
        console.warn(f"not done in {others}; no release needs them, and this finishes them: {done.resume}")


def regions_in_words(results: Sequence[Result]) -> str:
    """The results' regions in words: us-east-1 (failed), eu-west-1 (unreachable)."""
    regions = dict.fromkeys((r.region, r.status) for r in results)
    return ", ".join(f"{region} ({status})" for region, status in regions)
