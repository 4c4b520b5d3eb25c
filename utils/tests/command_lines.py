"""What ./run.sh understands, from its own parsers, for tests that hold pages and workflows against it; and a copy of the project to run it in."""

from __future__ import annotations

import argparse
import importlib
import shutil
from functools import cache
from pathlib import Path

from otel_layers import cli, project

ROOT = project.find_root()
FOLDERS = project.folders(ROOT, project.open_project().catalogue)


@cache
def parser(verb: str) -> argparse.ArgumentParser:
    """The parser of a verb, as its command makes it; '' is the whole job."""
    made = argparse.ArgumentParser(prog=f"./run.sh {verb}", allow_abbrev=False)
    cli.common(made)
    importlib.import_module(f"otel_layers.cli.verbs.{(verb or 'everything').replace('-', '_')}").configure(made)
    return made


def options(verb: str) -> set[str]:
    """The options of a verb."""
    return set(parser(verb)._option_string_actions)


def copy_project(tmp_path: Path) -> Path:
    """The project's own files in another folder, with this one's tools."""
    root = tmp_path / "copy"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".git", ".venv", ".cache", "dist", "__pycache__"), symlinks=True)
    (root / ".venv").symlink_to(ROOT / ".venv")
    return root


def share_cache(folder: Path, *names: str) -> None:
    """Have `names` of this tree's cache, downloads and tools, in the cache `folder` of a copy."""
    folder.mkdir()
    for name in names:
        (ROOT / ".cache" / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(ROOT / ".cache" / name)
