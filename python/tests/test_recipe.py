"""What the recipe puts into the layer."""

from __future__ import annotations

import ast
import dataclasses
import email
import importlib.util
import os
import shutil
import subprocess
import types
from pathlib import Path
from typing import Any

import pytest
from otel_layers import catalog, files, toolchain
from otel_layers.build import recipe
from parts import LAYER, PROJECT, ROOT, VERSIONS


def _tree(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def trees():
    """The recipe's own output: for amd64 twice, the second time with nothing kept of the first but its tools, and for arm64."""
    with files.temporary(PROJECT, "python-recipe") as folder:
        out = []
        for number, arch in enumerate(("amd64", "amd64", "arm64")):
            order = recipe.order(PROJECT, LAYER, catalog.architecture(arch), "0.0.0", docker=False)
            if number == 1:
                (folder / "cache").mkdir()
                (folder / "cache/compilers").symlink_to(Path(order.variables["CACHE"]) / "compilers")
                order = dataclasses.replace(order, variables={**order.variables, "CACHE": str(folder / "cache")})
            out.append(_tree(recipe.run(PROJECT, order, folder / str(number))))
        yield out


def test_the_same_bytes_twice(trees):
    first, second, _ = trees
    assert [name for name in first if first[name] != second.get(name)] == []
    assert first.keys() == second.keys()


def test_architectures_differ_in_native_parts_only(trees):
    first, _, arm = trees
    assert {n.replace("x86_64", "aarch64") for n in first} == set(arm)
    assert all(name.endswith(".so") or arm[name] == body for name, body in first.items() if name in arm)
    native = {name for name in arm if name.endswith(".so")}
    assert native == {f"otel-python/wrapt/_wrappers.cpython-{v.replace('.', '')}-aarch64-linux-gnu.so" for v in VERSIONS}


def test_byte_code_for_every_version(trees):
    """Also for versions that this machine has no interpreter of; none but for spare modules is missing."""
    tree = trees[0]
    compiled = {version: {_source_of(n) for n in tree if n.endswith(f".cpython-{version.replace('.', '')}.pyc")} for version in VERSIONS}
    assert all(sources == compiled["3.10"] for sources in compiled.values())
    without = {n for n in tree if n.endswith(".py")} - compiled["3.10"]
    spare = tuple(f"otel-python/{apart}{name.rstrip('.').replace('.', '/')}" for name in _script("byte_code").SPARE for apart in ("", "grpc-only/"))
    assert all(name.startswith(spare) for name in without)
    assert "otel-python/packaging/pylock.py" in without
    assert len(compiled["3.10"]) > 250
    assert {f"otel-python/opentelemetry/semconv/_incubating/attributes/{n}_attributes.py" for n in ("rpc", "db", "http")} <= compiled["3.10"]


def _source_of(name: str) -> str:
    folder, _, file = name.partition("__pycache__/")
    return folder + file.partition(".")[0] + ".py"


def test_modules_that_others_import_are_reached():
    """By every way that an import can be written, through other spare modules, and with the packages above."""
    sources = {
        "app": "def later():\n    from packaging.a import thing",
        "packaging": "",
        "packaging.a": "from .sub import b",
        "packaging.sub": "",
        "packaging.sub.b": "from ..c import x",
        "packaging.sub.unused": "import packaging.d",
        "packaging.c": "",
        "packaging.d": "",
    }
    trees = {name: (ast.parse(text), name in ("packaging", "packaging.sub")) for name, text in sources.items()}
    assert _script("byte_code").reached(trees) == {"app", "packaging", "packaging.a", "packaging.sub", "packaging.sub.b", "packaging.c"}


def test_stack_traces_name_the_same_lines(layer):
    """Byte code has no columns; the line of every instruction is the compiler's own."""
    lean = _script("byte_code").without_columns
    paths = sorted((layer / "otel-python/opentelemetry/instrumentation").rglob("*.py"))
    assert len(paths) > 60
    for path in paths:
        text = path.read_text()
        assert _lines(lean(ast.parse(text))) == _lines(ast.parse(text)), path


def _lines(tree: ast.Module) -> list[object]:
    """The lines of all instructions, code object by code object."""
    ahead, found = [compile(tree, "x", "exec", dont_inherit=True)], []
    for code in ahead:
        found.append([start for start, *_ in code.co_positions()])
        ahead += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return found


def test_wrapt_works_native_and_pure(layer, version):
    code = "import sys; sys.path.append(sys.argv[1]); import wrapt; print(wrapt.ObjectProxy([1])[0], 'wrapt._wrappers' in sys.modules)"
    for environment, native in (({}, True), ({"WRAPT_DISABLE_EXTENSIONS": "1"}, False)):
        done = subprocess.run(
            [toolchain.interpreters()[version], "-B", "-c", code, layer / "otel-python"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stdout.split() == ["1", str(native)], done.stderr


def test_licences_and_metadata_are_kept(layer):
    """The build room makes one file of all texts, in which those that many packages have stand once; METADATA's headers stay where they are."""
    infos = sorted((layer / "otel-python").glob("**/*.dist-info"))
    assert len(infos) > 25
    notices = (layer / "licenses/opentelemetry-python/NOTICES").read_text()
    for info in infos:
        meta = email.message_from_bytes((info / "METADATA").read_bytes())
        assert meta.get_payload() == ""
        assert {p.name for p in info.iterdir()} <= {"METADATA", "entry_points.txt"}
        declared = meta["License-Expression"] or meta["License"]
        licence = "MIT" if "\n" in declared else declared  # one package declares the text itself, which is MIT's
        assert f"\n{meta['Name']} {meta['Version']}, {licence}: " in notices
    assert notices.count("TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION") <= 4
    for holder in ("Graham Dumpleton", "Cory Benfield", "Django Software Foundation", "Python Software Foundation"):
        assert holder in notices


def test_nothing_that_the_function_brings_is_shipped(layer):
    shipped = {p.name for p in (layer / "otel-python").iterdir() if not p.name.endswith(".dist-info")}
    assert shipped == {"asgiref", "grpc-only", "opentelemetry", "packaging", "wrapt", "typing_extensions.py", "__pycache__"}


def test_a_library_of_the_function_finds_no_h2(start, receiver, python):
    """httpcore would load it, which takes a twentieth of a second, and httpx would speak HTTP/2 only where the layer is."""
    source = """
        from opentelemetry import trace

        def handler(event, context):
            found = []
            for name in ("h2", "hpack", "hyperframe"):
                try:
                    __import__(name)
                    found.append(name)
                except ModuleNotFoundError:
                    pass
            return found
    """
    for tier in ("auto", "sdk"):
        assert start(python, source, OTEL_LAMBDA_TIER=tier).invoke({}).json == []
    assert len(receiver.requests) == 2


def test_sources_keep_their_lines_and_notices():
    """What is left out is left out in place, and the file says so."""
    source = '''\
# Copyright Somebody
# SPDX-License-Identifier: MIT

"""About
it."""

x = "# not a comment"  # a comment


@decorated
class A:
    """A dataclass's own."""
    def f(self):
        # licensed otherwise
        """Only this."""

    def g(self): "one line"; return """
text"""
'''
    out = _script("assemble").blanked(source.encode()).decode()
    assert (
        out
        == '''\
# Copyright Somebody
# SPDX-License-Identifier: MIT
# Changed: without docstrings and comments.
\'\'


x = "# not a comment"


@decorated
class A:
    """A dataclass's own."""
    def f(self):
        # licensed otherwise
        \'\'

    def g(self): "one line"; return """
text"""
'''
    )


def test_a_file_that_is_no_library_is_refused():
    with pytest.raises(SystemExit, match="ELF"):
        _script("assemble").without_symbols(b"\x7fELF\x01\x01" + b"\0" * 100)


def _script(name: str) -> Any:
    """A script of the recipe as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"python/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _engine() -> bool:
    return bool(shutil.which("docker")) and subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=20).returncode == 0


@pytest.mark.docker
def test_both_recipes_give_the_same_bytes(trees):
    """OTEL_BASE_IMAGE names an image that this machine has; without it Lambda's own is pulled."""
    if not _engine():
        pytest.skip("no Docker engine runs on this machine")
    image = os.environ.get("OTEL_BASE_IMAGE", "public.ecr.aws/sam/build-python3.12")
    here = ["docker", "image", "inspect", image]
    pull = ["docker", "pull", "--quiet", image]
    if all(subprocess.run(command, capture_output=True, check=False, timeout=300).returncode for command in (here, pull)):
        pytest.skip(f"the image {image} is not here and cannot be pulled")
    with files.temporary(PROJECT, "python-docker") as folder:
        order = recipe.order(PROJECT, LAYER, catalog.architecture("amd64"), "0.0.0", docker=True)
        inside = _tree(recipe.run(PROJECT, order, folder / "out"))
    assert inside.keys() == trees[0].keys()
    assert [n for n, body in inside.items() if trees[0][n] != body] == []
    assert subprocess.run(["docker", "ps", "-aq", "--filter", "name=otel-python-"], capture_output=True, text=True, check=True).stdout == ""
