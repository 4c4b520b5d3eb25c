"""Byte code that Python would ignore, or that belongs to another source, is found."""

import py_compile
import subprocess
from pathlib import Path

import pytest
from contract.small_layer import TAG, VERSION, compiled, write
from otel_layers import toolchain
from otel_layers.build import bytecode

SOURCE = "ANSWER = 42\n"


def test_names() -> None:
    assert bytecode.tag_of("a/__pycache__/x.cpython-310.pyc") == "3.10"
    assert bytecode.tag_of("wrapt/_wrappers.cpython-313-x86_64-linux-gnu.so") == "3.13"
    assert bytecode.tag_of("a.cpython-310/x.pyc") == bytecode.tag_of("x.so") == ""
    assert bytecode.source_of("a/__pycache__/x.cpython-310.pyc") == "a/x.py"
    assert bytecode.source_of("__pycache__/x.cpython-310.pyc") == "x.py"
    assert bytecode.source_of("a/x.pyc") == ""


def test_sound(tmp_path: Path) -> None:
    path = compiled(write(tmp_path / "x.py", SOURCE))
    assert bytecode.fault(path.read_bytes(), VERSION, SOURCE.encode()) == ""
    assert bytecode.fault(path.read_bytes(), "", None) == ""


@pytest.mark.parametrize("mode", [py_compile.PycInvalidationMode.TIMESTAMP, py_compile.PycInvalidationMode.CHECKED_HASH])
def test_other_ways_to_identify_the_source(tmp_path: Path, mode: py_compile.PycInvalidationMode) -> None:
    path = compiled(write(tmp_path / "x.py", SOURCE), mode=mode)
    assert "unchecked hash" in bytecode.fault(path.read_bytes(), VERSION, SOURCE.encode())


def test_stale_foreign_and_none(tmp_path: Path) -> None:
    body = compiled(write(tmp_path / "x.py", SOURCE)).read_bytes()
    assert bytecode.fault(body, VERSION, b"ANSWER = 43\n") == "was compiled from another source"
    assert bytecode.fault(body, "3.9", SOURCE.encode()) == f"is byte code of Python {VERSION}"
    assert bytecode.fault(b"", VERSION, None) == bytecode.fault(b"#!/bin/sh\n" * 3, VERSION, None) == "is not byte code"


@pytest.mark.parametrize("version", sorted(toolchain.interpreters()))
def test_every_interpreter_of_the_machine_numbers_its_format_as_assumed(tmp_path: Path, version: str) -> None:
    write(tmp_path / "x.py", SOURCE)
    python = toolchain.interpreters()[version]
    subprocess.run([python, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", tmp_path], check=True)
    (path,) = (tmp_path / "__pycache__").glob("*.pyc")
    assert bytecode.tag_of(path.name) == version
    assert bytecode.fault(path.read_bytes(), version, SOURCE.encode()) == ""
    stale = bytecode.fault(path.read_bytes(), version, b"other\n")
    assert stale == ("" if version == "3.10" else "was compiled from another source"), "3.10 hashes in another way and is not compared"


def test_this_interpreter_s_tag() -> None:
    assert bytecode.tag_of(f"__pycache__/x.{TAG}.pyc") == VERSION
