"""What is in a layer, as a CycloneDX bill of materials."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..archive import Measure
from ..errors import BuildFailed
from ..project import Project
from .licences import SPDX
from .notices import Found
from .recipe import Order


def component(found: Found) -> dict[str, Any]:
    """A component of the document: what it is, under which licence, and which files show it."""
    one = found.component
    entry: dict[str, Any] = {"type": "library", "bom-ref": one.purl, "name": one.name, "version": one.version, "purl": one.purl}
    if one.licence:
        entry["licenses"] = [{"expression": one.licence}] if SPDX.fullmatch(one.licence) else [{"license": {"name": one.licence}}]
    return entry | {"evidence": {"occurrences": [{"location": place} for place in found.places]}}


def describe(project: Project, order: Order, components: Iterable[dict[str, Any]], zipped: Measure) -> dict[str, Any]:
    """The CycloneDX 1.5 document of a layer with the `components`; the same for the same zip. A bundle's has its parts' in it."""
    layer = order.layer
    ref = f"pkg:generic/{layer.name}@{order.version}?arch={order.arch.name}"
    bills = [load(part) for part in order.parts]
    parts = [bill["metadata"]["component"] for bill in bills]
    inside = {entry["bom-ref"]: entry for entry in components}
    own = {
        "type": "application",
        "bom-ref": ref,
        "name": layer.name,
        "version": order.version,
        "description": layer.description,
        "licenses": [{"license": {"id": project.catalogue.license}}],
        "hashes": [{"alg": "SHA-256", "content": zipped.sha256}],
        "purl": ref,
    }
    direct = {"ref": ref, "dependsOn": [part["bom-ref"] for part in parts] or sorted(inside)}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, zipped.sha256)}",
        "version": 1,
        "metadata": {"component": own},
        "components": [*parts, *(inside[key] for key in sorted(inside))],
        "dependencies": [direct, *(entry for bill in bills for entry in bill["dependencies"])],
    }


def united(order: Order) -> list[dict[str, Any]]:
    """The components of a bundle's parts, each once."""
    inside: dict[str, dict[str, Any]] = {}
    for part in order.parts:
        for entry in load(part)["components"]:
            known = inside.setdefault(entry["bom-ref"], entry)
            if known is not entry:
                known["evidence"]["occurrences"] += entry["evidence"]["occurrences"]
    return list(inside.values())


def load(place: Path) -> dict[str, Any]:
    """The document beside the zip `place`."""
    try:
        return dict(json.loads(place.with_suffix(".cdx.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as exc:
        raise BuildFailed(f"the bill of materials of {place.name} cannot be read", why=str(exc), remedy="build it again with --force") from exc
