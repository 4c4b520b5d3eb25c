"""Small ELF files with the facts that a test wants: real headers, program headers, dynamic segment, strings and version needs."""

from __future__ import annotations

import struct

BASE = 0x400000


def elf_file(machine: int, *, glibc: tuple[str, ...] = (), libraries: tuple[str, ...] = (), order: str = "<") -> bytes:
    """A 64-bit ELF file for `machine`; statically linked when it needs neither symbol versions nor libraries."""
    header_size, segment_size = 64, 56
    if not (glibc or libraries):
        return _header(machine, order, 1) + struct.pack(f"{order}IIQQQQQQ", 1, 5, 0, BASE, BASE, 120, 120, 4096)
    strings = b"\0"
    index: dict[str, int] = {}
    for word in (*libraries, "libc.so.6", *glibc):
        index[word] = len(strings)
        strings += word.encode() + b"\0"
    start = header_size + 2 * segment_size
    strings += b"\0" * (-len(strings) % 8)
    need_at = start + len(strings)
    need = b""
    if glibc:
        need = struct.pack(f"{order}HHIII", 1, len(glibc), index["libc.so.6"], 16, 0)
        for i, version in enumerate(glibc):
            need += struct.pack(f"{order}IHHII", 0, 0, i + 2, index[version], 16 if i + 1 < len(glibc) else 0)
    dynamic_at = need_at + len(need)
    pairs = [(1, index[name]) for name in libraries] + [(5, BASE + start)]
    pairs += [(0x6FFFFFFE, BASE + need_at), (0x6FFFFFFF, 1)] if glibc else []
    dynamic = b"".join(struct.pack(f"{order}QQ", *pair) for pair in [*pairs, (0, 0)])
    size = dynamic_at + len(dynamic)
    segments = struct.pack(f"{order}IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 4096)
    segments += struct.pack(f"{order}IIQQQQQQ", 2, 6, dynamic_at, BASE + dynamic_at, BASE + dynamic_at, len(dynamic), len(dynamic), 8)
    return _header(machine, order, 2) + segments + strings + need + dynamic


def _header(machine: int, order: str, segments: int) -> bytes:
    ident = b"\x7fELF" + bytes([2, 1 if order == "<" else 2, 1]) + bytes(9)
    return ident + struct.pack(f"{order}HHIQQQIHHHHHH", 2, machine, 1, BASE, 64, 0, 0, 64, 56, segments, 64, 0, 0)
