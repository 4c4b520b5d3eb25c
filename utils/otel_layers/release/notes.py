"""From receipts to what users read: release notes with ARN tables, the index for machines, and the tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import console
from ..errors import NothingToDo, UsageError
from .outcome import DONE
from .plan import Item
from .receipt import Receipt

INDEX_SCHEMA = "opentelemetry-lambda-index/1"


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


def arn_table(receipt: Receipt) -> str:
    """The ARNs as tables for a terminal: one per layer, a line per region."""
    parts = []
    for item in receipt.plan.items:
        rows = []
        for target in receipt.plan.targets:
            result = receipt.results.get((target.region, item.name))
            done = result is not None and result.status in DONE
            rows.append((target.region, result.arn if result and done else f"({result.status if result else 'pending'})"))
        head = f"{item.layer} {item.version}, {item.arch} ({item.runtimes_text})"
        parts.append(f"{head}\n{console.table(('region', 'layer version ARN'), rows)}")
    return "\n\n".join(parts)


def index(receipts: Sequence[Receipt]) -> dict[str, Any]:
    """index.json: what other tools read to find an ARN."""
    return {
        "schema": INDEX_SCHEMA,
        "layers": [
            {
                "layer": item.layer,
                "version": item.version,
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
                "arns": arns,
            }
            for item, arns in merge(receipts)
        ],
    }


def markdown(receipts: Sequence[Receipt]) -> str:
    """Release notes in Markdown."""
    import jinja2

    published = merge(receipts)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown, of our own catalogue and AWS's ARNs
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    groups: dict[str, list[tuple[Item, dict[str, str]]]] = {}
    for item, arns in published:
        groups.setdefault(f"{item.layer} {item.version}", []).append((item, arns))
    missing = sorted({r.region for receipt in receipts for r in receipt.stand() if r.status not in DONE})
    public = all(receipt.plan.public for receipt in receipts)
    text = environment.get_template("notes.md.j2").render(groups=groups, missing=missing, public=public, published=published)
    return str(text)
