"""Extensions in the local Lambda: a whole one of our own as a layer, internal ones, the Telemetry API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.local_parts import EXTENSION, PROJECT, function, layer, region, result, said, texts
from otel_layers.local import Endpoints, environment

HELLO = """
    def handler(event, context):
        print("hello from the function")
        return event
"""


def with_extension(folder: Path, source: str = HELLO, name: str = "watcher", environment_: dict[str, str] | None = None, **settings: Any) -> Any:
    """A function with EXTENSION as a layer."""
    made = layer(folder, "ext", {f"extensions/{name}*": EXTENSION, "extensions/notes.txt": "not executable: not started"})
    return function(folder, source, layers=(made,), environment=environment_ or {}, **settings)


def test_an_extension_gets_invoke_and_shutdown(tmp_path: Path) -> None:
    with environment(PROJECT, with_extension(tmp_path, name="my-watcher", environment_={"MINE": "1"}), Endpoints()) as env:
        one, two = env.invoke(b"1"), env.invoke(b"2")
    assert one.init
    phase = one.init.phase("extension:my-watcher")
    assert phase
    assert phase.status == "success"
    assert said(env, "my-watcher", "registered") == [
        {"functionName": "it", "functionVersion": "$LATEST", "handler": "app.handler", "accountId": "123456789012"}
    ]
    [names] = said(env, "my-watcher", "environment")
    assert {"AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "MINE", "AWS_LAMBDA_RUNTIME_API"} <= set(names)
    assert not [n for n in names if n.startswith("_") and n != "_"]
    assert not {"LAMBDA_TASK_ROOT", "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME"} & set(names)
    first, second, last = said(env, "my-watcher", "event")
    assert (first["eventType"], second["eventType"], last["eventType"]) == ("INVOKE", "INVOKE", "SHUTDOWN")
    assert (first["requestId"], second["requestId"]) == (one.request_id, two.request_id)
    assert first["invokedFunctionArn"] == f"arn:aws:lambda:{region()}:123456789012:function:it"
    assert first["tracing"] == {"type": "X-Amzn-Trace-Id", "value": one.trace_header}
    assert 0 <= first["deadlineMs"] - one.started_ns // 10**6 - 10_000 <= 2
    assert last["shutdownReason"] == "spindown"


def test_the_invocation_ends_when_the_extension_is_ready_again(tmp_path: Path) -> None:
    with environment(PROJECT, with_extension(tmp_path, environment_={"EXTENSION_HOLDS": "0.4"}), Endpoints()) as env:
        got = env.invoke(b"1")
    assert got.status == "success"
    assert got.extension_ms >= 300
    assert got.ended_ns - got.response_ns >= 300e6
    assert got.duration_ms >= 400
    assert got.extensions_ms == {"watcher": got.extension_ms}
    done, report = (next(e["record"] for e in env.platform if e["type"] == f"platform.{kind}") for kind in ("runtimeDone", "report"))
    assert done["metrics"]["durationMs"] < 300 <= report["metrics"]["durationMs"]


def test_each_extension_has_its_own_account(tmp_path: Path) -> None:
    """One holds the end of the invocation, one is ready long before, one gets no INVOKE."""
    quick = EXTENSION.replace('os.environ.get("EXTENSION_HOLDS")', "False")
    idle = EXTENSION.replace('os.environ.get("EXTENSION_EVENTS", "INVOKE,SHUTDOWN")', '"SHUTDOWN"')
    made = layer(tmp_path, "ext", {"extensions/slow*": EXTENSION, "extensions/quick*": quick, "extensions/idle*": idle})
    source = "import time\ndef handler(event, context):\n    time.sleep(0.3)\n"
    with environment(PROJECT, function(tmp_path, source, layers=(made,), environment={"EXTENSION_HOLDS": "1"}), Endpoints()) as env:
        got = env.invoke(b"1")
    assert set(got.extensions_ms) == {"slow", "quick"}
    assert got.extensions_ms["slow"] == got.extension_ms > got.extensions_ms["quick"]


def test_an_extension_that_is_never_ready_counts_to_the_end(tmp_path: Path) -> None:
    made = layer(tmp_path, "ext", {"extensions/watcher*": EXTENSION})
    with environment(PROJECT, function(tmp_path, HELLO, layers=(made,), environment={"EXTENSION_HOLDS": "60"}, timeout_s=1), Endpoints()) as env:
        got = env.invoke(b"1")
    assert got.status == "timeout"
    assert got.extensions_ms == {"watcher": got.extension_ms}
    assert got.ended_ns - got.response_ns == pytest.approx(got.extension_ms * 1e6, abs=1e3)


def test_an_extension_for_shutdown_only_gets_no_invoke(tmp_path: Path) -> None:
    with environment(PROJECT, with_extension(tmp_path, environment_={"EXTENSION_EVENTS": "SHUTDOWN"}), Endpoints()) as env:
        assert result(env.invoke(b"1")) == 1
    assert [e["eventType"] for e in said(env, "watcher", "event")] == ["SHUTDOWN"]


def test_telemetry_arrives_with_what_was_before_the_subscription(tmp_path: Path) -> None:
    source = HELLO + "\n    print('at import')\n"
    with environment(
        PROJECT, with_extension(tmp_path, source, environment_={"EXTENSION_TELEMETRY": "1", "EXTENSION_HOLDS": "0.2"}), Endpoints()
    ) as env:
        one = env.invoke(b"1")
        env.stay_frozen(0.3)
        env.invoke(b"2")
    assert said(env, "watcher", "subscribed") == [200]
    got = said(env, "watcher", "telemetry")
    kinds = [e["type"].removeprefix("platform.") for e in got]
    assert kinds[:4] == ["initStart", "extension", "telemetrySubscription", "function"] or kinds[:3] == [
        "initStart",
        "extension",
        "telemetrySubscription",
    ]
    assert [k for k in kinds if k not in ("function", "extension")] == [
        *("initStart", "telemetrySubscription", "initRuntimeDone", "initReport"),
        *("start", "runtimeDone", "report", "start", "runtimeDone", "report"),
    ]
    assert [e["record"] for e in got if e["type"] == "function"] == ["at import", "hello from the function", "hello from the function"]
    report = next(e for e in got if e["type"] == "platform.report")
    assert report["record"]["requestId"] == one.request_id
    assert report["record"]["metrics"]["maxMemoryUsedMB"] >= 1
    platform = [e for e in got if e["type"].startswith("platform.")]
    assert platform == env.platform, "what was delivered is what the result shows"


def test_events_that_are_no_good_are_refused(tmp_path: Path) -> None:
    source = """
        import http.client, json, os
        def call(method, path, body, **headers):
            connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
            connection.request(method, path, json.dumps(body), {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return [answer.status, json.loads(answer.read()).get("errorType"), answer.headers.get("Lambda-Extension-Identifier")]
        REGISTER = "/2020-01-01/extension/register"
        EARLY = [
            call("POST", REGISTER, {"events": ["INVOKE"]}),
            call("POST", REGISTER, {"events": ["NONSENSE"]}, Lambda_Extension_Name="a"),
            call("POST", REGISTER, {"events": ["SHUTDOWN"]}, Lambda_Extension_Name="a"),
            call("POST", REGISTER, [], Lambda_Extension_Name="a"),
            call("GET", "/2020-01-01/extension/event/next", None),
            call("GET", "/2020-01-01/extension/event/next", None, Lambda_Extension_Identifier="nobody"),
            call("PUT", "/2022-07-01/telemetry", {}, Lambda_Extension_Identifier="nobody"),
            call("GET", "/none", None),
            call("POST", "/2018-06-01/runtime/invocation/none/response", None),
        ]
        def handler(event, context):
            return EARLY + [call("POST", REGISTER, {"events": ["INVOKE"]}, Lambda_Extension_Name="late")]
    """
    with environment(PROJECT, function(tmp_path, source), Endpoints()) as env:
        got = result(env.invoke(b"1"))
    assert [answer[:2] for answer in got] == [
        [403, "Extension.InvalidExtensionName"],
        [400, "Extension.InvalidEventType"],
        [403, "ShutdownEventNotSupportedForInternalExtension"],
        [400, "InvalidRequestFormat"],
        [403, "Extension.MissingExtensionIdentifier"],
        [403, "Extension.UnknownExtensionIdentifier"],
        [403, "Extension.UnknownExtensionIdentifier"],
        [404, "NotFound"],
        [400, "InvalidRequestID"],
        [403, "Extension.RegistrationClosed"],
    ]


def test_an_internal_extension_gets_invoke(tmp_path: Path) -> None:
    source = """
        import http.client, json, os, threading
        SEEN = []
        def run():
            connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
            connection.request("POST", "/2020-01-01/extension/register", json.dumps({"events": ["INVOKE"]}), {"Lambda-Extension-Name": "inner"})
            answer = connection.getresponse()
            answer.read()
            REGISTERED.set()
            while True:
                mine = {"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}
                connection.request("GET", "/2020-01-01/extension/event/next", headers=mine)
                SEEN.append(json.loads(connection.getresponse().read())["requestId"])
        REGISTERED = threading.Event()
        threading.Thread(target=run, daemon=True).start()
        REGISTERED.wait()
        def handler(event, context):
            import time
            while context.aws_request_id not in SEEN:
                time.sleep(0.001)
            return SEEN
    """
    with environment(PROJECT, function(tmp_path, source), Endpoints()) as env:
        one, two = env.invoke(b"1"), env.invoke(b"2")
    assert result(two) == [one.request_id, two.request_id]


def test_several_extensions_and_their_lines_are_kept_apart(tmp_path: Path) -> None:
    both = layer(tmp_path, "both", {"extensions/first*": EXTENSION, "extensions/second*": EXTENSION})
    with environment(PROJECT, function(tmp_path, HELLO, layers=(both,)), Endpoints()) as env:
        env.invoke(b"1")
    for name in ("first", "second"):
        assert [e["eventType"] for e in said(env, name, "event")] == ["INVOKE", "SHUTDOWN"]
    assert texts(env, "function") == ["hello from the function"]
    assert json.dumps(env.logs)
