"""What the layer tells the Collector beside it, and export over https."""

from __future__ import annotations

import pytest
from sandbox import attributes, receiving

ECHO = "def handler(event, context):\n    return [event]"
MARK = "x-otel-lambda-invocation-end"
MANY = """
    from opentelemetry import trace
    tracer = trace.get_tracer("t")
    def handler(event, context):
        for n in range(event):
            tracer.start_span(str(n)).end()
        if event == 3:
            trace.get_tracer_provider().force_flush()
"""


def _marks(receiver):
    return [{k.lower(): v for k, v in headers.items()}.get(MARK) for headers, _ in receiver.requests]


def test_the_last_export_of_an_invocation_says_so(start, attached, collector, python):
    function = start(python, MANY, layer=attached, OTEL_BSP_MAX_QUEUE_SIZE="100", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10")
    marks = []
    for event, headers in ((0, {}), (3, {}), (25, {}), (250, {}), (0, {"Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd"})):
        function.invoke(event, headers=headers)
        marks.append(_marks(collector))
        collector.requests.clear()
    assert marks == [
        ["request-1"],
        [None, "request-2"],  # the user's own flush, and ours
        [None, None, "request-3"],
        [*[None] * 25, "request-4"],  # the queue was full meanwhile
        ["8476a536-e9f4-11e8-9739-2dfe598c3fcd"],
    ]
    assert function.said() == []


def test_the_last_export_of_all_signals_says_so(start, attached, collector, python):
    source = """
        import logging
        from opentelemetry import metrics
        count = metrics.get_meter("t").create_counter("c")
        def handler(event, context):
            for what in event:
                count.add(1) if what == "metric" else logging.warning(what)
    """
    function = start(python, source, layer=attached, OTEL_LOGS_EXPORTER="otlp", OTEL_TRACES_SAMPLER="parentbased_always_on")
    seen = []
    for event in ([], ["metric"], ["log"], ["log", "metric"]):
        function.invoke(event)
        seen.append([headers.get("X-Otel-Lambda-Invocation-End", "") for headers, _ in collector.requests])
        collector.requests.clear()
    assert seen == [["request-1"], ["", "request-2"], ["", "request-3"], ["", "", "request-4"]]
    unsampled = start(python, source, layer=attached, OTEL_LOGS_EXPORTER="otlp", OTEL_TRACES_SAMPLER="always_off")
    unsampled.invoke(["log"])
    assert _marks(collector) == ["request-1"]


def test_an_unsampled_invocation_sends_nothing(start, attached, collector, python):
    function = start(python, ECHO, layer=attached, OTEL_TRACES_SAMPLER="always_off")
    assert function.invoke(1).json == [1]
    assert collector.requests == []


def test_the_mark_is_for_the_attached_collector_only(start, receiver, attached, collector, layer, python):
    backend = f"http://127.0.0.1:{receiver.port}"
    for beside, environment in (
        (layer, {}),  # a backend, and no Collector
        (attached, {"OPENTELEMETRY_COLLECTOR_CONFIG_FILE": "/var/task/c.yaml"}),  # a Collector, and a backend nevertheless
        (layer, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}),  # somebody else's at that port
    ):
        start(python, ECHO, layer=beside, **{"OTEL_EXPORTER_OTLP_ENDPOINT": backend, **environment}).invoke(1)
    assert (_marks(receiver), _marks(collector)) == ([None, None], [None])
    collector.requests.clear()
    file = {"OPENTELEMETRY_COLLECTOR_CONFIG_FILE": "/var/task/c.yaml"}
    start(python, ECHO, layer=attached, OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:4318", **file).invoke(1)
    assert _marks(collector) == ["request-1"]


def test_a_request_id_cannot_add_headers(start, attached, collector, python):
    source = "def handler(event, context):\n    context.aws_request_id = 'a'"
    source += "\nimport awslambdaric.lambda_context as c\nc.LambdaContext.aws_request_id = property(lambda s: 'a\\r\\nX-Other: b', lambda s, v: None)"
    function = start(python, source, layer=attached)
    assert function.invoke(1).error is None
    assert _marks(collector) == [None]
    assert all("X-Other" not in headers for headers, _ in collector.requests)


def test_https_with_a_certificate_of_ones_own(start, certificate, version):
    path, context = certificate
    with receiving(tls=context) as backend:
        endpoint = f"https://127.0.0.1:{backend.port}"
        function = start(
            version, ECHO, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE=str(path), OTEL_EXPORTER_OTLP_HEADERS="api-key=k"
        )
        assert [function.invoke(n).json for n in range(3)] == [[0], [1], [2]]
        assert backend.connections == 1
        backend.hang_up()  # frozen for long
        assert function.invoke(3).json == [3]
    assert [attributes(s)["faas.invocation_id"] for s in backend.spans()] == [f"request-{n}" for n in range(1, 5)]
    assert {headers["api-key"] for headers, _ in backend.requests} == {"k"}
    assert backend.connections == 2
    assert function.said() == []


@pytest.mark.parametrize(("trust", "why"), [(None, "certificate verify failed"), ("/no/such.pem", "/no/such.pem")])
def test_https_that_is_not_trusted(start, certificate, python, trust, why):
    environment = {"OTEL_EXPORTER_OTLP_CERTIFICATE": trust} if trust else {}
    with receiving(tls=certificate[1]) as backend:
        function = start(python, ECHO, OTEL_EXPORTER_OTLP_ENDPOINT=f"https://127.0.0.1:{backend.port}", **environment)
        assert [function.invoke(n).json for n in range(3)] == [[0], [1], [2]]
    (line,) = function.said()
    assert "1 spans were not delivered" in line
    assert why in line
    assert backend.requests == []
