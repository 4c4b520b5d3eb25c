"""The collector as an extension against a bare net/http extension and a stock build of the same components, interleaved."""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import time
import urllib.request
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ... import console, process, toolchain
from ...errors import BuildFailed, FunctionFailed
from ...local.backend import Backend
from ...project import Project
from .extension_api import extension_api
from .figures import Figure, figure

OURS, BARE, STOCK = "ours", "bare net/http extension", "stock build"
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.162.0"
CONFIG = """receivers: {{otlp: {{protocols: {{http: {{endpoint: "{receiver}"}}}}}}}}
exporters: {{otlphttp: {{endpoint: "{backend}"}}}}
service: {{telemetry: {{metrics: {{level: none}}}}, pipelines: {{traces: {{receivers: [otlp], exporters: [otlphttp]}}}}}}
"""
_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=")


@dataclass(frozen=True)
class Start:
    """One process: milliseconds from exec to the first next, resident MB then, and after 1,000 spans."""

    warm_ms: float
    cold_ms: float
    next_mb: float
    loaded_mb: float


def programs(project: Project, collector: Path, folder: Path) -> dict[str, Path]:
    """Compile the two others beside the built `collector`; the binaries by their rows' names."""
    env = toolchain.go_environment(project, CGO_ENABLED="0", GOWORK="off")
    go, sources = toolchain.go(project), Path(__file__).with_name("programs")
    for name in ("bare", "stock"):
        shutil.copytree(sources / name, folder / name)
    process.run([go, "build", *_FLAGS, "-o", folder / "bare-extension", "."], cwd=folder / "bare", env=env, error=BuildFailed)
    stock = folder / "stock"
    command = [go, "run", BUILDER, "--config", "builder.yaml", "--skip-compilation"]
    process.run(command, cwd=stock, env=env, error=BuildFailed, remedy="a module proxy must be reachable")
    (stock / "main_others.go").unlink()  # ours stands for it
    process.run([go, "build", *_FLAGS, "-o", folder / "stock-extension", "."], cwd=stock, env=env, error=BuildFailed)
    return {OURS: collector, BARE: folder / "bare-extension", STOCK: folder / "stock-extension"}


def rounds(binaries: Mapping[str, Path], folder: Path, runs: int, spans: bytes) -> dict[str, list[Start]]:
    """`runs` samples of each program, interleaved; a first round is not counted. `spans` is an OTLP message of 100 spans."""
    samples: dict[str, list[Start]] = {name: [] for name in binaries}
    names = list(binaries)
    with Backend() as backend:
        for number in range(runs + 1):
            at = number % len(names)
            for name in [*names[at:], *names[:at]]:
                cold, *_ = once(binaries[name], folder, backend, cold=True)
                warm, at_next, loaded = once(binaries[name], folder, backend, cold=False, spans=spans, delivered=name != BARE)
                if number:
                    samples[name].append(Start(warm, cold, at_next, loaded))
    return samples


def once(binary: Path, folder: Path, backend: Backend, *, cold: bool, spans: bytes = b"", delivered: bool = True) -> tuple[float, float, float]:
    """Start `binary`; milliseconds until its first next, memory then and, when `spans` are given, after ten messages of them."""
    receiver = f"127.0.0.1:{_free_port()}"
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(receiver=receiver, backend=f"http://127.0.0.1:{backend.http_port}"))
    if cold:
        _forget(binary)
    before = backend.counts()["spans"]["received"]
    with extension_api() as api:
        env = {"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": api.address, "BENCH_RECEIVER": receiver}
        env["OPENTELEMETRY_COLLECTOR_CONFIG_URI"] = f"file:{config}"
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


def table(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[list[str]]]:
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


def budgets(samples: Mapping[str, Sequence[Start]], binary_bytes: int, zip_bytes: int) -> list[tuple[str, float, float]]:
    """What is judged: its words, the figure, and the most that it may be."""
    median = {
        (name, key): statistics.median(getattr(one, key) for one in mine)
        for name, mine in samples.items()
        for key in ("warm_ms", "cold_ms", "next_mb", "loaded_mb")
    }
    judged = []
    for key, files in (("warm_ms", "files cached"), ("cold_ms", "files cold")):
        judged.append((f"start over the bare extension's, {files}", median[OURS, key] / median[BARE, key], 2.0))
        judged.append((f"start over the stock build's, {files}", median[OURS, key] / median[STOCK, key], 0.3))
    return [
        *judged,
        ("memory at next, MB", median[OURS, "next_mb"], 10.0),
        ("memory after 1,000 spans, MB", median[OURS, "loaded_mb"], 14.0),
        ("binary, MB", binary_bytes / 1e6, 9.5),
        ("zip, MB", zip_bytes / 1e6, 3.9),
    ]


def budgets_table(judged: Sequence[tuple[str, float, float]]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Head and cells of the budgets."""
    return ("budget", "measured", "at most", ""), [[what, f"{is_:.2f}", f"{most:g}", "pass" if is_ <= most else "miss"] for what, is_, most in judged]


def measure(
    project: Project, collector: Path, zip_bytes: int, folder: Path, runs: int
) -> tuple[dict[str, Any], dict[str, tuple[tuple[str, ...], list[list[str]]]]]:
    """Build, run all rounds; the result for machines, and the tables by their headings."""
    toolchain.use(project, "local")
    binaries = programs(project, collector, folder)
    console.step(f"measuring {len(binaries)} extensions, {runs} times each, interleaved")
    samples = rounds(binaries, folder, runs, message())
    rows = summary(samples, binaries)
    judged = budgets(samples, collector.stat().st_size, zip_bytes)
    plain = [{key: asdict(value) if isinstance(value, Figure) else value for key, value in row.items()} for row in rows]
    result = {"extensions": plain, "budgets": [{"what": what, "measured": is_, "atMost": most, "pass": is_ <= most} for what, is_, most in judged]}
    return result, {"The collector alone": table(rows), "The collector's budgets": budgets_table(judged)}


def message() -> bytes:
    """An OTLP message of 100 spans."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number in range(1, 101):
        one = spans.add(name=f"span {number}", kind=2, start_time_unix_nano=number, end_time_unix_nano=number + 1)
        one.trace_id, one.span_id = number.to_bytes(16, "big"), os.urandom(8)
        one.attributes.add(key="http.route").value.string_value = "/orders/{id}"
    return bytes(request.SerializeToString())
