"""Which version a layer is published as, and the name that carries it: `opentelemetry-python-amd64-0_4_0`."""

from __future__ import annotations

import re

from ..errors import UsageError

# Semantic versioning without build metadata: '+' cannot stand in a layer's name.
_NUMBER = r"(?:0|[1-9]\d*)"
_WORD = rf"(?:{_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_WORD}(?:\.{_WORD})*))?")
_DEVELOPMENT = "0.0.0-"
GROUPS = ("prod", "beta", "dev")  # from what users shall find to what only its makers try; all but the first are in the layer's name


def check(version: str, what: str = "version") -> str:
    """`version`, when it has the shape X.Y.Z or X.Y.Z-beta.1."""
    if not _VERSION.fullmatch(version):
        raise UsageError(f"{what} {version!r} is not of the form X.Y.Z or X.Y.Z-beta.1")
    return version


def is_development(version: str) -> bool:
    """Whether `version` stands for an untagged build: a pre-release of 0.0.0."""
    return version.startswith(_DEVELOPMENT)


def order(version: str) -> tuple[tuple[int, int, int], bool, tuple[tuple[int, int, str], ...]]:
    """A key that sorts versions by age as semantic versioning does: a pre-release comes before its release."""
    found = _VERSION.fullmatch(version)
    if not found:
        return (-1, -1, -1), False, ()
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in (found[4] or "").split(".") if p)
    return (int(found[1]), int(found[2]), int(found[3])), not found[4], parts


def layer_name(layer: str, arch: str, version: str, sha256: str, group: str = GROUPS[0]) -> str:
    """
    The published layer's name. The version is part of it, so that its ARN ends in ':1' in every region.

    A development version says nothing about the bytes, so their digest joins the name: it can be published again after each build.
    """
    suffix = f"-{sha256[:8]}" if is_development(version) else ""
    return f"{_stem(layer, arch, group)}{version.replace('.', '_')}{suffix}"


def version_of(name: str, layer: str, arch: str, group: str = GROUPS[0]) -> str:
    """The version in a published layer's name (a development version's with its digest); '' when it is no name of `layer`, `arch` and `group`."""
    head, _, tail = name.partition(_stem(layer, arch, group))
    version = tail.replace("_", ".")
    return version if not head and _VERSION.fullmatch(version) else ""


def _stem(layer: str, arch: str, group: str) -> str:
    return f"{layer}-{arch}-" if group == GROUPS[0] else f"{layer}-{group}-{arch}-"
