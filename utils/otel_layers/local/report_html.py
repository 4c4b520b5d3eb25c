"""HTML that is safe by construction: every text and attribute is escaped unless it was made by `el`."""

from __future__ import annotations

import html
from collections.abc import Sequence


class Html(str):
    """Finished markup."""

    __slots__ = ()


_VOID = {"meta"}


def el(tag: str, *children: object, **attributes: object) -> Html:
    """An element. Attributes: `class_` is class, `_` is `-`, True has no value, None and False are left out; children None are left out."""
    head = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if found is True else f'="{html.escape(str(found))}"')
        for name, found in attributes.items()
        if found is not None and found is not False
    )
    return Html(f"<{tag}{head}>" if tag in _VOID else f"<{tag}{head}>{join(*children)}</{tag}>")


def join(*children: object) -> Html:
    """Children one after the other."""
    return Html("".join(child if isinstance(child, Html) else html.escape(str(child), quote=False) for child in children if child is not None))


def table(head: Sequence[str], rows: Sequence[Sequence[object]], numeric: frozenset[int] = frozenset(), *, kind: str | None = None) -> Html:
    """A table that scrolls sideways on narrow screens; the columns `numeric` are right-aligned, kind 'text' gives the last column the room."""
    kinds = ["n" if i in numeric else None for i in range(len(head))]
    top = el("thead", el("tr", *(el("th", name, class_=kind, scope="col") for name, kind in zip(head, kinds, strict=True))))
    body = (el("tr", *(el("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True))) for row in rows)
    return el("div", el("table", top, el("tbody", *body), class_=kind), class_="scroll", tabindex=0)
