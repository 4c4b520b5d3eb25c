"""What an ELF file says about where it can run: its machine, the libraries that it needs and the newest glibc that it asks for."""

from __future__ import annotations

import re
import struct
import zipfile
from dataclasses import dataclass

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_VERNEED, _DT_VERNEEDNUM = 1, 5, 0x6FFFFFFE, 0x6FFFFFFF


@dataclass(frozen=True)
class Elf:
    """The facts of one file."""

    machine: int  # e_machine
    libraries: tuple[str, ...]  # names of the shared libraries that it is linked to
    glibc: tuple[int, ...]  # newest GLIBC_x.y among its symbol versions; () when it asks for none


def read(body: bytes) -> Elf | None:
    """The facts of an ELF file's bytes; None when `body` is something else, ValueError when it is cut off or mangled."""
    if body[:4] != b"\x7fELF":
        return None
    if len(body) < 20 or body[5] not in (1, 2):
        raise ValueError("the ELF header is cut off")
    order, machine = _order(body), _machine(body)
    if body[4] != 2:
        return Elf(machine, (), ())  # 32 bits: no architecture of Lambda, the machine alone tells
    try:
        return Elf(machine, *_dynamic(body, order))
    except (struct.error, IndexError, StopIteration) as exc:
        raise ValueError("the ELF file is cut off") from exc


def first_machine(source: zipfile.ZipFile) -> int | None:
    """The machine of the first program or library of a layer; None when it has none, which is then for every machine."""
    for name in source.namelist():
        if name.startswith("extensions/") or name.endswith(".so"):
            with source.open(name) as body:
                head = body.read(20)
            if head[:4] == b"\x7fELF" and len(head) == 20:
                return _machine(head)
    return None


def _order(head: bytes) -> str:
    return "<" if head[5] == 1 else ">"


def _machine(head: bytes) -> int:
    return int(struct.unpack_from(f"{_order(head)}H", head, 18)[0])


def _dynamic(body: bytes, order: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Needed libraries and newest glibc, from the dynamic segment: stripped files keep it, unlike their section table."""
    offset, size, count = struct.unpack_from(f"{order}Q", body, 32)[0], *struct.unpack_from(f"{order}HH", body, 54)
    loads: list[tuple[int, int, int]] = []
    dynamic: tuple[int, int] | None = None
    for i in range(count):
        kind, _, at, address, _, length = struct.unpack_from(f"{order}IIQQQQ", body, offset + i * size)
        if kind == _PT_LOAD:
            loads.append((address, length, at))
        elif kind == _PT_DYNAMIC:
            dynamic = (at, length)
    if dynamic is None:
        return (), ()  # statically linked
    entries = list(struct.iter_unpack(f"{order}QQ", body[dynamic[0] : dynamic[0] + dynamic[1] // 16 * 16]))
    table = dict(reversed(entries))

    def position(address: int) -> int:
        return next(at + address - start for start, length, at in loads if start <= address < start + length)

    def text(index: int) -> str:
        start = strings + index
        return body[start : body.index(b"\0", start)].decode("ascii", "replace")

    if _DT_STRTAB not in table:
        return (), ()
    strings = position(table[_DT_STRTAB])
    libraries = tuple(text(value) for tag, value in entries if tag == _DT_NEEDED)
    versions: list[tuple[int, ...]] = []
    if _DT_VERNEED in table:
        need = position(table[_DT_VERNEED])
        for _ in range(table.get(_DT_VERNEEDNUM, 0)):
            _, many, _, first, following = struct.unpack_from(f"{order}HHIII", body, need)
            at = need + first
            for _ in range(many):
                name, step = struct.unpack_from(f"{order}II", body, at + 8)
                if found := re.fullmatch(r"GLIBC_(\d+(?:\.\d+)+)", text(name)):
                    versions.append(tuple(int(part) for part in found[1].split(".")))
                at += step
            need += following
    return libraries, max(versions, default=())
