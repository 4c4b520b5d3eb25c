"""The catalogue holds what botocore's newest data say of Lambda's runtimes, regions and limits."""

from pathlib import Path

import botocore.session
import pytest
from otel_layers import catalog

CATALOGUE = catalog.load(Path(__file__).parents[3] / "layers.toml")
SESSION = botocore.session.get_session()
MODEL = SESSION.get_service_model("lambda")


def test_every_runtime_is_known_or_retired() -> None:
    offered = set(MODEL.shape_for("Runtime").enum)
    assert offered == set(CATALOGUE.runtimes) | set(CATALOGUE.retired)


@pytest.mark.parametrize("partition", CATALOGUE.partitions)
def test_every_region_of_the_partition_is_there(partition: str) -> None:
    offered = set(SESSION.get_available_regions("lambda", partition_name=partition))
    assert {r.name for r in CATALOGUE.regions.values() if r.partition == partition} == offered


def test_limits() -> None:
    assert MODEL.shape_for("CompatibleRuntimes").metadata["max"] == catalog.MAX_COMPATIBLE_RUNTIMES
    assert max(len(layer.runtimes) for layer in CATALOGUE.layers.values()) <= catalog.MAX_COMPATIBLE_RUNTIMES


def test_architectures_are_lambdas() -> None:
    assert {a.aws for a in catalog.ARCHITECTURES.values()} == set(MODEL.shape_for("Architecture").enum)
