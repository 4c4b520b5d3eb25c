"""Whatever goes wrong in the function is reported as it is without the layer."""

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

AT_IMPORT = {
    "missing module": ("import nothing_like_this\ndef handler(e, c): pass", "app.handler", "Runtime.ImportModuleError"),
    "missing file": ("", "nofile.handler", "Runtime.ImportModuleError"),
    "missing handler": ("x = 1", "app.handler", "Runtime.HandlerNotFound"),
    "syntax": ("def handler(:", "app.handler", "Runtime.UserCodeSyntaxError"),
    "no dot": ("x = 1", "app", "Runtime.MalformedHandlerName"),
    "built-in": ("x = 1", "sys.handler", "Runtime.BuiltInModuleConflict"),
    "raises": ("def load():\n    raise ValueError('bad')\nload()", "app.handler", "ValueError"),
    "attribute": ("import os\nos.nothing", "app.handler", "AttributeError"),
    "key": ("{}['k']", "app.handler", "KeyError"),
}


def _clean(error: dict) -> dict:
    return {k: v for k, v in error.items() if k != "requestId"}


@pytest.mark.parametrize("case", AT_IMPORT)
def test_errors_at_import_are_the_runtimes_own(start, receiver, python, case):
    source, handler, kind = AT_IMPORT[case]
    bare = start(python, source, handler=handler, layer=None).init_error()
    ours = start(python, source, handler=handler).init_error()
    assert ours["errorType"] == kind
    assert ours == bare


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
    ("handler", "source"),
    [
        ("dir/app.handler", None),
        ("dir.app.handler", None),
        ("app.handler", "class C:\n    def __call__(self, e, c):\n        return [e]\nhandler = C()"),
        ("app.handler", "import functools\ndef f(x, e, c):\n    return [e]\nhandler = functools.partial(f, 1)"),
        ("app.handler", "import os\ndef handler(e, c):\n    return [e] if os.environ['_HANDLER'] == 'app.handler' else os.environ['_HANDLER']"),
    ],
)
def test_handlers_of_every_shape(start, receiver, python, tmp_path, handler, source):
    if source is None:
        folder = tmp_path / "task/dir"
        folder.mkdir(parents=True)
        (folder / "app.py").write_text("def handler(e, c):\n    return [e]")
    assert start(python, source or "", handler=handler).invoke(5).json == [5]
    assert len(receiver.spans()) == 1


@pytest.mark.parametrize("source", ["handler = 'text'", "async def handler(e, c):\n    return 1", "def handler(e, c):\n    return object()"])
def test_handlers_that_cannot_work_fail_as_without_the_layer(start, receiver, python, source):
    bare = start(python, source, layer=None).invoke({}).error
    ours = start(python, source).invoke({}).error
    assert ours is not None
    assert bare is not None
    for error in (ours, bare):
        error.pop("requestId")
        error["errorMessage"] = error["errorMessage"].partition(" at 0x")[0]
    assert ours == bare


@pytest.mark.parametrize("signature", ["event", "", "a, b, c", "a, b, *, c"])
def test_a_handler_that_does_not_take_two_arguments(start, receiver, python, signature):
    source = f"def handler({signature}): pass"
    bare = start(python, source, layer=None).invoke({}).error
    function = start(python, source)
    ours = function.invoke({}).error
    assert ours is not None
    assert ours["errorType"] == "TypeError"
    assert _clean(ours) == _clean(bare)  # also the stack trace, to the line
    (line,) = function.said()
    assert "(event, context)" in line


@pytest.mark.parametrize("signature", ["a, b, c=1", "*a", "a, b, *, c=1", "a, b=1, /", "a, *b, **c"])
def test_signatures_that_take_two_arguments(start, receiver, python, signature):
    assert start(python, f"def handler({signature}):\n    return 1").invoke({}).json == 1
    assert len(receiver.spans()) == 1


@pytest.mark.parametrize(
    "event", [None, "text", 5, 2.5, True, [], [None], {}, {"Records": None}, {"Records": [None]}, {"Records": [{"eventSource": "aws:sqs"}]}]
)
def test_events_of_any_type(start, receiver, python, event):
    function = start(python, "def handler(event, context):\n    return [event]")
    assert function.invoke(event).json == [event]
    assert function.said() == []
    assert len(receiver.spans()) >= 1


def test_exit_ends_the_process_as_without_the_layer(start, receiver, python):
    source = "import sys\ndef handler(e, c):\n    sys.exit(3)"
    for layer in ({}, {"layer": None}):
        function = start(python, source, **layer)
        with pytest.raises(AssertionError, match="ended with 3"):
            function.invoke({})
    (span,) = receiver.spans()
    assert attributes(span)["error.type"] == "SystemExit"
