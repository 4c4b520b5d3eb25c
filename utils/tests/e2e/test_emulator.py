"""The Collector under AWS's own emulator, which has no Telemetry API: all arrives, nothing hangs. It keeps the local Lambda honest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from e2e.local_parts import HERE, PROJECT, SENDER, collector, function
from otel_layers import toolchain
from otel_layers.cli.session import session
from otel_layers.local import Mode, runtimes


def emulator() -> Path:
    """AWS's runtime interface emulator, which the SAM CLI brings."""
    [found] = toolchain.packages(PROJECT, "sam").glob(f"lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{HERE.aws}")
    return found


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mounting at /opt needs root and unshare")
def test_five_invocations_under_awss_emulator(tmp_path: Path) -> None:
    opt = tmp_path / "opt"
    with zipfile.ZipFile(collector()) as archive:
        archive.extractall(opt)
    (opt / "extensions/collector").chmod(0o755)
    made = function(tmp_path, SENDER)
    runtime = runtimes.prepare(PROJECT, made)
    interpreter = runtime.prefix / f"bin/python{runtime.version}"
    program = emulator()
    inner = [sys.executable, Path(__file__).with_name("emulated.py"), program, interpreter, runtime.folder, made.code]
    script = 'mount --bind "$1" /opt && ip link set lo up && shift && exec "$@"'
    words = ["unshare", "-m", "-n", "--fork", "--kill-child", "sh", "-c", script, "sh", opt, *inner]
    env = {**os.environ, "PYTHONPATH": str(PROJECT.root / "utils")}
    done = subprocess.run([str(w) for w in words], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert got["answers"] == [{"first": 1 + 10 * n, "answers": [200, 200, 200]} for n in range(5)], got["said"]
    assert {signal: got["counts"][signal]["unique"] for signal in ("spans", "metrics", "logs")} == {"spans": 50, "metrics": 5, "logs": 5}
    assert got["counts"]["spans"]["duplicated"] == 0


def test_the_same_in_the_local_lambda_without_telemetry_api(tmp_path: Path) -> None:
    with session(PROJECT, [function(tmp_path, SENDER, layers=(collector(),))], mode=Mode(telemetry=False)) as (ours, finish):
        answers = [ours.invoke("it", json.dumps({"first": 1 + 10 * n, "spans": 10, "metrics": 1, "logs": 1}).encode()).response for n in range(5)]
        counts = finish()["counts"]
    assert [json.loads(a) for a in answers if a] == [{"first": 1 + 10 * n, "answers": [200, 200, 200]} for n in range(5)]
    assert {signal: counts["backend"][signal]["unique"] for signal in ("spans", "metrics", "logs")} == {"spans": 50, "metrics": 5, "logs": 5}
    assert counts["collector"]["sent"] == counts["collector"]["received"] == {"spans": 50, "metrics": 5, "logs": 5}
