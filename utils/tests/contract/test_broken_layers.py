"""Every way to break a layer is found by the checker: a sound layer passes, and each mutation of it is refused for its own reason."""

from __future__ import annotations

import dataclasses
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from contract.elf_files import elf_file
from contract.small_layer import AMD64, CATALOGUE, LAYER, TAG, VERSION, sound, write
from otel_layers import archive
from otel_layers.build import contract
from otel_layers.errors import ContractBroken, UsageError

NATIVE = f"python/otel/_native.cpython-{VERSION.replace('.', '')}-x86_64-linux-gnu.so"
OTHER_TAG = "cpython-39"
Change = Callable[[Path], object]


def broken(tree: Path, layer: object = LAYER) -> list[str]:
    packed = tree.with_suffix(".zip")
    archive.pack(tree, packed)
    return contract.check(packed, layer, AMD64, CATALOGUE)  # type: ignore[arg-type]


def test_the_sound_layer_passes(tmp_path: Path) -> None:
    tree = sound(tmp_path / "t")
    assert broken(tree) == []
    contract.require(tree.with_suffix(".zip"), LAYER, AMD64, CATALOGUE)


def replace(name: str, body: bytes, mode: int = 0o755) -> Change:
    return lambda tree: write(tree / name, body, mode)


def link(name: str, target: str) -> Change:
    return lambda tree: (tree / name).symlink_to(target)


def many_extensions(tree: Path) -> None:
    for i in range(10):
        write(tree / f"extensions/e{i}", "#!/bin/sh\n", 0o755)


MUTATIONS: dict[str, tuple[Change, str]] = {
    "executable missing": (lambda t: (t / "handler").unlink(), "handler is missing"),
    "executable not executable": (lambda t: (t / "handler").chmod(0o644), "handler is not executable"),
    "executable is a folder's link": (lambda t: ((t / "handler").unlink(), (t / "handler").symlink_to("python")), "handler is not a file"),
    "executable is text": (replace("handler", b"echo\n"), "neither an ELF program nor a script"),
    "executable is empty": (replace("handler", b""), "neither an ELF program nor a script"),
    "Windows line ends": (replace("handler", b"#!/bin/sh\r\nexec\r\n"), "Windows line ends"),
    "extension not executable": (replace("extensions/second", b"#!/bin/sh\n", 0o644), "extensions/second is not executable"),
    "too many extensions": (many_extensions, "11 extensions are more than the 10"),
    "program for arm64": (replace("extensions/agent", elf_file(183)), "extensions/agent is for arm64, not for amd64"),
    "library for another machine": (replace(NATIVE, elf_file(243)), "is for ELF machine 243, not for amd64"),
    "program without a bit set is looked at": (replace("data.bin", elf_file(183), 0o644), "data.bin is for arm64, not for amd64"),
    "cut ELF file": (replace("extensions/agent", elf_file(62, glibc=("GLIBC_2.17",))[:150]), "is a broken ELF file"),
    "glibc too new for all": (replace("extensions/agent", elf_file(62, glibc=("GLIBC_2.34",))), "asks for glibc 2.34, and al2 has 2.26"),
    "glibc too new for its runtime": (replace("x.cpython-312-x86_64-linux-gnu.so", elf_file(62, glibc=("GLIBC_2.35",))), "al2023 has 2.34"),
    "musl": (replace("extensions/agent", elf_file(62, libraries=("libc.musl-x86_64.so.1",))), "is linked to musl"),
    "absolute link": (link("l", "/opt/handler"), "l is a symbolic link out of the layer"),
    "climbing link": (link("python/l", "../../etc"), "python/l is a symbolic link out of the layer"),
    "dangling link": (link("l", "nothing"), "l is a symbolic link to nothing, which is not in the layer"),
    "stale byte code": (replace("python/otel/entry.py", b"ANSWER = 43\n", 0o644), "was compiled from another source"),
    "byte code without source": (lambda t: (t / "python/otel/entry.py").unlink(), "has no source beside it"),
    "byte code of a version not offered": (
        lambda t: (t / f"python/otel/__pycache__/entry.{TAG}.pyc").rename(t / f"python/otel/__pycache__/entry.{OTHER_TAG}.pyc"),
        "is byte code for Python 3.9, for which the layer is not offered",
    ),
    "over its unzipped budget": (replace("large", b"\0" * 300_000, 0o644), "unzipped 3"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_is_refused_for_its_own_reason(tmp_path: Path, name: str) -> None:
    change, reason = MUTATIONS[name]
    tree = sound(tmp_path / "t")
    change(tree)
    found = broken(tree)
    assert any(reason in sentence for sentence in found), found
    assert len(found) == 1, found
    with pytest.raises(ContractBroken, match="breaks its contract") as caught:
        contract.require(tree.with_suffix(".zip"), LAYER, AMD64, CATALOGUE)
    assert caught.value.exit_code == 6


def test_budgets_and_lambda_s_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = sound(tmp_path / "t")
    assert "above the budget of 100" in broken(tree, dataclasses.replace(LAYER, zipped_bytes=100))[0]
    assert (archive.MAX_ZIPPED, archive.MAX_UNZIPPED) == (52_428_800, 262_144_000)
    size = archive.measure(tree.with_suffix(".zip"))
    monkeypatch.setattr(archive, "MAX_ZIPPED", size.zipped_bytes)
    monkeypatch.setattr(archive, "MAX_UNZIPPED", size.unzipped_bytes)
    assert broken(tree) == []
    write(tree / "python/otel/more.py", "MORE = 1\n")
    assert [sentence.partition(" are ")[2].partition(" of ")[0] for sentence in broken(tree)] == ["above Lambda's limit"] * 2


def test_glibc_of_each_system_is_allowed(tmp_path: Path) -> None:
    tree = sound(tmp_path / "t")
    write(tree / "extensions/agent", elf_file(62, glibc=("GLIBC_2.26",)), 0o755)
    write(tree / "x.cpython-312-x86_64-linux-gnu.so", elf_file(62, glibc=("GLIBC_2.34",)))
    assert broken(tree) == []
    write(tree / "x.cpython-310-x86_64-linux-gnu.so", elf_file(62, glibc=("GLIBC_2.34",)))
    assert broken(tree) == ["x.cpython-310-x86_64-linux-gnu.so asks for glibc 2.34, and al2 has 2.26"]


def rewritten(tree: Path, change: Callable[[list[tuple[zipfile.ZipInfo, bytes]]], object]) -> list[str]:
    """What the checker says of the sound layer's zip after `change` to its entries, which our own packer would never write."""
    archive.pack(tree, tree.with_suffix(".zip"))
    with zipfile.ZipFile(tree.with_suffix(".zip")) as source:
        entries = [(info, source.read(info)) for info in source.infolist()]
    change(entries)
    with zipfile.ZipFile(tree.with_suffix(".zip"), "w") as out:
        for info, body in entries:
            out.writestr(info, body)
    return contract.check(tree.with_suffix(".zip"), LAYER, AMD64, CATALOGUE)


def set_mode(name: str, mode: int) -> Callable[[list[tuple[zipfile.ZipInfo, bytes]]], object]:
    def change(entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
        next(info for info, _ in entries if info.filename == name).external_attr = mode << 16

    return change


@pytest.mark.parametrize("mode", [0o777, 0o666, 0o4755, 0o700])
def test_modes(tmp_path: Path, mode: int) -> None:
    found = rewritten(sound(tmp_path / "t"), set_mode("python/otel/entry.py", stat.S_IFREG | mode))
    assert found == [f"python/otel/entry.py has the mode {mode:04o}: only 0644 and 0755 are readable for all and writable for none but the owner"]


def test_foreign_kinds_times_orders_and_doubles(tmp_path: Path) -> None:
    tree = sound(tmp_path / "t")
    assert "neither a file, a folder" in rewritten(tree, set_mode("python/otel/entry.py", stat.S_IFIFO | 0o644))[0]
    assert rewritten(tree, lambda e: setattr(e[0][0], "date_time", (2024, 1, 1, 0, 0, 0))) == ["current carries a time"]
    assert rewritten(tree, lambda e: e.reverse()) == ["its entries are not sorted"]
    with pytest.warns(UserWarning, match="Duplicate name"):
        assert rewritten(tree, lambda e: e.append(e[-1])) == ["a name is in it twice"]


def test_an_empty_or_corrupt_zip(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    assert "there is nothing in it" in broken(tmp_path / "t")
    (tmp_path / "c.zip").write_bytes(b"PK not a zip")
    with pytest.raises(UsageError, match="not a sound zip"):
        contract.check(tmp_path / "c.zip", LAYER, AMD64, CATALOGUE)
