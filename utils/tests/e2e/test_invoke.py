"""The built layers, both together, in the local Lambda: what a user of `invoke` sees, and that nothing is lost across freezes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from command_lines import copy_project, share_cache
from e2e.local_parts import HERE, PROJECT, function
from otel_layers import build
from otel_layers.aws import standing
from otel_layers.catalog import ARCHITECTURES
from otel_layers.cli.session import session
from otel_layers.function import Function
from otel_layers.local import otlp
from otel_layers.project import open_project

ROOT = PROJECT.root
WRAPPER = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-handler"}
TEN_SPANS = """
    from opentelemetry import trace
    def handler(event, context):
        tracer = trace.get_tracer("ten")
        for number in range(9):
            with tracer.start_as_current_span(f"step {number}"):
                pass
        return event
"""


@pytest.fixture(scope="session")
def zips() -> list[Path]:
    """The Collector's and Python's layers, as `build` makes them now."""
    return [build.build(PROJECT, layer, HERE).zip for layer in PROJECT.catalogue.layers.values() if layer.sample]


def run(*args: str | Path, cwd: Path = ROOT, root: Path = ROOT, seconds: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run([root / "run.sh", *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)


def own(folder: Path, source: str, zips: list[Path], **settings: Any) -> Function:
    return function(folder, source, layers=tuple(zips), environment=WRAPPER, memory_mb=256, **settings)


def test_a_hundred_invocations_frozen_whenever_idle_lose_nothing(tmp_path: Path, zips: list[Path]) -> None:
    with session(PROJECT, [own(tmp_path, TEN_SPANS, zips)]) as (ours, finish):
        for number in range(100):
            assert ours.invoke("it", json.dumps(number).encode()).response == str(number).encode()
        result = finish()
    counts = result["counts"]
    assert counts["backend"]["spans"] == {"received": 1000, "unique": 1000, "duplicated": 0}
    assert counts["collector"]["received"]["spans"] == counts["collector"]["sent"]["spans"] == 1000
    assert counts["collector"]["dropped"]["spans"] == 0
    assert all(i["frozenMs"] > 0 for i in result["invocations"][1:]), "every environment was frozen in between"
    traces: dict[str, int] = {}
    for span in otlp.spans(result["resourceSpans"]):
        traces[span.trace_id] = traces.get(span.trace_id, 0) + 1
    assert set(traces.values()) == {10}


@pytest.mark.parametrize("kind", ["down", "hanging", "401", "500"])
def test_a_backend_that_fails_does_not_change_what_the_function_returns(tmp_path: Path, zips: list[Path], kind: str) -> None:
    with session(PROJECT, [own(tmp_path, TEN_SPANS, zips)], fault_spec=kind) as (ours, finish):
        responses = [ours.invoke("it", b'{"n": 1}') for _ in range(3)]
        result = finish()
    assert [(r.status, r.response) for r in responses] == [("success", b'{"n": 1}')] * 3
    assert result["counts"]["backend"]["spans"]["received"] == 0
    assert result["counts"]["collector"]["received"]["spans"] == 30
    assert result["counts"]["collector"]["sent"]["spans"] == 0
    assert result["counts"]["collector"]["dropped"]["spans"] == 30


def test_a_bundle_is_both_layers_in_one(tmp_path: Path) -> None:
    """The sample's functions with the bundle in the place of the two layers: nothing is lost, and the Collector is the one that forwards it."""
    layer = next(one for one in PROJECT.catalogue.layers.values() if one.bundle)
    bundle, out = build.build(PROJECT, layer, HERE).zip, tmp_path / "out.json"
    event = ROOT / "sample-apps/python-api/events/1-put-order.json"
    done = run("invoke", "--layer", bundle, "--env", "OTEL_RESOURCE_ATTRIBUTES=came.by=bundle", "--event", event, "--json", out)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert [(i["status"], list(i["extensionsMs"])) for i in result["invocations"]] == [("success", ["collector"])] * 2, "the API and its consumer"
    counts, spans = result["counts"], otlp.spans(result["resourceSpans"])
    sent = counts["collector"]["received"]["spans"]
    assert counts["backend"]["spans"] == {"received": sent, "unique": sent, "duplicated": 0}
    assert counts["collector"]["dropped"]["spans"] == 0
    assert len(spans) == sent > 5
    assert {span.resource["came.by"] for span in spans} == {"bundle"}, "--env reaches a sample's functions too"


def test_the_sample_as_the_readme_shows_it(tmp_path: Path, zips: list[Path]) -> None:
    assert zips
    event = ROOT / "sample-apps/python-api/events/1-put-order.json"
    out, page = tmp_path / "out.json", tmp_path / "report.html"
    words = ["invoke", "sample-apps/python-api", "--event", event, "--event", event, "--freeze", "1", "--json", out, "--html", page]
    done = run(*words)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert [i["status"] for i in result["invocations"]] == ["success"] * 4, "two of the API, two of the queue's consumer"
    first, _, second, _ = result["invocations"]
    assert first["function"] == second["function"]
    assert first["response"]["statusCode"] == 201
    assert first["initMs"] > 0
    assert second["initMs"] is None
    assert second["frozenMs"] >= 1000
    for key in ("requestId", "durationMs", "extensionMs", "billedMs", "maxMemoryMB"):
        assert first[key]
    assert list(first["extensionsMs"]) == ["collector"]
    assert "collector ms" in done.stdout
    spans = otlp.spans(result["resourceSpans"])
    producers = [s for s in spans if s.kind == "PRODUCER" or s.name.startswith("SQS")]
    consumers = [s for s in spans if s.kind == "CONSUMER"]
    assert {link.span_id for c in consumers for link in c.links} == {s.span_id for s in producers}, "the trace crosses the queue"
    counts = result["counts"]
    assert counts["backend"]["spans"]["received"] == counts["collector"]["received"]["spans"] == len(spans)
    assert {e["type"] for e in result["platform"]} >= {"platform.initStart", "platform.runtimeDone", "platform.report"}
    assert "<html" in page.read_text()
    assert "linked from" in done.stdout


_MINE = """
receivers: {otlp: {protocols: {http: {endpoint: localhost:4318}}}}
exporters: {otlphttp: {%s: http://127.0.0.1:14318}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}
"""


@pytest.mark.parametrize(("key", "arrive"), [("endpoint", 2), ("endpoit", 0)])
def test_with_a_configuration_of_its_own_the_function_sends_through_its_collector(tmp_path: Path, zips: list[Path], key: str, arrive: int) -> None:
    """So a mistake in it is seen here as it would be in AWS."""
    code, out = tmp_path / "code", tmp_path / "out.json"
    code.mkdir()
    (code / "app.py").write_text("def handler(event, context): return 'done'")
    (code / "collector.yaml").write_text(_MINE % key)
    layers = [word for path in zips for word in ("--layer", path)]
    mine = ("--env", "AWS_LAMBDA_EXEC_WRAPPER=/opt/otel-handler", "--env", "OPENTELEMETRY_COLLECTOR_CONFIG_URI=/var/task/collector.yaml")
    done = run("invoke", "--code", code, "--handler", "app.handler", *layers, *mine, "--repeat", 2, "--json", out)
    assert done.returncode == 0, done.stderr
    assert json.loads(out.read_text())["counts"]["backend"]["spans"]["received"] == arrive


def test_a_function_of_ones_own_reaches_the_aws_that_stays(tmp_path: Path) -> None:
    copy = open_project(root=copy_project(tmp_path))
    share_cache(copy.cache, "envs", "uv")
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text("import os\n\ndef handler(event, context): return os.environ.get('AWS_ENDPOINT_URL')")
    standing.start(copy)
    try:
        done = run("invoke", "--code", code, "--handler", "app.handler", "--json", root=copy.root)
    finally:
        standing.stop(copy)
    assert done.returncode == 0, done.stderr
    assert str(json.loads(done.stdout)["invocations"][0]["response"]).startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("handler", "source", "said"),
    [
        ("app.nothing", "handler = None", "Runtime.HandlerNotFound"),
        ("app.handler", "raise ValueError('at import')", "at import"),
        ("app.handler", "def handler(event, context): raise KeyError('at work')", "KeyError"),
        ("app.handler", "import os\ndef handler(event, context): os._exit(3)", "Runtime.ExitError"),
        ("app.handler", "import time\ndef handler(event, context): time.sleep(60)", "timed out after 1.00 seconds"),
        ("app.handler", "def handler(event, context): return 'x' * 7_000_000", "Function.ResponseSizeTooLarge"),
    ],
)
def test_a_function_that_fails_gives_lambdas_result_and_exit_8(tmp_path: Path, zips: list[Path], handler: str, source: str, said: str) -> None:
    (tmp_path / "app.py").write_text(source)
    layers = [word for path in zips for word in ("--layer", path)]
    timeout = "1" if "timed out" in said else "20"
    done = run(
        "invoke", "--code", tmp_path, "--handler", handler, "--timeout", timeout, *layers, "--env", "AWS_LAMBDA_EXEC_WRAPPER=/opt/otel-handler"
    )
    assert done.returncode == 8, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr.split("error:")[-1]


def test_a_layer_for_the_other_architecture_is_told_of(tmp_path: Path) -> None:
    """Wherever it is noticed: this machine may have an emulator for it, and AWS has none."""
    (tmp_path / "app.py").write_text("def handler(event, context): return 'done'")
    other = next(arch for arch in ARCHITECTURES.values() if arch != HERE)
    zipped = tmp_path / "other.zip"
    with zipfile.ZipFile(zipped, "w") as out:
        out.writestr("python/nothing.so", b"\x7fELF\x02\x01\x01".ljust(18, b"\0") + other.elf.to_bytes(2, "little"))
    done = run("invoke", "--code", tmp_path, "--handler", "app.handler", "--layer", zipped)
    assert done.returncode == 0, done.stderr
    assert f"other.zip is for {other.name}, the function runs on {HERE.aws}" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--code", "NOWHERE", "--handler", "a.b"], "is not there"),
        (["--handler", "a.b"], "--handler is for your own function"),
        (["--code", "."], "--code needs --handler"),
        (["--code", ".", "--handler", "a.b", "--runtime", "python9.9"], "unknown runtime"),
        (["--code", ".", "--handler", "a.b", "--layer", "broken.zip"], "broken.zip"),
        (["--code", ".", "--handler", "a.b", "--event", "broken.zip"], "is not JSON"),
        (["--code", ".", "--handler", "a.b", "--fault", "plague"], "unknown fault"),
        (["--code", ".", "--handler", "a.b", "--env", "novalue"], "NAME=VALUE"),
        (["--code", ".", "--handler", "a.b", "--memory", "64"], "--memory"),
        (["--code", ".", "--handler", "a.b", "--timeout", "0"], "--timeout"),
        (["--code", ".", "--handler", "a.b", "--timeout", "x"], "not a number from 1 to 900"),
        (["--code", ".", "--handler", "a.b", "--json", "nowhere/out.json"], "cannot be written"),
        (["--code", ".", "--handler", "a.b", "--html", "."], "is a folder"),
        (["--code", "broken.zip", "--handler", "a.b"], "no zip"),
    ],
)
def test_bad_input_is_words_and_exit_2(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 this is no zip")
    done = run("invoke", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, zips: list[Path]) -> None:
    (tmp_path / "app.py").write_text("import time\ndef handler(event, context):\n    print('in the handler', flush=True)\n    time.sleep(60)\n")
    before = leftovers()
    words = ["invoke", "--code", tmp_path, "--handler", "app.handler", "--timeout", "60", "--layer", zips[0], "--logs"]
    with subprocess.Popen([ROOT / "run.sh", *map(str, words)], stderr=subprocess.PIPE, text=True, start_new_session=True) as child:
        assert child.stderr
        for line in child.stderr:
            if "in the handler" in line:
                break
        made = leftovers() - before  # another worker's local Lambdas too, which end
        os.killpg(child.pid, signal.SIGINT)
        _, said = child.communicate(timeout=30)
    assert child.returncode == 130, said
    assert made
    for _ in range(600):
        if not (left := leftovers() & made):
            break
        time.sleep(0.1)
    assert not left


def leftovers() -> set[str]:
    """Processes, mounts, cgroups and temporary files of local Lambdas that this checkout runs."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if f"{ROOT}/utils/otel_layers/local/inside" in line:
                found.add(f"process {entry.name}: {line}")
    groups = Path("/sys/fs/cgroup")
    found |= {f"cgroup {p}" for p in groups.rglob("otel-layers*")} if groups.is_dir() else set()
    found |= {f"file {p}" for p in (PROJECT.cache / "tmp").glob("command-*/invoke-*")}
    return found | {f"mount {line}" for line in Path("/proc/self/mounts").read_text().splitlines() if f"{PROJECT.cache}/" in line}
