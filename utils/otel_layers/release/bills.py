"""What is inside the layers, as their CycloneDX documents tell it: the packages of each, under the names that advisory databases have for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import read_json
from .receipt import Receipt

_ECOSYSTEMS = {"golang": "Go", "pypi": "PyPI", "npm": "npm", "maven": "Maven", "gem": "RubyGems"}  # OSV's names


@dataclass(frozen=True, order=True)
class Package:
    """One package of one version; `ecosystem` is '' for what no advisory database knows."""

    ecosystem: str
    name: str
    version: str
    purl: str


@dataclass(frozen=True)
class Bill:
    """One layer's packages."""

    layer: str  # the catalogue's name; for another zip what its document says
    arch: str
    version: str
    sha256: str
    packages: tuple[Package, ...]

    @property
    def title(self) -> str:
        """The layer and its architecture."""
        return f"{self.layer}-{self.arch}" if self.arch else self.layer


def load(path: Path) -> Bill:
    """The document in the file `path`; UsageError when it is none."""
    data = read_json(path, "a bill of materials")
    try:
        return _decode(data)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as exc:
        why = f"the key {exc} is missing" if isinstance(exc, KeyError) else str(exc)
        raise UsageError(f"{path} is not a bill of materials", why=why) from exc


def _decode(data: Mapping[str, Any]) -> Bill:
    from packageurl import PackageURL

    if not isinstance(data, dict) or data.get("bomFormat") != "CycloneDX":
        raise ValueError(f"its bomFormat is {data.get('bomFormat') if isinstance(data, dict) else None!r}, not 'CycloneDX'")
    own = data["metadata"]["component"]
    qualifiers: Any = PackageURL.from_string(own["purl"]).qualifiers
    [sha256] = [entry["content"] for entry in own["hashes"] if entry["alg"] == "SHA-256"]
    inside = tuple(sorted(_package(entry["purl"]) for entry in data["components"] if entry["type"] == "library"))
    return Bill(own["name"], qualifiers.get("arch", ""), own["version"], sha256, inside)


def _package(purl: str) -> Package:
    from packageurl import PackageURL

    parsed = PackageURL.from_string(purl)
    if not parsed.version:
        raise ValueError(f"{purl} has no version")
    joint = ":" if parsed.type == "maven" else "/"
    name = joint.join(part for part in (parsed.namespace, parsed.name) if part)
    version = parsed.version.removeprefix("v") if parsed.type == "golang" else parsed.version
    return Package(_ECOSYSTEMS.get(parsed.type, ""), name, version, purl)


def of_receipt(receipt: Receipt, path: Path, dist: Path) -> list[Bill]:
    """The documents of the zips that `receipt`, in the file `path`, is about: beside it or in `dist`, and of exactly those bytes."""
    found = []
    for item in receipt.plan.items:
        name = item.zip.removesuffix(".zip") + ".cdx.json"
        places = [folder / name for folder in (path.parent, dist) if (folder / name).is_file()]
        bills = [bill for bill in map(load, places) if bill.sha256 == item.sha256]
        if not bills:
            why = f"{', '.join(map(str, places))}: of other bytes" if places else f"no {name} in {path.parent} or {dist}"
            remedy = f"put the release's {name} beside the receipt, or build {item.version} of {item.source_revision[:12]} again"
            raise UsageError(f"the bill of materials of {item.name} is not here", why=why, remedy=remedy)
        found.append(bills[0])
    return found
