"""Functions and extensions that fail: each gives what Lambda gives, and the environment lives on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from e2e.local_parts import EXTENSION, PROJECT, function, invoke, layer, result, said, texts
from otel_layers.local import Endpoints, Invocation, environment, lifecycle

FINE = """
    def handler(event, context):
        return event
"""


def exit_error(got: Invocation, how: str) -> dict[str, str]:
    """What Lambda gives when the runtime's process ended."""
    return {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {got.request_id} Error: Runtime exited {how}"}


def test_an_exception_is_an_error_and_the_environment_stays(tmp_path: Path) -> None:
    source = """
        import os
        def handler(event, context):
            if event == "raise":
                raise ValueError("no such thing")
            return os.getpid()
    """
    with environment(PROJECT, function(tmp_path, source), Endpoints()) as env:
        before, got, after = env.invoke(b"1"), env.invoke(b'"raise"'), env.invoke(b"1")
    assert (got.status, got.response) == ("error", None)
    assert got.error
    assert (got.error["errorType"], got.error["errorMessage"]) == ("ValueError", "no such thing")
    assert any("app.py" in line for line in got.error["stackTrace"])
    assert result(before) == result(after)
    assert any(text.startswith("[ERROR] ValueError: no such thing") for text in texts(env, "function"))
    done = [e["record"] for e in env.platform if e["type"] == "platform.runtimeDone"]
    assert [(d["status"], d.get("errorType")) for d in done] == [("success", None), ("error", "ValueError"), ("success", None)]


@pytest.mark.parametrize(
    ("source", "handler", "kind", "words"),
    [
        (FINE, "app.none", "Runtime.HandlerNotFound", "Handler 'none' missing on module 'app'"),
        (FINE, "none.handler", "Runtime.ImportModuleError", "Unable to import module 'none': No module named 'none'"),
        ("import not_there", "app.handler", "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'not_there'"),
        ("def handler(", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("1 / 0", "app.handler", "ZeroDivisionError", "division by zero"),
        (FINE, "nodot", "Runtime.MalformedHandlerName", "Bad handler 'nodot'"),
    ],
)
def test_a_function_that_cannot_be_loaded(tmp_path: Path, source: str, handler: str, kind: str, words: str) -> None:
    with environment(PROJECT, function(tmp_path, source, handler=handler), Endpoints()) as env:
        got = env.invoke(b"{}")
    assert got.status == "error"
    assert got.error
    assert got.error["errorType"] == kind
    assert words in got.error["errorMessage"]
    assert [init.suppressed for init in env.inits] == [False, True], "init is tried again inside the invocation"
    assert [e["record"]["phase"] for e in env.platform if e["type"] == "platform.initReport"] == ["init", "invoke"]
    assert got.init_ms is None


@pytest.mark.parametrize(
    ("statement", "how"),
    [
        ("import sys; sys.exit(1)", "with error: exit status 1"),
        ("import os; os._exit(0)", "without providing a reason"),
        ("import os; os._exit(9)", "with error: exit status 9"),
        ("import os; os.kill(os.getpid(), 9)", "with error: signal: killed"),
        ("import os; os.abort()", "with error: signal: aborted"),
    ],
)
def test_a_runtime_that_ends_is_started_again(tmp_path: Path, statement: str, how: str) -> None:
    source = f"""
        def handler(event, context):
            print("handling", event)
            if event == "end":
                {statement}
            return event
    """
    with environment(PROJECT, function(tmp_path, source), Endpoints()) as env:
        got, after = env.invoke(b'"end"'), env.invoke(b"2")
    assert got.status == "failure"
    assert got.error == exit_error(got, how)
    assert result(after) == 2
    assert after.init
    assert after.init.suppressed
    assert texts(env, "function")[0] == "handling end"


def test_an_end_while_loading(tmp_path: Path) -> None:
    got, again = invoke(function(tmp_path, "import os; os._exit(5)"), 1, 2)
    assert [i.status for i in (got, again)] == ["failure", "failure"]
    assert got.error == exit_error(got, "with error: exit status 5")


def test_a_time_out_kills_and_the_next_invocation_starts_anew(tmp_path: Path) -> None:
    source = """
        import os, time
        def handler(event, context):
            time.sleep(event)
            return os.getpid()
    """
    made = function(tmp_path, source, timeout_s=1, layers=(layer(tmp_path, "l", {"extensions/watcher*": EXTENSION}),))
    with environment(PROJECT, made, Endpoints()) as env:
        got, after = env.invoke(b"30"), env.invoke(b"0")
    assert got.status == "timeout"
    assert got.response is None
    assert got.error == {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {got.request_id} Error: Task timed out after 1.00 seconds"}
    assert got.duration_ms >= 1000
    assert [text.split(" ", 1)[1] for text in texts(env, "function")] == [f"{got.request_id} Task timed out after 1.00 seconds"]
    assert result(after)
    assert after.init
    assert after.init.suppressed
    assert [e.get("shutdownReason") for e in said(env, "watcher", "event")] == [None, "timeout", None, "spindown"]
    done = [e["record"]["status"] for e in env.platform if e["type"] == "platform.runtimeDone"]
    assert done == ["timeout", "success"]


def test_an_extension_that_holds_past_the_time_out(tmp_path: Path) -> None:
    made = function(
        tmp_path, FINE, timeout_s=1, layers=(layer(tmp_path, "l", {"extensions/watcher*": EXTENSION}),), environment={"EXTENSION_HOLDS": "20"}
    )
    [got] = invoke(made, 7)
    assert got.status == "timeout"
    assert got.response == b"7", "the caller had it already"
    assert got.extension_ms > 0


@pytest.mark.parametrize("polled", [False, True], ids=["as the machine allows", "polled"])
def test_memory_beyond_the_limit(tmp_path: Path, polled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if polled:
        from otel_layers.local import cgroups

        monkeypatch.setattr(cgroups, "make", lambda: cgroups.Cgroups("none", None, 0, None, 0))
    source = """
        import time
        def handler(event, context):
            kept = []
            while event:
                kept.append(bytearray(b"x" * (1 << 20)))
                if len(kept) > 100:
                    time.sleep(0.01)
            return "small"
    """
    with environment(PROJECT, function(tmp_path, source, memory_mb=128, timeout_s=30), Endpoints()) as env:
        before, got, after = env.invoke(b"0"), env.invoke(b"1"), env.invoke(b"0")
    assert got.status == "failure"
    assert got.error == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": f"RequestId: {got.request_id} Error: Runtime exited with error: signal: killed",
    }
    assert before.max_memory_mb < 60
    assert got.max_memory_mb >= 100
    assert result(after) == "small"


def test_seven_megabytes_are_too_much_to_return(tmp_path: Path) -> None:
    source = """
        def handler(event, context):
            return "x" * event
    """
    made = function(tmp_path, source, memory_mb=256)
    with environment(PROJECT, made, Endpoints()) as env:
        got, after = env.invoke(b"7000000"), env.invoke(b"10")
    assert got.status == "error"
    assert got.response is None
    assert got.error == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
    assert result(after) == "x" * 10


def test_a_result_that_is_not_json(tmp_path: Path) -> None:
    source = """
        def handler(event, context):
            return object()
    """
    [got] = invoke(function(tmp_path, source), 1)
    assert got.status == "error"
    assert got.error
    assert got.error["errorType"] == "Runtime.MarshalError"


@pytest.mark.parametrize(("fails", "statuses"), [("INVOKE", ["failure", "failure"]), ("init", ["failure", "failure"])])
def test_an_extension_that_ends_fails_the_function(tmp_path: Path, fails: str, statuses: list[str]) -> None:
    made = function(tmp_path, FINE, layers=(layer(tmp_path, "l", {"extensions/watcher*": EXTENSION}),), environment={"EXTENSION_FAILS": fails})
    with environment(PROJECT, made, Endpoints()) as env:
        got = [env.invoke(b"1"), env.invoke(b"2")]
    assert [i.status for i in got] == statuses
    for invocation in got:
        assert invocation.error
        kind, words = ("Extension.Crash", "watcher: exit status 3") if fails == "INVOKE" else ("Watcher.NoConfig", "no")
        assert invocation.error == {"errorType": kind, "errorMessage": f"RequestId: {invocation.request_id} Error: {words}"}


def test_an_extension_that_ends_at_once(tmp_path: Path) -> None:
    made = function(tmp_path, FINE, layers=(layer(tmp_path, "l", {"extensions/bad*": "#!/bin/sh\necho cannot >&2; exit 4"}),))
    with environment(PROJECT, made, Endpoints()) as env:
        got = env.invoke(b"1")
    assert got.error == {"errorType": "Extension.Crash", "errorMessage": f"RequestId: {got.request_id} Error: bad: exit status 4"}
    assert texts(env, "extension:bad") == ["cannot", "cannot"], "once, and once in the suppressed init"


def test_an_extension_that_cannot_be_executed(tmp_path: Path) -> None:
    made = function(tmp_path, FINE, layers=(layer(tmp_path, "l", {"extensions/bad*": "#!/no/such/interpreter\n"}),))
    with environment(PROJECT, made, Endpoints()) as env:
        got = env.invoke(b"1")
    assert got.error
    assert got.error["errorType"] == "Extension.Crash"
    assert texts(env, "extension:bad")[0].endswith("No such file or directory")


def test_an_init_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "INIT_LIMIT_S", 0.5)
    [got] = invoke(function(tmp_path, "import time; time.sleep(60)", timeout_s=1), 1)
    assert got.status == "timeout"
    assert got.error
    assert got.error["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")


def test_an_extension_that_does_not_end_at_shutdown_is_killed(tmp_path: Path) -> None:
    stubborn = """
        #!/bin/sh
        trap '' TERM
        exec /opt/real
    """
    loop = EXTENSION.replace('if event["eventType"] == "SHUTDOWN":', 'if event["eventType"] == "SHUTDOWN":\n            __import__("time").sleep(60)')
    made = function(tmp_path, FINE, layers=(layer(tmp_path, "l", {"extensions/real*": loop, "real*": stubborn}),))
    with environment(PROJECT, made, Endpoints()) as env:
        env.invoke(b"1")
        env.shutdown()
        assert [e["eventType"] for e in said(env, "real", "event")] == ["INVOKE", "SHUTDOWN"]
        left = [p for p in _processes() if b"extensions/real" in p]
    assert left == []


def test_children_that_the_function_leaves_are_gone_after_a_time_out(tmp_path: Path) -> None:
    source = """
        import subprocess, sys, time
        def handler(event, context):
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", event], start_new_session=True)
            time.sleep(30)
    """
    mark = f"child-of-{os.getpid()}"
    with environment(PROJECT, function(tmp_path, source, timeout_s=1), Endpoints()) as env:
        assert env.invoke(f'"{mark}"'.encode()).status == "timeout"
        assert [p for p in _processes() if mark.encode() in p] == []


def _processes() -> list[bytes]:
    out = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            out.append(path.read_bytes())
        except OSError:
            continue
    return out
