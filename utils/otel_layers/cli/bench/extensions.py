"""The collector as an extension against a bare net/http extension and a stock build of the same components, interleaved."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import time
import urllib.request
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import console
from ...errors import FunctionFailed
from ...local.backend import Backend
from .extension_api import extension_api
from .figures import figure
from .page import Table
from .verdicts import Budget

OURS, BARE, STOCK = "ours", "bare net/http extension", "stock build"
CONFIG = """receivers: {otlp: {protocols: {http: {endpoint: "{receiver}"}}}}
exporters: {otlphttp: {endpoint: "{backend}"}}
service: {telemetry: {metrics: {level: none}}, pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}
"""
AWS = {"AWS_REGION": "local", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


@dataclass(frozen=True)
class Start:
    """One process: milliseconds from exec to the first next, resident MB then, and after 1,000 spans."""

    warm_ms: float
    cold_ms: float
    next_mb: float
    loaded_mb: float


def rounds(binaries: Mapping[str, Path], folder: Path, runs: int, spans: bytes, text: str = CONFIG) -> dict[str, list[Start]]:
    """`runs` samples of each program, interleaved; a first round is not counted. `spans` is a message of 100 spans, `text` the configuration."""
    samples: dict[str, list[Start]] = {name: [] for name in binaries}
    names = list(binaries)
    with Backend() as backend:
        for number in range(runs + 1):
            if number % 5 == 0:
                console.detail(f"round {number} of {runs}" if number else "a round that is not counted")
            at = number % len(names)
            for name in [*names[at:], *names[:at]]:
                cold, *_ = once(binaries[name], folder, backend, cold=True, text=text)
                warm, at_next, loaded = once(binaries[name], folder, backend, cold=False, spans=spans, delivered=name != BARE, text=text)
                if number:
                    samples[name].append(Start(warm, cold, at_next, loaded))
    return samples


def once(
    binary: Path, folder: Path, backend: Backend, *, cold: bool, spans: bytes = b"", delivered: bool = True, text: str = CONFIG
) -> tuple[float, float, float]:
    """
    Start `binary`; milliseconds until its first next, memory then and, when `spans` are given, after ten messages of them.

    In the configuration `text`, {receiver} and {backend} are the addresses, which the variables that the local Lambda sets tell too.
    """
    receiver, target = f"127.0.0.1:{_free_port()}", f"http://127.0.0.1:{backend.http_port}"
    config = folder / "config.yaml"
    config.write_text(text.replace("{receiver}", receiver).replace("{backend}", target))
    if cold:
        _forget(binary)
    before = backend.counts()["spans"]["received"]
    with extension_api() as api:
        env = {"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": api.address, "BENCH_RECEIVER": receiver}
        env |= {"OPENTELEMETRY_COLLECTOR_CONFIG_URI": f"file:{config}", "OTEL_EXPORTER_OTLP_ENDPOINT": target, **AWS, "AWS_ENDPOINT_URL": target}
        started = time.perf_counter_ns()
        output = folder / "output.txt"
        with output.open("wb") as file:
            child = subprocess.Popen([binary], env=env, stdout=file, stderr=subprocess.STDOUT)
        try:
            if not api.asked.wait(30):
                raise FunctionFailed(f"{binary.name} did not call next in 30 s", why=last_lines(output))
            took, at_next, loaded = (api.next_at - started) / 1e6, resident(child.pid), 0.0
            if spans:
                for _ in range(10):
                    _post(f"http://{receiver}/v1/traces", spans)
                if delivered:
                    _arrived(backend, before + 1000, binary, output)
                loaded = resident(child.pid)
        finally:
            child.kill()
            child.wait()
    return took, at_next, loaded


def resident(pid: int) -> float:
    """Resident memory of a process in MB (10^6 bytes)."""
    line = next(one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 / 1e6


def last_lines(output: Path) -> str:
    """The last ten lines that a program wrote, for an error."""
    return "\n".join(output.read_text(errors="replace").splitlines()[-10:]) or "it wrote nothing"


def _arrived(backend: Backend, wanted: int, binary: Path, output: Path) -> None:
    """A program that delivers nothing would look small."""
    for _ in range(1000):
        if backend.counts()["spans"]["received"] >= wanted:
            return
        time.sleep(0.01)
    raise FunctionFailed(f"{binary.name} did not deliver 1,000 spans in 10 s", why=last_lines(output))


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})  # noqa: S310 - a loopback address of ours
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
        reply.read()


def _forget(path: Path) -> None:
    """Drop a file from the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def summary(samples: Mapping[str, Sequence[Start]], binaries: Mapping[str, Path]) -> list[dict[str, Any]]:
    """A dictionary for each program: medians and spreads, and what its binary weighs, plain and deflated."""
    rows = []
    for name, mine in samples.items():
        body = binaries[name].read_bytes()
        row: dict[str, Any] = {"program": name, "runs": len(mine), "binaryBytes": len(body), "deflatedBytes": len(zlib.compress(body, 9))}
        for key in ("warm_ms", "cold_ms", "next_mb", "loaded_mb"):
            row[key] = figure([getattr(one, key) for one in mine])
        rows.append(row)
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Head and cells of the programs."""
    head = ("program", "start, ms", "start, files cold, ms", "memory at next, MB", "after 1,000 spans, MB", "binary, MB", "deflated, MB")
    cells = [
        [
            row["program"],
            *(str(row[key]) for key in ("warm_ms", "cold_ms", "next_mb", "loaded_mb")),
            f"{row['binaryBytes'] / 1e6:.2f}",
            f"{row['deflatedBytes'] / 1e6:.2f}",
        ]
        for row in rows
    ]
    return head, cells


def budgets(samples: Mapping[str, Sequence[Start]], binary_bytes: int, zip_bytes: int) -> list[Budget]:
    """What is judged."""
    median = {
        (name, key): statistics.median(getattr(one, key) for one in mine)
        for name, mine in samples.items()
        for key in ("warm_ms", "cold_ms", "next_mb", "loaded_mb")
    }
    judged = []
    for key, files in (("warm_ms", "files cached"), ("cold_ms", "files cold")):
        judged.append(Budget(f"start over the bare extension's, {files}", median[OURS, key] / median[BARE, key], 2.0))
        judged.append(Budget(f"start over the stock build's, {files}", median[OURS, key] / median[STOCK, key], 0.3))
    return [
        *judged,
        Budget("memory at next, MB", median[OURS, "next_mb"], 10.0),
        Budget("memory after 1,000 spans, MB", median[OURS, "loaded_mb"], 14.0),
        Budget("binary, MB", binary_bytes / 1e6, 9.5),
        Budget("zip, MB", zip_bytes / 1e6, 3.9),
    ]


def message(spans: int) -> bytes:
    """An OTLP message."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(1, spans + 1):
        one = scope.spans.add(name=f"span {number}", kind=2, start_time_unix_nano=number, end_time_unix_nano=number + 1)
        one.trace_id, one.span_id = number.to_bytes(16, "big"), os.urandom(8)
        one.attributes.add(key="http.route").value.string_value = "/orders/{id}"
    return bytes(request.SerializeToString())
