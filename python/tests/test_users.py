"""The user's own part of telemetry, without a change to the function: OTEL_LAMBDA_CONFIGURE, and what the function's packages offer by name."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import pytest
from otel_layers import toolchain
from parts import PROJECT, ROOT
from sandbox import attributes

ECHO = "def handler(event, context):\n    return [event]"
SETUP = """
    import itertools
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult

    class Ids:
        spans, traces = itertools.count(0xabc000), itertools.count(0xdef000)
        def generate_span_id(self):
            return next(self.spans)
        def generate_trace_id(self):
            return next(self.traces)

    class Quiet(Sampler):
        def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None):
            return SamplingResult(Decision.DROP if name == "noise" else Decision.RECORD_AND_SAMPLE)
        def get_description(self):
            return "Quiet"

    class Tenant(SpanProcessor):
        def on_start(self, span, parent_context=None):
            span.set_attribute("tenant", "blue")

    def configure(configuration):
        configuration.id_generator = Ids()
        configuration.sampler = Quiet()
        configuration.span_processors.append(Tenant())
        configuration.resource["team"] = "orders"
"""
NOISE = """
    from opentelemetry import trace
    def handler(event, context):
        tracer = trace.get_tracer("shop")
        tracer.start_span("noise").end()
        tracer.start_span("order").end()
        return [event]
"""


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """The function's folder, before it starts."""
    folder = tmp_path / "task"
    folder.mkdir()
    return folder


def write(folder: Path, name: str, source: str) -> None:
    """A module of the function's."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(source))


def package(folder: Path, module: str, source: str, entry_points: str) -> None:
    """A package of the function's, as pip installs it."""
    write(folder, f"{module}.py", source)
    write(folder, f"{module}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    write(folder, f"{module}-1.0.dist-info/entry_points.txt", entry_points)


def test_the_users_function_sets_ids_sampler_processors_and_resource(start, receiver, task, version):
    write(task, "tracing_setup.py", SETUP)
    function = start(version, NOISE, OTEL_LAMBDA_CONFIGURE="tracing_setup:configure")
    assert [function.invoke(n).json for n in range(2)] == [[0], [1]]
    assert sorted(s.name for s in receiver.spans()) == ["demo", "demo", "order", "order"]
    for resource, _, span in receiver.all():
        assert attributes(span)["tenant"] == "blue"
        assert attributes(resource)["team"] == "orders"
        assert span.span_id.hex().startswith("0000000000abc")
        assert span.trace_id.hex().startswith("0" * 26 + "def")
    assert function.said() == []


def test_the_example_of_the_page(start, receiver, task, python):
    section = (ROOT / "docs/python-environment.md").read_text().split("## Your own configuration")[1]
    write(task, "tracing_setup.py", section.split("```python\n")[1].split("```")[0].replace("0.5", "1.0"))
    function = start(python, ECHO, OTEL_LAMBDA_CONFIGURE="tracing_setup")
    assert function.invoke(1).json == [1]
    ((resource, _, span),) = receiver.all()
    assert (attributes(span)["tenant"], attributes(resource)["deployment.environment.name"]) == ("blue", "staging")
    assert function.said() == []


@pytest.mark.parametrize("place", ["tracing_setup", "setup/tracing:configure", "setup.tracing"])
def test_the_places_that_can_be_named(start, receiver, task, python, place):
    write(task, "setup/tracing.py" if "/" in place or "." in place else "tracing_setup.py", SETUP)
    function = start(python, ECHO, OTEL_LAMBDA_CONFIGURE=place)
    assert function.invoke(1).json == [1]
    assert [attributes(s)["tenant"] for s in receiver.spans()] == ["blue"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def configure(", "SyntaxError"),
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        ("configure = 1", "'int' object is not callable"),
        ("", "has no attribute 'configure'"),
        ("def configure(c):\n    c.span_processors.append(1)\n    raise ValueError('no luck')", "ValueError: no luck"),
        ("import sys\ndef configure(c):\n    sys.exit(3)", "SystemExit: 3"),
        ("def configure(c):\n    c.sampler = 0.5", "0.5 has no should_sample"),
        ("def configure(c):\n    c.id_generator = object()", "has no generate_trace_id"),
        ("def configure(c):\n    c.span_processors = [print]", "has no on_start"),
        ("def configure(c):\n    c.samplers = 1", "samplers"),
        ("def configure():\n    pass", "takes 0 positional arguments"),
    ],
)
def test_a_setup_that_is_no_good_is_one_line(start, receiver, task, python, source, why):
    write(task, "tracing_setup.py", source)
    function = start(python, ECHO, OTEL_LAMBDA_CONFIGURE="tracing_setup:configure")
    assert function.invoke(1).json == [1]
    assert [s.name for s in receiver.spans()] == ["demo"]
    (line,) = function.said()
    assert "OTEL_LAMBDA_CONFIGURE=tracing_setup:configure is not used" in line
    assert why in line


def test_a_processor_that_raises_is_one_line_and_never_the_functions_error(start, receiver, task, python):
    write(
        task,
        "tracing_setup.py",
        """
        class Broken:
            def _raise(self, *_, **__):
                raise RuntimeError("broken")
            on_start = on_end = force_flush = shutdown = _raise
        def configure(configuration):
            configuration.span_processors.append(Broken())
        """,
    )
    function = start(python, ECHO, OTEL_LAMBDA_CONFIGURE="tracing_setup")
    assert [function.invoke(n).json for n in range(3)] == [[0], [1], [2]]
    assert len(receiver.spans()) == 3
    assert sorted(line.split(",")[0].rsplit(".", 1)[1] for line in function.said()) == ["force_flush", "on_end", "on_start"]


def test_a_span_that_cannot_be_encoded_costs_only_itself(start, receiver, task, python):
    write(
        task,
        "tracing_setup.py",
        """
        from opentelemetry.sdk.trace import SpanProcessor
        class Odd(SpanProcessor):
            def on_end(self, span):
                if span.name == "order":
                    span._attributes = 5
        def configure(configuration):
            configuration.span_processors.append(Odd())
        """,
    )
    function = start(python, NOISE, OTEL_LAMBDA_CONFIGURE="tracing_setup")
    assert function.invoke(1).json == [1]
    assert sorted(s.name for s in receiver.spans()) == ["demo", "noise"]
    (line,) = function.said()
    assert "1 spans were not delivered" in line
    assert "it cannot be encoded" in line


FAILING = {
    "a sampler that raises": (
        """
        class Own:
            def should_sample(self, *_, **__):
                raise ValueError("no luck")
        def configure(configuration):
            configuration.sampler = Own()
        """,
        ["Own.should_sample, a sampler of the function's, failed, so parentbased_always_on decides: ValueError: no luck"],
    ),
    "a sampler that exits": (
        """
        class Own:
            def should_sample(self, *_, **__):
                raise SystemExit(3)
        def configure(configuration):
            configuration.sampler = Own()
        """,
        ["Own.should_sample, a sampler of the function's, failed, so parentbased_always_on decides: SystemExit: 3"],
    ),
    "a sampler that decides nothing": (
        """
        class Own:
            def should_sample(self, *_, **__):
                pass
        def configure(configuration):
            configuration.sampler = Own()
        """,
        ["Own.should_sample, a sampler of the function's, failed, so parentbased_always_on decides: None is no SamplingResult"],
    ),
    "ids of wrong kinds": (
        """
        class Own:
            def generate_trace_id(self):
                return "a"
            def generate_span_id(self):
                return 1 << 64
            def is_trace_id_random(self):
                raise ValueError
        def configure(configuration):
            configuration.id_generator = Own()
        """,
        [
            "Own.generate_span_id, of an id generator of the function's, failed, so the id is random: 18446744073709551616 is no id",
            "Own.generate_trace_id, of an id generator of the function's, failed, so the id is random: 'a' is no id",
        ],
    ),
    "ids that raise": (
        """
        class Own:
            def _exit(self):
                raise SystemExit(3)
            generate_trace_id = generate_span_id = _exit
        def configure(configuration):
            configuration.id_generator = Own()
        """,
        [f"Own.generate_{kind}_id, of an id generator of the function's, failed, so the id is random: SystemExit: 3" for kind in ("span", "trace")],
    ),
    "a processor that exits": (
        """
        class Own:
            def _exit(self, *_, **__):
                raise SystemExit(3)
            on_start = on_end = force_flush = shutdown = _exit
        def configure(configuration):
            configuration.span_processors.append(Own())
        """,
        [f"Own.{method}, a span processor of the function's, failed: SystemExit: 3" for method in ("force_flush", "on_end", "on_start")],
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_what_fails_later_costs_neither_the_function_nor_a_span(start, receiver, task, python, case):
    source, lines = FAILING[case]
    write(task, "tracing_setup.py", source)
    function = start(python, NOISE, OTEL_LAMBDA_CONFIGURE="tracing_setup")
    assert [function.invoke(n).json for n in range(2)] == [[0], [1]]
    assert sorted(s.name for s in receiver.spans()) == ["demo", "demo", "noise", "noise", "order", "order"]
    assert all(s.trace_id.strip(b"\0") and s.span_id.strip(b"\0") for s in receiver.spans())
    assert sorted(function.said()) == [f"otel: {line}" for line in lines]


HANGING = """
    import threading
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
    class Hangs(SpanExporter):
        def export(self, spans):
            print("exporting", flush=True)
            threading.Event().wait()
    def configure(configuration):
        configuration.span_processors.append(BatchSpanProcessor(Hangs(), schedule_delay_millis=600_000))
"""


def test_an_exporter_of_the_users_that_hangs_costs_a_part_of_one_flush(start, receiver, task, python):
    """The SDK's BatchSpanProcessor heeds no time-out; ours are sent in what is left of the flush, and nobody waits a second time."""
    write(task, "tracing_setup.py", HANGING)
    function = start(python, ECHO, OTEL_LAMBDA_CONFIGURE="tracing_setup")
    assert [function.invoke(n).json for n in range(3)] == [[0], [1], [2]]
    assert len(receiver.spans()) == 3
    assert function.log().count("exporting") == 1
    (line,) = function.said()
    assert "BatchSpanProcessor.force_flush, of a span processor of the function's, takes longer than 0." in line


BATCHED = """
    import sys
    from opentelemetry import trace
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    class Own(SpanExporter):
        def export(self, spans):
            print("exported", *sorted(s.name for s in spans), flush=True)
            return SpanExportResult.SUCCESS
    trace.get_tracer_provider().add_span_processor(BatchSpanProcessor(Own()))
    def handler(event, context):
        trace.get_tracer("shop").start_span("order").end()
        return [event]
"""


@pytest.mark.tiers
def test_a_processor_that_the_function_adds_is_flushed_before_each_freeze(start, receiver, python):
    function = start(python, BATCHED)
    for n in range(1, 3):
        assert function.invoke(n).json == [n]
        assert function.log().count("exported demo order") == n, function.log()
        assert len(receiver.spans()) == 2 * n
    assert function.said() == []


@pytest.mark.tiers
def test_a_provider_of_the_functions_own_stays_beside_ours(start, receiver, python):
    """The API takes one provider, and says so; what the function makes with its own is the function's."""
    source = """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        own = TracerProvider()
        trace.set_tracer_provider(own)
        def handler(event, context):
            trace.get_tracer("shop").start_span("order").end()
            own.get_tracer("shop").start_span("theirs").end()
            return [event]
    """
    function = start(python, source)
    assert function.invoke(1).json == [1]
    assert sorted(s.name for s in receiver.spans()) == ["demo", "order"]
    assert "Overriding of current TracerProvider is not allowed" in function.log()


OFFERS = """
    from opentelemetry import trace
    from opentelemetry.propagators.textmap import TextMapPropagator, default_getter, default_setter
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
    def sampler(argument):
        return {"on": ALWAYS_ON, "off": ALWAYS_OFF}[argument]
    class Shop(TextMapPropagator):
        fields = {"x-shop"}
        def extract(self, carrier, context=None, getter=default_getter):
            found = getter.get(carrier, "x-shop")
            if not found:
                return context
            trace_id, span_id = (int(part, 16) for part in found[0].split(":"))
            span = trace.SpanContext(trace_id, span_id, True, trace.TraceFlags(1))
            return trace.set_span_in_context(trace.NonRecordingSpan(span), context)
        def inject(self, carrier, context=None, setter=default_setter):
            now = trace.get_current_span(context).get_span_context()
            setter.set(carrier, "x-shop", f"{now.trace_id:032x}:{now.span_id:016x}")
    class Printer(SpanExporter):
        def export(self, spans):
            print("exported", *sorted(s.name for s in spans), flush=True)
            return SpanExportResult.SUCCESS
    class Broken:
        def __init__(self, *_):
            raise LookupError("broken")
"""
POINTS = """
    [opentelemetry_traces_sampler]
    shop = shop_tracing:sampler
    broken = shop_tracing:Broken
    [opentelemetry_propagator]
    shop = shop_tracing:Shop
    broken = shop_tracing:Broken
    [opentelemetry_traces_exporter]
    printer = shop_tracing:Printer
    broken = shop_tracing:Broken
    [opentelemetry_id_generator]
    broken = shop_tracing:Broken
"""
HTTP = {"headers": {"X-Shop": f"{'a' * 32}:{'b' * 16}"}, "resource": "/", "requestContext": {"resourceId": "r"}}
CARRIER = """
    from opentelemetry import propagate
    def handler(event, context):
        carrier = {}
        propagate.inject(carrier)
        return carrier
"""


def test_what_packages_offer_is_used_by_name(start, receiver, task, python):
    package(task, "shop_tracing", OFFERS, textwrap.dedent(POINTS))
    named = {"OTEL_TRACES_SAMPLER": "shop", "OTEL_TRACES_SAMPLER_ARG": "on", "OTEL_PROPAGATORS": "shop,tracecontext"}
    function = start(python, CARRIER, OTEL_TRACES_EXPORTER="otlp,printer", **named)
    assert set(function.invoke(HTTP).json) == {"x-shop", "traceparent"}
    (span,) = receiver.spans()
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == ("a" * 32, "b" * 16)
    assert f"exported {span.name}" in function.log()
    assert function.said() == []
    off = start(python, CARRIER, **{**named, "OTEL_TRACES_SAMPLER_ARG": "off"})
    off.invoke(HTTP)
    assert len(receiver.spans()) == 1


@pytest.mark.parametrize(
    ("variable", "used"),
    [("OTEL_TRACES_SAMPLER", 2), ("OTEL_PROPAGATORS", 1), ("OTEL_TRACES_EXPORTER", 1), ("OTEL_PYTHON_ID_GENERATOR", 1)],
)
def test_what_packages_offer_may_fail(start, receiver, task, python, variable, used):
    package(task, "shop_tracing", OFFERS, textwrap.dedent(POINTS))
    function = start(python, ECHO, **{variable: "broken"})
    assert function.invoke(HTTP).json == [HTTP]
    assert len(receiver.spans()) == (0 if variable == "OTEL_TRACES_EXPORTER" else 1)
    lines = function.said()
    assert len(lines) == used, lines  # the failure, and what is used instead
    assert f"{variable}=broken is not used, because shop_tracing:Broken of the function's packages failed: LookupError: broken" in lines[0]


def test_a_name_that_nobody_has_is_one_line(start, receiver, python):
    function = start(python, ECHO, OTEL_PYTHON_ID_GENERATOR="xray")
    assert function.invoke(1).json == [1]
    (line,) = function.said()
    assert "OTEL_PYTHON_ID_GENERATOR is 'xray', which neither this layer nor a package of the function has" in line


@pytest.mark.parametrize("fault", ["ValueError('no luck')", "SystemExit(3)"])
def test_a_propagator_that_fails_later_costs_only_its_own_field(start, receiver, task, python, fault):
    source = f"""
        class Own:
            fields = {{"x-own"}}
            def extract(self, *_, **__):
                raise {fault}
            inject = extract
    """
    package(task, "shop_tracing", source, "[opentelemetry_propagator]\nown = shop_tracing:Own\n")
    function = start(python, CARRIER, OTEL_PROPAGATORS="own,tracecontext")
    function.invoke(HTTP | {"headers": {"traceparent": f"00-{'e' * 32}-{'f' * 16}-01"}})
    (span,) = receiver.spans()
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == ("e" * 32, "f" * 16)
    assert set(function.invoke(HTTP).json) == {"traceparent"}
    assert len(function.said()) == 2
    for line, method in zip(sorted(function.said()), ("extract", "inject"), strict=True):
        assert f"Own.{method}, of a propagator of the function's, failed: " in line


def test_names_of_packages_in_any_case(start, receiver, task, python):
    package(task, "shop_tracing", OFFERS, "[opentelemetry_traces_exporter]\nMyPrinter = shop_tracing:Printer\n")
    function = start(python, ECHO, OTEL_TRACES_EXPORTER="otlp,MyPrinter")
    assert function.invoke(1).json == [1]
    assert "exported demo" in function.log()
    assert function.said() == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("nobody", "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS names 'nobody', which neither this layer nor a package of the function has: it is left out"),
        ("exits", "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=process,exits is not used, telemetry goes on without it: SystemExit: 3"),
    ],
)
def test_a_resource_detector_that_is_no_good_is_one_line(start, receiver, task, python, name, line):
    source = "import sys\nclass Exits:\n    def detect(self):\n        sys.exit(3)\n"
    package(task, "shop_tracing", source, "[opentelemetry_resource_detector]\nexits = shop_tracing:Exits\n")
    function = start(python, ECHO, OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=f"process,{name}")
    assert function.invoke(1).json == [1]
    ((resource, _, _),) = receiver.all()
    assert ("process.pid" in attributes(resource)) == (name == "nobody")
    assert function.said() == [f"otel: {line}"]
    assert "Traceback" not in function.log()


def test_a_resource_detector_of_another_layer(start, receiver, task, python, tmp_path):
    source = """
        from opentelemetry.sdk.resources import Resource, ResourceDetector
        class Team(ResourceDetector):
            def detect(self):
                return Resource({"team": "orders"})
    """
    package(tmp_path / "other", "shop_tracing", source, "[opentelemetry_resource_detector]\nTeam = shop_tracing:Team\n")
    function = start(python, ECHO, OTEL_EXPERIMENTAL_RESOURCE_DETECTORS="team", PYTHONPATH=str(tmp_path / "other"))
    assert function.invoke(1).json == [1]
    ((resource, _, _),) = receiver.all()
    assert attributes(resource)["team"] == "orders"
    assert function.said() == []


def test_real_packages(start, receiver, task, version):
    """X-Ray's ids begin with the time; Jaeger's header is read and written."""
    packages = toolchain.target(PROJECT, ROOT / "requirements/plugins.txt", str(toolchain.interpreters()[version]), f"plugins-python{version}")
    shutil.copytree(packages, task, dirs_exist_ok=True)
    function = start(version, CARRIER, OTEL_PYTHON_ID_GENERATOR="xray", OTEL_PROPAGATORS="jaeger")
    carrier = function.invoke({}).json
    (span,) = receiver.spans()
    assert abs(int.from_bytes(span.trace_id[:4], "big") - span.start_time_unix_nano // 10**9) < 60
    assert carrier["uber-trace-id"].startswith(f"{span.trace_id.hex()}:{span.span_id.hex()}")
    header = f"{'c' * 32}:{'d' * 16}:0:1"
    function.invoke({"headers": {"uber-trace-id": header}, "resource": "/", "requestContext": {"resourceId": "r"}})
    assert (receiver.spans()[1].trace_id.hex(), receiver.spans()[1].parent_span_id.hex()) == ("c" * 32, "d" * 16)
    assert function.said() == []
