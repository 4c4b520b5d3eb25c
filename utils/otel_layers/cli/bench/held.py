"""What a backend that fails costs the function, in the local Lambda: its own POST to the extension, and how long invocations are held after it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ... import console, local
from ...errors import FunctionFailed
from ...function import Function
from ...local.backend import Backend, fault
from ...project import Project
from .figures import Figure, figure
from .page import Table
from .verdicts import Budget

FAULTS = ("", "down", "hanging", "slow:2")
INVOCATIONS = 10
# As a language layer does: one message, with the header that says that nothing more comes, and then the response. It writes to a socket
# itself, so that the time is the extension's: Python's HTTP library, and create_connection with its look-up of names, take 1.6 ms at first.
CODE = """import socket
import time

address = ("127.0.0.1", 4318)
with open("/var/task/message.bin", "rb") as file:
    body = file.read()
head = "POST /v1/traces HTTP/1.1\\r\\nHost: localhost:4318\\r\\nContent-Type: application/x-protobuf\\r\\n"
kept = []


def handler(event, context):
    length = f"Content-Length: {len(body)}\\r\\nX-Otel-Lambda-Invocation-End: {context.aws_request_id}\\r\\n\\r\\n"
    began = time.perf_counter_ns()
    if not kept:
        kept.append(socket.socket())
        kept[0].connect(address)
    kept[0].sendall((head + length).encode() + body)
    reply = b""
    while b"\\r\\n\\r\\n" not in reply:
        part = kept[0].recv(4096)
        if not part:
            raise ConnectionError(f"the extension hung up after {reply!r}")
        reply += part
    return {"status": int(reply.split()[1]), "ms": (time.perf_counter_ns() - began) / 1e6}
"""


@dataclass(frozen=True)
class Held:
    """One environment: milliseconds."""

    fault: str  # of the backend; "" is none
    first_post: float  # connects
    posts: tuple[float, ...]  # the others
    held: tuple[float, ...]  # of each invocation, from the response to the last next


def function(name: str, runtime: str, architecture: str, region: str, layer: Path, folder: Path, message: bytes) -> Function:
    """A function that posts `message` by itself."""
    code = folder / name
    code.mkdir(exist_ok=True)
    (code / "app.py").write_text(CODE)
    (code / "message.bin").write_bytes(message)
    return Function(
        name=name,
        runtime=runtime,
        handler="app.handler",
        code=code,
        layers=(layer,),
        environment={},
        memory_mb=512,
        timeout_s=30,
        architecture=architecture,
        region=region,
    )


def once(project: Project, wanted: Function, kind: str) -> Held:
    """INVOCATIONS of one environment, frozen between them, while the backend fails so."""
    with Backend(fault(kind)) as backend:
        endpoints = local.Endpoints(("127.0.0.1", backend.http_port), ("127.0.0.1", backend.grpc_port), watch=backend.watch, froze=backend.froze)
        with local.environment(project, wanted, endpoints, cold_files=False) as environment:
            invocations = [environment.invoke(b"{}") for _ in range(INVOCATIONS)]
    posts = []
    for one in invocations:
        answer = json.loads(one.response or b"{}")
        if answer.get("status") != 200:
            raise FunctionFailed("the extension did not take the function's spans", why=str(one.error or one.response))
        posts.append(float(answer["ms"]))
    return Held(kind, posts[0], tuple(posts[1:]), tuple(one.extension_ms for one in invocations))


def rounds(project: Project, wanted: Function, runs: int) -> list[Held]:
    """`runs` environments for each fault, interleaved."""
    samples = []
    for number in range(runs):
        for kind in FAULTS:
            console.detail(f"ten invocations, backend {kind or 'healthy'}, {number + 1} of {runs}")
            samples.append(once(project, wanted, kind))
    return samples


def _of(samples: Sequence[Held], kind: str) -> tuple[Figure, Figure, Figure, Figure]:
    mine = [one for one in samples if one.fault == kind]
    posts = figure([ms for one in mine for ms in one.posts])
    return figure([one.first_post for one in mine]), posts, figure([max(one.held) for one in mine]), figure([sum(one.held) for one in mine])


def table(samples: Sequence[Held]) -> Table:
    """Head and cells."""
    head = ("backend", "first POST, ms", "further POSTs, ms", "longest held, ms", "ten invocations held in all, ms")
    return head, [[kind or "healthy", *(f"{one.median:.2f} ({one.low:.2f} to {one.high:.2f})" for one in _of(samples, kind))] for kind in FAULTS]


def budgets(samples: Sequence[Held]) -> list[Budget]:
    """What is judged: medians."""
    judged = []
    for kind in FAULTS:
        first, posts, _, whole = _of(samples, kind)
        judged.append(Budget(f"the function's own POST, backend {kind or 'healthy'}, ms", max(first.median, posts.median), 2.0))
        judged.append(Budget(f"ten invocations held, backend {kind or 'healthy'}, s", whole.median / 1000, 3.0))
    return judged


def plain(samples: Sequence[Held]) -> list[dict[str, Any]]:
    """For machines."""
    return [asdict(one) for one in samples]
