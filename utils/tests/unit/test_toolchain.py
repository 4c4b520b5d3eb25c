"""Tools are installed once, where they can stay."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from otel_layers import toolchain
from otel_layers.project import Project, open_project


def test_programs_are_installed_under_their_real_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout that shares another's tools by a link may go, and its path with it."""
    real, here = tmp_path / "real", tmp_path / "here"
    (here / ".cache").mkdir(parents=True)
    (here / "requirements").mkdir()
    (here / "requirements/tool.txt").write_text("tool==1\n")
    real.mkdir()
    (here / ".cache/envs").symlink_to(real)
    made: list[Path] = []

    def uv(_project: Project, *arguments: str) -> None:
        if arguments[0] == "venv":
            made.append(Path(arguments[-1]))
            made[0].mkdir()

    monkeypatch.setattr(toolchain, "_uv", uv)
    project = Project(here, open_project().catalogue)
    home = toolchain.packages(project, "tool")
    assert made == [home]
    assert home.parent == real
    assert toolchain.packages(project, "tool") == home
    assert len(made) == 1


@pytest.mark.parametrize("what", ["packages", "target"])
def test_nobody_installs_anew_what_another_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Two processes that miss the same folder: the second one's installation would remove files from under the first."""
    lock = tmp_path / "requirements/tool.txt"
    lock.parent.mkdir()
    lock.write_text("tool==1\n")
    together, installed = threading.Barrier(2), []

    def uv(_project: Project, *arguments: str) -> None:
        if arguments[0] == "venv":
            Path(arguments[-1]).mkdir(parents=True)
            return
        for argument in arguments:
            if argument.startswith("--target="):
                Path(argument.removeprefix("--target=")).mkdir(parents=True)
        installed.append(arguments)
        with suppress(threading.BrokenBarrierError):
            together.wait(0.3)  # the other one comes only if nothing keeps it out

    monkeypatch.setattr(toolchain, "_uv", uv)
    project = Project(tmp_path, open_project().catalogue)
    get = {"packages": lambda: toolchain.packages(project, "tool"), "target": lambda: toolchain.target(project, lock, "python", "one")}[what]
    with ThreadPoolExecutor(2) as pool:
        homes = {one.result() for one in [pool.submit(get), pool.submit(get)]}
    assert len(homes) == len(installed) == 1
    assert all((home / ".ready").is_file() for home in homes)
