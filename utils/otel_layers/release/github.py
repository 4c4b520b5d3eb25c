"""A release on GitHub, by the `gh` program: a draft with the folder's files, public only when somebody says so."""

from __future__ import annotations

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
from .output import SUMS

INDEX = "index.json"
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
    if not (folder / SUMS).is_file():
        raise UsageError(f"{folder} is no release's folder", remedy=f"./run.sh notes RECEIPT... --output-dir {folder}")
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


def previous(project: Project) -> dict[str, Any] | None:
    """The index in the newest public release that has one; None when there is none yet."""
    releases = json.loads(_gh("api", "repos/{owner}/{repo}/releases?per_page=100"))  # the newest first; gh fills in whose they are
    public = [one for one in releases if not one["draft"] and any(asset["name"] == INDEX for asset in one["assets"])]
    if not public:
        return None
    with temporary(project, "release") as tmp:
        _gh("release", "download", str(public[0]["tag_name"]), "--pattern", INDEX, "--dir", str(tmp))
        found: dict[str, Any] = json.loads((tmp / INDEX).read_text(encoding="utf-8"))
    return found


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
