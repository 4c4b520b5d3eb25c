"""What invoked the function, as spans: HTTP events, messages, and where context comes from."""

from __future__ import annotations

import base64
import json

import pytest
from sandbox import attributes

pytestmark = pytest.mark.tiers

W3C = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-11111111111111111111111111111111-2222222222222222-01"
XRAY = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
TRACE, PARENT = bytes.fromhex("0af7651916cd43dd8448eb211c80319c"), bytes.fromhex("b7ad6b7169203331")
XTRACE, XPARENT = bytes.fromhex("5759e988bd862e3fe1be46a994272793"), bytes.fromhex("53995c3f42cd8ad8")

V1 = {
    "resource": "/pets/{id}",
    "path": "/pets/5",
    "httpMethod": "GET",
    "headers": {"Host": "x.execute-api.us-east-1.amazonaws.com", "User-Agent": "curl/8", "X-Forwarded-Proto": "https", "Traceparent": W3C},
    "multiValueHeaders": {"Host": ["x.execute-api.us-east-1.amazonaws.com"], "Traceparent": [W3C]},
    "queryStringParameters": {"a": "2"},
    "multiValueQueryStringParameters": {"a": ["1", "2 3"]},
    "requestContext": {"resourceId": "abc", "path": "/prod/pets/5", "protocol": "HTTP/1.1", "identity": {"sourceIp": "192.0.2.1"}},
}
V2 = {
    "version": "2.0",
    "routeKey": "GET /pets/{id}",
    "rawPath": "/pets/5",
    "rawQueryString": "a=1",
    "headers": {"host": "x.example.com:8443", "x-forwarded-proto": "https", "user-agent": "curl/8"},
    "requestContext": {
        "domainName": "x.example.com",
        "http": {"method": "GET", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "curl/8"},
    },
}
ALB = {
    "requestContext": {"elb": {"targetGroupArn": "arn"}},
    "httpMethod": "BREW",
    "path": "/tea",
    "multiValueQueryStringParameters": {"q": ["a%20b"]},
    "multiValueHeaders": {"host": ["lb.example.com"], "x-forwarded-for": ["198.51.100.7"], "x-forwarded-proto": ["http"], "traceparent": [W3C]},
    "isBase64Encoded": False,
}
COMMON = {"faas.trigger": "http", "faas.coldstart": True, "http.response.status_code": 201}


def run(start, receiver, python, event, source="def handler(e, c):\n    return {'statusCode': 201}", **environment):
    function = start(python, source, **environment)
    function.invoke(event)
    assert function.said() == []
    return {span.name: span for span in receiver.spans()}


def http(span):
    aside = ("faas.invocation_id", "aws.lambda.invoked_arn", "cloud.resource_id", "cloud.account.id")
    return {k: v for k, v in attributes(span).items() if k not in aside}


def test_rest_api(start, receiver, python):
    (span,) = run(start, receiver, python, V1).values()
    assert (span.name, span.kind, span.trace_id, span.parent_span_id) == ("/pets/{id}", 2, TRACE, PARENT)
    assert span.flags & 0x300 == 0x300  # its parent is remote
    assert http(span) == {
        **COMMON,
        "http.request.method": "GET",
        "http.route": "/pets/{id}",
        "url.path": "/prod/pets/5",
        "url.query": "a=1&a=2+3",
        "url.scheme": "https",
        "server.address": "x.execute-api.us-east-1.amazonaws.com",
        "client.address": "192.0.2.1",
        "user_agent.original": "curl/8",
        "network.protocol.version": "1.1",
    }


def test_http_api(start, receiver, python):
    (span,) = run(start, receiver, python, V2, "def handler(e, c):\n    return {'ok': True}").values()
    assert span.name == "/pets/{id}"
    assert http(span) == {
        **COMMON,
        "http.response.status_code": 200,  # the gateway's own, for a result without a status
        "http.request.method": "GET",
        "http.route": "/pets/{id}",
        "url.path": "/pets/5",
        "url.query": "a=1",
        "url.scheme": "https",
        "server.address": "x.example.com",
        "server.port": 8443,
        "client.address": "192.0.2.1",
        "user_agent.original": "curl/8",
        "network.protocol.version": "1.1",
    }


@pytest.mark.parametrize(
    "change", [{"routeKey": "$default"}, {"routeKey": "$default", "requestContext": {"domainName": "abc.lambda-url.us-east-1.on.aws"}}]
)
def test_no_route_no_name(start, receiver, python, change):
    (span,) = run(start, receiver, python, {**V2, **change}).values()
    assert span.name == "demo"
    assert "http.route" not in attributes(span)


def test_load_balancer(start, receiver, python):
    (span,) = run(start, receiver, python, ALB).values()
    assert (span.name, span.trace_id) == ("demo", TRACE)
    assert http(span) == {
        **COMMON,
        "http.request.method": "_OTHER",
        "http.request.method_original": "BREW",
        "url.path": "/tea",
        "url.query": "q=a%20b",
        "url.scheme": "http",
        "server.address": "lb.example.com",
        "client.address": "198.51.100.7",
    }


@pytest.mark.parametrize("code", [503, "503"])
def test_a_server_error_is_an_error(start, receiver, python, code):
    (span,) = run(start, receiver, python, V2, f"def handler(e, c):\n    return {{'statusCode': {code!r}}}").values()
    assert span.status.code == 2
    assert attributes(span)["error.type"] == "503"
    assert attributes(span)["http.response.status_code"] == 503
    assert not span.events


def test_what_is_no_status_is_left_out(start, receiver, python):
    function = start(python, "def handler(e, c):\n    return {'statusCode': e['code']}")
    codes = [7, 10**30, True, 200.5, "9" * 5000, "abc", "", [], {}]
    for code in codes:
        function.invoke({**V2, "code": code})
    assert function.said() == []
    spans = receiver.spans()
    assert [attributes(span).get("http.response.status_code") for span in spans] == [None] * len(codes)
    assert {span.status.code for span in spans} == {0}


@pytest.mark.parametrize("broken", [5, None, [], "x", {}, {"a": 5}])
@pytest.mark.parametrize("key", ["headers", "multiValueHeaders", "requestContext", "queryStringParameters", "path", "resource", "httpMethod"])
def test_wrong_types_in_an_http_event(start, receiver, python, key, broken):
    function = start(python, "def handler(e, c):\n    return [e]")
    event = {**V1, "multiValueQueryStringParameters": None, key: broken}
    assert function.invoke(event).json == [event]
    assert function.said() == []
    assert len(receiver.spans()) == 1


def sqs(*records):
    return {
        "Records": [
            {"messageId": f"m{n}", "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:jobs", **r}
            for n, r in enumerate(records)
        ]
    }


def w3c(text):
    return {"traceparent": {"stringValue": text, "dataType": "String", "stringListValues": [], "binaryListValues": []}}


def test_a_batch_of_messages(start, receiver, python):
    sns = json.dumps({"Type": "Notification", "MessageAttributes": {"traceparent": {"Type": "String", "Value": OTHER}}})
    bridge = json.dumps({"detail-type": "d", "source": "s", "detail": {"traceparent": OTHER}})
    event = sqs(
        {"messageAttributes": w3c(W3C), "attributes": {"AWSTraceHeader": XRAY}},
        {"attributes": {"AWSTraceHeader": XRAY}},
        {"body": sns},
        {"body": bridge},
        {"body": '{"detail-type": broken', "messageAttributes": {"traceparent": 5}, "attributes": None},
    )
    spans = run(start, receiver, python, event)
    server, consumer = spans["demo"], spans["process jobs"]
    assert attributes(server)["faas.trigger"] == "pubsub"
    assert (server.kind, server.parent_span_id, consumer.kind, consumer.parent_span_id) == (2, b"", 5, server.span_id)
    assert attributes(consumer) == {
        "messaging.system": "aws_sqs",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "jobs",
        "messaging.batch.message_count": 5,
        "aws.sqs.queue.url": "https://sqs.us-east-1.amazonaws.com/123456789012/jobs",
    }
    assert [(link.trace_id, link.span_id, attributes(link)) for link in consumer.links] == [
        (TRACE, PARENT, {"messaging.message.id": "m0"}),
        (XTRACE, XPARENT, {"messaging.message.id": "m1"}),
        (b"\x11" * 16, b"\x22" * 8, {"messaging.message.id": "m2"}),
        (b"\x11" * 16, b"\x22" * 8, {"messaging.message.id": "m3"}),
    ]
    assert server.trace_id == consumer.trace_id != TRACE


def test_several_queues(start, receiver, python):
    event = sqs({}, {"eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:other"})
    assert set(run(start, receiver, python, event)) == {"demo", "process multiple_sources"}


def test_one_message_may_be_the_parent(start, receiver, python):
    spans = run(start, receiver, python, sqs({"messageAttributes": w3c(W3C)}), OTEL_LAMBDA_SINGLE_MESSAGE_PARENT="true")
    assert (spans["demo"].trace_id, spans["demo"].parent_span_id) == (TRACE, PARENT)
    assert spans["process jobs"].parent_span_id == spans["demo"].span_id


def test_a_failure_is_on_both_spans(start, receiver, python):
    spans = run(start, receiver, python, sqs({}), "def handler(e, c):\n    raise KeyError(1)")
    assert {(s.status.code, attributes(s)["error.type"]) for s in spans.values()} == {(2, "KeyError")}


def test_notifications(start, receiver, python):
    record = {
        "EventSource": "aws:sns",
        "Sns": {"TopicArn": "arn:aws:sns:us-east-1:1:news", "MessageId": "m", "MessageAttributes": {"traceparent": {"Type": "String", "Value": W3C}}},
    }
    consumer = run(start, receiver, python, {"Records": [record]})["process news"]
    assert attributes(consumer) == {
        "messaging.system": "aws.sns",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "news",
        "aws.sns.topic.arn": "arn:aws:sns:us-east-1:1:news",
        "messaging.message.id": "m",
    }
    assert [(link.trace_id, link.span_id) for link in consumer.links] == [(TRACE, PARENT)]


def test_a_stream(start, receiver, python):
    data = base64.b64encode(json.dumps({"traceparent": W3C}).encode()).decode()
    record = {"eventSource": "aws:kinesis", "eventSourceARN": "arn:aws:kinesis:us-east-1:1:stream/clicks", "kinesis": {"data": data}}
    spans = run(start, receiver, python, {"Records": [record]})
    assert attributes(spans["demo"])["faas.trigger"] == "pubsub"
    consumer = spans["process clicks"]
    assert (consumer.kind, consumer.parent_span_id) == (5, spans["demo"].span_id)
    assert attributes(consumer) == {
        "messaging.system": "aws.kinesis",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "clicks",
        "aws.kinesis.stream_name": "clicks",
    }
    assert [(link.trace_id, link.span_id, attributes(link)) for link in consumer.links] == [(TRACE, PARENT, {})]


@pytest.mark.parametrize("sampled", ["0", "1"])
def test_the_x_ray_environment_is_a_link_and_never_a_parent(start, receiver, python, sampled):
    function = start(python, "def handler(e, c):\n    return 1")
    function.invoke({}, headers={"Lambda-Runtime-Trace-Id": XRAY[:-1] + sampled + ";Lineage=1:5759e988:0"})
    (span,) = receiver.spans()
    assert span.parent_span_id == b""
    assert span.trace_id != XTRACE
    assert [(link.trace_id, link.span_id) for link in span.links] == [(XTRACE, XPARENT)]


def test_the_x_ray_environment_is_the_parent_when_asked_for(start, receiver, python):
    function = start(python, "def handler(e, c):\n    return 1", OTEL_PROPAGATORS="tracecontext,xray-lambda")
    function.invoke({}, headers={"Lambda-Runtime-Trace-Id": XRAY})
    (span,) = receiver.spans()
    assert (span.trace_id, span.parent_span_id) == (XTRACE, XPARENT)
    assert not span.links


def test_the_senders_context_goes_before_awss_header(start, receiver, python):
    event = {**V2, "headers": {"Traceparent": W3C, "X-Amzn-Trace-Id": XRAY}}
    (span,) = run(start, receiver, python, event).values()
    assert (span.trace_id, span.parent_span_id) == (TRACE, PARENT)
    assert [link.trace_id for link in span.links] == [XTRACE]


def test_an_unsampled_x_ray_header_does_not_switch_tracing_off(start, receiver, python):
    (span,) = run(start, receiver, python, {**V2, "headers": {"X-Amzn-Trace-Id": XRAY[:-1] + "0"}}).values()
    assert span.trace_id != XTRACE
    assert [link.trace_id for link in span.links] == [XTRACE]


def test_an_unsampled_parent_is_followed(start, receiver, python):
    assert run(start, receiver, python, {**V2, "headers": {"traceparent": W3C[:-1] + "0"}}) == {}


@pytest.mark.parametrize(
    ("event", "trigger"),
    [
        ({"Records": [{"eventSource": "aws:s3"}]}, "datasource"),
        ({"Records": [{"eventSource": "aws:dynamodb"}]}, "datasource"),
        ({"detail-type": "Scheduled Event", "source": "aws.events", "time": "2026-01-01T00:00:00Z"}, "timer"),
        ({"detail-type": "Order", "source": "shop", "id": "1", "detail": {"traceparent": W3C}}, "pubsub"),
        ({"anything": 1}, "other"),
    ],
)
def test_other_triggers(start, receiver, python, event, trigger):
    (span,) = run(start, receiver, python, event).values()
    assert attributes(span)["faas.trigger"] == trigger
    assert (span.trace_id == TRACE) == ("detail" in event)
