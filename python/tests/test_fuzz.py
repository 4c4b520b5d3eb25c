"""
Twenty thousand events that nobody sends, through the built layer: the function's result and output stay its own, and its spans are well formed.

The real runtime client runs in a process of its own, but for the part of it that speaks HTTP, which here reads and writes files: so many fit into
a test. `./run.sh conformance --fuzz` sends the same events through the local Lambda.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otel_layers import toolchain
from otel_layers.cli.conformance import cases, fuzz, runner
from otel_layers.local import otlp
from otel_layers.local.otlp_json import to_json
from parts import PROJECT, ROOT
from sandbox import ARN, variables

COUNT, SEED = 20_000, int(os.environ.get("OTEL_FUZZ_SEED") or 20261125)
AT_ONCE = 2
CLIENT = """
import json, os, sys, time, types

sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], os.environ["LAYER_PYTHON"]]
sys.path.append(os.environ["RUNTIME_PACKAGES"])
events, answers = open(os.environ["EVENTS"], "rb"), open(os.environ["ANSWERS"], "wb")

def following():
    line = events.readline()
    if not line:
        answers.close()
        raise SystemExit(0)
    number, _, body = line.partition(b" ")
    return body, {
        "Lambda-Runtime-Aws-Request-Id": "request-" + number.decode(),
        "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
        "Lambda-Runtime-Invoked-Function-Arn": os.environ["ARN"],
        "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 30000),
        "Content-Type": "application/json",
    }

def answered(kind):
    return lambda request, body, *_: answers.write(b"%s %s %r\\n" % (request.encode(), kind, body))

sys.modules["runtime_client"] = wire = types.ModuleType("runtime_client")
wire.initialize_client = lambda *_: None
wire.next, wire.post_invocation_result, wire.post_error = following, answered(b"result"), answered(b"error")
from awslambdaric.__main__ import main
main(["client", os.environ["_HANDLER"]])
"""


class Sink:
    """An OTLP/HTTP receiver that does little more than keep bodies, so that it does not cost more than what is tested."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                length = 0
                while line.strip():
                    name, _, text = line.partition(b":")
                    length = int(text) if name.lower() == b"content-length" else length
                    line = stream.readline()
                self.bodies.append(stream.read(length))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def answers(folder: Path, events: Path, python: Path, layer: Path | None, port: int, tier: str) -> tuple[bytes, bytes]:
    """What the function answered to `events`, and what it printed."""
    handler = cases.common(ROOT)["handlers"]["python"]
    packages = toolchain.target(PROJECT, ROOT / "requirements/runtime-python.txt", str(python), f"runtime-python{python.name.removeprefix('python')}")
    own = {
        "_HANDLER": handler,
        "ARN": ARN,
        "EVENTS": str(events),
        "ANSWERS": str(folder / "answers"),
        "CONFORMANCE_RESULTS": json.dumps([{"returns": result} for result in fuzz.RESULTS]),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        runner.TIER: tier,
    }
    folder.mkdir()
    task = ROOT / cases.FOLDER / "functions/python"
    command = [*([layer / "otel-handler"] if layer else []), python, "-B", "-c", CLIENT]
    with (folder / "printed").open("wb") as out:
        env = {**variables(1, layer, task, packages), **own}
        done = subprocess.run(command, cwd=task, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=240, check=False)
    printed = (folder / "printed").read_bytes()
    assert done.returncode == 0, printed[-2000:]
    return (folder / "answers").read_bytes(), printed


@pytest.mark.parametrize(("tier", "count"), [("auto", COUNT), ("sdk", COUNT // 10)])
def test_events_that_nobody_sends(tmp_path: Path, layer: Path, python: str, tier: str, count: int) -> None:
    print(f"OTEL_FUZZ_SEED={SEED}")
    seeds = [json.loads(case.event) for case in cases.load(ROOT)]
    made = [json.dumps(event).encode() for event in fuzz.events(seeds, SEED, count)]
    parts = []
    for part in range(AT_ONCE):
        parts.append(tmp_path / f"events-{part}")
        parts[-1].write_bytes(b"".join(b"%d %s\n" % (number, event) for number, event in list(enumerate(made))[part::AT_ONCE]))
    interpreter = toolchain.interpreters()[python]
    with closing(Sink()) as sink, ThreadPoolExecutor(AT_ONCE) as pool:
        orders = [(tmp_path / f"{part.name}-{kind}", part, one) for kind, one in (("with", layer), ("without", None)) for part in parts]
        given = [pool.submit(answers, folder, part, interpreter, one, sink.port, tier) for folder, part, one in orders]
        found = [one.result() for one in given]
    for part, (with_layer, without) in enumerate(zip(found[:AT_ONCE], found[AT_ONCE:], strict=True)):
        for what, now, was in zip(("answers", "printed lines"), with_layer, without, strict=True):
            differing = [pair for pair in zip(now.splitlines(), was.splitlines(), strict=False) if pair[0] != pair[1]]
            assert now == was, f"part {part}: {what} with the layer and without: {differing[:3]}"
    assert len(sink.bodies) > count * 0.8, "nearly every event has spans"
    assert wrong(sink.bodies, made) == []


def wrong(bodies: list[bytes], made: list[bytes]) -> list[str]:
    """What is not right in the spans that arrived, as lines."""
    out: list[str] = []
    by_request: dict[str, list[otlp.Span]] = {}
    for body in bodies:
        spans = otlp.spans(to_json(ExportTraceServiceRequest.FromString(body))["resourceSpans"])
        out += runner.malformed(spans)
        owner = next((str(span.attributes.get("faas.invocation_id")) for span in spans if span.kind == "SERVER"), "nobody's")
        by_request.setdefault(owner, []).extend(spans)
    for number, event in enumerate(made):
        words = fuzz.differences(event, by_request.pop(f"request-{number}", ()), f"request-{number}")
        out += [f"event {number}: {'; '.join(words)}: {event[:500]!r}"] if words else []
    return out + [f"spans of {owner}: {[span.name for span in spans]}" for owner, spans in by_request.items()]
