"""The record of a publication: its plan and how every layer stands in every region. Written whole after each step, read back checked."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import read_json, write_atomically
from . import version as versions
from .outcome import DONE, RECORDED, Result
from .plan import Item, Plan, Target

SCHEMA = "opentelemetry-lambda-receipt/1"


@dataclass
class Receipt:
    """A publication and its results so far, by (region, layer name)."""

    plan: Plan
    account: str
    created: str  # UTC, ISO 8601
    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    yanked: dict[str, str] = field(default_factory=dict)  # why, by layer name, for what nobody should use any more

    def stand(self) -> list[Result]:
        """Every step's result, in the plan's order; pending where there is none."""
        return [self.results.get((t.region, i.name), Result(i.name, t.region, "pending")) for t in self.plan.targets for i in self.plan.items]

    def open(self, required: bool) -> list[Result]:
        """What is not done, in the required regions or in the others."""
        wanted = {t.region for t in self.plan.targets if t.required == required}
        return [r for r in self.stand() if r.status not in DONE and r.region in wanted]

    def arn(self, name: str, region: str) -> str:
        """The ARN of the layer called `name` in `region`; '' when it is not done there."""
        result = self.results.get((region, name))
        return result.arn if result and result.status in DONE else ""

    def record(self, result: Result) -> None:
        """
        Take in a result. What this publication made stays "published" when it is found again. In AWS, what was verified once
        stays done when its region merely cannot be asked again; an embedded AWS may be another one than the last time.
        """
        old = self.results.get((result.region, result.name))
        if old and old.status in DONE:
            if self.plan.to == "aws" and result.status in ("pending", "unreachable"):
                return
            if result.status == "reused" and result.arn == old.arn and result.public == old.public:
                return
        self.results[result.region, result.name] = result


def new(plan: Plan, account: str) -> Receipt:
    """An empty receipt."""
    return Receipt(plan, account, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))


def default_path(dist: Path, plan: Plan, account: str) -> Path:
    """Where the receipt of `plan` goes: the same publication, typed again for the same account, finds it again."""
    return dist / "receipts" / f"{plan.to}-{plan.release}-{account}-{plan.digest}.json"


def save(receipt: Receipt, path: Path) -> None:
    """Write the whole receipt, so that no reader ever sees a part of it; a line per result, since this happens after each of them."""
    head = _head(receipt.plan, receipt.account, receipt.created, tuple(receipt.yanked.items()))
    results = ",\n    ".join(map(_line, receipt.stand()))
    write_atomically(path, f'{head},\n  "results": [\n    {results}\n  ]\n}}\n')


@lru_cache(maxsize=4)
def _head(plan: Plan, account: str, created: str, yanked: tuple[tuple[str, str], ...]) -> str:
    """All but the results, which only they change: without the end."""
    body = as_json(Receipt(plan, account, created, yanked=dict(yanked)))
    del body["results"]
    return json.dumps(body, indent=2).removesuffix("\n}")


@lru_cache(maxsize=10_000)
def _line(result: Result) -> str:
    return json.dumps(vars(result))


def as_json(receipt: Receipt) -> dict[str, Any]:
    """The receipt as it stands in its file (docs/releasing.md explains the keys)."""
    plan = receipt.plan
    return {
        "schema": SCHEMA,
        "created": receipt.created,
        "to": plan.to,
        "partition": plan.partition,
        "account": receipt.account,
        "public": plan.public,
        "group": plan.group,
        "yanked": receipt.yanked,
        "layers": [asdict(item) for item in plan.items],
        "regions": [asdict(target) for target in plan.targets],
        "results": [dict(vars(result)) for result in receipt.stand()],
    }


def load(path: Path) -> Receipt:
    """The receipt in the file `path`; UsageError when it is none, with the key that is wrong."""
    data = read_json(path, "a receipt", "a publication keeps its own in dist/receipts, or where --receipt says")
    try:
        return _decode(data)
    except (KeyError, TypeError, ValueError) as exc:
        why = f"the key {exc} is missing" if isinstance(exc, KeyError) else str(exc)
        raise UsageError(f"{path} is not a receipt", why=why) from exc


def _decode(data: Any) -> Receipt:
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ValueError(f"its schema is {data.get('schema') if isinstance(data, dict) else None!r}, not {SCHEMA!r}")
    if data["to"] not in ("local", "aws"):
        raise ValueError(f"'to' is {data['to']!r}")
    items = tuple(Item(**_checked(Item, entry, runtimes=tuple)) for entry in data["layers"])
    targets = tuple(Target(**_checked(Target, entry)) for entry in data["regions"])
    if data["group"] not in versions.GROUPS:
        raise ValueError(f"'group' is {data['group']!r}")
    plan = Plan(data["to"], _text(data, "partition"), data["public"] is True, items, targets, (), data["group"])
    receipt = Receipt(plan, _text(data, "account"), _text(data, "created"), yanked=_yanked(data["yanked"], items))
    steps = {(t.region, i.name) for t in targets for i in items}
    if not steps:
        raise ValueError("it has no layers or no regions")
    for entry in data["results"]:
        result = Result(**_checked(Result, entry))
        if result.status not in RECORDED:
            raise ValueError(f"a result has the status {result.status!r}")
        if (result.region, result.name) not in steps:
            raise ValueError(f"it has a result of {result.name} in {result.region}, which are not in it")
        if result.status != "pending" or result.arn:
            receipt.results[result.region, result.name] = result
    return receipt


def _yanked(data: Any, items: Iterable[Item]) -> dict[str, str]:
    names = {item.name for item in items}
    if not isinstance(data, dict) or not all(name in names and why and isinstance(why, str) for name, why in data.items()):
        raise ValueError(f"'yanked' is {data!r}, not a reason for layers that are in it")
    return dict(data)


def _text(data: Mapping[str, Any], key: str) -> str:
    if not isinstance(data[key], str):
        raise TypeError(f"{key!r} must be text, not {data[key]!r}")
    return str(data[key])


def _checked(kind: type[Any], entry: Any, **convert: Any) -> dict[str, Any]:
    """The keys of `entry` for the dataclass `kind`: all of them, no other, each of its type."""
    if not isinstance(entry, dict):
        raise TypeError(f"{kind.__name__.lower()} {entry!r} is not a table")
    known = {f.name: str(f.type) for f in fields(kind)}
    if odd := sorted(set(entry) ^ set(known)):
        raise ValueError(f"a {kind.__name__.lower()} has the wrong keys: {', '.join(odd)}")
    for key, value in entry.items():
        expected: type | None = {"str": str, "int": int, "bool": bool, "Status": str, "tuple[str, ...]": list}.get(known[key])
        if expected is None or type(value) is not expected:
            raise TypeError(f"{kind.__name__.lower()}: {key!r} is {value!r}")
    return {key: convert[key](value) if key in convert else value for key, value in entry.items()}


def kept(dist: Path) -> dict[Path, Receipt]:
    """The receipts in dist/receipts."""
    return {path: load(path) for path in sorted((dist / "receipts").glob("*.json"))}


def taken_back(found: Iterable[Receipt]) -> dict[str, str]:
    """Why, by the SHA-256 of the zip, for everything that a receipt says is taken back: the same bytes are no better under another name."""
    return {item.sha256: receipt.yanked[item.name] for receipt in found for item in receipt.plan.items if item.name in receipt.yanked}


def newest(dist: Path, layers: Iterable[str] = (), arch: str = "", region: str = "", group: str = "") -> tuple[Path, Receipt] | None:
    """The receipt in dist/receipts that was written last and has an ARN, not yanked, of one of `layers` for `arch` in `region`, `group` ('': any)."""
    wanted, all_of_them = set(layers), kept(dist)
    bad = taken_back(all_of_them.values())
    for path in sorted(all_of_them, key=lambda p: p.stat().st_mtime_ns, reverse=True):
        found = all_of_them[path]
        if group not in ("", found.plan.group):
            continue
        names = {i.name for i in found.plan.items if (not wanted or i.layer in wanted) and arch in ("", i.arch) and i.sha256 not in bad}
        if any(r.name in names and r.status in DONE and region in ("", r.region) for r in found.results.values()):
            return path, found
    return None
