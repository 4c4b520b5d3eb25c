"""What is wrong with a bill of materials: by CycloneDX's own strict schema, by the rules of package URLs and SPDX, and in itself."""

from __future__ import annotations

import json
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import get_spdx_licensing
from packageurl import PackageURL

SPDX = get_spdx_licensing()


def faults(text: str) -> list[str]:
    """Everything that is wrong with the document `text`."""
    bill = json.loads(text)
    found = JsonStrictValidator(SchemaVersion.from_version(bill["specVersion"])).validate_str(text, all_errors=True) or ()
    everything = [bill["metadata"]["component"], *bill["components"]]
    return [*(str(error.data) for error in found), *_references(bill, everything), *(fault for one in everything for fault in _component(one))]


def _references(bill: dict[str, Any], everything: list[dict[str, Any]]) -> list[str]:
    known = [one["bom-ref"] for one in everything]
    told = {ref for entry in bill["dependencies"] for ref in (entry["ref"], *entry.get("dependsOn", ()))}
    out = [f"{ref} is there twice" for ref in sorted({ref for ref in known if known.count(ref) > 1})]
    out += [f"nothing is {ref}" for ref in sorted(told - set(known))]
    return out + [f"nothing depends on {ref}" for ref in sorted(set(known) - told)]


def _component(one: dict[str, Any]) -> list[str]:
    canonical = PackageURL.from_string(one["purl"])
    out = [] if canonical.to_string() == one["purl"] else [f"{one['purl']} should be {canonical}"]
    if canonical.version != one["version"]:
        out.append(f"{one['purl']} is not of {one['version']}")
    for licence in one.get("licenses", ()):
        out += SPDX.validate(licence["expression"]).errors if "expression" in licence else []
    return out
