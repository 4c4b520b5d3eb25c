"""Zips are reproducible, and reading one never leaves the destination."""

import base64
import hashlib
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from otel_layers import archive
from otel_layers.errors import UsageError


def tree(home: Path, *, reverse: bool = False, when: int = 1_600_000_000) -> Path:
    files = {"bin/run": b"#!/bin/sh\n", "lib/a.txt": b"a" * 5000, "lib/ä.txt": b"umlaut", "lib/a/b": b"", "top": b"t"}
    for name, body in sorted(files.items(), reverse=reverse):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        os.utime(path, (when, when))
    (home / "bin/run").chmod(0o700)
    (home / "lib/a.txt").chmod(0o600 if reverse else 0o666)
    (home / "lib/link").symlink_to("a.txt")
    (home / "lib/folderlink").symlink_to("a")
    (home / "empty").mkdir()
    return home


def entry(archive_path: Path, name: str, body: bytes = b"x", mode: int = stat.S_IFREG | 0o644) -> None:
    with zipfile.ZipFile(archive_path, "a") as out:
        info = zipfile.ZipInfo("placeholder")
        info.filename = info.orig_filename = name
        info.create_system, info.external_attr = 3, mode << 16
        out.writestr(info, body)


def test_same_files_same_bytes_whatever_their_times_modes_and_order(tmp_path: Path) -> None:
    archive.pack(tree(tmp_path / "one"), tmp_path / "one.zip")
    old = os.umask(0o077)
    try:
        archive.pack(tree(tmp_path / "two", reverse=True, when=1_700_000_000), tmp_path / "two.zip")
    finally:
        os.umask(old)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_packed_entries(tmp_path: Path) -> None:
    archive.pack(tree(tmp_path / "t"), tmp_path / "t.zip")
    with zipfile.ZipFile(tmp_path / "t.zip") as source:
        entries = {i.filename: i for i in source.infolist()}
        assert list(entries) == ["bin/run", "empty/", "lib/a.txt", "lib/a/b", "lib/folderlink", "lib/link", "lib/ä.txt", "top"]
        assert {i.date_time for i in entries.values()} == {(1980, 1, 1, 0, 0, 0)}
        assert {i.extra for i in entries.values()} == {b""}
        modes = {name: oct(i.external_attr >> 16) for name, i in entries.items()}
        assert modes["bin/run"] == oct(0o100755)
        assert modes["lib/a.txt"] == oct(0o100644)
        assert modes["lib/link"] == modes["lib/folderlink"] == oct(0o120777)
        assert source.read("lib/link") == b"a.txt"
        assert entries["lib/a.txt"].compress_size < 100


def test_round_trip(tmp_path: Path) -> None:
    archive.pack(tree(tmp_path / "t"), tmp_path / "t.zip")
    old = os.umask(0o077)
    try:
        archive.unpack(tmp_path / "t.zip", tmp_path / "out")
    finally:
        os.umask(old)
    out = tmp_path / "out"
    assert (out / "lib/ä.txt").read_bytes() == b"umlaut"
    assert (out / "lib/link").readlink() == Path("a.txt")
    assert (out / "empty").is_dir()
    assert stat.S_IMODE((out / "bin/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((out / "lib").stat().st_mode) == 0o755
    assert stat.S_IMODE((out / "top").stat().st_mode) == 0o644
    archive.pack(out, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "t.zip").read_bytes()


def test_a_later_layer_replaces_files_and_links(tmp_path: Path) -> None:
    for name, body in (("first", b"1"), ("second", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same").write_bytes(body)
        (tmp_path / name / name).write_bytes(body)
    (tmp_path / "first/swap").symlink_to("first")
    (tmp_path / "second/swap").write_bytes(b"a file now")
    for name in ("first", "second"):
        archive.pack(tmp_path / name, tmp_path / f"{name}.zip")
        archive.unpack(tmp_path / f"{name}.zip", tmp_path / "opt")
    assert (tmp_path / "opt/same").read_bytes() == b"2"
    assert (tmp_path / "opt/first").read_bytes() == b"1", "replacing a link must not write through it"
    assert (tmp_path / "opt/swap").read_bytes() == b"a file now"


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside", "a\\..\\outside", ".."])
def test_names_that_leave_are_refused(tmp_path: Path, name: str) -> None:
    entry(tmp_path / "bad.zip", name)
    with pytest.raises(UsageError, match="would leave its folder"):
        archive.unpack(tmp_path / "bad.zip", tmp_path / "out")
    assert not (tmp_path / "outside").exists()


def test_a_link_is_no_way_out(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    entry(tmp_path / "bad.zip", "door", os.fsencode(tmp_path / "elsewhere"), stat.S_IFLNK | 0o777)
    entry(tmp_path / "bad.zip", "door/file", b"stolen")
    with pytest.raises(UsageError, match="outside its folder"):
        archive.unpack(tmp_path / "bad.zip", tmp_path / "out")
    entry(tmp_path / "bad2.zip", "door", os.fsencode(tmp_path / "elsewhere"), stat.S_IFLNK | 0o777)
    entry(tmp_path / "bad2.zip", "door/new/file", b"stolen")
    with pytest.raises(UsageError, match="outside its folder"):
        archive.unpack(tmp_path / "bad2.zip", tmp_path / "out2")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_inside_may_be_followed(tmp_path: Path) -> None:
    entry(tmp_path / "l.zip", "lib64/a", b"a")
    entry(tmp_path / "l.zip", "lib", b"lib64", stat.S_IFLNK | 0o777)
    entry(tmp_path / "l.zip", "lib/b", b"b")
    archive.unpack(tmp_path / "l.zip", tmp_path / "out")
    assert (tmp_path / "out/lib64/b").read_bytes() == b"b"


def test_file_against_folder_is_said(tmp_path: Path) -> None:
    entry(tmp_path / "x.zip", "a", b"file")
    entry(tmp_path / "x.zip", "a/b", b"below")
    with pytest.raises(UsageError, match="puts a folder where a file is: a"):
        archive.unpack(tmp_path / "x.zip", tmp_path / "o1")
    entry(tmp_path / "y.zip", "a/b", b"below")
    entry(tmp_path / "y.zip", "a", b"file")
    with pytest.raises(UsageError, match="puts a file where a folder is: a"):
        archive.unpack(tmp_path / "y.zip", tmp_path / "o2")


def damage(sound: bytes, kind: str) -> bytes:
    if kind == "text":
        return b"this is no zip\n"
    if kind == "empty":
        return b""
    if kind == "cut":
        return sound[: len(sound) // 2]
    if kind == "flipped":
        at = sound.index(b"top") + 3  # the body of the stored or deflated file follows its name
        return sound[:at] + bytes([sound[at] ^ 0xFF]) + sound[at + 1 :]
    assert kind == "encrypted"
    out = bytearray(sound)
    for at in [i for i in range(len(sound) - 4) if sound[i : i + 4] == b"PK\x01\x02"]:
        struct.pack_into("<H", out, at + 8, 1)
    for at in [i for i in range(len(sound) - 4) if sound[i : i + 4] == b"PK\x03\x04"]:
        struct.pack_into("<H", out, at + 6, 1)
    return bytes(out)


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "flipped", "encrypted"])
def test_a_damaged_zip_is_described_in_words(tmp_path: Path, kind: str) -> None:
    archive.pack(tree(tmp_path / "t"), tmp_path / "t.zip")
    (tmp_path / "bad.zip").write_bytes(damage((tmp_path / "t.zip").read_bytes(), kind))
    with pytest.raises(UsageError, match=r"bad\.zip is not a sound zip"):
        archive.unpack(tmp_path / "bad.zip", tmp_path / "out")


def test_a_missing_zip_is_described_in_words(tmp_path: Path) -> None:
    for function in (archive.measure, lambda p: archive.unpack(p, tmp_path / "out")):
        with pytest.raises(UsageError, match=r"none\.zip"):
            function(tmp_path / "none.zip")


def test_measure_agrees_with_lambda_s_spelling(tmp_path: Path) -> None:
    archive.pack(tree(tmp_path / "t"), tmp_path / "t.zip")
    body = (tmp_path / "t.zip").read_bytes()
    size = archive.measure(tmp_path / "t.zip")
    assert size.sha256 == hashlib.sha256(body).hexdigest()
    assert size.code_sha256 == base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert size.zipped_bytes == len(body)
    assert size.unzipped_bytes == len(b"#!/bin/sh\n") + 5000 + len("umlaut") + 1 + len("a.txt") + len("a")


def test_what_a_zip_cannot_hold_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    os.mkfifo(tmp_path / "t/pipe")
    with pytest.raises(UsageError, match="neither a file"):
        archive.pack(tmp_path / "t", tmp_path / "t.zip")


def test_a_zip_made_without_unix_modes_unpacks_readable(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as out:
        info = zipfile.ZipInfo("a.py")
        info.create_system, info.external_attr = 0, 0x20
        out.writestr(info, b"a = 1\n")
    archive.unpack(tmp_path / "w.zip", tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out/a.py").stat().st_mode) == 0o644
