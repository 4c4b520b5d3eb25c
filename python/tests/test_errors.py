"""What a span says of a function that fails, and events that no trigger sends."""

from __future__ import annotations

import pytest
from sandbox import attributes

RAISES = """
    class Broken(Exception):
        pass

    def deep():
        try:
            {}["x"]
        except KeyError as exc:
            raise Broken("no x") from exc

    def handler(event, context):
        deep()
"""


def _clean(error: dict) -> dict:
    return {k: v for k, v in error.items() if k != "requestId"}


@pytest.mark.tiers
def test_an_exception_with_its_traceback(start, receiver, version):
    bare = start(version, RAISES, layer=None).invoke({}).error
    function = start(version, RAISES)
    ours = function.invoke({}).error
    assert ours is not None
    assert ours["errorType"] == "Broken"
    assert _clean(ours) == _clean(bare)
    (span,) = receiver.spans()
    assert span.status.code == 2
    assert span.status.message == "no x"
    assert attributes(span)["error.type"] == "app.Broken"
    (event,) = span.events
    assert event.name == "exception"
    found = attributes(event)
    assert found["exception.type"] == "app.Broken"
    assert found["exception.message"] == "no x"
    assert 'raise Broken("no x") from exc' in found["exception.stacktrace"]
    assert "KeyError: 'x'" in found["exception.stacktrace"]
    assert "otel_lambda" not in found["exception.stacktrace"]
    assert function.said() == []


@pytest.mark.parametrize(
    "event", [None, "text", 5, 2.5, True, [], [None], {}, {"Records": None}, {"Records": [None]}, {"Records": [{"eventSource": "aws:sqs"}]}]
)
def test_events_of_any_type(start, receiver, python, event):
    function = start(python, "def handler(event, context):\n    return [event]")
    assert function.invoke(event).json == [event]
    assert function.said() == []
    assert len(receiver.spans()) >= 1
