"""
Nothing of ours shadows what the function brings, nor the other way round: real packages, older and newer than ours, in every place.

Each case is run with the layer and without; the function reports what it sees, and must see the same.
"""

from __future__ import annotations

import json
import platform
import shutil
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import pytest
from otel_layers import toolchain
from otel_layers.build import build
from otel_layers.catalog import architecture
from otel_layers.cli.session import session
from otel_layers.function import Function
from otel_layers.local import otlp
from parts import LAYER, PROJECT, ROOT, VERSIONS
from sandbox import attributes

HERE = architecture(platform.machine())
LIBRARIES = ("google.protobuf", "wrapt", "urllib3", "requests", "typing_extensions", "packaging")
REPORT = """
    import importlib, importlib.metadata, json, os, sys
    NAMES = {names!r}
    def _import(name):
        try:
            return importlib.import_module(name)
        except ImportError as exc:
            return None
    SEEN = {{name: _import(name) for name in NAMES}}
    try:
        from opentelemetry import trace
        tracer = trace.get_tracer("shop")
    except ImportError:
        trace = tracer = None
    {extra}
    def whose(path):
        return "theirs" if path.startswith({home!r}) else "ours" if "/otel-python/" in path or "/otel_lambda/" in path else "python"
    def handler(event, context):
        if event == "where":
            found = {{}}
            for name, module in sorted(sys.modules.items()):
                path = getattr(module, "__file__", None) or ""
                if path and whose(path) != "python":
                    found[name] = whose(path)
            return found
        if tracer is not None:
            with tracer.start_as_current_span("inner", attributes={{"n": 1}}) as span:
                span.add_event("happened")
        if SEEN.get("requests") is not None and os.environ.get("SHOP"):
            SEEN["requests"].get(os.environ["SHOP"])
        versions = {{d.metadata["Name"]: importlib.metadata.version(d.metadata["Name"]) for d in importlib.metadata.distributions()}}
        return {{
            "seen": {{name: [getattr(m, "__version__", None), whose(m.__file__ or "")] for name, m in SEEN.items() if m is not None}},
            "versions": versions,
            "path": [p for p in sys.path if not p.endswith("/otel-python")],
        }}
"""


def packages(name: str, version: str) -> Path:
    """The packages of a lock."""
    return toolchain.target(PROJECT, ROOT / f"requirements/{name}.txt", str(toolchain.interpreters()[version]), f"{name}-python{version}")


def bring(source: Path, folder: Path, leave: tuple[str, ...] = ()) -> None:
    """Put packages into a folder of the function's, but those whose names begin with one of `leave`."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        if not entry.name.replace("-", "_").startswith(leave):
            (folder / entry.name).symlink_to(entry)


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    return folder


def report(home: Path, extra: str = "pass", names: tuple[str, ...] = LIBRARIES) -> str:
    """A function that tells what it sees; what lies in `home` is the function's own."""
    return textwrap.dedent(REPORT).format(names=names, extra=extra, home=str(home))


def told(start: Any, version: str, source: str, **environment: Any) -> tuple[dict[str, Any], Any]:
    """What the function saw, which is what it sees without the layer, and the function with it."""
    function = start(version, source, **environment)
    with_us = function.invoke(1).json
    without = start(version, "", layer=None, **environment).invoke(1).json
    # Ours are further distributions at the end of the path, under names that the function does not have.
    assert {name: with_us["versions"].get(name) for name in without["versions"]} == without["versions"]
    for found in (with_us, without):
        found["path"] = [p for p in found["path"] if not p.endswith("/nonexistent") and "/python-layer-" not in p]
        del found["versions"]
    assert with_us == without
    return with_us, function


def mixed(where: dict[str, str]) -> list[str]:
    """Packages of which one half is ours and the other the function's; of the namespace opentelemetry, its parts."""
    owners: dict[str, set[str]] = {}
    for name, owner in where.items():
        parts = name.split(".")
        top = parts[0]
        if top == "opentelemetry":
            kept = {"sdk": 2, "semconv": 2, "instrumentation": 2, "exporter": 2, "proto": 2, "util": 3}  # distributions share this namespace
            top = ".".join(parts[: kept.get(parts[1], 1) if len(parts) > 1 else 1])
        owners.setdefault(top, set()).add(owner)
    return sorted(top for top, who in owners.items() if len(who) > 1)


@pytest.mark.tiers
@pytest.mark.parametrize("which", ["old", "middle", "new", "plain"])
def test_the_function_brings_everything(start, receiver, task, tier, which):
    """The API and the SDK, protobuf, wrapt, urllib3, requests, typing_extensions and packaging, all of one age."""
    version = newest(which)
    bring(packages(f"isolation-{which}", version), task)
    extra = "from opentelemetry.sdk.trace import TracerProvider" if which != "plain" else "pass"
    with_us, function = told(start, version, report(task, extra), SHOP=f"http://127.0.0.1:{receiver.port}/")
    assert {name for name, (_, owner) in with_us["seen"].items() if owner == "theirs"} == set(LIBRARIES)
    where = function.invoke("where").json
    assert mixed(where) == []
    server, inner = (next(s for s in receiver.spans() if s.name == name) for name in ("demo", "inner"))
    assert (inner.trace_id, inner.parent_span_id) == (server.trace_id, server.span_id)
    assert attributes(inner) == {"n": 1}
    (get,) = [s for s in receiver.spans() if s.name == "GET"]
    assert get.trace_id == server.trace_id
    assert function.said() == []


@pytest.mark.tiers
@pytest.mark.parametrize("which", ["old", "middle", "api", "new"])
def test_the_function_brings_the_api_only(start, receiver, task, which):
    """Our SDK works with an API from 1.33 on, also one that is newer. With an older one a line says what is missing, and invocations are traced."""
    version, source = newest(which), packages(f"isolation-{which}", newest(which))
    bring(source, task, leave=("opentelemetry", "google"))
    shutil.copytree(source / "opentelemetry", task / "opentelemetry", ignore=lambda _, names: {"sdk", "semconv", "exporter", "proto"} & {*names})
    for info in source.glob("opentelemetry_api-*"):
        (task / info.name).symlink_to(info)
    _, function = told(start, version, report(task, names=()))
    where = function.invoke("where").json
    assert {where["opentelemetry.trace"], where["opentelemetry.context"]} == {"theirs"}
    server = next(s for s in receiver.spans() if s.name == "demo")
    if which in ("old", "middle"):
        (line,) = function.said()
        assert "the function's own OpenTelemetry spans are missing" in line
        return
    assert mixed(where) == []
    assert where["opentelemetry.sdk.trace"] == "ours"
    inner = next(s for s in receiver.spans() if s.name == "inner")
    assert (inner.trace_id, inner.parent_span_id) == (server.trace_id, server.span_id)
    assert function.said() == []


@pytest.mark.parametrize("place", ["python", "python/lib/python{version}/site-packages"])
@pytest.mark.parametrize("first", [True, False], ids=["before ours", "after ours"])
def test_another_layer_brings_it(layer, tmp_path, place, first):
    """In the local Lambda, where layers are merged at /opt and the runtime sets the path."""
    version = newest("new")
    other = layer_of(packages("isolation-new", version), tmp_path / "other.zip", place.format(version=version))
    ours = built()
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(report(Path("/opt/python"), "from opentelemetry.sdk.trace import TracerProvider"))
    for path in (tmp_path, code):
        path.chmod(0o755)
    facts: dict[str, Any] = {"name": "it", "code": code, "handler": "app.handler", "runtime": f"python{version}", "architecture": HERE.aws}
    facts |= {"region": PROJECT.catalogue.home_region.name, "timeout_s": 20}
    seen = []
    for layers, wrapper in (((other, ours) if first else (ours, other), {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-handler"}), ((other,), {})):
        with session(PROJECT, [Function(layers=layers, environment=wrapper, **facts)]) as (run, finish):
            done = run.invoke("it", b"1")
            assert done.status == "success", done.error
            seen.append(json.loads(done.response or b""))
            spans = otlp.spans(finish()["resourceSpans"])
        if wrapper:
            assert sorted(s.name for s in spans) == ["inner", "it"]
    with_us, without = seen
    assert {name: with_us["versions"].get(name) for name in without["versions"]} == without["versions"]
    assert with_us["seen"] == without["seen"]
    assert {owner for _, owner in without["seen"].values()} == {"theirs"}


def built() -> Path:
    """The layer's zip."""
    return build(PROJECT, LAYER, HERE).zip


def layer_of(source: Path, path: Path, place: str) -> Path:
    """A layer's zip with packages in a folder of it."""
    with zipfile.ZipFile(path, "w") as out:
        for file in sorted(source.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                info = zipfile.ZipInfo(f"{place}/{file.relative_to(source)}", (2024, 1, 1, 0, 0, 0))
                info.external_attr = 0o644 << 16
                out.writestr(info, file.read_bytes())
    return path


NAMES = ("settings", "export", "telemetry", "sdk", "handover", "wrapt", "typing_extensions", "packaging", "deprecated", "opentelemetry")


@pytest.mark.parametrize("tier", ["auto", "sdk"])
def test_modules_of_the_function_that_are_called_as_ours(start, receiver, task, python, tier):
    """Even one that is called opentelemetry; without the SDK, which then cannot be loaded, invocations are traced still."""
    for name in NAMES:
        (task / f"{name}.py").write_text(f"VALUE = {name!r}\n")
    source = f"import importlib\ndef handler(event, context):\n    return [importlib.import_module(name).VALUE for name in {NAMES!r}]"
    function = start(python, source, OTEL_LAMBDA_TIER=tier)
    assert [tuple(function.invoke(n).json) for n in range(2)] == [NAMES, NAMES]
    assert [s.name for s in receiver.spans()] == ["demo", "demo"]
    assert len(function.said()) <= 1


def test_a_folder_that_is_put_into_the_path_while_it_runs(start, receiver, tmp_path, python):
    bring(packages("isolation-plain", python), tmp_path / "vendored")
    source = f"""
        import site, sys
        def handler(event, context):
            (sys.path.insert(0, {str(tmp_path / "vendored")!r}) if event else site.addsitedir({str(tmp_path / "vendored")!r}))
            import requests
            requests.get("http://127.0.0.1:{receiver.port}/")
            return requests.__file__
    """
    for event in (0, 1):
        function = start(python, source)
        assert function.invoke(event).json == str(tmp_path / "vendored/requests/__init__.py")
        assert function.said() == []
    assert sorted(s.name for s in receiver.spans()) == ["GET", "GET", "demo", "demo"]


def test_a_part_of_the_namespace_of_the_functions_own(start, receiver, task, python):
    """As one that brings only a propagator, or its own package beneath opentelemetry."""
    part = task / "opentelemetry/shop"
    part.mkdir(parents=True)
    (part / "__init__.py").write_text("VALUE = 7\n")
    source = """
        from opentelemetry import trace
        from opentelemetry.shop import VALUE
        def handler(event, context):
            trace.get_tracer("shop").start_span("inner").end()
            return VALUE
    """
    function = start(python, source)
    assert function.invoke(1).json == 7
    assert sorted(s.name for s in receiver.spans()) == ["demo", "inner"]
    assert function.said() == []


def newest(which: str) -> str:
    """The newest interpreter of this machine on which these packages can be imported at all."""
    last = {"old": "3.11", "middle": "3.12", "plain": "3.13"}.get(which, VERSIONS[-1])
    return [v for v in VERSIONS if v in toolchain.interpreters() and VERSIONS.index(v) <= VERSIONS.index(last)][-1]
