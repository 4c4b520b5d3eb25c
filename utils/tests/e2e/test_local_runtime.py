"""The function's view: runtime client, paths, variables, exec wrapper, layers, read-only files, logs, the way out to the host."""

from __future__ import annotations

import http.server
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from e2e.local_parts import PROJECT, function, invoke, layer, region, result, runtime, texts
from otel_layers.errors import UsageError
from otel_layers.local import Endpoints, environment, layers

ECHO = """
    def handler(event, context):
        return event
"""


def test_a_response_comes_back_and_times_are_in_order(tmp_path: Path) -> None:
    cold, warm = invoke(function(tmp_path, ECHO), {"a": [1, "ü"]}, 2)
    assert result(cold) == {"a": [1, "ü"]}
    assert result(warm) == 2
    assert cold.init_ms
    assert cold.init
    runtime_phase = cold.init.phase("runtime")
    assert runtime_phase
    assert 0 < runtime_phase.ms <= cold.init_ms
    assert runtime_phase.end_ns <= cold.started_ns < cold.response_ns <= cold.ended_ns < warm.started_ns
    assert warm.init_ms is None
    assert warm.init is None
    assert cold.billed_ms >= cold.init_ms + cold.duration_ms
    assert cold.request_id != warm.request_id
    assert cold.max_memory_mb > 1


def test_a_null_event(tmp_path: Path) -> None:
    assert result(invoke(function(tmp_path, ECHO), None)[0]) is None


def test_an_event_of_five_megabytes(tmp_path: Path) -> None:
    [got] = invoke(function(tmp_path, ECHO, memory_mb=256), "x" * 5_000_000)
    assert result(got) == "x" * 5_000_000


def test_an_event_above_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="7,000,002 bytes"):
        invoke(function(tmp_path, ECHO), "x" * 7_000_000)


def test_the_context_is_what_lambda_gives(tmp_path: Path) -> None:
    source = """
        import os
        def handler(event, context):
            return [context.function_name, context.memory_limit_in_mb, context.invoked_function_arn, context.aws_request_id,
                    context.get_remaining_time_in_millis(), context.client_context.custom, os.environ["_X_AMZN_TRACE_ID"]]
    """
    with environment(PROJECT, function(tmp_path, source, name="ctx", memory_mb=192, timeout_s=7), Endpoints()) as env:
        one = env.invoke(b"{}", trace_header="Root=1-5e-6f;Parent=53;Sampled=1", client_context='{"custom": {"k": "v"}}')
        two = env.invoke(b"{}", client_context='{"custom": {}}')
    name, memory, arn, request_id, left, custom, trace = result(one)
    assert (name, int(memory), custom, trace) == ("ctx", 192, {"k": "v"}, "Root=1-5e-6f;Parent=53;Sampled=1")
    assert arn == f"arn:aws:lambda:{region()}:123456789012:function:ctx"
    assert request_id == one.request_id
    assert 0 < left <= 7000
    assert result(two)[-1].endswith(";Sampled=0")
    assert result(two)[-1] == two.trace_header


def test_paths_variables_and_search_order_are_lambdas(tmp_path: Path) -> None:
    source = """
        import os, sys
        def handler(event, context):
            return [sys.path, dict(os.environ), os.getcwd(), sys.executable, os.getuid(), sorted(os.listdir("/var"))]
    """
    made = function(tmp_path, source, environment={"MINE": "1", "AWS_LAMBDA_FUNCTION_NAME": "forged"})
    with environment(PROJECT, made, Endpoints()) as env:
        path, variables, cwd, executable, user, var = result(env.invoke(b"{}"))
        if not env.isolation.namespaces:
            pytest.skip("no namespaces on this machine: paths are its own")
    site = f"/opt/python/lib/{runtime()}/site-packages"
    assert path[:4] == ["/var/task", site, "/opt/python", "/var/runtime"]
    assert all(p.startswith("/var/lang/") for p in path[4:])
    assert cwd == "/var/task"
    assert executable == f"/var/lang/bin/{runtime()}"
    assert user != 0
    assert var == ["lang", "runtime", "task"]
    expected = {
        "AWS_LAMBDA_FUNCTION_NAME": "it",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime()}",
        "AWS_REGION": region(),
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/it",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "_HANDLER": "app.handler",
        "MINE": "1",
    }
    assert {k: variables.get(k) for k in expected} == expected
    assert not [k for k in variables if k.startswith("LAMBDA_LA")]


def test_the_machines_own_packages_are_not_there_and_the_runtimes_are(tmp_path: Path) -> None:
    source = """
        import importlib.util
        def handler(event, context):
            return {name: importlib.util.find_spec(name) is not None for name in event}
    """
    found = result(invoke(function(tmp_path, source), ["pip", "pytest", "boto3", "awslambdaric"])[0])
    assert found == {"pip": False, "pytest": False, "boto3": True, "awslambdaric": True}


def test_only_tmp_can_be_written_and_keeps_its_files(tmp_path: Path) -> None:
    source = """
        import os
        def handler(event, context):
            refused = []
            for folder in ("/", "/var/task", "/opt", "/var/runtime", "/var/lang", "/usr", "/etc", "/dev", "/proc/sys/kernel"):
                try:
                    open(folder + "/probe", "w").close()
                except OSError:
                    refused.append(folder)
            before = os.path.exists("/tmp/kept")
            open("/tmp/kept", "w").close()
            size = os.statvfs("/tmp")
            return [refused, before, size.f_blocks * size.f_frsize >> 20, os.path.exists("/dev/shm"), os.listdir("/var/task")]
    """
    one, two = invoke(function(tmp_path, source), 1, 2)
    refused, before, size, shm, task = result(one)
    assert refused == ["/", "/var/task", "/opt", "/var/runtime", "/var/lang", "/usr", "/etc", "/dev", "/proc/sys/kernel"]
    assert (before, size, shm, task) == (False, 512, False, ["app.py"])
    assert result(two)[1] is True


def test_what_the_function_prints_is_kept_line_by_line(tmp_path: Path) -> None:
    source = """
        import logging, os, sys
        print("at import")
        def handler(event, context):
            print("one\\ntwo")
            print("to stderr", file=sys.stderr)
            logging.getLogger().warning("logged")
            os.write(1, b"no end")
    """
    seen: list[tuple[str, str]] = []
    with environment(PROJECT, function(tmp_path, source), Endpoints(), log=lambda *line: seen.append(line)) as env:
        env.invoke(b"{}")
    lines = texts(env, "function")
    assert lines[:4] == ["at import", "one", "two", "to stderr"]
    assert lines[4].startswith("[WARNING]")
    assert lines[4].endswith("logged")
    assert lines[5] == "no end"
    assert seen == [("function", text) for text in lines]


WRAPPER = """
    #!/bin/sh
    echo "wrapped: $*"
    export FROM_WRAPPER=yes
    exec "$@"
"""


def test_an_exec_wrapper_starts_the_runtime(tmp_path: Path) -> None:
    source = """
        import os
        def handler(event, context):
            return os.environ["FROM_WRAPPER"]
    """
    wrapped = layer(tmp_path, "wrapper", {"wrap*": WRAPPER})
    with environment(
        PROJECT, function(tmp_path, source, layers=(wrapped,), environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}), Endpoints()
    ) as env:
        assert result(env.invoke(b"{}")) == "yes"
    assert texts(env, "function") == [f"wrapped: /var/lang/bin/{runtime()} /var/runtime/bootstrap.py"]


@pytest.mark.parametrize(
    ("wrapper", "code", "words"), [("/opt/none", 127, "/opt/none: no such file"), ("/opt/plain", 126, "/opt/plain: not executable")]
)
def test_an_exec_wrapper_that_cannot_run(tmp_path: Path, wrapper: str, code: int, words: str) -> None:
    made = function(tmp_path, ECHO, layers=(layer(tmp_path, "l", {"plain": WRAPPER}),), environment={"AWS_LAMBDA_EXEC_WRAPPER": wrapper})
    with environment(PROJECT, made, Endpoints()) as env:
        got = env.invoke(b"{}")
    assert got.status == "failure"
    assert got.error == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {got.request_id} Error: Runtime exited with error: exit status {code}",
    }
    assert any(text.endswith(words) for text in texts(env, "function"))


def test_layers_are_merged_in_order_and_searched_before_the_runtime(tmp_path: Path) -> None:
    one = layer(tmp_path, "one", {"python/shared.py": "A = 'first'", "python/only.py": "B = 1", "data/file": "first"})
    two = layer(
        tmp_path,
        "two",
        {
            "python/shared.py": "A = 'second'",
            f"python/lib/{runtime()}/site-packages/placed.py": "C = 'site'",
            "python/placed.py": "C = 'plain'",
            "python/boto3.py": "D = 'mine'",
        },
    )
    source = """
        import boto3, only, placed, shared
        def handler(event, context):
            return [shared.A, only.B, placed.C, boto3.D, open("/opt/data/file").read()]
    """
    assert result(invoke(function(tmp_path, source, layers=(one, two)), {})[0]) == ["second", 1, "site", "mine", "first"]


def test_the_function_reaches_the_embedded_aws_and_nothing_else_of_the_host(tmp_path: Path) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[::-1])

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    source = f"""
        import os, socket, urllib.request
        def handler(event, context):
            out = [os.environ["AWS_ENDPOINT_URL"], urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"], b"abc" * 100000).read() == b"cba" * 100000]
            for address in (("127.0.0.1", {port}), ("127.0.0.1", 14318)):
                try:
                    socket.create_connection(address, timeout=2)
                    out.append("open")
                except ConnectionRefusedError:
                    out.append("refused")
            return out
    """
    closed = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    closed.server_close()
    try:
        # A backend that is down is refused inside as well; its variable is there all the same.
        endpoints = Endpoints(aws=("127.0.0.1", port), backend_http=("127.0.0.1", closed.server_address[1]))
        with environment(PROJECT, function(tmp_path, source), endpoints) as env:
            assert result(env.invoke(b"{}")) == ["http://127.0.0.1:4566", True, "refused", "refused"]
    finally:
        server.shutdown()
        server.server_close()


def test_endpoints_never_replace_what_the_template_sets(tmp_path: Path) -> None:
    source = """
        import os
        def handler(event, context):
            return [os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], os.environ.get("AWS_ENDPOINT_URL")]
    """
    made = function(tmp_path, source, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://mine:4318"})
    with environment(PROJECT, made, Endpoints(backend_http=("127.0.0.1", 9))) as env:
        assert result(env.invoke(b"{}")) == ["http://mine:4318", None]


def test_the_response_may_be_streamed(tmp_path: Path) -> None:
    """A custom loop in place of the runtime client: Lambda's own Python client does not stream."""
    wrapper = """
        #!/usr/bin/env @PYTHON@
        import http.client, os
        api = os.environ["AWS_LAMBDA_RUNTIME_API"]
        while True:
            connection = http.client.HTTPConnection(api)
            connection.request("GET", "/2018-06-01/runtime/invocation/next")
            answer = connection.getresponse()
            answer.read()
            path = "/2018-06-01/runtime/invocation/" + answer.headers["Lambda-Runtime-Aws-Request-Id"] + "/response"
            late = os.environ.get("LATE") == "1"
            connection.putrequest("POST", path)
            connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
            connection.putheader("Transfer-Encoding", "chunked")
            connection.putheader("Trailer", "Lambda-Runtime-Function-Error-Type")
            connection.endheaders()
            for part in (b"one ", b"two"):
                connection.send(b"%x\\r\\n%s\\r\\n" % (len(part), part))
            error = b"Lambda-Runtime-Function-Error-Type: My.Late\\r\\nLambda-Runtime-Function-Error-Body: eyJlcnJvclR5cGUiOiJNeS5MYXRlIn0=\\r\\n"
            connection.send(b"0\\r\\n" + (error if late else b"") + b"\\r\\n")
            connection.getresponse().read()
    """
    made = layer(tmp_path, "loop", {"loop*": wrapper})
    for late, status in (("0", "success"), ("1", "error")):
        settings = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/loop", "LATE": late}
        [got] = invoke(function(tmp_path, ECHO, layers=(made,), environment=settings), {})
        assert (got.status, got.response) == (status, b"one two")
        assert (got.error or {}).get("errorType") == ("My.Late" if late == "1" else None)


def test_platform_events_tell_the_whole_life(tmp_path: Path) -> None:
    with environment(PROJECT, function(tmp_path, ECHO), Endpoints()) as env:
        got = env.invoke(json.dumps("abc").encode())
    kinds = [event["type"].removeprefix("platform.") for event in env.platform]
    assert kinds == ["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"]
    done, report = env.platform[4]["record"], env.platform[5]["record"]
    assert done["requestId"] == report["requestId"] == got.request_id
    assert done["metrics"]["producedBytes"] == 5
    assert done["tracing"]["value"] == got.trace_header
    assert report["metrics"]["durationMs"] == got.duration_ms
    assert report["metrics"]["initDurationMs"] == got.init_ms
    assert report["metrics"]["billedDurationMs"] == got.billed_ms


def test_environments_run_beside_each_other(tmp_path: Path) -> None:
    source = """
        import http.server, threading, urllib.request
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(NAME.encode())
            def log_message(self, *_):
                pass
        threading.Thread(target=http.server.HTTPServer(("127.0.0.1", 4318), Answer).serve_forever, daemon=True).start()
        def handler(event, context):
            global NAME
            NAME = context.function_name
            return urllib.request.urlopen("http://sandbox.localdomain:4318/").read().decode()
    """
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    one, two = (function(folder, source, name=folder.name) for folder in folders)
    with environment(PROJECT, one, Endpoints()) as first, environment(PROJECT, two, Endpoints()) as second:
        for _ in range(3):
            assert result(first.invoke(b"1")) == "one"
            assert result(second.invoke(b"1")) == "two"


def test_a_function_that_only_its_owner_can_read(tmp_path: Path) -> None:
    source = """
        import os
        def handler(event, context):
            return os.getuid()
    """
    made = function(tmp_path, source)
    (made.code / "app.py").chmod(0o600)
    made.code.chmod(0o700)
    with environment(PROJECT, made, Endpoints()) as env:
        user = result(env.invoke(b"1"))
        assert user == env.isolation.user
        assert bool(user == 0) == any("runs as root" in line for line in env.isolation.less)


def test_unpacked_layers_are_kept_while_used_and_pruned_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_KEEP", 0)
    project = replace(PROJECT, root=tmp_path)
    made = [layer(tmp_path, name, {"data/file": name}) for name in ("one", "two")]
    code = function(tmp_path, ECHO).code
    with layers.merged(project, made[:1], code) as one, layers.merged(project, made[:1], code) as again:
        assert one
        assert one == again
        with layers.merged(project, made[1:], code) as two:
            assert two
            assert (one / "data/file").read_text() == "one"
        with layers.merged(project, made, code):
            assert one.is_dir()
            assert not two.is_dir()
