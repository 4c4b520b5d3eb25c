"""Libraries are traced when the function imports them, and context leaves with what they send."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sandbox import attributes, receiving

SQS = """
    import boto3
    client = boto3.client("sqs", endpoint_url="http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")

    def handler(event, context):
        own = {{"mine": {{"DataType": "String", "StringValue": "1"}}}}
        try:
            client.send_message(QueueUrl="http://127.0.0.1:{port}/1/jobs", MessageBody="b", MessageAttributes=own)
            client.send_message_batch(QueueUrl="http://127.0.0.1:{port}/1/jobs", Entries=[{{"Id": "a", "MessageBody": "b"}}])
        except Exception as exc:
            return repr(exc)
        return own
"""


def test_sqs_messages_carry_context(start, receiver, version):
    with receiving() as aws:
        function = start(version, SQS.format(port=aws.port))
        assert function.invoke({}).json == {"mine": {"DataType": "String", "StringValue": "1"}}  # the user's dict is as it was
    assert function.said() == []
    one, batch = (json.loads(body) for _, body in aws.requests)
    spans = receiver.spans()
    invocation = next(s for s in spans if s.name == "demo")
    sends = [s for s in spans if s.name.startswith("SQS")]
    assert [s.parent_span_id for s in sends] == [invocation.span_id] * 2
    assert {s.kind for s in sends} == {4}
    for span in sends:
        found = attributes(span)
        assert found["messaging.system"] == "aws_sqs"  # as the consumer says
        assert (found["messaging.operation.type"], found["messaging.operation.name"]) == ("send", "send")
        assert found["messaging.destination.name"] == "jobs"
        assert found["aws.sqs.queue.url"].endswith("/1/jobs")
    for message, span in zip((one, *batch["Entries"]), sends, strict=True):
        text = message["MessageAttributes"]["traceparent"]["StringValue"]
        assert text == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-03"  # sampled, and a random id
    assert one["MessageAttributes"]["mine"]["StringValue"] == "1"
    headers = aws.requests[0][0]
    assert sends[0].span_id.hex() in headers["X-Amzn-Trace-Id"]  # becomes AWSTraceHeader
    assert len(spans) == 3  # nothing of urllib3 beneath


def test_other_sqs_calls_are_clients(start, receiver, python):
    source = SQS.replace("client.send_message(", "client.receive_message(").replace(', MessageBody="b", MessageAttributes=own', "")
    with receiving() as aws:
        start(python, source.format(port=aws.port)).invoke({})
    found = {s.name: (s.kind, attributes(s)) for s in receiver.spans()}
    kind, received = found["SQS.ReceiveMessage"]
    assert (kind, received["messaging.system"], received["messaging.operation.type"]) == (3, "aws_sqs", "receive")


def test_ten_attributes_are_left_alone(start, receiver, python):
    source = SQS.replace(
        '{{"mine": {{"DataType": "String", "StringValue": "1"}}}}', '{{str(n): {{"DataType": "String", "StringValue": "1"}} for n in range(10)}}'
    )
    with receiving() as aws:
        function = start(python, source.format(port=aws.port))
        assert len(function.invoke({}).json) == 10
    assert len(json.loads(aws.requests[0][1])["MessageAttributes"]) == 10


URLLIB = """
    import urllib.request

    def handler(event, context):
        return urllib.request.urlopen("http://127.0.0.1:{port}/there", data=b"x").status
"""


@pytest.mark.parametrize("disabled", ["", "urllib", "*"])
def test_http_calls_carry_context(start, receiver, python, disabled):
    with receiving() as there:
        function = start(python, URLLIB.format(port=there.port), OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled)
        assert function.invoke({}).json == 200
    headers = {k.lower(): v for k, v in there.requests[0][0].items()}
    spans = {s.kind: s for s in receiver.spans()}
    if disabled:
        assert set(spans) == {2}
        assert "traceparent" not in headers
        return
    client = spans[3]
    assert client.parent_span_id == spans[2].span_id
    assert headers["traceparent"] == f"00-{client.trace_id.hex()}-{client.span_id.hex()}-03"  # sampled, and a random id
    found = attributes(client)
    assert found["http.request.method"] == "POST"
    assert found["http.response.status_code"] == 200
    assert found["url.full"].endswith("/there")
    assert "http.url" not in found


def test_a_library_that_was_imported_before_us(start, receiver, python):
    source = "import sqlite3\ndef handler(e, c):\n    return sqlite3.connect(':memory:').cursor().execute('select 1').fetchone()[0]"
    function = start(python, source)
    assert function.invoke({}).json == 1
    spans = {s.kind: s for s in receiver.spans()}
    assert sorted(spans) == [2, 3]
    found = attributes(spans[3])
    assert (found["db.system.name"], found["db.query.text"]) == ("sqlite", "select 1")
    assert "db.system" not in found


def test_the_functions_own_spans_join(start, receiver, version):
    source = """
        from opentelemetry import trace
        tracer = trace.get_tracer("mine", "1.0")
        with tracer.start_as_current_span("at import"):
            pass

        def handler(event, context):
            with tracer.start_as_current_span("work") as span:
                span.set_attributes({"i": -5, "f": 1.5, "b": False, "s": "ü", "l": [1, 2], "e": ""})
                span.add_event("seen", {"n": 1})
                return 1
    """
    function = start(version, source)
    assert function.invoke({}).json == 1
    found = {span.name: (scope, span) for _, scope, span in receiver.all()}
    assert set(found) == {"at import", "work", "demo"}
    scope, work = found["work"]
    assert (scope.name, scope.version) == ("mine", "1.0")
    assert work.parent_span_id == found["demo"][1].span_id
    assert attributes(work) == {"i": -5, "f": 1.5, "b": False, "s": "ü", "l": [1, 2], "e": ""}
    assert [(e.name, attributes(e)) for e in work.events] == [("seen", {"n": 1})]


def test_more_spans_than_the_queue_holds(start, receiver, python):
    source = """
        from opentelemetry import trace
        def handler(event, context):
            for n in range(5000):
                trace.get_tracer("t").start_span(str(n)).end()
    """
    function = start(python, source)
    function.invoke({})
    names = [s.name for s in receiver.spans()]
    assert sorted(names) == sorted([*map(str, range(5000)), "demo"])
    assert function.said() == []


def test_nothing_is_imported_for_libraries_that_are_not(start, receiver, python):
    source = "import sys\nAT_INIT = sorted(sys.modules)\ndef handler(e, c):\n    return AT_INIT"
    loaded = start(python, source, OTEL_LAMBDA_TIER="sdk").invoke({}).json
    assert "opentelemetry.sdk.trace" in loaded
    for module in ("opentelemetry.instrumentation", "wrapt", "packaging", "importlib.metadata", "http.client", "ssl", "botocore", "google.protobuf"):
        assert module not in loaded, module


def test_the_table_names_what_is_shipped(layer):
    """Every row's instrumentor is an entry point of a shipped package, under the name by which users know how to switch it off."""
    import configparser
    import re

    known = set()
    for path in layer.glob("otel-python/*.dist-info/entry_points.txt"):
        parser = configparser.ConfigParser(delimiters=("=",))
        parser.optionxform = str
        parser.read(path)
        if parser.has_section("opentelemetry_instrumentor"):
            known |= {(name, value.removeprefix("opentelemetry.instrumentation.")) for name, value in parser["opentelemetry_instrumentor"].items()}
    rows = re.findall(r'^    \("([\w.]+)", "([\w-]+)", "([\w.:]+)"\),$', (layer / "python/otel_lambda/instrumentations.py").read_text(), re.MULTILINE)
    assert len(rows) >= 43
    together = (
        "httpx2",
        "httpx:HTTPX2ClientInstrumentor",
    )  # its module imports httpx and httpx2 when both are there, so that neither could be waited for
    assert {(name, instrumentor) for _, name, instrumentor in rows} == known - {together}


def test_nothing_of_ours_is_on_the_runtimes_own_path(layer):
    assert [p.name for p in (layer / "python").iterdir()] == ["otel_lambda"]
    assert {p.name for p in Path(layer).iterdir()} >= {"otel-handler", "otel-instrument", "otel-python", "python"}
    assert (layer / "otel-handler").read_bytes() == (layer / "otel-instrument").read_bytes()
