"""From the recorder to the SDK while the function runs: what is open, current and waiting stays so, and nothing is lost."""

from __future__ import annotations

import pytest
from sandbox import attributes

LATE = """
    import sys
    AT_INIT = [m for m in sys.modules if m.startswith("opentelemetry")]
    ended = []

    def handler(event, context):
        from opentelemetry import trace
        from opentelemetry.sdk.trace import SpanProcessor

        class Mine(SpanProcessor):
            def on_end(self, span):
                ended.append(span.name)

        here = trace.get_current_span()
        if not ended:
            trace.get_tracer_provider().add_span_processor(Mine())
        here.set_attribute("mine", 5)
        here.add_event("seen")
        with trace.get_tracer("mine").start_as_current_span("work") as span:
            assert span.parent.span_id == here.get_span_context().span_id
        return [AT_INIT, list(ended), here.is_recording()]
"""


def test_an_import_in_the_handler(start, receiver, version):
    function = start(version, LATE)
    assert function.invoke({"Records": [{"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:r:1:jobs"}]}).json == [[], ["work"], True]
    assert function.invoke({"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}).json == [[], ["work", "process jobs", "demo", "work"], True]
    assert function.said() == []
    one, two = receiver.spans()[:3], receiver.spans()[3:]
    consumer, server, work = (next(s for s in one if s.name == name) for name in ("process jobs", "demo", "work"))
    assert (work.parent_span_id, consumer.parent_span_id, server.parent_span_id) == (consumer.span_id, server.span_id, b"")
    assert {s.trace_id for s in one} == {server.trace_id}
    assert (attributes(consumer)["mine"], [e.name for e in consumer.events]) == (5, ["seen"])
    assert attributes(consumer)["messaging.destination.name"] == "jobs"
    assert 0 < server.start_time_unix_nano <= work.start_time_unix_nano <= consumer.end_time_unix_nano
    server = next(s for s in two if s.name == "demo")
    assert (server.trace_id, server.parent_span_id, server.kind) == (b"\x11" * 16, b"\x22" * 8, 2)


THREADED = """
    import asyncio, threading

    def imports(out):
        from opentelemetry import trace
        out.append(trace.get_current_span().get_span_context().span_id)

    async def task(out):
        imports(out)

    def handler(event, context):
        out = []
        if event == "thread":
            thread = threading.Thread(target=imports, args=(out,))
            thread.start()
            thread.join()
            assert out.pop() != 0
        elif event == "task":
            asyncio.run(task(out))
            assert out.pop() != 0
        elif event == "many":
            threads = [threading.Thread(target=imports, args=([],)) for _ in range(8)]
            [t.start() for t in threads]
            [t.join() for t in threads]
        from opentelemetry import trace
        trace.get_tracer("mine").start_span("work").end()
        return trace.get_current_span().is_recording()
"""


@pytest.mark.parametrize("event", ["thread", "task", "many"])
def test_an_import_on_another_thread_or_task(start, receiver, python, event):
    function = start(python, THREADED)
    assert function.invoke(event).json is True
    assert function.said() == []
    spans = {s.name: s for s in receiver.spans()}
    assert spans["work"].parent_span_id == spans["demo"].span_id


PARTS = {
    "context": ("from opentelemetry import context", "context.get_value('k', context.set_value('k', 1)) == 1"),
    "baggage": ("from opentelemetry import baggage", "baggage.get_baggage('user') == 'x y'"),
    "propagate": (
        "from opentelemetry import propagate",
        "propagate.inject(out) or sorted(out) == ['X-Amzn-Trace-Id', 'baggage', 'traceparent', 'tracestate']",
    ),
    "sdk": ("from opentelemetry.sdk.trace import TracerProvider", "issubclass(TracerProvider, object)"),
    "instrumentation": ("from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled", "is_http_instrumentation_enabled()"),
    "metrics": ("from opentelemetry import metrics", "metrics.get_meter('m') is not None"),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("place", ["import", "handler"])
def test_a_part_of_the_api_only(start, receiver, python, part, place):
    statement, expression = PARTS[part]
    early, late = (statement, "pass") if place == "import" else ("", statement)
    source = f"{early}\ndef handler(e, c):\n    out = {{}}\n    {late}\n    return {expression}"
    function = start(python, source, OTEL_PROPAGATORS="tracecontext,baggage,xray")
    event = {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01", "tracestate": "v=1", "baggage": "user=x%20y"}
    assert [function.invoke(event).json for _ in range(2)] == [True, True], function.log()
    assert function.said() == []
    assert {(s.name, s.trace_id, s.trace_state) for s in receiver.spans()} == {("demo", b"\x11" * 16, "v=1")}


def test_a_span_that_an_older_invocation_left_open(start, receiver, python):
    source = """
        from otel_lambda import tracing
        left = []
        def handler(event, context):
            if event == 1:
                left.append(tracing.start("left", attributes={"a": 1}))
                tracing.start("ended").end()
            elif event == 2:
                from opentelemetry import trace
            else:
                left[0].set_attribute("b", 2)
                left[0].fail("T", "why", ValueError("v"))
                left[0].end()
    """
    function = start(python, source)
    for n in (1, 2, 3):
        function.invoke(n)
    assert function.said() == []
    (left,) = (s for s in receiver.spans() if s.name == "left")
    first = next(s for s in receiver.spans() if attributes(s).get("faas.invocation_id") == "request-1")
    assert (left.trace_id, left.parent_span_id) == (first.trace_id, first.span_id)
    assert attributes(left) == {"a": 1, "b": 2, "error.type": "T"}
    assert (left.status.code, left.status.message, attributes(left.events[0])["exception.message"]) == (2, "why", "v")
    assert [s.name for s in receiver.spans()].count("ended") == 1


FAULTS = ("raise ValueError('bad')", "import nothing_like_this", "1 +", "raise SystemExit(3)")
WAITED = ("requests", "redis", "httpx", "pymysql")  # modules that an instrumentation waits for
IMPORTS = """
    import traceback

    def handler(names, context):
        out = []
        for name in names:
            try:
                exec("import " + name)
            except BaseException:
                out.append(traceback.format_exc())
        return out
"""


def test_an_import_that_fails_does_so_as_without_the_layer(start, receiver, version, tmp_path):
    names = []
    for number, fault in enumerate(FAULTS):
        for name in (WAITED[number], f"opentelemetry.mine{number}", f"opentelemetry.inner{number}.most", f"opentelemetry.mine{number}"):
            path = tmp_path / "task" / (name.replace(".", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"def load():\n    {fault}\nload()\n" if fault != "1 +" else fault)
            names.append(name)
    bare = start(version, IMPORTS, layer=None).invoke(names).json
    function = start(version, IMPORTS)
    ours = function.invoke(names).json
    assert len(ours) == len(names)
    for name, one, other in zip(names, ours, bare, strict=True):
        assert one == other, name
    assert function.said() == []
    assert len(receiver.spans()) == 1


OLD = {
    "no names": {"trace/__init__.py": "MINE = 1"},
    "raises": {"context/__init__.py": "raise RuntimeError('too old')"},
    "a package": {"__init__.py": "", "trace.py": "MINE = 1"},
}


@pytest.mark.parametrize("place", ["import", "handler"])
@pytest.mark.parametrize("case", OLD)
def test_an_opentelemetry_that_our_sdk_cannot_work_with(start, receiver, python, tmp_path, case, place):
    for name, text in OLD[case].items():
        path = tmp_path / "task/opentelemetry" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    attempt = "try:\n        from opentelemetry import trace, context\n    except Exception as exc:\n        pass\n    "
    early = "def load():\n    " + attempt + "return 0\nload()\n" if place == "import" else ""
    function = start(python, early + "def handler(e, c):\n    " + (attempt if place == "handler" else "") + "return e")
    assert [function.invoke(n).json for n in range(3)] == [0, 1, 2]
    assert len(receiver.spans()) == 3
    said = function.said()
    assert len(said) == (case != "raises")  # that one the function sees for itself
    assert all("the function's own OpenTelemetry spans are missing" in line for line in said)


SETTINGS = {
    "OTEL_TRACES_SAMPLER": ("parentbased_always_off", True),
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": ("5", True),
    "OTEL_METRICS_EXPORTER": ("otlp", True),
    "OTEL_LOGS_EXPORTER": ("none", False),
    "OTEL_LAMBDA_TIER": ("SDK", True),
}


@pytest.mark.parametrize("variable", SETTINGS)
def test_settings_that_need_the_sdk(start, receiver, python, variable):
    text, needed = SETTINGS[variable]
    source = "import sys\nAT_INIT = 'opentelemetry.sdk.trace' in sys.modules\ndef handler(e, c):\n    return AT_INIT"
    assert start(python, source, **{variable: text}).invoke({}).json is needed


def test_a_parent_that_is_not_sampled_with_always_on(start, receiver, python):
    function = start(python, "def handler(e, c):\n    return 1", OTEL_TRACES_SAMPLER="always_on")
    function.invoke({"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-00"})
    (span,) = receiver.spans()
    assert (span.trace_id, span.parent_span_id, span.flags & 1) == (b"\x11" * 16, b"\x22" * 8, 1)
