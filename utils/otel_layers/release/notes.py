"""From receipts to what users read: release notes with ARN tables, and the tables on the terminal."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from .. import console
from . import index
from . import version as versions
from .outcome import DONE
from .plan import Item
from .receipt import Receipt
from .snippets import SNIPPETS, fill


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


def changes(changelog: str, releases: Collection[str]) -> str:
    """The sections of CHANGELOG.md whose headings name one of `releases` (FOLDER/X.Y.Z, X.Y.Z or Unreleased); '' when there are none."""
    parts = [part.partition("\n") for part in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]]
    text = "\n\n".join(body.strip() for head, _, body in parts if not set(re.split(r"[\s(),]+", head)).isdisjoint(releases))
    # Where the notes are read, the repository's files are not.
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^()\s]*\.[a-z]+(?:#[^()\s]*)?\)", r"\1", text)


def markdown(receipts: Sequence[Receipt], changed: str = "") -> str:
    """Release notes in Markdown; `changed` is what CHANGELOG.md says."""
    import jinja2

    published = index.merge(receipts)
    example = index.example(index.make(receipts))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown, of our own catalogue and AWS's ARNs
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    group = {item.name: receipt.plan.group for receipt in receipts for item in receipt.plan.items}
    yanked = {name: why for receipt in receipts for name, why in receipt.yanked.items()}
    groups: dict[str, list[tuple[Item, dict[str, str]]]] = {}
    for item, arns in published:
        told = "" if group[item.name] == versions.GROUPS[0] else f" ({group[item.name]})"
        groups.setdefault(f"{item.layer} {item.version}{told}", []).append((item, arns))
    missing = sorted({r.region for receipt in receipts for r in receipt.stand() if r.status not in DONE})
    public = all(receipt.plan.public for receipt in receipts)
    ways = [(snippet, fill(snippet, **example)) for snippet in SNIPPETS] if example else []
    text = environment.get_template("notes.md.j2").render(
        groups=groups,
        missing=missing,
        public=public,
        published=published,
        changed=changed,
        ways=ways,
        region=example.get("region", ""),
        yanked=yanked,
    )
    return str(text)
