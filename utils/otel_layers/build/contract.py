"""What every built zip must be: the catalogue's promises and Lambda's own limits, checked on the bytes that would be published."""

from __future__ import annotations

import posixpath
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import archive
from ..catalog import ARCHITECTURES, Architecture, Catalogue, Layer
from ..errors import ContractBroken
from . import bytecode, elf, notices

GLIBC = {"al2": (2, 26), "al2023": (2, 34)}  # what these systems have
_MAX_EXTENSIONS = 10  # of one environment


def require(place: Path, layer: Layer, arch: Architecture, catalogue: Catalogue, components: Sequence[Mapping[str, Any]] = ()) -> None:
    """ContractBroken with everything that is wrong with the zip at `place`; UsageError when it is no sound zip at all."""
    broken = check(place, layer, arch, catalogue, components)
    if broken:
        shown = [*broken[:20], *([f"and {len(broken) - 20} more"] if len(broken) > 20 else [])]
        raise ContractBroken(f"{layer.name} for {arch.name} breaks its contract", why="\n".join(shown))


def check(place: Path, layer: Layer, arch: Architecture, catalogue: Catalogue, components: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Everything that is wrong with the zip at `place`, a sentence each; `components` are those of its bill of materials."""
    with archive.opened(place) as source:
        entries = {archive.name_of(info, place).as_posix(): info for info in source.infolist()}
        return [
            *_sizes(place, source, layer),
            *_entries(source, entries),
            *_executables(source, entries, layer),
            *_links(source, entries, place),
            *_native(source, entries, layer, arch, catalogue),
            *_byte_code(source, entries, layer),
            *_notices(source, entries, components),
        ]


def _sizes(place: Path, source: zipfile.ZipFile, layer: Layer) -> Iterator[str]:
    zipped, unzipped = place.stat().st_size, sum(info.file_size for info in source.infolist())
    for size, budget, limit, word in (
        (zipped, layer.zipped_bytes, archive.MAX_ZIPPED, "zipped"),
        (unzipped, layer.unzipped_bytes, archive.MAX_UNZIPPED, "unzipped"),
    ):
        if size > limit:
            yield f"{word} {size:,} bytes are above Lambda's limit of {limit:,}"
        if size > budget:
            yield f"{word} {size:,} bytes are above the budget of {budget:,}"
    if not any(info.file_size for info in source.infolist()):
        yield "there is nothing in it"


def _entries(source: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> Iterator[str]:
    """Names, order, time and modes: what makes the bytes reproducible and the files safe to read for every user."""
    names = [info.orig_filename for info in source.infolist()]
    if len(entries) != len(names):
        yield "a name is in it twice"
    if names != sorted(names, key=str.encode):
        yield "its entries are not sorted"
    for name, info in entries.items():
        mode = archive.mode_of(info)
        kind = stat.S_IFMT(mode)
        if info.date_time != archive.EARLIEST:
            yield f"{name} carries a time"
        if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            yield f"{name} is neither a file, a folder nor a symbolic link"
        elif kind != stat.S_IFLNK and stat.S_IMODE(mode) not in ((0o755,) if info.is_dir() else (0o644, 0o755)):
            yield f"{name} has the mode {stat.S_IMODE(mode):04o}: only 0644 and 0755 are readable for all and writable for none but the owner"


def _executables(source: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], layer: Layer) -> Iterator[str]:
    extensions = [name for name in entries if name.startswith("extensions/") and name.count("/") == 1]
    if len(extensions) > _MAX_EXTENSIONS:
        yield f"{len(extensions)} extensions are more than the {_MAX_EXTENSIONS} of one environment"
    for name in dict.fromkeys([*layer.executables, *extensions]):
        info = entries.get(name)
        if info is None:
            yield f"{name} is missing"
        elif not stat.S_ISREG(archive.mode_of(info)):
            yield f"{name} is not a file"
        elif not archive.mode_of(info) & 0o111:
            yield f"{name} is not executable"
        else:
            with source.open(info) as body:
                start = body.read(256)
            if not start.startswith((b"\x7fELF", b"#!/")):
                yield f"{name} is neither an ELF program nor a script with an interpreter line"
            elif start.startswith(b"#!") and b"\r" in start.partition(b"\n")[0]:
                yield f"{name} has Windows line ends: the kernel will not find its interpreter"


def _links(source: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], place: Path) -> Iterator[str]:
    folders = {posixpath.dirname(name) for name in entries} | {""}
    folders |= {"/".join(parts[:i]) for parts in (name.split("/") for name in entries) for i in range(1, len(parts))}
    for name, info in entries.items():
        if not stat.S_ISLNK(archive.mode_of(info)):
            continue
        target = archive.link_of(source, info, place)
        end = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if target.startswith("/") or end.startswith(".."):
            yield f"{name} is a symbolic link out of the layer, to {target}"
        elif end not in entries and end not in folders:
            yield f"{name} is a symbolic link to {target}, which is not in the layer"


def _native(source: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], layer: Layer, arch: Architecture, catalogue: Catalogue) -> Iterator[str]:
    for name, info in entries.items():
        if not stat.S_ISREG(archive.mode_of(info)):
            continue
        with source.open(info) as body:
            if body.read(4) != b"\x7fELF":
                continue
        try:
            found = elf.read(source.read(info))
        except ValueError as exc:
            yield f"{name} is a broken ELF file: {exc}"
            continue
        if found is None:
            continue
        if found.machine != arch.elf:
            other = next((a.name for a in ARCHITECTURES.values() if a.elf == found.machine), f"ELF machine {found.machine}")
            yield f"{name} is for {other}, not for {arch.name}"
        if any(library.startswith(("libc.musl", "ld-musl")) for library in found.libraries):
            yield f"{name} is linked to musl, which Lambda does not have"
        system = _oldest_system(name, layer, catalogue)
        if found.glibc > GLIBC[system]:
            yield f"{name} asks for glibc {_dotted(found.glibc)}, and {system} has {_dotted(GLIBC[system])}"


def _oldest_system(name: str, layer: Layer, catalogue: Catalogue) -> str:
    """The oldest system on which the native file `name` can be loaded: that of the one runtime whose tag its name carries, else of all."""
    runtimes = [catalogue.runtimes[r] for r in layer.runtimes] or list(catalogue.runtimes.values())
    tag = bytecode.tag_of(name)
    return min((r.os for r in runtimes if tag in ("", r.version)), key=lambda os: GLIBC[os], default="al2")


def _byte_code(source: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], layer: Layer) -> Iterator[str]:
    versions = {runtime.removeprefix("python") for runtime in layer.runtimes if runtime.startswith("python")}
    for name, info in entries.items():
        if not name.endswith(".pyc"):
            continue
        tag, place = bytecode.tag_of(name), bytecode.source_of(name)
        if tag and tag not in versions:
            yield f"{name} is byte code for Python {tag}, for which the layer is not offered"
            continue
        text = source.read(entries[place]) if place in entries else None
        if place and text is None:
            yield f"{name} has no source beside it"
        elif fault := bytecode.fault(source.read(info), tag, text):
            yield f"{name} {fault}"


def _notices(source: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], components: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    files = [info for name, info in entries.items() if re.fullmatch(r"licenses/[^/]+/NOTICES", name)]
    covered = {one for info in files for one in notices.covered(source.read(info).decode(errors="replace"))}
    for component in components:
        if component["type"] == "library" and (component["name"], component["version"]) not in covered:  # the rest are our own layers
            yield f"{component['name']} {component['version']} has no licence text in licenses/*/NOTICES"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
