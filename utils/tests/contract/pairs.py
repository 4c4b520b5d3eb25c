"""Every layer of the catalogue with every architecture that it is offered for."""

from otel_layers import catalog
from otel_layers.project import open_project

PROJECT = open_project()
PAIRS = [(layer, arch) for layer in PROJECT.catalogue.layers.values() for arch in PROJECT.catalogue.select_architectures("all", layer)]


def identify(pair: tuple[catalog.Layer, catalog.Architecture]) -> str:
    """A pair's name in test ids."""
    return f"{pair[0].name}-{pair[1].name}"
