"""
What a start reads of the layer: byte code and no source, as in a read-only /opt where nothing could be kept, and little of it.

The interpreter itself tells: its audit events name each file that is opened, and each source that is compiled.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from otel_layers import catalog, files, toolchain
from otel_layers.build import build
from otel_layers.cli.bench import cases
from parts import LAYER, PROJECT, ROOT
from sandbox import Files, attributes
from test_recipe import _script

# Imports at its start what Lambda has, and uses it; OpenTelemetry's API only in its second invocation.
FUNCTION = """
    import logging, threading, urllib.request, boto3

    def handler(event, context):
        thread = threading.Thread(target=print)
        thread.start()
        thread.join()
        boto3.client("sqs", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b").meta
        if event.get("traced"):
            from opentelemetry import metrics, trace
            metrics.get_meter("m").create_counter("c").add(1)
            with trace.get_tracer("own").start_as_current_span("work"):
                logging.getLogger().warning("traced")
        return "done"
"""
SIGNALS = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}
# Loads every module of the layer that has byte code for this interpreter by the import system's own loader: where, name -> sources that it compiled.
LOAD_ALL = """
import os, sys
from importlib.machinery import SourceFileLoader
compiled, loaded = [], 0
sys.addaudithook(lambda event, values: compiled.append(values[1]) if event == "compile" and str(values[1]).startswith(sys.argv[1]) else None)
for folder, folders, names in os.walk(sys.argv[1]):
    for name in names:
        if name.endswith(".py"):
            path = os.path.join(folder, name)
            before = len(compiled)
            assert SourceFileLoader(name[:-3], path).get_code(name[:-3]) is not None
            loaded += len(compiled) == before
import json
print(json.dumps([loaded, compiled]))
"""
MOST = 1_500_000  # bytes, of the design's budget


PACKAGES = {  # by where they are, the longest first
    "otel-python/opentelemetry/instrumentation": "instrumentations",
    "otel-python/opentelemetry/util/genai": "instrumentations",
    "otel-python/opentelemetry/semconv": "names of conventions",
    "otel-python/opentelemetry/sdk": "the SDK",
    "otel-python/opentelemetry/": "the API, its propagators and instrumentations' utilities",
    "otel-python/wrapt": "wrapt",
    "otel-python/grpc-only": "h2, hpack and hyperframe",
    "otel-python": "packaging, asgiref, typing_extensions, metadata",
    "": "ours",
}
KINDS = {".pyc": "byte code, six versions", ".py": "sources", ".so": "wrapt's extension, six versions"}


def _stands_in_the_design(head: str, sizes: dict[str, int]) -> None:
    """The table with that head in python/DESIGN.md has these figures, give or take a tenth."""
    table = (ROOT / "python/DESIGN.md").read_text().split(f"\n| {head} | ")[1].partition("\n\n")[0]
    found = {what: float(number) for what, number in re.findall(r"^\| (.+?) \| (\d\.\d\d) MB \|$", table, re.MULTILINE)}
    measured = {name: round(size / 1e6, 2) for name, size in sizes.items()}
    assert found == pytest.approx(measured, rel=0.1, abs=0.02), f"measured: {measured}"


def test_the_zip_is_made_of_what_the_design_says() -> None:
    zipped = build(PROJECT, LAYER, catalog.architecture("amd64")).zip
    kinds, packages = Counter[str](), Counter[str]()
    with zipfile.ZipFile(zipped) as archive:
        for info in archive.infolist():
            names = len(info.FileHeader()) + 46 + len(info.filename.encode())  # before its bytes, and in the directory at the end
            other = "metadata and licences" if ".dist-info/" in info.filename or info.filename.startswith("licenses/") else "the rest"
            kinds[KINDS.get(Path(info.filename).suffix, other)] += info.compress_size
            kinds["names of files"] += names
            packages[next(what for place, what in PACKAGES.items() if info.filename.startswith(place))] += info.compress_size + names
    assert zipped.stat().st_size - kinds.total() < 100
    _stands_in_the_design("kind", kinds)
    _stands_in_the_design("package", packages)


@pytest.fixture
def noted(layer: Path, tmp_path: Path) -> Files:
    """To be given to a function as FILES."""
    return Files(tmp_path / "files", layer)


@pytest.fixture
def own(layer: Path, tmp_path: Path) -> Path:
    """A layer that the test may change."""
    return Path(shutil.copytree(layer, tmp_path / "opt"))


@pytest.mark.tiers
def test_no_source_is_compiled(start: Any, receiver: Any, noted: Files, version: str, tier: str) -> None:
    """From the start through an invocation and a hand-over to the SDK, in every version."""
    function = start(version, FUNCTION, FILES=str(noted.record), **(SIGNALS if tier == "sdk" else {}))
    assert function.invoke({}).json == "done"
    before = noted.opened()
    assert function.invoke({"traced": True}).json == "done"
    assert noted.compiled() == set()
    assert all(name.endswith((".pyc", ".so", ".json")) or ".dist-info/" in name for name in noted.opened()), noted.opened()
    assert any("opentelemetry/sdk" in name for name in before) == (tier == "sdk")
    assert any(f"opentelemetry/sdk/trace/__pycache__/__init__.cpython-{version.replace('.', '')}.pyc" in name for name in noted.opened())
    assert {"demo", "work"} <= {span.name for span in receiver.spans()} if tier == "auto" else receiver.requests
    assert function.said() == []


def test_a_source_that_is_compiled_would_be_noted(start: Any, own: Path, python: str, tmp_path: Path) -> None:
    """The test above can fail: here a module's byte code is gone, another's is of another version."""
    folder = own / "python/otel_lambda/__pycache__"
    for name in ("recorder", "tracing"):
        next(folder.glob(f"{name}.cpython-{python.replace('.', '')}.pyc")).unlink()
    shutil.copyfile(next(folder.glob("tracing.cpython-315.pyc")), folder / f"tracing.cpython-{python.replace('.', '')}.pyc")
    noted = Files(tmp_path / "files", own)
    function = start(python, FUNCTION, layer=own, FILES=str(noted.record), OTEL_LAMBDA_TIER="auto")
    assert function.invoke({}).json == "done"
    assert {Path(name).name for name in noted.compiled()} == {"recorder.py", "tracing.py"}


def test_every_module_loads_from_its_byte_code(layer: Path, version: str) -> None:
    """Also the instrumentations of libraries that are not here, in every version; spare ones alone are compiled."""
    command = [toolchain.interpreters()[version], "-I", "-B", "-c", LOAD_ALL, layer]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded, compiled = json.loads(done.stdout)
    assert loaded > 250
    folder = layer / "otel-python"
    modules = {os.path.relpath(name, folder).removeprefix("grpc-only/").removesuffix(".py").replace("/", ".") + "." for name in compiled}
    assert all(name.startswith(_script("byte_code").SPARE) for name in modules), modules


def test_a_start_touches_little(layer: Path, start: Any, python: str, tmp_path: Path) -> None:
    """Whatever the function is; python/DESIGN.md has the figures."""
    touched: dict[str, int] = {}

    def run(name: str, code: Path, **environment: str) -> None:
        noted = Files(tmp_path / f"files-{len(touched)}", layer)
        function = start(python, "", LAMBDA_TASK_ROOT=str(code), FILES=str(noted.record), AWS_DEFAULT_REGION="us-east-1", **environment)
        assert function.invoke({}).json == {"ok": True}
        touched[name] = noted.touched()

    with files.temporary(PROJECT, "touched") as folder:
        programs = cases.write(PROJECT, toolchain.interpreters()[python], python, folder)
        for name, code in programs.items():
            run(name, code)
        (folder / "alone").mkdir()
        shutil.copy(programs[cases.API] / "app.py", folder / "alone")
        run("uses the API that the layer has", folder / "alone")
        run("the SDK from the start, all signals", programs[cases.BOTH], OTEL_LAMBDA_TIER="sdk", **SIGNALS)
    assert max(touched.values()) <= MOST, touched
    _stands_in_the_design("function", touched)


USES_WRAPT = """
    import sqlite3, sys

    def handler(event, context):
        (found,) = sqlite3.connect(":memory:").cursor().execute("select 7").fetchone()
        return [found, "wrapt._wrappers" in sys.modules]
"""


def test_without_its_native_part_all_works(start: Any, receiver: Any, own: Path, version: str) -> None:
    """wrapt's own Python serves in its place, with the same telemetry, and nothing is said."""
    (library,) = (own / "otel-python/wrapt").glob(f"*.cpython-{version.replace('.', '')}-*.so")
    body = library.read_bytes()
    foreign = body[:18] + (183 if body[18] == 62 else 62).to_bytes(2, "little") + body[20:]  # its header names the other architecture
    for state, native in ((body, True), (foreign, False), (body[:100], False), (b"no library", False), (None, False)):
        library.unlink()
        if state is not None:
            library.write_bytes(state)
        before = len(receiver.requests)
        function = start(version, USES_WRAPT, layer=own)
        assert function.invoke({}).json == [7, native]
        assert function.said() == []
        assert len(receiver.requests) == before + 1
    queries = [attributes(span).get("db.query.text", "-") for span in receiver.spans()]
    assert sorted(queries) == ["-"] * 5 + ["select 7"] * 5
