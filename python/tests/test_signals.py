"""Metrics and logs beside traces, by every protocol, received by the local Lambda's backend, whose gRPC is the official server."""

from __future__ import annotations

import pytest
from sandbox import attributes, value

EVERYTHING = """
    import logging
    from opentelemetry import _logs, metrics, trace
    from opentelemetry.metrics import Observation
    meter = metrics.get_meter("shop", "1.2", schema_url="https://example.com/schema", attributes={"team": "a"})
    count = meter.create_counter("orders", "{order}", "Orders taken")
    depth = meter.create_up_down_counter("depth")
    took = meter.create_histogram("took", "s")
    level = meter.create_gauge("level")
    meter.create_observable_gauge("heat", [lambda _: [Observation(-3.5, {"at": "core"})]])
    meter.create_observable_counter("cpu", [lambda _: [Observation(7)]])
    log = logging.getLogger("shop.orders")

    def handler(event, context):
        count.add(2, {"kind": "book", "big": 1 << 70})
        count.add(-0 if event else 0)
        depth.add(-4)
        took.record(0.25, {"nested": [1, 2]})
        took.record(400)
        level.set(2.5)
        try:
            raise KeyError("gone")
        except KeyError:
            log.error("order %s of %s", 7, "me", exc_info=True, extra={"customer": "c-1", "parts": ["a", "b"], "odd": object, "far": float("-inf")})
        log.warning({"structured": {"deep": [1, None, b"\\xff", 2.5]}})
        log.info("below the level of the root logger")
        _logs.get_logger("api").emit(body="https://me:SECRET@host/", event_name="happened", attributes={"url.full": "http://h/?sig=SECRET"})
        span = trace.get_current_span().get_span_context()
        return [f"{span.trace_id:032x}", f"{span.span_id:016x}"]
"""
SUMS = {1: "delta", 2: "cumulative"}


def _address(backend, protocol="http/protobuf"):
    return f"http://127.0.0.1:{backend.grpc_port if protocol == 'grpc' else backend.http_port}"


def _metrics(backend):
    """Name -> what arrived of it, in order: (kind, the metric)."""
    found = {}
    for request in backend.requests():
        if request.signal == "metrics":
            for metric in (m for r in request.message.resource_metrics for s in r.scope_metrics for m in s.metrics):
                found.setdefault(metric.name, []).append((metric.WhichOneof("data"), metric))
    return found


def _records(backend):
    """Scope's name and log record of each."""
    groups = [r for request in backend.requests() if request.signal == "logs" for r in request.message.resource_logs]
    return [(s.scope.name, record) for r in groups for s in r.scope_logs for record in s.log_records]


@pytest.mark.parametrize(
    ("protocol", "compression"), [("http/protobuf", "none"), ("http/json", "gzip"), ("grpc", "none"), ("grpc", "gzip"), ("http/json", "none")]
)
def test_all_signals_by_every_protocol(start, backend, python, protocol, compression):
    environment = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_COMPRESSION": compression, "OTEL_LOGS_EXPORTER": "otlp"}
    function = start(python, EVERYTHING, OTEL_EXPORTER_OTLP_ENDPOINT=_address(backend, protocol), **environment)
    trace_id, span_id = function.invoke(0).json
    assert function.said() == []
    requests = backend.requests()
    assert [r.signal for r in requests] == ["spans", "logs", "metrics"]
    rpc = protocol == "grpc"
    shown = "" if rpc or compression == "none" else compression  # a gRPC server does not tell its application
    assert {(r.protocol, r.encoding, r.compression) for r in requests} == {
        ("grpc" if rpc else "http", "json" if protocol == "http/json" else "protobuf", shown)
    }
    assert len({r.peer_port for r in requests}) == 1  # one connection for all
    resources = [attributes(group.resource) for r in requests for group in (*getattr(r.message, next(iter(r.message.DESCRIPTOR.fields_by_name))),)]
    assert resources[0]["service.name"] == "demo"
    assert resources[0] == resources[1] == resources[2]
    _check_metrics(backend)
    _check_logs(backend, trace_id, span_id)


def test_all_signals_in_every_version(start, backend, version):
    function = start(version, EVERYTHING, OTEL_EXPORTER_OTLP_ENDPOINT=_address(backend), OTEL_LOGS_EXPORTER="otlp")
    trace_id, span_id = function.invoke(0).json
    _check_metrics(backend)
    _check_logs(backend, trace_id, span_id)
    assert function.said() == []


def _check_metrics(backend):
    metrics = _metrics(backend)
    (request,) = (r for r in backend.requests() if r.signal == "metrics")
    scope = request.message.resource_metrics[0].scope_metrics[0]
    assert (scope.scope.name, scope.scope.version, scope.schema_url, attributes(scope.scope)) == (
        "shop",
        "1.2",
        "https://example.com/schema",
        {"team": "a"},
    )
    ((kind, orders),) = metrics["orders"]
    assert (kind, orders.unit, orders.description, SUMS[orders.sum.aggregation_temporality], orders.sum.is_monotonic) == (
        "sum",
        "{order}",
        "Orders taken",
        "delta",
        True,
    )
    books = next(p for p in orders.sum.data_points if attributes(p))
    assert attributes(books) == {"kind": "book", "big": str(1 << 70)}
    assert (books.WhichOneof("value"), books.as_int, books.time_unix_nano > books.start_time_unix_nano > 0) == ("as_int", 2, True)
    span = next(r for r in backend.requests() if r.signal == "spans").message.resource_spans[0].scope_spans[0].spans[0]
    (exemplar,) = books.exemplars  # trace_based is the default, and the invocation is sampled
    assert (exemplar.trace_id, exemplar.span_id, exemplar.as_int) == (span.trace_id, span.span_id, 2)
    depth = metrics["depth"][0][1].sum
    assert (SUMS[depth.aggregation_temporality], depth.is_monotonic, depth.data_points[0].as_int) == ("cumulative", False, -4)
    took = metrics["took"][0][1].histogram
    points = {bool(attributes(p)): p for p in took.data_points}
    assert (SUMS[took.aggregation_temporality], points[True].count, points[True].sum, points[True].min, points[True].max) == (
        "delta",
        1,
        0.25,
        0.25,
        0.25,
    )
    assert attributes(points[True]) == {"nested": [1, 2]}
    assert (sum(points[False].bucket_counts), len(points[False].bucket_counts)) == (1, len(points[False].explicit_bounds) + 1)
    assert metrics["level"][0][1].gauge.data_points[0].as_double == 2.5
    heat = metrics["heat"][0][1].gauge.data_points[0]
    assert (heat.as_double, attributes(heat)) == (-3.5, {"at": "core"})
    assert metrics["cpu"][0][1].sum.data_points[0].as_int == 7


def _check_logs(backend, trace_id, span_id):
    (first_scope, first), (_, second), (third_scope, third) = _records(backend)
    assert (first_scope, third_scope) == ("shop.orders", "api")
    assert value(first.body) == "order 7 of me"
    assert (first.severity_text, first.severity_number, second.severity_text, second.severity_number) == ("ERROR", 17, "WARN", 13)
    found = attributes(first)
    assert found.pop("code.line.number") > 1
    assert found.pop("code.file.path").endswith("task/app.py")
    assert "KeyError: 'gone'" in found.pop("exception.stacktrace")
    assert found == {
        "code.function.name": "handler",
        "customer": "c-1",
        "exception.message": "'gone'",
        "exception.type": "KeyError",
        "faas.invocation_id": "request-1",
        "far": float("-inf"),
        "odd": "<class 'object'>",
        "parts": ["a", "b"],
    }
    inner = second.body.kvlist_value.values[0].value.kvlist_value.values[0].value.array_value.values
    assert [v.WhichOneof("value") for v in inner] == ["int_value", None, "bytes_value", "double_value"]
    assert (value(third.body), attributes(third), third.event_name) == (
        "https://REDACTED:REDACTED@host/",
        {"url.full": "http://h/?sig=REDACTED"},
        "happened",
    )
    for record in (first, second, third):
        assert (record.trace_id.hex(), record.span_id.hex(), record.flags) == (trace_id, span_id, 3)  # sampled, random
        assert record.observed_time_unix_nano >= record.time_unix_nano
        assert (record.time_unix_nano > 0) == (record is not third)


def test_bodies_larger_than_a_window(start, backend, python):
    source = "import logging\ndef handler(event, context):\n    for n in range(event):\n        logging.warning('x' * 300_000)\n    return event"
    function = start(
        python, source, OTEL_EXPORTER_OTLP_ENDPOINT=_address(backend, "grpc"), OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_LOGS_EXPORTER="otlp"
    )
    assert [function.invoke(n).json for n in (1, 0, 3)] == [1, 0, 3]
    assert [len(value(record.body)) for _, record in _records(backend)] == [300_000] * 4
    assert len({r.peer_port for r in backend.requests()}) == 1
    assert function.said() == []


LOADED = """
    import sys
    from opentelemetry import metrics
    def handler(event, context):
        for name in event:
            metrics.get_meter(name).create_counter("c").add(1)
        return "opentelemetry.sdk.metrics" in sys.modules
"""


@pytest.mark.parametrize(
    ("exporter", "counted", "loaded"), [(None, ["mine"], True), ("otlp", ["opentelemetry.instrumentation.x", "mine"], True), ("none", [], False)]
)
def test_metrics_cost_nothing_until_the_function_asks_for_them(start, backend, python, exporter, counted, loaded):
    function = start(python, LOADED, OTEL_EXPORTER_OTLP_ENDPOINT=_address(backend), OTEL_METRICS_EXPORTER=exporter)
    assert function.invoke([]).json is False
    assert function.invoke(["opentelemetry.instrumentation.x"]).json is (exporter == "otlp")
    assert function.invoke(["mine"]).json is loaded
    found = [s.scope.name for r in backend.requests() if r.signal == "metrics" for g in r.message.resource_metrics for s in g.scope_metrics]
    assert found == counted
    assert function.said() == []


RECORD = """
    from opentelemetry import metrics
    meter = metrics.get_meter("m")
    count, gone = meter.create_counter("count"), meter.create_up_down_counter("gone")
    took = meter.create_histogram("took")
    meter.create_observable_counter("seen", [lambda _: [metrics.Observation(5)]])
    def handler(event, context):
        count.add(1)
        gone.add(-1)
        took.record(3)
        took.record(0)
"""


@pytest.mark.parametrize(
    ("preference", "delta"),
    [(None, {"count", "took", "seen"}), ("Delta", {"count", "took", "seen"}), ("lowmemory", {"count", "took"}), ("cumulative", set())],
)
def test_the_temporality_that_was_asked_for(start, backend, python, preference, delta):
    variables = {
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference,
        "OTEL_METRICS_EXEMPLAR_FILTER": "always_off" if preference else None,
    }
    if preference == "lowmemory":
        variables["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"] = "base2_exponential_bucket_histogram"
    function = start(python, RECORD, OTEL_EXPORTER_OTLP_ENDPOINT=_address(backend), **variables)
    function.invoke(0)
    function.invoke(0)
    metrics = _metrics(backend)
    assert {name for name, found in metrics.items() if SUMS[getattr(found[0][1], found[0][0]).aggregation_temporality] == "delta"} == delta
    values = [metric.sum.data_points[0].as_int for _, metric in metrics["count"]]
    assert values == ([1, 1] if "count" in delta else [1, 2])
    assert bool(metrics["count"][0][1].sum.data_points[0].exemplars) is (preference is None)
    kind, took = metrics["took"][-1]
    point = getattr(took, kind).data_points[0]
    assert (kind, point.count) == ("exponential_histogram" if preference == "lowmemory" else "histogram", 2 if "took" in delta else 4)
    if preference == "lowmemory":
        assert (point.sum, point.zero_count, point.min, point.max) == (3, 1, 0, 3)
        assert (sum(point.positive.bucket_counts), sum(point.negative.bucket_counts)) == (1, 0)
        base = 2 ** (2**-point.scale)
        place = point.positive.offset + next(i for i, n in enumerate(point.positive.bucket_counts) if n)
        assert base**place < 3 <= base ** (place + 1)
    assert function.said() == []


def test_the_console(start, backend, python):
    variables = dict.fromkeys(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "console")
    function = start(python, EVERYTHING, OTEL_EXPORTER_OTLP_ENDPOINT=_address(backend), **variables)
    trace_id, _ = function.invoke(0).json
    printed = function.log()
    assert f'"trace_id": "0x{trace_id}"' in printed
    assert '"name": "orders"' in printed
    assert '"body": "order 7 of me"' in printed
    assert (backend.requests(), function.said()) == ((), [])


@pytest.mark.parametrize(
    "reset", ["logging.config.dictConfig({'version': 1})", "logging.basicConfig(force=True)", "logging.getLogger().handlers.clear()"]
)
def test_a_function_that_sets_logging_up_anew(start, backend, python, reset):
    source = f"import logging, logging.config\n{reset}\ndef handler(event, context):\n    logging.getLogger('quiet').error(event)"
    function = start(python, source, OTEL_EXPORTER_OTLP_ENDPOINT=_address(backend), OTEL_LOGS_EXPORTER="otlp")
    function.invoke("one")
    function.invoke("two")
    assert [value(record.body) for _, record in _records(backend)] == ["one", "two"]


def test_the_level_of_logs(start, backend, python):
    source = """
        import logging
        logging.getLogger().setLevel("DEBUG")
        def handler(event, context):
            logging.debug("d")
            logging.info("i")
            logging.log(35, "between")
            logging.log(60, "beyond")
    """
    for level, expected in (("error", [("beyond", 24)]), ("loud", None), (None, [("d", 5), ("i", 9), ("between", 16), ("beyond", 24)])):
        backend.clear()
        function = start(python, source, OTEL_EXPORTER_OTLP_ENDPOINT=_address(backend), OTEL_LOGS_EXPORTER="otlp", OTEL_PYTHON_LOG_LEVEL=level)
        function.invoke(0)
        if expected is not None:
            assert [(value(record.body), record.severity_number) for _, record in _records(backend)] == expected
        assert [line for line in function.said() if "loud" in line] == function.said()
        assert len(function.said()) == (level == "loud")
