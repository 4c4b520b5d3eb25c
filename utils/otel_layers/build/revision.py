"""Which version a build is, and of which source."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from ..catalog import Layer
from ..errors import UsageError
from ..project import Project

DEVELOPMENT = "0.0.0-dev"

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z]+([.-][0-9A-Za-z]+)*)?")


def version(project: Project, layer: Layer, asked: str = "") -> str:
    """
    The version to build: the one that was `asked` for, else that of a tag layer-FOLDER/X.Y.Z on HEAD, else the development version.

    LAYER_VERSION asks too, for every command of a workflow's job: then the tests take the zips that were built, instead of making their own.
    """
    asked = asked or os.environ.get("LAYER_VERSION", "")
    if asked:
        if not _VERSION.fullmatch(asked):
            raise UsageError(f"{asked!r} is not a version", remedy="X.Y.Z or X.Y.Z-WORD, such as 1.4.0 or 1.4.0-rc.1")
        return asked
    prefix = f"layer-{layer.folder}/"
    tags = [tag.removeprefix(prefix) for tag in _git(project, "tag", "--points-at", "HEAD", "--list", f"{prefix}*").split()]
    released = []
    for tag in tags:
        if not (match := _VERSION.fullmatch(tag)):
            raise UsageError(f"the tag {prefix}{tag} on this commit has no version", remedy=f"{prefix}X.Y.Z, or --version X.Y.Z")
        released.append(match)
    # Of several tags on one commit the highest counts; a pre-release is lower than its release.
    released.sort(key=lambda m: (int(m[1]), int(m[2]), int(m[3]), m[4] is None, m[4] or ""))
    return released[-1][0] if released else DEVELOPMENT


def source(project: Project, layer: Layer) -> str:
    """The Git revision that is checked out, with '-dirty' when what the layer is built from differs from it; 'unknown' without Git."""
    head = _git(project, "rev-parse", "--verify", "--quiet", "HEAD").strip()
    top = _git(project, "rev-parse", "--show-toplevel").strip()
    if not head or Path(top).resolve() != project.root.resolve():  # a source archive, maybe unpacked inside another repository
        return "unknown"
    concerned = [p for p in (*layer.folders, "layers.toml", "requirements", "utils/otel_layers", "LICENSE") if (project.root / p).exists()]
    return head + ("-dirty" if _git(project, "status", "--porcelain", "--", *concerned).strip() else "")


def _git(project: Project, *arguments: str) -> str:
    """What git says, or '' where there is no git or no repository: a source archive builds as well."""
    try:
        command = ["git", "-C", str(project.root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    except OSError:
        return ""
