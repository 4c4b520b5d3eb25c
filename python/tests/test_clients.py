"""
The recorder tier's own instrumentations beside contrib's: the same programs in both tiers and without the layer, with old and new libraries.

Where the spans differ docs/telemetry.md says so, row by row: no row is missing, and none is stale.
"""

from __future__ import annotations

import ast
import base64
import json
import os
import re
import sys
import urllib.parse
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from otel_layers import toolchain
from parts import PROJECT, ROOT
from sandbox import Lambda, attributes, receiving, running
from servers import Arrived, Server, aws, web

sys.path.append(str(Path(__file__).parents[1] / "src"))
from otel_lambda import settings

PROGRAMS = Path(__file__).parent / "programs"
LIBRARIES = ("oldest", "newest")
BODIES = {"oldest": "", "newest": "all"}  # OTEL_LAMBDA_INJECT_PAYLOADS
EXCLUDED = "excluded=requests"


@dataclass
class Seen:
    """What one case came to: the function's answer, the spans beneath the invocation's, what arrived at the server."""

    answer: Any
    spans: list[Any]
    scopes: list[str]
    invocation: Any
    arrived: list[Arrived]


class Runs:
    """The programs' runs, each made once: all cases in one environment."""

    def __init__(self, layer: Path, folder: Path) -> None:
        self._layer, self._folder = layer, folder
        self._done: dict[tuple[str, ...], dict[str, Seen]] = {}

    def __call__(self, program: str, libraries: str, tier: str) -> dict[str, Seen]:
        """Of `program`, in `tier` auto or sdk, or "none": without the layer."""
        key = (program, libraries, tier)
        if key not in self._done:
            self._done[key] = self._run(*key)
        return self._done[key]

    def _run(self, program: str, libraries: str, tier: str) -> dict[str, Seen]:
        have = sorted(toolchain.interpreters().items(), key=lambda item: int(item[0].partition(".")[2]))
        version, python = have[0] if libraries == "oldest" else have[-1]  # old ones do not run in new versions of Python
        brought = toolchain.target(PROJECT, ROOT / f"requirements/clients-{libraries}.txt", str(python), f"clients-{libraries}-python{version}")
        packages = toolchain.target(PROJECT, ROOT / "requirements/runtime-python.txt", str(python), f"runtime-python{version}")
        task = self._folder / "task"
        task.mkdir(exist_ok=True)
        source = (PROGRAMS / f"{program}.py").read_text()
        (task / "app.py").write_text(source)
        serve = {"http_clients": web, "aws_clients": aws}[program]
        with ExitStack() as stack:
            receiver, server = stack.enter_context(receiving()), stack.enter_context(serve())
            env = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}",
                "OTEL_LAMBDA_TIER": tier,
                "OTEL_PYTHON_REQUESTS_EXCLUDED_URLS": EXCLUDED,
                "OTEL_PYTHON_EXCLUDED_URLS": "nowhere",
                "PYTHONPATH": str(brought),
                "AWS_ACCESS_KEY_ID": "x",
                "AWS_SECRET_ACCESS_KEY": "x",
                "WEB": str(server.port),
                "AWS": str(server.port),
                "OTEL_LAMBDA_INJECT_PAYLOADS": BODIES[libraries],
            }
            function = stack.enter_context(running(python, packages, None if tier == "none" else self._layer, task, "app.handler", env))
            found = {name: self._case(function, receiver, server, name) for name in cases(source)}
            assert function.said() == []
            assert all(b"SECRET" not in body for seen in found.values() for span in seen.spans for body in [span.SerializeToString()])
            return found

    def _case(self, function: Lambda, receiver: Any, server: Server, name: str) -> Seen:
        receiver.requests.clear()
        server.arrived.clear()
        answer = function.invoke(name).json
        found = [(scope.name, span) for _, scope, span in receiver.all()]
        own = [(s, span) for s, span in found if span.kind != 2]
        own.sort(key=lambda item: item[1].start_time_unix_nano)
        invocation = next((span for _, span in found if span.kind == 2), None)
        return Seen(answer, [span for _, span in own], [s for s, _ in own], invocation, list(server.arrived))


def cases(source: str) -> list[str]:
    """The cases' names, in the order of the program."""
    return [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.decorator_list and _is_case(node)]


def _is_case(node: ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "case" for d in node.decorator_list)


@pytest.fixture(scope="module")
def runs(layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(layer, tmp_path_factory.mktemp("clients"))


PROGRAM_NAMES = ("http_clients", "aws_clients")


@pytest.mark.parametrize("libraries", LIBRARIES)
@pytest.mark.parametrize("program", PROGRAM_NAMES)
def test_the_function_sees_no_difference(runs, program, libraries):
    """Results, errors with their frames, and the user's own objects are those without the layer."""
    without, within = runs(program, libraries, "none"), runs(program, libraries, "auto")
    for name in without:
        assert clean(str(within[name].answer)) == clean(str(without[name].answer)), name


def parts(scope: str, seen: Seen, span: Any) -> dict[str, Any]:
    """A span by its parts, each of which may be the same or not."""
    exceptions = [{k: v for k, v in attributes(e).items() if k != "exception.stacktrace"} for e in span.events]
    parents = {seen.invocation.span_id: "invocation"} | {s.span_id: "another" for s in seen.spans}
    found = {
        "name": span.name,
        "kind": span.kind,
        "status": (span.status.code, clean(span.status.message)),
        "exception event": clean(str(exceptions)),
        "parent": parents.get(span.parent_span_id, "none"),
        **{f"`{k}`": clean(v) for k, v in attributes(span).items()},
    }
    for changing in ("`aws.request_id`", "`messaging.message.id`", "`aws.secretsmanager.secret.arn`"):
        if changing in found:
            found[changing] = "*"
    return found


def clean(value: Any) -> Any:
    """Without ports and addresses in memory."""
    if isinstance(value, str):
        return re.sub(r"0x[0-9a-f]+", "0x", re.sub(r"(127\.0\.0\.1:|port=)\d{4,5}", r"\1PORT", value))
    return "PORT" if type(value) is int and value > 1023 else value


def rows() -> set[tuple[str, str]]:
    """What docs/telemetry.md says of the differences: library and part."""
    text = (ROOT / "docs/telemetry.md").read_text()
    table = text.partition("<!-- differences between the tiers -->")[2].partition("\n\n## ")[0]
    out = set()
    for line in table.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0] not in ("library", "---"):
            out |= {(library.strip(), part.strip()) for library in cells[0].split(",") for part in cells[1].split(",")}
    return out


def test_the_tiers_differ_where_the_page_says_so(runs):
    found = {}
    for program in PROGRAM_NAMES:
        for libraries in LIBRARIES:
            ours, theirs = runs(program, libraries, "auto"), runs(program, libraries, "sdk")
            for name in ours:
                for difference in differences(ours[name], theirs[name]):
                    found.setdefault(difference[:2], []).append((libraries, name, *difference[2:]))
    said = rows()
    unsaid = [f"{library} {part}: {example}" for (library, part), (example, *_) in sorted(found.items()) if (library, part) not in said]
    assert not unsaid, "\n".join(unsaid)
    assert said - set(found) == set()


def differences(ours: Seen, theirs: Seen) -> list[tuple[Any, ...]]:
    """Library, part, and the two values."""
    out = []
    mine, other = list(zip(ours.scopes, ours.spans, strict=True)), list(zip(theirs.scopes, theirs.spans, strict=True))
    if len(mine) != len(other):
        return [(library((theirs.scopes or ours.scopes)[0]), "span", len(mine), len(other))]
    for (scope, span), (their_scope, their_span) in zip(mine, other, strict=True):
        assert library(scope) == library(their_scope)
        here, there = parts(scope, ours, span), parts(their_scope, theirs, their_span)
        out += [(library(scope), key, here.get(key), there.get(key)) for key in sorted({*here, *there}) if here.get(key) != there.get(key)]
    return out


def library(scope: str) -> str:
    """What a scope is about."""
    return scope.removeprefix("opentelemetry.instrumentation.").removeprefix("otel_lambda.").partition(".")[0]


@pytest.mark.parametrize("tier", ["auto", "sdk"])
@pytest.mark.parametrize("libraries", LIBRARIES)
def test_requests_carry_the_context_of_their_span(runs, libraries, tier):
    for name, seen in runs("http_clients", libraries, tier).items():
        ids = {s.span_id.hex() for s in seen.spans}
        sent = [a.headers.get("traceparent", "") for a in seen.arrived]
        if name == "thread_raises" or name.startswith(("requests_excluded",)):
            continue
        assert all(text.split("-")[2] in ids and text.split("-")[1] == seen.spans[0].trace_id.hex() for text in sent), (name, sent)
    for name, seen in runs("aws_clients", libraries, tier).items():
        ids = {s.span_id.hex() for s in seen.spans}
        for arrived in seen.arrived:
            header = arrived.headers["x-amzn-trace-id"]
            assert name == "hooks" or header.partition("Parent=")[2].partition(";")[0] in ids, (name, header)
            assert "traceparent" not in arrived.headers  # AWS would not carry it on


@pytest.mark.parametrize("libraries", LIBRARIES)
def test_one_span_for_what_the_user_calls(runs, libraries):
    several = {
        "urllib3_redirect": 2,
        "urllib3_redirect_loop": 3,
        "executor": 3,
        "s3_pages": None,
        "secrets": 2,
        "sqs_receive": 2,
        "lambda_foreign_context": 4,
    }
    none = {"requests_no_scheme", "requests_not_prepared", "urllib_file", "urllib_data", "urllib_nothing", "thread_raises", "executor_raises"}
    none |= {"s3_presigned", "sqs_presigned", "json_is_untouched"}
    for program in PROGRAM_NAMES:
        for name, seen in runs(program, libraries, "auto").items():
            unknown = "UnknownServiceError" in str(seen.answer)  # to an old botocore
            expected = 0 if name in none or unknown else several.get(name, 1)
            assert expected is None or len(seen.spans) == expected, (name, [s.name for s in seen.spans])
            assert {s.parent_span_id for s in seen.spans} <= {seen.invocation.span_id}, name


@pytest.mark.parametrize("libraries", LIBRARIES)
def test_an_excluded_url(runs, libraries):
    """requests makes no span of it; urllib3, whose own list does not have it, does."""
    seen = runs("http_clients", libraries, "auto")["requests_excluded"]
    assert seen.scopes == ["otel_lambda.urllib3"]


def body(seen: Seen, which: int = 0) -> Any:
    """What one request said: JSON, or the fields of a form."""
    text = seen.arrived[which].body.decode()
    return json.loads(text) if text.startswith("{") else dict(urllib.parse.parse_qsl(text))


def traceparent(span: Any) -> str:
    """The field that carries a span on."""
    return f"00-{span.trace_id.hex()}-{span.span_id.hex()}-03"  # sampled, and a random id


@pytest.mark.parametrize("tier", ["auto", "sdk"])
@pytest.mark.parametrize("libraries", LIBRARIES)
def test_context_beside_the_payload(runs, libraries, tier):
    """What is sent by default, in both tiers; payloads are those without the layer."""
    found, plain = runs("aws_clients", libraries, tier), runs("aws_clients", libraries, "none")
    for name in ("sqs_send", "sqs_send_by_resource", "sns_publish", "sqs_send_batch", "sns_publish_batch"):
        sent = urllib.parse.unquote_plus(found[name].arrived[-1].body.decode())
        assert sent.count(traceparent(found[name].spans[-1])) == (2 if "batch" in name else 1), name
    for name in ("sqs_send_with_ten_attributes", "sqs_send_the_most", "sns_publish_to_a_telephone", "sqs_presigned"):
        assert all(b"traceparent" not in a.body for a in found[name].arrived), name
    own, other = body(found["events_put"])["Entries"]
    assert own["TraceHeader"] == found["events_put"].arrived[0].headers["x-amzn-trace-id"]
    assert other["TraceHeader"] == "Root=own"
    untouched = ["lambda_invoke", "lambda_invoke_with_context"]  # the first of which contrib alone would rewrite
    if not BODIES[libraries]:
        untouched += ["kinesis_put_record", "kinesis_put_records", "steps_start"]
        assert json.loads(own["Detail"]) == {"a": 1}
    for name in untouched:
        assert found[name].arrived[0].body == plain[name].arrived[0].body, name
    custom = json.loads(base64.b64decode(found["lambda_invoke"].arrived[0].headers["x-amz-client-context"]))["custom"]
    assert custom["traceparent"] == traceparent(found["lambda_invoke"].spans[0])
    both = json.loads(base64.b64decode(found["lambda_invoke_with_context"].arrived[0].headers["x-amz-client-context"]))
    assert both["env"] == {"c": "d"}
    assert both["custom"] == {**both["custom"], "a": "b", "traceparent": traceparent(found["lambda_invoke_with_context"].spans[0])}
    for name in ("lambda_large_context", "lambda_foreign_context"):
        sent, own = ([a.headers["x-amz-client-context"] for a in seen[name].arrived] for seen in (found, plain))
        assert sent == own, name


@pytest.mark.parametrize("tier", ["auto", "sdk"])
def test_context_inside_payloads_when_asked(runs, tier):
    found = runs("aws_clients", "newest", tier)
    first, second = (json.loads(e["Detail"]) for e in body(found["events_put"])["Entries"])
    field = {"traceparent": traceparent(found["events_put"].spans[0])}
    assert (first, second) == ({**field, "a": 1}, field)
    text = f'{{"traceparent": "{traceparent(found["kinesis_put_record"].spans[0])}", "a": 1.0,  "b": "\\u00fc"}}'
    assert base64.b64decode(body(found["kinesis_put_record"])["Data"]).decode() == text  # everything else is byte for byte as it was
    field = json.dumps({"traceparent": traceparent(found["kinesis_put_records"].spans[0])})
    data = [base64.b64decode(r["Data"]) for r in body(found["kinesis_put_records"])["Records"]]
    assert data == [b"raw", f'{field[:-1]}, "b": 1}}'.encode(), b"[1]", b'{"traceparent": "own"}', field.encode(), b"\xff\xfe"]
    started = body(found["steps_start"])["input"]
    assert json.loads(started) == {"traceparent": traceparent(found["steps_start"].spans[0]), "a": 1}
    assert body(found["steps_start_with_a_name"])["input"] == '{"a": 1}'


SEND = """
    import boto3, os
    client = boto3.client("SERVICE", endpoint_url="http://127.0.0.1:PORT", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    def handler(event, context):
        try:
            client.CALL
        except Exception as exc:
            return repr(exc)
"""
RUNTIME = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled={};Lineage=a:1:b:2"


@pytest.mark.parametrize("tier", ["auto", "sdk"])
@pytest.mark.parametrize("sampled", ["0", "1"])
def test_the_trace_header_keeps_the_lineage_and_x_rays_own_traces(start, receiver, python, tier, sampled):
    with receiving() as there:
        there.answer = lambda _: 500
        source = SEND.replace("PORT", str(there.port)).replace("SERVICE", "sts").replace("CALL", "get_caller_identity()")
        function = start(python, source, OTEL_LAMBDA_TIER=tier, AWS_MAX_ATTEMPTS="1")
        function.invoke({}, headers={"Lambda-Runtime-Trace-Id": RUNTIME.format(sampled)})
    header = {k.lower(): v for k, v in there.requests[0][0].items()}["x-amzn-trace-id"]
    (span,) = [s for s in receiver.spans() if s.kind == 3]
    trace = span.trace_id.hex()
    ours = f"Root=1-{trace[:8]}-{trace[8:]};Parent={span.span_id.hex()};Sampled=1;Lineage=a:1:b:2"
    assert header == (RUNTIME.format("1") if sampled == "1" else ours)


ASYNC = """
    import asyncio, os
    from aiobotocore.session import get_session

    async def work():
        options = dict(endpoint_url=os.environ["AWS"], region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        async with get_session().create_client("sqs", **options) as client:
            url = (await client.create_queue(QueueName="jobs"))["QueueUrl"]
            sent = await client.send_message(QueueUrl=url, MessageBody="b")
            try:
                await client.send_message(QueueUrl=url + "2", MessageBody="b")
            except Exception as exc:
                return sorted(set(sent) - {"ResponseMetadata"}), type(exc).__name__

    def handler(event, context):
        return asyncio.run(work())
"""


def test_aiobotocore(start, receiver, python, tmp_path):
    """Contrib's spans, completed as botocore's are."""
    interpreter = str(toolchain.interpreters()[python])
    brought = toolchain.target(PROJECT, ROOT / "requirements/clients-async.txt", interpreter, f"clients-async-python{python}")
    with aws() as there:
        function = start(python, ASYNC, PYTHONPATH=str(brought), AWS=f"http://127.0.0.1:{there.port}")
        answer = function.invoke({}).json
    assert answer == [["MD5OfMessageAttributes", "MD5OfMessageBody", "MessageId"], "QueueDoesNotExist"]
    assert function.said() == []
    _, sent, failed = (s for s in sorted(receiver.spans(), key=lambda s: s.start_time_unix_nano) if s.name.startswith("SQS"))
    assert (sent.name, sent.kind) == ("SQS.SendMessage", 4)
    found = attributes(sent)
    assert (found["messaging.system"], found["messaging.destination.name"], found["http.response.status_code"]) == ("aws_sqs", "jobs", 200)
    assert attributes(failed)["error.type"] == "AWS.SimpleQueueService.NonExistentQueue"
    message = json.loads(there.arrived[1].body)
    assert message["MessageAttributes"]["traceparent"]["StringValue"] == traceparent(sent)
    assert f"Parent={sent.span_id.hex()}" in there.arrived[1].headers["x-amzn-trace-id"]


IMPORTS = """
    import sys
    before = set(sys.modules)
    import boto3, urllib3, urllib.request, concurrent.futures.thread
    found = sorted(set(sys.modules) - before)

    def handler(event, context):
        return found
"""


def test_the_import_of_a_library_brings_nothing_more(start, python):
    with_layer, without = start(python, IMPORTS).invoke({}).json, start(python, IMPORTS, layer=None).invoke({}).json
    more = set(with_layer) - set(without)
    assert {m for m in more if not m.startswith("otel_lambda.patches")} == set()
    assert more > {"otel_lambda.patches.botocore", "otel_lambda.patches.urllib3", "otel_lambda.patches.urllib", "otel_lambda.patches.futures"}


@pytest.mark.parametrize(
    ("name", "value", "sdk"),
    [
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST", "accept", True),
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE", "etag", True),
        ("OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS", "true", True),
        ("OTEL_SEMCONV_STABILITY_OPT_IN", "http/dup,database", True),
        ("OTEL_SEMCONV_STABILITY_OPT_IN", "http", True),
        ("OTEL_SEMCONV_STABILITY_OPT_IN", "database, http", False),
        ("OTEL_PYTHON_EXCLUDED_URLS", "x", False),
        ("OTEL_LAMBDA_INJECT_PAYLOADS", "all", False),
    ],
)
def test_what_only_contrib_can_do_takes_the_sdk(monkeypatch, tmp_path, name, value, sdk):
    for present in [n for n in os.environ if n.startswith("OTEL_")]:
        monkeypatch.delenv(present)
    monkeypatch.setenv(name, value)
    assert settings.read(str(tmp_path)).sdk is sdk
    assert f"`{name}`" in (ROOT / "docs/telemetry.md").read_text() or "`" + name + "=" in (ROOT / "docs/telemetry.md").read_text()


def test_a_name_that_the_variable_does_not_have(start, receiver, python):
    source = SEND.replace("PORT", "1").replace("SERVICE", "sts").replace("CALL", "get_caller_identity()")
    function = start(python, source, AWS_MAX_ATTEMPTS="1", OTEL_LAMBDA_INJECT_PAYLOADS="kinesis,sqs", OTEL_PYTHON_EXCLUDED_URLS="(")
    function.invoke({})
    lines = function.said()
    assert any(line.startswith("otel: OTEL_LAMBDA_INJECT_PAYLOADS names 'sqs', which this layer does not have") for line in lines)
    assert any("OTEL_PYTHON_URLLIB3_EXCLUDED_URLS is no regular expression" in line for line in lines)
    assert [s.name for s in receiver.spans() if s.kind == 3] == ["STS.GetCallerIdentity"]
