"""Compiled Python: for which version a file is, and whether that version would use it as it stands."""

from __future__ import annotations

import _imp
import re
import sys

_UNCHECKED = 1  # flags of a .pyc that is identified by a hash of its source, which the interpreter does not read again


def tag_of(name: str) -> str:
    """The Python version in a file's name, as '3.12' of X.cpython-312.pyc or X.cpython-312-x86_64-linux-gnu.so; '' when it has none."""
    found = re.search(r"\.cpython-(\d)(\d+)[.-][^/]*$", name)
    return f"{found[1]}.{found[2]}" if found else ""


def source_of(name: str) -> str:
    """The source that a .pyc in a __pycache__ folder belongs to; '' for one that stands for itself."""
    found = re.fullmatch(r"(.*?/?)__pycache__/([^/]+)\.cpython-\d+\.pyc", name)
    return f"{found[1]}{found[2]}.py" if found else ""


def fault(body: bytes, tag: str, source: bytes | None) -> str:
    """Why the byte code `body` would be ignored, stale, or different at every build; '' when it is right."""
    if len(body) < 16 or body[2:4] != b"\r\n":
        return "is not byte code"
    magic = int.from_bytes(body[:2], "little")
    version = f"3.{(magic - 2900) // 50}"  # CPython numbers its formats so: 2900 + 50 x the minor version, and a few on
    if tag and version != tag:
        return f"is byte code of Python {version}"
    if int.from_bytes(body[4:8], "little") != _UNCHECKED:
        return "is not identified by an unchecked hash: a change of the files' times would make Python compile it again"
    if source is not None and version in _HASHED_ALIKE and body[8:16] != _imp.source_hash(int.from_bytes(body[:4], "little"), source):
        return "was compiled from another source"
    return ""


# Python 3.11 changed the hash function; what an older or newer one wrote can only be compared by one of its own side.
_HASHED_ALIKE = {f"3.{minor}" for minor in range(11, 30)} if sys.version_info >= (3, 11) else set()
