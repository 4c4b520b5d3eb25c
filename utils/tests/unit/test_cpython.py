"""Interpreters that the machine lacks come from Debian's packages, or one line says why not; the tests of every version use the real ones."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

import pytest
from otel_layers import cpython, toolchain
from otel_layers.project import Project, open_project

APT = """#!/bin/sh
echo "$@" >>{log}
case "$*" in
indextargets*) echo "{codename} an-archive" ;;
*) echo "E: the archive does not answer" >&2; exit 100 ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "here", open_project().catalogue)


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian whose archive fails, and a machine without any interpreter; gives the log of its calls."""
    (tmp_path / "bin").mkdir()
    for name in ("apt-get", "dpkg"):
        (tmp_path / "bin" / name).write_text(APT.format(log=tmp_path / "log", codename="bookworm"))
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "bookworm"})
    monkeypatch.setattr(toolchain, "interpreters", functools.cache(dict))
    return tmp_path / "log"


def test_an_archive_that_fails_is_one_warning(project: Project, apt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cpython.obtain(project)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[1].startswith("warning: no Python 3.10, ")
    assert said[1].endswith("ended with 100: E: the archive does not answer")
    left = [p for p in project.cache.rglob("*") if p.is_file() and p.name != next((project.cache / "envs").glob(".*.lock")).name]
    assert left == []
    assert not [p for p in (project.cache / "envs").iterdir() if p.is_dir()]


def test_nothing_is_asked_when_nothing_is_missing(project: Project, apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = [r.version for r in project.catalogue.runtimes.values() if r.language == "python"]
    monkeypatch.setattr(toolchain, "interpreters", functools.cache(lambda: dict.fromkeys(versions, Path("/python"))))
    cpython.obtain(project)
    assert not apt.exists()
    assert not project.cache.exists()


def test_another_system_is_left_alone(project: Project, apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "fedora"})
    cpython.obtain(project)
    assert not apt.exists()
    assert not (project.cache / "envs").exists()


def test_only_what_was_obtained_needs_its_libraries_at_their_place(tmp_path: Path) -> None:
    loader = tmp_path / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    loader.parent.mkdir(parents=True)
    loader.touch()
    assert cpython.libraries(tmp_path / "usr") == ()
    (tmp_path / ".ready").touch()
    assert cpython.libraries(tmp_path / "usr") == (loader.parent,)
