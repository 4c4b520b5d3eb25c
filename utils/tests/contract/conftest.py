"""Every layer of the catalogue for every architecture, built once per session: what dist/ holds when it is fresh, else made anew."""

from __future__ import annotations

import pytest
from otel_layers import build
from otel_layers.project import Project, open_project

PROJECT = open_project()
PAIRS = [(layer, arch) for layer in PROJECT.catalogue.layers.values() for arch in PROJECT.catalogue.select_architectures("all", layer)]


@pytest.fixture(scope="session")
def project() -> Project:
    """This repository."""
    return PROJECT


@pytest.fixture(scope="session", params=PAIRS, ids=lambda pair: f"{pair[0].name}-{pair[1].name}")
def built(request: pytest.FixtureRequest) -> build.Built:
    """One built zip."""
    layer, arch = request.param
    return build.build(PROJECT, layer, arch)
