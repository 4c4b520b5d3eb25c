"""Makes what the local Lambda needs once, so that no test is the slow one."""

from __future__ import annotations

import pytest
from e2e.local_parts import PROJECT, function
from otel_layers.local import runtimes


@pytest.fixture(scope="session", autouse=True)
def _runtime(tmp_path_factory: pytest.TempPathFactory) -> None:
    runtimes.prepare(PROJECT, function(tmp_path_factory.mktemp("warm"), ""))
