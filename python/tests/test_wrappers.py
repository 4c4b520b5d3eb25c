"""The exec wrapper, alone and with wrappers of others before and behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

SOURCE = """
    import os
    def handler(event, context):
        return [os.environ.get("CHAINED"), os.environ["_HANDLER"]]
"""
# What another vendor's wrapper does: a handler of its own, which loads the one that it finds in ORIG_HANDLER.
OTHER = '#!/bin/sh\nexport CHAINED=yes ORIG_HANDLER="$_HANDLER" _HANDLER=other_handler.run\nexec {}"$@"\n'
OTHERS_HANDLER = """
import os
from importlib import import_module
module, _, name = os.environ["ORIG_HANDLER"].rpartition(".")
inner = getattr(import_module(module), name)
def run(event, context):
    return ["through", *inner(event, context)]
"""


@pytest.fixture
def script(tmp_path: Path):
    """Writes a wrapper script."""

    def write(text: str, mode: int = 0o755) -> str:
        path = tmp_path / "other"
        path.write_text(text)
        path.chmod(mode)
        (tmp_path / "task").mkdir(exist_ok=True)
        (tmp_path / "task/other_handler.py").write_text(OTHERS_HANDLER)
        return str(path)

    return write


def test_a_second_wrapper_runs_behind_ours(start, receiver, python, script):
    other = script('#!/bin/sh\nexport CHAINED=yes\nexec "$@"\n')
    assert start(python, SOURCE, OTEL_LAMBDA_NEXT_WRAPPER=other).invoke({}).json == ["yes", "app.handler"]
    assert start(python, SOURCE, OTEL_LAMBDA_NEXT_WRAPPER=other, OTEL_SDK_DISABLED="true").invoke({}).json == ["yes", "app.handler"]
    assert len(receiver.spans()) == 1


@pytest.mark.parametrize("name", ["otel-handler", "otel-instrument"])
def test_a_wrapper_that_leads_back_to_ours(start, receiver, python, script, layer, name):
    for chain in (str(layer / "otel-instrument"), script(f'#!/bin/sh\nexport CHAINED=yes\nexec {layer / "otel-handler"} "$@"\n')):
        function = start(python, SOURCE, OTEL_LAMBDA_NEXT_WRAPPER=chain, wrapper=name)
        assert function.invoke({}).json[1] == "app.handler"
        assert function.said() == []
    assert len(receiver.spans()) == 2


def test_a_wrapper_with_a_handler_of_its_own_behind_ours(start, receiver, python, script):
    function = start(python, SOURCE, OTEL_LAMBDA_NEXT_WRAPPER=script(OTHER.format("")))
    assert function.invoke({}).json == ["through", "yes", "app.handler"]
    assert len(receiver.spans()) == 1


def test_a_wrapper_with_a_handler_of_its_own_before_ours(start, receiver, python, script, layer, tmp_path):
    both = layer.parent / "before"
    script(OTHER.format(f"{layer}/otel-handler "))
    (tmp_path / "other").rename(both)
    try:
        assert start(python, SOURCE, wrapper="../before").invoke({}).json == ["through", "yes", "other_handler.run"]
    finally:
        both.unlink()
    assert len(receiver.spans()) == 1


@pytest.mark.parametrize(
    ("make", "word"), [(lambda _: "/no/such/file", "does not exist"), (lambda s: s("x", 0o644), "chmod +x"), (lambda _: "/tmp", "chmod +x")]
)
def test_a_next_wrapper_that_cannot_run_is_one_line(start, receiver, python, script, make, word):
    function = start(python, SOURCE, OTEL_LAMBDA_NEXT_WRAPPER=make(script))
    assert function.invoke({}).json == [None, "app.handler"]
    (line,) = function.said()
    assert word in line
    assert len(receiver.spans()) == 1
