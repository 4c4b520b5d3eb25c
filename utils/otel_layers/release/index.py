"""The index of published layers: what tools, the ARN page and the maps read to find an ARN (index.schema.json describes it)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import NothingToDo, UsageError
from ..files import read_json
from . import version as versions
from .plan import Item, Plan
from .receipt import Receipt
from .snippets import WRAPPER

Index = Mapping[str, Any]

SCHEMA = "opentelemetry-lambda-index/1"
SCHEMA_FILE = Path(__file__).parent / "index.schema.json"


def merge(receipts: Sequence[Receipt]) -> list[tuple[Item, dict[str, str]]]:
    """Every published layer with its ARNs by region, over all `receipts` (one per partition, say); NothingToDo when there is none."""
    merged: dict[str, tuple[Item, dict[str, str]]] = {}
    for receipt in receipts:
        for item in receipt.plan.items:
            kept, arns = merged.setdefault(item.name, (item, {}))
            if kept.sha256 != item.sha256:
                raise UsageError(f"the receipts have different bytes under the name {item.name}")
            for target in receipt.plan.targets:
                arn = receipt.arn(item.name, target.region)
                if arn and arns.setdefault(target.region, arn) != arn:
                    raise UsageError(f"the receipts have different ARNs for {item.name} in {target.region}")
    published = [(item, arns) for item, arns in merged.values() if arns]
    if not published:
        raise NothingToDo("nothing is published in these receipts")
    return published


def make(receipts: Sequence[Receipt], name: str = "", previous: Index | None = None) -> dict[str, Any]:
    """
    The index of `receipts`; `name` is the project's.

    The releases of the index `previous` join these; a layer that is in both has the ARNs of both.
    """
    of = {item.name: receipt for receipt in receipts for item in receipt.plan.items}
    yanked = {name: why for receipt in receipts for name, why in receipt.yanked.items()}
    layers = [_entry(item, arns, of[item.name].plan, yanked.get(item.name, "")) for item, arns in merge(receipts)]
    for old in previous["layers"] if previous else ():
        same = next((entry for entry in layers if entry["name"] == old["name"]), None)
        if same is None:
            layers.append(old)
        elif same["sha256"] != old["sha256"]:
            raise UsageError(
                f"the earlier index has other bytes under the name {old['name']}", remedy="a published name never changes: which is right?"
            )
        else:
            if not {*old["arns"]} <= {*same["arns"]}:  # these receipts do not speak for all of it
                same["yanked"] = same["yanked"] or old["yanked"]
            same["arns"] = {**old["arns"], **same["arns"]}
    order = list(dict.fromkeys(entry["layer"] for entry in layers))
    layers.sort(key=lambda entry: versions.order(entry["version"]), reverse=True)
    layers.sort(key=lambda entry: order.index(entry["layer"]))
    return {"schema": SCHEMA, "name": name, "created": max(receipt.created for receipt in receipts), "layers": layers}


def _entry(item: Item, arns: dict[str, str], plan: Plan, yanked: str) -> dict[str, Any]:
    return {
        "layer": item.layer,
        "version": item.version,
        "group": plan.group,
        "arch": item.arch,
        "architecture": item.architecture,
        "language": item.language,
        "role": item.role,
        "name": item.name,
        "runtimes": list(item.runtimes),
        "sha256": item.sha256,
        "codeSha256": item.code_sha256,
        "zippedBytes": item.zipped_bytes,
        "unzippedBytes": item.unzipped_bytes,
        "sourceRevision": item.source_revision,
        "public": plan.public,
        "yanked": yanked,
        "arns": arns,
    }


def load(path: Path) -> dict[str, Any]:
    """An index that `notes` has written; UsageError when the file is none."""
    found = read_json(path, "an index")
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or not isinstance(found.get("layers"), list):
        raise UsageError(f"{path} is not an index", why=f"its schema is not {SCHEMA!r}")
    wanted = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))["properties"]["layers"]["items"]["required"]
    for entry in found["layers"]:
        if missing := [key for key in wanted if not isinstance(entry, dict) or key not in entry]:
            raise UsageError(f"{path} is not an index", why=f"an entry lacks the key {missing[0]!r}")
    return found


def united(indexes: Sequence[Index], name: str = "") -> dict[str, Any]:
    """
    The indexes of several releases, the newest first, as one.

    Of a layer that stands in several the oldest counts: it is its own release's, which is brought up to date when the layer is taken back.
    """
    layers = {entry["name"]: entry for index in indexes for entry in index["layers"]}
    newest_one = indexes[0] if indexes else {"schema": SCHEMA, "name": name, "created": ""}
    return {**newest_one, "layers": list(layers.values())}


def newest(index: Index) -> list[dict[str, Any]]:
    """
    The entry with the highest version of each layer and architecture that is not yanked, in the index's order.

    All are of one group: of the one that users shall find before the others, as far as the index has it.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    good = [entry for entry in index["layers"] if not entry["yanked"]]
    group = min((entry["group"] for entry in good), key=versions.GROUPS.index, default="")
    for entry in (entry for entry in good if entry["group"] == group):
        key = entry["layer"], entry["arch"]
        if key not in found or versions.order(entry["version"]) > versions.order(found[key]["version"]):
            found[key] = entry
    return list(found.values())


def pair(index: Index) -> list[dict[str, Any]]:
    """What an example attaches: the newest entries of the first collector and the first language layer, of one architecture."""
    entries = newest(index)
    found = [next((e for e in entries if e["role"] == role), None) for role in ("collector", "language")]
    chosen = [entry for entry in found if entry] or entries[:1]
    return [entry for entry in chosen if entry["arch"] == chosen[0]["arch"]]  # nothing, when all is yanked


def example(index: Index) -> dict[str, Any]:
    """The arguments of snippets.fill that show how `pair` is attached, in a region that has it all; none when there is nothing to attach."""
    entries = pair(index)
    if not entries:
        return {}
    common = set.intersection(*({*entry["arns"]} for entry in entries)) or {*entries[0]["arns"]}
    region = min(common)
    runtimes = [entry["runtimes"][-1] for entry in entries if entry["runtimes"]]
    return {
        "region": region,
        "architecture": entries[0]["architecture"],
        "arns": [entry["arns"][region] for entry in entries if region in entry["arns"]],
        "runtime": runtimes[0] if runtimes else "",
        "wrapper": WRAPPER if runtimes else "",
    }
