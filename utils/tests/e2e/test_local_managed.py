"""Managed instances: several invocations at once in one environment that is never frozen, and what extensions see of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from e2e.local_parts import EVERYTHING, EXTENSION, PROJECT, SENDER, built, collector, function, layer, result, said
from otel_layers.cli.session import session
from otel_layers.errors import UsageError
from otel_layers.local import Endpoints, ExecutionEnvironment, Invocation, Mode, environment, otlp

AT_ONCE = 4
MANAGED = Mode("managed-instances", concurrency=AT_ONCE)
# Each invocation waits until as many are there as can be: it returns only when they really run at once.
TOGETHER = """
    import os, pathlib, time
    HERE = pathlib.Path("/tmp/here")
    def come(name, *others):
        HERE.mkdir(exist_ok=True)
        (HERE / name).touch()
        while not all((HERE / other).exists() for other in others):
            time.sleep(0.005)
    def handler(event, context):
        if event == "fine":
            return event
        if event == "raise":
            raise ValueError(event)
        if event == "late":
            time.sleep(1.5)
        if event == "exit":
            os._exit(3)
        if str(event).startswith("hang"):
            come(event, "never")
        if event == "kill":
            come(event, "hang 1", "hang 2")
            os.kill(os.getppid(), 9)
            come(event, "never")
        come(f"{event}", *(f"{int(event) // 4 * 4 + n}" for n in range(4)))
        return [os.getpid(), os.getppid(), os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], os.environ["AWS_LAMBDA_MAX_CONCURRENCY"]]
"""
POLICIES = ("auto", "end", "periodic,100", "shutdown")


def at_once(env: ExecutionEnvironment, events: Iterable[Any]) -> list[Invocation]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda event: env.invoke(json.dumps(event).encode()), events))


def records(env: ExecutionEnvironment, kind: str) -> list[dict[str, Any]]:
    return [e["record"] for e in env.platform if e["type"] == f"platform.{kind}"]


def test_several_run_at_once_each_in_a_worker_of_its_own(tmp_path: Path) -> None:
    with environment(PROJECT, function(tmp_path, TOGETHER), Endpoints(), mode=MANAGED) as env:
        done = at_once(env, range(2 * AT_ONCE))
    answers = [result(one) for one in done]
    assert len({a[0] for a in answers}) == AT_ONCE, "the workers"
    assert len({a[1] for a in answers}) == 1, "one environment"
    assert {tuple(a[2:]) for a in answers} == {("lambda-managed-instances", str(AT_ONCE))}
    assert {(one.init_ms, one.billed_ms, one.frozen_ms, one.extension_ms) for one in done} == {(None, 0, 0, 0)}


def test_what_an_extension_sees(tmp_path: Path) -> None:
    made = layer(tmp_path, "ext", {"extensions/watcher*": EXTENSION})
    wish = {"EXTENSION_TELEMETRY": "1", "EXTENSION_SCHEMA": "2025-01-29", "EXTENSION_EVENTS": "SHUTDOWN"}
    with environment(PROJECT, function(tmp_path, TOGETHER, layers=(made,), environment=wish), Endpoints(), mode=MANAGED) as env:
        for one in at_once(env, range(AT_ONCE)):
            result(one)
        assert env.invoke(b'"raise"').status == "error"
    assert said(env, "watcher", "subscribed") == [200]
    assert [event["eventType"] for event in said(env, "watcher", "event")] == ["SHUTDOWN"]
    told = said(env, "watcher", "telemetry")
    assert "platform.runtimeDone" not in {event["type"] for event in told}
    phases = [e["record"]["initializationType"] for e in told if e["type"].startswith("platform.init")]
    assert phases == ["lambda-managed-instances"] * 3
    starts = [e["record"] for e in told if e["type"] == "platform.start"]
    reports = [e["record"] for e in told if e["type"] == "platform.report"]
    assert {r["requestId"] for r in reports} == {s["requestId"] for s in starts}
    assert [r["status"] for r in reports] == ["success"] * AT_ONCE + ["error"]
    assert {(*r["metrics"], *(span["name"] for span in r["spans"])) for r in reports} == {("durationMs", "responseLatency", "responseDuration")}
    assert {s["functionArn"] for s in starts} == {env.function.arn}
    lines = [e["record"] for e in told if e["type"] == "function"]
    assert all(isinstance(line, dict) and line["requestId"] == reports[-1]["requestId"] for line in lines), "logs are JSON"
    assert lines


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        ({"EXTENSION_SCHEMA": "2022-12-13", "EXTENSION_EVENTS": "SHUTDOWN"}, 400),
        ({"EXTENSION_SCHEMA": "2025-01-29", "EXTENSION_EVENTS": "SHUTDOWN"}, 200),
    ],
)
def test_only_the_newest_schema_is_taken(tmp_path: Path, wish: dict[str, str], refusal: int) -> None:
    made = layer(tmp_path, "ext", {"extensions/watcher*": EXTENSION})
    wish = {"EXTENSION_TELEMETRY": "1", **wish}
    with environment(PROJECT, function(tmp_path, TOGETHER, layers=(made,), environment=wish), Endpoints(), mode=MANAGED) as env:
        result(env.invoke(b'"fine"'))
    assert said(env, "watcher", "subscribed") == [refusal]


def test_the_newest_schema_is_taken_everywhere(tmp_path: Path) -> None:
    made = layer(tmp_path, "ext", {"extensions/watcher*": EXTENSION})
    wish = {"EXTENSION_TELEMETRY": "1", "EXTENSION_SCHEMA": "2025-01-29"}
    with environment(PROJECT, function(tmp_path, TOGETHER, layers=(made,), environment=wish), Endpoints()) as env:
        result(env.invoke(b'"fine"'))
    assert said(env, "watcher", "subscribed") == [200]


def test_an_extension_cannot_register_for_invoke(tmp_path: Path) -> None:
    made = layer(tmp_path, "ext", {"extensions/watcher*": EXTENSION})
    with environment(PROJECT, function(tmp_path, TOGETHER, layers=(made,)), Endpoints(), mode=MANAGED) as env:
        assert env.invoke(b'"fine"').status != "success"
    assert records(env, "extension") == []


def test_a_time_out_ends_only_itself_and_its_worker_goes_on(tmp_path: Path) -> None:
    with environment(PROJECT, function(tmp_path, TOGETHER, timeout_s=1), Endpoints(), mode=MANAGED) as env:
        done = at_once(env, ["late", *["fine"] * 3])
        assert sorted(one.status for one in done) == ["success"] * 3 + ["timeout"]
        # Four at once need the worker of the one that was late: what it answers then is refused, and it asks for the next.
        answers = [result(one) for one in at_once(env, range(AT_ONCE))]
    assert len({a[0] for a in answers}) == AT_ONCE
    assert len(env.inits) == 1
    (late,) = (r for r in records(env, "report") if r["status"] == "timeout")
    assert late["errorType"] == "Sandbox.Timedout"


def test_a_worker_that_ends_takes_only_its_invocation_with_it(tmp_path: Path) -> None:
    with environment(PROJECT, function(tmp_path, TOGETHER, timeout_s=1), Endpoints(), mode=MANAGED) as env:
        assert env.invoke(b'"exit"').status == "timeout", "nobody answers any more"
        assert [one.status for one in at_once(env, ["fine"] * 12)] == ["success"] * 12
    assert len(env.inits) == 1


def test_the_end_of_the_runtime_ends_all_and_the_next_has_a_new_one(tmp_path: Path) -> None:
    with environment(PROJECT, function(tmp_path, TOGETHER), Endpoints(), mode=MANAGED) as env:
        done = at_once(env, ["hang 1", "hang 2", "kill"])
        assert [(one.status, one.error and one.error["errorType"]) for one in done] == [("failure", "Runtime.ExitError")] * 3
        result(env.invoke(b'"fine"'))
    assert len(env.inits) == 2
    assert {init.suppressed for init in env.inits} == {False}


def test_concurrency_is_for_managed_instances() -> None:
    with pytest.raises(UsageError, match="one invocation at a time"):
        Mode("on-demand", concurrency=2)
    with pytest.raises(UsageError, match="not possible"):
        Mode("managed-instances", concurrency=0)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_collector_delivers_all_of_all(tmp_path: Path, policy: str) -> None:
    """Nobody tells it of an invocation; data goes out as it comes, or by its timer, or at SHUTDOWN."""
    settings = {"OTEL_LAMBDA_FLUSH": policy}
    made = function(tmp_path, SENDER, layers=(collector(),), environment=settings, memory_mb=512, timeout_s=30)
    each = {"spans": 10, "metrics": 5, "logs": 5}
    events = [{"first": 1 + 50 * n, **each} for n in range(40)]
    with session(PROJECT, [made], mode=MANAGED) as (ours, finish):
        done = ours.invoke_all("it", [json.dumps(event).encode() for event in events])
        assert {one.status for one in done} == {"success"}
        if policy != "shutdown":
            assert all(ours.backend.wait_for(40 * n, signal, timeout_s=60) for signal, n in each.items()), "before SHUTDOWN"
        counts = finish()["counts"]
    sent = {signal: 40 * n for signal, n in each.items()}
    assert counts["collector"]["received"] == counts["collector"]["sent"] == sent
    assert {signal: counts["backend"][signal] for signal in sent} == {s: {"received": n, "unique": n, "duplicated": 0} for s, n in sent.items()}


def test_the_telemetryapi_receiver_and_processors_there(tmp_path: Path) -> None:
    settings = {"OPENTELEMETRY_COLLECTOR_CONFIG_URI": f"yaml:{EVERYTHING}"}
    made = function(tmp_path, TOGETHER, layers=(collector(),), environment=settings, memory_mb=512, timeout_s=1)
    with session(PROJECT, [made], mode=MANAGED) as (ours, finish):
        ours.invoke_all("it", [json.dumps(n).encode() for n in range(AT_ONCE)])
        ours.invoke_all("it", [b'"raise"', b'"late"'])
        # Four at once: the late worker has ended by then.
        ours.invoke_all("it", [json.dumps(AT_ONCE + n).encode() for n in range(AT_ONCE)])
        result_ = finish()
    spans = {span.name: span for span in otlp.spans(result_["resourceSpans"])}
    assert set(spans) == {"init", "it"}, "the init, and the time-out"
    assert spans["init"].attributes["aws.lambda.initialization_type"] == "lambda-managed-instances"
    late = next(i for i in result_["invocations"] if i["status"] == "timeout")
    assert (spans["it"].attributes["error.type"], spans["it"].attributes["faas.invocation_id"]) == ("Sandbox.Timedout", late["requestId"])
    metrics = [m for r in result_["resourceMetrics"] for s in r["scopeMetrics"] for m in s["metrics"]]

    def total(name: str) -> int:
        points = [p for m in metrics if m["name"] == name for p in (m.get("sum") or m["histogram"])["dataPoints"]]
        return sum(int(p.get("asInt", p.get("count", 0))) for p in points)

    assert [total(f"faas.{name}") for name in ("invocations", "errors", "timeouts", "invoke_duration")] == [2 * AT_ONCE, 1, 1, 2 * AT_ONCE + 2]
    reports = {log.attributes["faas.invocation_id"] for log in otlp.logs(result_["resourceLogs"]) if str(log.body).startswith("REPORT")}
    assert reports == {i["requestId"] for i in result_["invocations"]}
    assert counts_agree(result_)


def counts_agree(result_: dict[str, Any]) -> bool:
    """Whether all that the Collector sent came once."""
    told, came = result_["counts"]["collector"], result_["counts"]["backend"]
    return all(told["sent"][signal] == came[signal]["unique"] == came[signal]["received"] for signal in ("spans", "metrics", "logs"))


def test_the_python_layer_there(tmp_path: Path) -> None:
    """Each worker traces its own invocations; all spans arrive."""
    settings = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-handler"}
    made = function(tmp_path, TOGETHER, layers=(built("collector"), built("python")), environment=settings, memory_mb=512)
    with session(PROJECT, [made], mode=MANAGED) as (ours, finish):
        done = ours.invoke_all("it", [json.dumps(n).encode() for n in range(5 * AT_ONCE)])
        result_ = finish()
    spans = otlp.spans(result_["resourceSpans"])
    assert sorted(str(span.attributes["faas.invocation_id"]) for span in spans) == sorted(one.request_id for one in done)
    assert len({span.trace_id for span in spans}) == 5 * AT_ONCE


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    code = function(tmp_path, TOGETHER).code
    events = []
    for n in range(AT_ONCE):
        (tmp_path / f"{n}.json").write_text(str(n))
        events += ["--event", tmp_path / f"{n}.json"]
    words = ["invoke", "--code", code, "--handler", "app.handler", "--init-type", "managed-instances", "--concurrency", AT_ONCE, "--json", out]
    done = subprocess.run([PROJECT.root / "run.sh", *map(str, [*words, *events])], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert len({i["response"][0] for i in json.loads(out.read_text())["invocations"]}) == AT_ONCE
