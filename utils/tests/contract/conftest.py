"""Every layer of the catalogue for every architecture, built once per session: what dist/ holds when it is fresh, else made anew."""

from __future__ import annotations

import pytest
from contract.pairs import PAIRS, PROJECT, identify
from otel_layers import build
from otel_layers.project import Project


@pytest.fixture(scope="session")
def project() -> Project:
    """This repository."""
    return PROJECT


MINUTES = [pytest.mark.slow, pytest.mark.timeout(1800)]
FLAVOURED = [pytest.param(pair, marks=MINUTES if pair[0].flavour else [], id=identify(pair)) for pair in PAIRS]


@pytest.fixture(scope="session", params=FLAVOURED)
def built(request: pytest.FixtureRequest) -> build.Built:
    """One built zip."""
    layer, arch = request.param
    return build.build(PROJECT, layer, arch)
