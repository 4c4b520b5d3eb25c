"""
A function in a process of its own, as Lambda runs it: the built layer, AWS's own runtime client, a Runtime API and an OTLP receiver in this process.

The local Lambda does this in full; here each test is one process, so that every interpreter of the machine can be tried quickly.
"""

from __future__ import annotations

import json
import os
import queue
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ARN = "arn:aws:lambda:us-east-1:123456789012:function:demo"
CLIENT = """
import os, sys
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], os.environ["LAYER_PYTHON"]]
sys.path.append(os.environ["RUNTIME_PACKAGES"])
from awslambdaric.__main__ import main
main(["client", os.environ["_HANDLER"]])
"""

# Before all else when FILES is set: the files of the layer that are opened (their names), and those that are compiled from source (with an asterisk).
WATCH = """
import os, sys
def watch(opt, file):
    def note(event, values):
        place = {"open": 0, "import": 1, "compile": 1}.get(event)
        name = None if place is None else values[place]
        name = os.fsdecode(name) if isinstance(name, bytes) else name
        if isinstance(name, str) and name.startswith(opt):
            os.write(file, ("*" * (event == "compile") + name + "\\n").encode())
    sys.addaudithook(note)
if "FILES" in os.environ:
    watch(os.environ["LAYER_PYTHON"][:-len("python")], os.open(os.environ.pop("FILES"), os.O_WRONLY | os.O_CREAT | os.O_APPEND))
del watch
"""


@dataclass
class Receiver:
    """What arrived over OTLP/HTTP; `answer` decides a request's fate: a status, or None to hang up without one; `reply` gives a path's body."""

    port: int = 0
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answer: Callable[[int], int | None] = lambda _: 200
    reply: Callable[[str], bytes] = lambda _: b""
    connections: int = 0
    open: list[Any] = field(default_factory=list)

    def spans(self) -> list[Any]:
        """All received spans."""
        return [span for _, _, span in self.all()]

    def all(self) -> list[tuple[Any, Any, Any]]:
        """Resource, scope and span of each."""
        out = []
        for _, body in self.requests:
            message = ExportTraceServiceRequest.FromString(body)
            out += [(r.resource, s.scope, span) for r in message.resource_spans for s in r.scope_spans for span in s.spans]
        return out

    def hang_up(self) -> None:
        """Close all connections, as they are found after a freeze."""
        for connection in self.open:
            connection.shutdown(2)
            connection.close()
        self.open.clear()


def value(any_value: Any) -> Any:
    """An AnyValue as a Python value."""
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value(v) for v in any_value.array_value.values]
    return getattr(any_value, kind) if kind else None


def attributes(owner: Any) -> dict[str, Any]:
    """The attributes of a span, resource, event or link."""
    return {a.key: value(a.value) for a in owner.attributes}


class Quiet(BaseHTTPRequestHandler):
    """A handler of requests that logs nothing and answers in one piece."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, text in (headers or {}).items():
            self.send_header(key, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that goes away, which tests make happen, is no news."""


@contextmanager
def serving(handler: type[Quiet], port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server with `handler`; gives its port."""
    server = _Server(("127.0.0.1", port), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def receiving(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """An OTLP receiver, at any free port unless one is asked for."""
    state = Receiver()

    class Handler(Quiet):
        def setup(self) -> None:
            super().setup()
            state.connections += 1
            state.open.append(self.connection)

        def do_POST(self) -> None:
            body = self.body()
            status = state.answer(len(state.requests))
            if status is None:
                self.close_connection = True
                return
            state.requests.append((dict(self.headers), body))
            self.reply(status, state.reply(self.path))

    with serving(Handler, port, tls) as state.port:
        yield state


@dataclass
class Outcome:
    """What the Runtime API got for one invocation: its response, or its error as the client sent it."""

    response: bytes | None = None
    error: dict[str, Any] | None = None

    @property
    def json(self) -> Any:
        """The response's value."""
        assert self.response is not None, self.error
        return json.loads(self.response)


class Lambda:
    """A running function; `invoke` is one invocation, to its end."""

    def __init__(self, api: queue.Queue[Any], done: queue.Queue[Outcome], process: subprocess.Popen[bytes], log: Path) -> None:
        self._api, self._done, self.process, self._log = api, done, process, log
        self._count = 0

    def invoke(self, event: Any, *, seconds: float = 30.0, headers: dict[str, str] | None = None, raw: bytes | None = None) -> Outcome:
        """Hand `event` to the function, with a deadline `seconds` from now."""
        self._count += 1
        head = {
            "Lambda-Runtime-Aws-Request-Id": f"request-{self._count}",
            "Lambda-Runtime-Invoked-Function-Arn": ARN + ":live",
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            "Content-Type": "application/json",
            **(headers or {}),
        }
        self._api.put((head, raw if raw is not None else json.dumps(event).encode()))
        return self._wait()

    def init_error(self) -> dict[str, Any]:
        """The error that the client reported instead of asking for work."""
        outcome = self._wait()
        assert outcome.error is not None, "the function started"
        return outcome.error

    def _wait(self) -> Outcome:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                return self._done.get(timeout=0.2)
            except queue.Empty:
                if self.process.poll() is not None and self._done.empty():
                    raise AssertionError(f"the function's process ended with {self.process.returncode}:\n{self.log()}") from None
        raise AssertionError(f"no end after 60 s:\n{self.log()}")

    def log(self) -> str:
        """Everything written to stdout and stderr."""
        return self._log.read_text(errors="replace")

    def said(self) -> list[str]:
        """The layer's own lines."""
        return [line for line in self.log().splitlines() if line.startswith("otel:")]


def variables(port: int, layer: Path | None, task: Path, packages: Path) -> dict[str, str]:
    """The environment of a function whose Runtime API is at `port`."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "LAMBDA_TASK_ROOT": str(task),
        "LAYER_PYTHON": str(layer / "python") if layer else "/nonexistent",
        "RUNTIME_PACKAGES": str(packages),
        "AWS_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "demo",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[7]abc",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/demo",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }


@dataclass
class Files:
    """What a function was noted to do with the files of its layer, which is at `opt`; `record` goes into its environment as FILES."""

    record: Path
    opt: Path

    def compiled(self) -> set[str]:
        """Those compiled from source."""
        return {name[1:] for name in self._lines() if name.startswith("*")}

    def opened(self) -> set[str]:
        """Those opened or loaded, as paths below /opt."""
        return {os.path.relpath(name, self.opt) for name in self._lines() if not name.startswith("*")}

    def touched(self) -> int:
        """Bytes of the files that a start reads, the wrapper with them; a library counts whole, though only what is used of it is read."""
        return sum((self.opt / name).stat().st_size for name in (*self.opened(), "otel-handler") if (self.opt / name).is_file())

    def _lines(self) -> list[str]:
        return self.record.read_text().splitlines() if self.record.exists() else []  # nothing of the layer was touched yet


@contextmanager
def runtime_api(work: Callable[[], Any], post: Callable[[str, Any, bytes], None]) -> Iterator[int]:
    """A Runtime API: `work` blocks for (headers, body) of the next invocation, None to hang up; `post` gets what the client posts."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            found = ({}, b"") if self.path.endswith("/restore/next") else work()
            if found is None:
                self.close_connection = True
            else:
                self.reply(200, found[1], found[0])

        def do_POST(self) -> None:
            body = self.body()
            self.reply(202)
            post(self.path, self.headers, body)

    with serving(Handler) as port:
        yield port


@contextmanager
def running(
    python: Path, packages: Path, layer: Path | None, task: Path, handler: str, environment: dict[str, str], wrapper: str = "otel-handler"
) -> Iterator[Lambda]:
    """The function in `task` with the layer unpacked at `layer` (None: without it)."""
    api: queue.Queue[Any] = queue.Queue()
    done: queue.Queue[Outcome] = queue.Queue()

    def post(path: str, _headers: Any, body: bytes) -> None:
        done.put(Outcome(response=body) if path.endswith("/response") else Outcome(error=json.loads(body)))

    log = task.parent / f"log-{time.monotonic_ns()}"
    with runtime_api(api.get, post) as port, log.open("wb") as out:
        full = {**variables(port, layer, task, packages), "_HANDLER": handler, **environment}
        command = [str(layer / wrapper)] if layer else []
        process = subprocess.Popen(
            [*command, str(python), "-B", "-S", "-c", WATCH + CLIENT],  # a runtime of Lambda has none of this machine's packages
            cwd=task,
            env=full,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            yield Lambda(api, done, process, log)
        finally:
            process.kill()
            process.wait()
            api.put(None)
