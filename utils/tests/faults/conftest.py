"""A project's tree from which the real ./run.sh publishes to an embedded AWS that stays."""

import shutil

import pytest
from faults.release_tree import RELEASED, copy_tree, write_layer
from otel_layers.aws import standing
from otel_layers.aws.embedded import set_faults


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree with an embedded AWS that stays."""
    project = copy_tree(tmp_path_factory.mktemp("release") / "tree")
    standing.start(project)
    yield project
    standing.stop(project)


@pytest.fixture
def port(tree):
    running = standing.running(tree)
    assert running is not None
    yield running.port
    set_faults(running.port, {})


@pytest.fixture
def fresh(tree):
    """New bytes under development names: nothing of another test is met."""
    shutil.rmtree(tree.dist, ignore_errors=True)
    for name in RELEASED:
        write_layer(tree, name, "amd64", version="0.0.0-dev")
    return tree
