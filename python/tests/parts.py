"""The layer that is tested, and the versions that it is for."""

from __future__ import annotations

from otel_layers import catalog
from otel_layers.project import Project, find_root

ROOT = find_root()
PROJECT = Project(ROOT, catalog.load(ROOT / "layers.toml"), "python")
LAYER = PROJECT.catalogue.layer("opentelemetry-python")
VERSIONS = [PROJECT.catalogue.runtimes[name].version for name in LAYER.runtimes]
