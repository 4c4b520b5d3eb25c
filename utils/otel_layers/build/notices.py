"""The licence notices of everything that others wrote in a layer: one file of it, licenses/LAYER/NOTICES, with each text once."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from . import licences
from .inventory import Component, licence_files, read

# A recipe puts the texts of what brings none along into this folder of licenses/LAYER/, by package URL: golang/example.org/it@v1.0.0/LICENSE.
GIVEN = "pkg"
_HEAD = "What others wrote in this layer: name, version, licence, and the numbers of the texts below that are theirs."
_LINE = re.compile(r"(\S+) (\S+), .*: (\d+(?:, \d+)*)")


@dataclass(frozen=True)
class Found:
    """A component of a layer and where it is."""

    component: Component
    places: tuple[str, ...]


def collect(tree: Path, layer: str, found: Iterable[tuple[str, Component]]) -> list[Found]:
    """
    Write `tree`'s licenses/`layer`/NOTICES for what was `found`, take away the files whose texts now stand there, and return each component once.

    A component that declares no licence has the one that its texts are known to be.
    """
    home = tree / "licenses" / layer
    places: dict[str, list[str]] = {}
    known: dict[str, Component] = {}
    for place, component in list(found):  # all of it, before its files are taken away
        given = _given(home, component)
        texts = dict.fromkeys(text.strip() for text in (*component.texts, *read(given)) if text.strip())
        before = known.get(component.purl)
        whole = replace(component, texts=tuple(dict.fromkeys((*(before.texts if before else ()), *texts))))
        known[component.purl] = replace(whole, licence=whole.licence or _told(whole.texts))
        places.setdefault(component.purl, []).append(place)
        for path in component.files:
            path.unlink(missing_ok=True)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
    shutil.rmtree(home / GIVEN, ignore_errors=True)
    everything = [known[purl] for purl in sorted(known)]
    if everything:
        home.mkdir(parents=True, exist_ok=True)
        (home / "NOTICES").write_text(_page(everything), encoding="utf-8")
    return [Found(component, tuple(dict.fromkeys(places[component.purl]))) for component in everything]


def covered(notices: str) -> set[tuple[str, str]]:
    """Name and version of every component that has a text in a NOTICES file."""
    head, _, _ = notices.partition("\n\n\n")
    lines = (_LINE.fullmatch(line) for line in head.splitlines())
    return {(line[1], line[2]) for line in lines if line and all(f"\n[{number}] ---" in notices for number in line[3].split(", "))}


def _given(home: Path, component: Component) -> tuple[Path, ...]:
    return licence_files(home / GIVEN / unquote(component.purl.removeprefix("pkg:").partition("?")[0]))


def _told(texts: Iterable[str]) -> str:
    return " AND ".join(sorted(dict.fromkeys(name for text in texts for name in licences.identify(text).split(" AND ") if name)))


def _page(components: list[Component]) -> str:
    numbers: dict[str, int] = {}
    lines = []
    for component in components:
        own = [numbers.setdefault(text, len(numbers) + 1) for text in component.texts]
        lines.append(
            f"{component.name} {component.version}, {component.licence or 'licence as in its text'}: {', '.join(map(str, own)) or 'no text'}"
        )
    texts = [f"[{number}] {'-' * 80}\n\n{text}\n" for text, number in numbers.items()]
    return "\n".join([_HEAD, "", *lines, "", "", *texts])
