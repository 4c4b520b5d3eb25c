"""Tools are installed once, where they can stay."""

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
