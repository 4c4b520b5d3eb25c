"""The ARN page: one HTML file that finds the ARNs for a function in an index and says how they are attached."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..catalog import Catalogue
from ..policy import policy
from . import version as versions
from .index import Index, newest
from .snippets import SNIPPETS, WRAPPER

TEMPLATES = Path(__file__).parent / "templates"

_TITLES = {"nodejs": "Node.js", "dotnet": ".NET", "any": "Any other language"}  # of languages whose name is not just a capital more


def render(index: Index, catalogue: Catalogue) -> str:
    """The page of `index`; `catalogue` knows the regions' places and the order of runtimes."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    text = environment.get_template("page.html.j2").render(
        index=index,
        recommended=[(entry, _version(entry)["version"]) for entry in newest(index)],
        yanked=dict.fromkeys((entry["layer"], entry["version"], entry["yanked"]) for entry in index["layers"] if entry["yanked"]),
        policy=policy(style, script),
        style=Markup(style),  # noqa: S704 - our own files
        script=Markup(script),  # noqa: S704
        data=Markup(embedded(data(index, catalogue))),  # noqa: S704 - escaped for its element
    )
    return text + "\n"


def embedded(value: Any) -> str:
    """`value` as JSON that cannot end the script element it stands in, nor begin a comment there."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def data(index: Index, catalogue: Catalogue) -> dict[str, Any]:
    """What the page's script works with."""
    entries = index["layers"]
    runtimes = {runtime for entry in entries for runtime in entry["runtimes"]}
    languages = sorted(dict.fromkeys(entry["language"] for entry in entries), key=lambda language: language == "any")
    return {
        "languages": [{"value": language, "text": _TITLES.get(language, language.capitalize())} for language in languages],
        "runtimes": [name for name in catalogue.runtimes if name in runtimes] + sorted(runtimes - {*catalogue.runtimes}),
        "architectures": sorted({entry["architecture"] for entry in entries}, reverse=True),
        "regions": _regions(index, catalogue),
        "home": catalogue.home_region.name,
        "layers": [_entry(entry, catalogue) for entry in _offered(entries)],
        "snippets": [{"key": snippet.key, "title": snippet.title, "text": snippet.text} for snippet in SNIPPETS],
        "wrapper": WRAPPER,
    }


def _offered(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The entries, those of the group that users shall find first; of several builds of one development version the newest."""
    found: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for entry in sorted(entries, key=lambda entry: versions.GROUPS.index(entry["group"])):
        found.setdefault((entry["layer"], entry["group"], entry["version"], entry["arch"]), entry)
    return list(found.values())


def _entry(entry: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    kept = {key: entry[key] for key in ("layer", "architecture", "language", "role", "runtimes", "zippedBytes", "public", "yanked")}
    known = catalogue.layers.get(entry["layer"])
    return {**kept, **_version(entry), "description": known.description if known else "", "arns": packed(entry["arns"])}


def _version(entry: Mapping[str, Any]) -> dict[str, str]:
    """A version in words, and as it stands in the address."""
    if entry["group"] == versions.GROUPS[0]:
        return {"version": entry["version"], "pin": entry["version"]}
    return {"version": f"{entry['version']} ({entry['group']})", "pin": f"{entry['version']}_{entry['group']}"}


def packed(arns: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """ARNs that differ in their region alone as one text with * in its place, and the regions: a tenth of the page's bytes."""
    found: dict[str, list[str]] = {}
    for region, arn in sorted(arns.items()):
        pattern = arn.replace(f":{region}:", ":*:", 1)
        found.setdefault(pattern if pattern.replace("*", region, 1) == arn else arn, []).append(region)
    return list(found.items())


def _regions(index: Index, catalogue: Catalogue) -> list[dict[str, Any]]:
    """The regions of the index, and the catalogue's others of the same partitions, where nothing is published."""
    arns = {region: arn for entry in index["layers"] for region, arn in entry["arns"].items()}
    partitions = {arn.split(":")[1] for arn in arns.values()}
    offered = sorted({*arns, *(region.name for region in catalogue.regions.values() if region.partition in partitions)})
    places, found = _places(), []
    for name in offered:
        known = catalogue.regions.get(name)
        partition = known.partition if known else arns[name].split(":")[1]
        found.append({"name": name, "place": places.get(name, ""), "partition": partition, "at": known.at if known else None})
    return found


def _places() -> dict[str, str]:
    """What AWS calls its regions."""
    from botocore.loaders import Loader

    partitions = Loader().load_data("partitions")["partitions"]
    return {name: facts.get("description", "") for partition in partitions for name, facts in partition["regions"].items()}
