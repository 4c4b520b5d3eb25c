"""A release on GitHub, by the `gh` program: a draft with the folder's files, public only when somebody says so."""

from __future__ import annotations

import fnmatch
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import archive, process
from ..errors import LayersError, ToolMissing, UsageError
from ..files import temporary
from ..project import Project
from .index import load
from .output import SUMS

INDEX = "index.json"
BILLS = "*.cdx.json"
FOLDERS = "folders.zip"  # a release on GitHub has files only: the folder's folders are in it


def state(tag: str) -> str:
    """'none', 'draft' or 'public'."""
    try:
        found = json.loads(_gh("release", "view", tag, "--json", "isDraft"))
    except LayersError as exc:
        if "not found" in exc.why:
            return "none"
        raise
    return "draft" if found["isDraft"] else "public"


def draft(project: Project, tag: str, folder: Path, title: str, *, beta: bool) -> None:
    """A draft release of `tag` with `folder`'s notes and files; an earlier draft gets them in place of its own."""
    _check_folder(folder)
    notes = str(folder / "notes.md")
    if state(tag) == "none":
        _gh("release", "create", tag, "--draft", "--verify-tag", "--title", title, "--notes-file", notes, *(["--prerelease"] if beta else []))
    else:
        _gh("release", "edit", tag, "--title", title, "--notes-file", notes)
    with _assets(project, folder) as assets:
        _gh("release", "upload", tag, "--clobber", *map(str, assets))


def publish(tag: str) -> None:
    """Turn the draft of `tag` public."""
    _gh("release", "edit", tag, "--draft=false")


def update(project: Project, tag: str, folder: Path) -> None:
    """Notes and files of `folder` in place of those that the release of `tag` has; UsageError when its zips are not the same."""
    _check_folder(folder)
    with temporary(project, "release") as tmp:
        _gh("release", "download", tag, "--pattern", SUMS, "--dir", str(tmp))
        if _zips(tmp / SUMS) != _zips(folder / SUMS):
            raise UsageError(f"{folder} has other zips than the release {tag}", why="what was published never changes", remedy="its own receipts")
    with _assets(project, folder) as assets:
        _gh("release", "upload", tag, "--clobber", *(str(path) for path in assets if path.suffix != ".zip" or path.name == FOLDERS))
    _gh("release", "edit", tag, "--notes-file", str(folder / "notes.md"))  # last: the site is made anew when a release is edited


def _check_folder(folder: Path) -> None:
    if not (folder / SUMS).is_file():
        raise UsageError(f"{folder} is no release's folder", remedy=f"./run.sh notes RECEIPT... --output-dir {folder}")


def _zips(sums: Path) -> list[str]:
    return sorted(line for line in sums.read_text(encoding="utf-8").splitlines() if line.endswith(".zip"))


def previous(project: Project) -> list[dict[str, Any]]:
    """The indexes of the public releases, the newest first."""
    found = []
    with temporary(project, "release") as tmp:
        for number, tag in enumerate(_public(INDEX)):
            _gh("release", "download", tag, "--pattern", INDEX, "--dir", str(tmp / str(number)))
            found.append(load(tmp / str(number) / INDEX))
    return found


def with_bills() -> list[str]:
    """The tags of the public releases that have bills of materials, among the newest hundred."""
    return _public(BILLS)


def bills(tag: str, folder: Path) -> None:
    """Fetch the bills of materials of the layers in the release of `tag` into `folder`."""
    _gh("release", "download", tag, "--pattern", BILLS, "--dir", str(folder))


def _public(pattern: str) -> list[str]:
    """The tags of the newest hundred releases that are public and have a file whose name matches, the newest first."""
    releases = json.loads(_gh("api", "repos/{owner}/{repo}/releases?per_page=100"))  # the newest first; gh fills in whose they are
    return [str(one["tag_name"]) for one in releases if not one["draft"] and fnmatch.filter([asset["name"] for asset in one["assets"]], pattern)]


@contextmanager
def _assets(project: Project, folder: Path) -> Iterator[list[Path]]:
    with temporary(project, "release") as tmp:
        packed = tmp / FOLDERS
        for path in folder.iterdir():
            if path.is_dir():
                shutil.copytree(path, tmp / "tree" / path.name)
        files = sorted(path for path in folder.iterdir() if path.is_file())
        if (tmp / "tree").is_dir():
            archive.pack(tmp / "tree", packed)
            files.append(packed)
        yield files


def _gh(*arguments: str) -> str:
    remedy = "" if shutil.which("gh") else "apt-get install gh"
    return process.run(["gh", *arguments], capture=True, error=LayersError if shutil.which("gh") else ToolMissing, remedy=remedy)
