"""Bad input to the local Lambda: the clear error, before anything runs."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from e2e.local_parts import HERE, PROJECT, function, layer
from otel_layers import cpython, toolchain
from otel_layers.errors import LayersError, ToolMissing, UsageError
from otel_layers.local import Endpoints, environment

FINE = "def handler(event, context): return event"


def refused(folder: Path, kind: type[LayersError] = UsageError, **settings: Any) -> str:
    """The error's words."""
    with pytest.raises(kind) as caught, environment(PROJECT, function(folder, FINE, **settings), Endpoints()):
        pytest.fail("it ran")
    return "\n".join(caught.value.lines())


def test_a_layer_that_is_not_there(tmp_path: Path) -> None:
    assert f"the layer {tmp_path}/none.zip cannot be read" in refused(tmp_path, layers=(tmp_path / "none.zip",))


def test_a_layer_that_is_not_a_zip(tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_text("this is no zip")
    assert f"the layer {bad} is not a zip file" in refused(tmp_path, layers=(bad,))


def test_a_layer_with_damaged_bytes(tmp_path: Path) -> None:
    bad = tmp_path / "damaged.zip"
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("python/a.py", "x = 1\n" * 10_000)
    body = bytearray(bad.read_bytes())
    body[60:80] = b"\xff" * 20
    bad.write_bytes(body)
    assert f"the layer {bad} is broken" in refused(tmp_path, layers=(bad,))
    assert not list((PROJECT.cache / "opt").glob(".part-*"))


@pytest.mark.parametrize("entry", ["../outside", "/etc/outside", "a/../../outside"])
def test_a_layer_that_reaches_outside(tmp_path: Path, entry: str) -> None:
    words = refused(tmp_path, layers=(layer(tmp_path, "bad", {entry: "x"}),))
    assert "lies outside /opt" in words


def test_a_link_that_leads_outside_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "outside"
    target.mkdir()
    one = tmp_path / "one.zip"
    with zipfile.ZipFile(one, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, str(target))
    words = refused(tmp_path, layers=(one, layer(tmp_path, "two", {"link/file": "x"})))
    assert "link/file" in words
    assert not list(target.iterdir())


def test_too_many_layers(tmp_path: Path) -> None:
    assert "at most 5" in refused(tmp_path, layers=(layer(tmp_path, "l", {"a": "b"}),) * 6)


def test_too_large_unzipped(tmp_path: Path) -> None:
    big = tmp_path / "big.zip"
    with zipfile.ZipFile(big, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("big", "w", force_zip64=True) as out:
        for _ in range(270):
            out.write(bytes(1_000_000))
    assert "Lambda allows 262,144,000" in refused(tmp_path, layers=(big,))


def test_code_that_is_not_there(tmp_path: Path) -> None:
    made = function(tmp_path, FINE)
    for path in sorted(made.code.rglob("*"), reverse=True):
        path.unlink()
    made.code.rmdir()
    with pytest.raises(UsageError, match="is not a folder"), environment(PROJECT, made, Endpoints()):
        pytest.fail("it ran")


def test_a_runtime_that_is_not_python(tmp_path: Path) -> None:
    other = next(r.name for r in PROJECT.catalogue.runtimes.values() if r.language == "nodejs")
    words = refused(tmp_path, runtime=other)
    assert f"only Python functions for now; it is {other}" in words


def test_a_runtime_that_does_not_exist(tmp_path: Path) -> None:
    assert "unknown runtime 'python9.9'" in refused(tmp_path, runtime="python9.9")


def test_a_runtime_that_this_machine_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = next(r.name for r in PROJECT.catalogue.runtimes.values() if r.language == "python")
    monkeypatch.setattr(toolchain, "interpreters", dict)
    monkeypatch.setattr(cpython, "obtain", lambda _project: None)  # from where it can be had, it is had: test_cpython.py
    words = refused(tmp_path, ToolMissing, runtime=name)
    assert "this machine has none" in words
    assert "uv python install" in words


def test_the_other_architecture(tmp_path: Path) -> None:
    other = "arm64" if HERE.name == "amd64" else "x86_64"
    assert f"it is for {other}; this machine is {HERE.aws}" in refused(tmp_path, architecture=other)
