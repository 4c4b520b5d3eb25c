"""The catalogue holds what the locked botocore's data say of Lambda's runtimes, regions and limits; `./run.sh drift` asks the newest one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from otel_layers import catalog
from otel_layers.aws import drift, offered

CATALOGUE = catalog.load(Path(__file__).parents[3] / "layers.toml")
OFFER = offered.read()
HOME = CATALOGUE.home_region


def test_the_catalogue_has_every_region_and_runtime() -> None:
    assert drift.compare(CATALOGUE, OFFER) == []


def test_what_is_read_is_all_there_is() -> None:
    assert len(OFFER["runtimes"]) > 40
    assert {name: len(OFFER["partitions"][name]["regions"]) > 0 for name in CATALOGUE.partitions} == dict.fromkeys(CATALOGUE.partitions, True)
    assert [line.split(":")[0] for line in drift.left_out(CATALOGUE, OFFER)] == [
        f"partition {name}" for name in OFFER["partitions"] if name not in CATALOGUE.partitions
    ]


def changed(where: str, name: str, value: object = None) -> dict[str, Any]:
    """The offer, with a region or a runtime that comes, goes or is deprecated."""
    offer = copy.deepcopy(OFFER)
    regions = offer["partitions"][HOME.partition]["regions"]
    if where == "regions":
        regions.pop(name) if value is None else regions.update({name: value})
    elif where == "without":
        offer["partitions"][HOME.partition]["without"].append(name)
    else:
        offer[where].remove(name) if value is None else offer[where].append(name)
    return offer


@pytest.mark.parametrize(
    ("offer", "expected"),
    [
        (changed("regions", "xx-north-1", value=False), ("region", "xx-north-1", "new")),
        (changed("regions", HOME.name), ("region", HOME.name, "gone")),
        (changed("regions", HOME.name, value=True), ("region", HOME.name, "deprecated")),
        (changed("runtimes", "python3.99", value=True), ("runtime", "python3.99", "new")),
        (changed("runtimes", next(iter(CATALOGUE.runtimes))), ("runtime", next(iter(CATALOGUE.runtimes)), "gone")),
        (changed("runtimes", CATALOGUE.retired[0]), ("runtime", CATALOGUE.retired[0], "gone")),
        (changed("architectures", "riscv64", value=True), ("architecture", "riscv64", "new")),
        ({**OFFER, "compatible_runtimes": 20}, ("limit", "CompatibleRuntimes", f"20, not {catalog.MAX_COMPATIBLE_RUNTIMES}")),
    ],
    ids=lambda v: "-".join(v) if isinstance(v, tuple) else "",
)
def test_every_kind_of_difference_is_told(offer: dict[str, Any], expected: tuple[str, str, str]) -> None:
    [found] = drift.compare(CATALOGUE, offer)
    assert (found.kind, found.name, found.what) == expected
    assert found.todo


def test_a_region_without_lambda_is_told_and_no_difference() -> None:
    offer = changed("without", "xx-north-1")
    assert drift.compare(CATALOGUE, offer) == []
    assert "region xx-north-1 has no Lambda" in drift.left_out(CATALOGUE, offer)


def test_no_layer_has_more_runtimes_than_a_version_may_name() -> None:
    assert max(len(layer.runtimes) for layer in CATALOGUE.layers.values()) <= catalog.MAX_COMPATIBLE_RUNTIMES
