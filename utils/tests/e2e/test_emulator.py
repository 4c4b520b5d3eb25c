"""
The Collector under AWS's own emulator, which has a Telemetry API only for managed instances: all arrives, nothing hangs.

It keeps the local Lambda honest.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from e2e.local_parts import EVERYTHING, HERE, PROJECT, SENDER, collector, function
from otel_layers import toolchain
from otel_layers.cli.session import session
from otel_layers.local import Mode, otlp, runtimes


def emulator() -> Path:
    """AWS's runtime interface emulator, which the SAM CLI brings."""
    [found] = toolchain.packages(PROJECT, "sam").glob(f"lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{HERE.aws}")
    return found


MOUNT = """
    mount --bind "$1" /opt && mount --bind "$2" /etc/hosts && ip link set lo up &&
    mount -t tmpfs none /var && mkdir /var/task /var/runtime /var/lang &&
    mount --bind "$3" /var/task && mount --bind "$4" /var/runtime && mount --bind "$5" /var/lang && shift 5 && exec "$@"
"""
needs_mounts = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mounting at /opt needs root and unshare")


def emulated(folder: Path, count: int, **variables: str) -> dict[str, Any]:
    """So many invocations under AWS's emulator, with SENDER as the function: what emulated.py prints of them."""
    opt, hosts = folder / "opt", folder / "hosts"
    with zipfile.ZipFile(collector()) as archive:
        archive.extractall(opt)
    (opt / "extensions/collector").chmod(0o755)
    hosts.write_text("127.0.0.1 localhost sandbox.localdomain\n")
    made = function(folder, SENDER)
    runtime = runtimes.prepare(PROJECT, made)
    inner = [
        sys.executable,
        Path(__file__).with_name("emulated.py"),
        emulator(),
        f"/var/lang/bin/python{runtime.version}",
        "/var/runtime",
        "/var/task",
    ]
    places = [opt, hosts, made.code, runtime.folder, runtime.prefix]
    words = ["unshare", "-m", "-n", "--fork", "--kill-child", "sh", "-c", MOUNT.strip(), "sh", *places, *inner, count]
    env = {**os.environ, "PYTHONPATH": str(PROJECT.root / "utils"), **variables}
    done = subprocess.run([str(w) for w in words], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    got: dict[str, Any] = json.loads(done.stdout)
    assert got["answers"] == [{"first": 1 + 10 * n, "answers": [200, 200, 200]} for n in range(count)], got["said"]
    return got


@needs_mounts
def test_five_invocations_under_awss_emulator(tmp_path: Path) -> None:
    got = emulated(tmp_path, 5)
    assert {signal: got["counts"][signal]["unique"] for signal in ("spans", "metrics", "logs")} == {"spans": 50, "metrics": 5, "logs": 5}
    assert got["counts"]["spans"]["duplicated"] == 0


def told(result: dict[str, Any]) -> tuple[dict[str, int], set[str], list[str]]:
    """What the telemetryapi receiver made of the platform's events: how often each metric was measured, log records, spans."""
    metrics: dict[str, int] = {}
    for metric in (m for r in result["resourceMetrics"] for s in r["scopeMetrics"] for m in s["metrics"] if m["name"] != "n"):
        points = (metric.get("sum") or metric["histogram"])["dataPoints"]
        metrics[metric["name"]] = metrics.get(metric["name"], 0) + sum(int(p.get("asInt", p.get("count", 0))) for p in points)
    logs = {str(log.body).split()[0] for log in otlp.logs(result["resourceLogs"]) if log.attributes.get("aws.lambda.event.type")}
    return metrics, logs, [span.name for span in otlp.spans(result["resourceSpans"]) if not span.name.startswith("span ")]


@needs_mounts
def test_managed_instances_are_as_in_awss_emulator(tmp_path: Path) -> None:
    """Where the emulator has a Telemetry API, its events and the local Lambda's lead to the same."""
    config = f"yaml:{EVERYTHING}"
    theirs = emulated(tmp_path, 40, AWS_LAMBDA_MAX_CONCURRENCY="4", OPENTELEMETRY_COLLECTOR_CONFIG_URI=config)
    made = function(tmp_path, SENDER, layers=(collector(),), environment={"OPENTELEMETRY_COLLECTOR_CONFIG_URI": config}, memory_mb=512)
    with session(PROJECT, [made], mode=Mode("managed-instances", concurrency=4)) as (run, finish):
        run.invoke_all("it", [json.dumps({"first": 1 + 10 * n, "spans": 10, "metrics": 1, "logs": 1}).encode() for n in range(40)])
        ours = finish()
    metrics, logs, spans = told(theirs)
    assert metrics == dict.fromkeys(("faas.invocations", "faas.invoke_duration", "aws.lambda.response_latency"), 40) | {"faas.init_duration": 1}
    assert spans == ["init"]
    assert told(ours) == (metrics, logs, spans)
    for result in (theirs["counts"], ours["counts"]["backend"]):
        assert (result["spans"]["unique"], result["spans"]["duplicated"]) == (401, 0)


def test_the_same_in_the_local_lambda_without_telemetry_api(tmp_path: Path) -> None:
    with session(PROJECT, [function(tmp_path, SENDER, layers=(collector(),))], mode=Mode(telemetry=False)) as (ours, finish):
        answers = [ours.invoke("it", json.dumps({"first": 1 + 10 * n, "spans": 10, "metrics": 1, "logs": 1}).encode()).response for n in range(5)]
        counts = finish()["counts"]
    assert [json.loads(a) for a in answers if a] == [{"first": 1 + 10 * n, "answers": [200, 200, 200]} for n in range(5)]
    assert {signal: counts["backend"][signal]["unique"] for signal in ("spans", "metrics", "logs")} == {"spans": 50, "metrics": 5, "logs": 5}
    assert counts["collector"]["sent"] == counts["collector"]["received"] == {"spans": 50, "metrics": 5, "logs": 5}
