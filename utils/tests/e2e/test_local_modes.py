"""Initialisation types other than on-demand, and a Lambda without Telemetry API."""

from __future__ import annotations

from pathlib import Path

from e2e.local_parts import EXTENSION, PROJECT, built, function, layer, result, said
from otel_layers.local import Endpoints, Mode, environment
from otel_layers.local.backend import Backend

TYPE = """
    import os
    LOADED = os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
    def handler(event, context):
        return [LOADED, os.getpid()]
"""


def records(env, kind):
    return [e["record"] for e in env.platform if e["type"] == f"platform.{kind}"]


def test_provisioned_concurrency_is_initialised_before_the_first_invocation(tmp_path: Path) -> None:
    with environment(PROJECT, function(tmp_path, TYPE), Endpoints(), mode=Mode("provisioned-concurrency")) as env:
        assert len(env.inits) == 1, "nothing was invoked yet"
        one, two = env.invoke(b"{}"), env.invoke(b"{}")
    assert result(one)[0] == "provisioned-concurrency"
    assert result(one) == result(two)
    assert (one.init_ms, one.init) == (None, None), "no cold start"
    assert [r["initializationType"] for r in records(env, "initStart") + records(env, "initReport")] == ["provisioned-concurrency"] * 2
    assert "initDurationMs" not in records(env, "report")[0]["metrics"]


def test_snap_start_restores_once_runs_the_hooks_and_reports(tmp_path: Path) -> None:
    source = """
        import os
        from snapshot_restore_py import register_after_restore, register_before_snapshot
        DONE = [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
        register_before_snapshot(lambda: DONE.append("before"))
        register_after_restore(lambda: DONE.append("after"))
        def handler(event, context):
            return DONE
    """
    with environment(PROJECT, function(tmp_path, source), Endpoints(), mode=Mode("snap-start")) as env:
        assert records(env, "restoreStart") == []
        one, two = env.invoke(b"{}"), env.invoke(b"{}")
    assert result(one) == result(two) == ["snap-start", "before", "after"]
    assert one.init_ms is None
    assert [len(records(env, kind)) for kind in ("initStart", "restoreStart", "restoreRuntimeDone", "restoreReport")] == [1, 1, 1, 1]
    assert records(env, "restoreReport")[0]["status"] == "success"
    first, second = (r["metrics"] for r in records(env, "report"))
    assert first["restoreDurationMs"] == records(env, "restoreReport")[0]["metrics"]["durationMs"]
    assert not {"initDurationMs", "restoreDurationMs"} & set(second)


def test_the_python_layer_around_a_snapshot(tmp_path: Path) -> None:
    source = """
        from opentelemetry import trace
        trace.get_tracer("t").start_span("before").end()
        def handler(event, context):
            return 1
    """
    wrapped = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-handler"}
    with Backend() as received:
        made = function(tmp_path, source, layers=(built("python"),), environment=wrapped)
        with environment(PROJECT, made, Endpoints(backend_http=("127.0.0.1", received.http_port)), mode=Mode("snap-start")) as env:
            assert env.inits
            early = received.spans()
            assert [span.name for span in early] == ["before"], "sent before the snapshot was made"
            assert [result(env.invoke(b"{}")) for _ in range(2)] == [1, 1]
        later = [span for span in received.spans() if span.name != "before"]
    stream = early[0].resource["faas.instance"]
    names = {span.resource["faas.instance"] for span in later}
    assert len(names) == 1
    assert stream not in names, "the name that the snapshot had"
    assert [span.attributes["faas.coldstart"] for span in later] == [False, False]
    assert len({span.trace_id for span in later} | {early[0].trace_id}) == 3


def test_a_restore_that_fails_is_followed_by_an_init_inside_the_invocation(tmp_path: Path) -> None:
    source = """
        from snapshot_restore_py import register_after_restore
        register_after_restore(lambda: 1 / 0)
        def handler(event, context):
            return event
    """
    with environment(PROJECT, function(tmp_path, source), Endpoints(), mode=Mode("snap-start")) as env:
        env.invoke(b"{}")
    [report] = records(env, "restoreReport")
    assert (report["status"], report["errorType"]) == ("error", "Runtime.AfterRestoreError")
    assert [init.suppressed for init in env.inits] == [False, True]


def test_without_telemetry_api_a_subscription_is_answered_202(tmp_path: Path) -> None:
    made = layer(tmp_path, "ext", {"extensions/watcher*": EXTENSION})
    wish = {"EXTENSION_TELEMETRY": "1"}
    with environment(PROJECT, function(tmp_path, TYPE, layers=(made,), environment=wish), Endpoints(), mode=Mode(telemetry=False)) as env:
        result(env.invoke(b"{}"))
    assert said(env, "watcher", "subscribed") == [202]
    assert said(env, "watcher", "telemetry") == []
