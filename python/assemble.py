"""
Puts the layer's tree together: `assemble.py WHEELS SOURCES TABLE OUT`.

WHEELS has a folder of installed packages for each Python version (3.10, 3.11 ...). What is the same in all is there once;
only compiled extensions, which have the version in their names, are there several times. TABLE is the trigger table of all languages.
"""

from __future__ import annotations

import ast
import io
import json
import re
import shutil
import struct
import sys
import tokenize
from pathlib import Path

DEPENDENCIES = "otel-python"  # in /opt; our entry appends it to the search path, so it is behind everything that the function brings
GRPC_ONLY = "grpc-only"  # in it; what only gRPC needs, which a function's own libraries (httpcore) would use if they could find it
_METADATA = ("METADATA", "entry_points.txt")  # of *.dist-info, with licences: what importlib.metadata and an inventory need
# Wheels that say Apache-2.0 and bring no text of it, and the distribution of the same repository whose text is theirs too.
_SAME_LICENCE = {
    "opentelemetry_instrumentation_aiohttp_server": "opentelemetry_instrumentation",
    "opentelemetry_util_http": "opentelemetry_instrumentation",
}
_NOTICE = re.compile("copyright|licen[cs]e|spdx", re.IGNORECASE)
# What an SDK that only traces does not need is imported where it is used. Of each file of the SDK: import lines, with the name that they bind and
# what stands in its place; and other texts.
_FUTURES = ("import concurrent.futures\n", "concurrent.futures", '__import__("concurrent.futures").futures')
_METERS = ("from opentelemetry import metrics as metrics_api\n", "metrics_api", '__import__("opentelemetry.metrics").metrics')
_MAKERS = "        from opentelemetry.semconv._incubating.metrics.otel_metrics import create_otel_sdk_span_live, create_otel_sdk_span_started; "
_DEFERRED: dict[str, tuple[tuple[tuple[str, str, str], ...], tuple[tuple[str, str], ...]]] = {
    "opentelemetry/sdk/resources/__init__.py": (
        (
            _FUTURES,
            *((f"import {name}\n", name, f'__import__("{name}")') for name in ("platform", "socket", "subprocess", "uuid")),
            ("from urllib import parse\n", "parse", '__import__("urllib.parse").parse'),
        ),
        (),
    ),
    "opentelemetry/sdk/trace/id_generator.py": ((("import random\n", "random", '__import__("random")'),), ()),
    "opentelemetry/sdk/trace/__init__.py": (
        (_FUTURES, _METERS),
        (
            ("meter_provider: metrics_api.MeterProvider | None = None", "meter_provider=None"),
            ("        meter_provider = meter_provider or metrics_api.get_meter_provider()\n", "\n"),
        ),
    ),
    "opentelemetry/sdk/trace/_tracer_metrics.py": (
        (_METERS,),
        (
            ("meter_provider: metrics_api.MeterProvider", "meter_provider"),
            (
                """from opentelemetry.semconv._incubating.metrics.otel_metrics import (
    create_otel_sdk_span_live,
    create_otel_sdk_span_started,
)
""",
                "\n\n\n\n",
            ),
            (
                '        meter = meter_provider.get_meter("opentelemetry-sdk")\n',
                _MAKERS + 'meter = (meter_provider or metrics_api.get_meter_provider()).get_meter("opentelemetry-sdk")\n',
            ),
        ),
    ),
}
_COMMANDS = ("opentelemetry/instrumentation/auto_instrumentation", "opentelemetry/instrumentation/bootstrap")


def main(wheels: Path, sources: Path, table: Path, out: Path) -> None:
    """Fill `out` as it shall look in /opt."""
    dependencies = out / DEPENDENCIES
    versions = sorted((p for p in wheels.iterdir() if p.is_dir()), key=lambda p: int(p.name.partition(".")[2]))
    for version in versions:
        for path in sorted(p for p in version.rglob("*") if p.is_file()):
            name = path.relative_to(version)
            if not wanted(name):
                continue
            place = dependencies / (GRPC_ONLY if name.parts[0].partition("-")[0] in ("h2", "hpack", "hyperframe") else "") / name
            if not place.exists():
                _copy(path, place)
                if place.suffix == ".so":
                    place.write_bytes(without_symbols(place.read_bytes()))
            elif place.read_bytes() != path.read_bytes():
                sys.exit(f"{name} differs between Python versions: it cannot be shared (another one is in {version.name})")
    for path in dependencies.rglob("*.py"):
        path.write_bytes(blanked(path.read_bytes()))
    for name, (imports, texts) in _DEFERRED.items():
        path = dependencies / name
        path.write_text(deferred(path.read_text(), name, imports, texts))
    for path in dependencies.glob("**/*.dist-info/METADATA"):
        path.write_bytes(path.read_bytes().partition(b"\n\n")[0] + b"\n")  # its headers; what follows is the project's page at PyPI
    for name, other in _SAME_LICENCE.items():
        (to,), (of,) = (list(dependencies.glob(f"{one}-[0-9]*.dist-info")) for one in (name, other))
        if (to / "licenses").exists():
            sys.exit(f"{name} brings its licence by now: take it out of _SAME_LICENCE")
        shutil.copytree(of / "licenses", to / "licenses")
    for path in sorted((sources / "otel_lambda").rglob("*.py")):
        _copy(path, out / "python" / path.relative_to(sources))
    compact = out / "python/otel_lambda" / table.name
    compact.write_text(json.dumps(json.loads(table.read_text()), separators=(",", ":")))
    compact.chmod(0o644)


def wanted(name: Path) -> bool:
    """Whether the file `name` of an installed package is of use in a layer."""
    top = name.parts[0]
    if top.endswith(".dist-info"):
        return name.name in _METADATA or "licen" in name.as_posix().lower() or name.name.upper().startswith(("NOTICE", "COPYING"))
    if top == "bin" or top.startswith(".") or top.endswith("-stubs") or "__pycache__" in name.parts or "tests" in name.parts:
        return False
    if name.as_posix().startswith(_COMMANDS):
        return False
    return name.suffix in (".py", ".so", ".json") or name.suffix == ""


def blanked(source: bytes) -> bytes:
    """
    `source` without its docstrings and comments, a third of it, every line of code where it was: stack traces show it.

    The notice of copyright at its head stays, and another says what was done, as the licences ask.
    """
    text = source.decode()
    lines = text.splitlines(keepends=True)
    out = list(lines)
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) or ast.get_docstring(node, clean=False) is None:
            continue
        if isinstance(node, ast.ClassDef) and node.decorator_list:
            continue  # as in byte_code.py
        first = node.body[0]
        start, end = first.lineno - 1, (first.end_lineno or first.lineno) - 1
        head, tail = lines[start].encode()[: first.col_offset].decode(), lines[end].encode()[first.end_col_offset or 0 :].decode()
        if not head.strip() and not tail.strip():
            out[start : end + 1] = [head + "''\n", *["\n"] * (end - start)]
    heading = True
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        number = token.start[0] - 1
        if token.type != tokenize.COMMENT:
            heading = heading and token.type in (tokenize.NL, tokenize.NEWLINE)
        elif not heading and out[number] == lines[number] and not _NOTICE.search(token.string):
            out[number] = lines[number][: token.start[1]].rstrip() + "\n"
    if out != lines:
        place = next((n for n, line in enumerate(out) if line in ("\n", "''\n")), len(out))
        kept = "''  " if out[place : place + 1] == ["''\n"] else ""
        out[place : place + 1] = [kept + "# Changed: without docstrings and comments.\n"]
    return "".join(out).encode()


def deferred(text: str, name: str, imports: tuple[tuple[str, str, str], ...], texts: tuple[tuple[str, str], ...]) -> str:
    """`text` of the file `name` with what `imports` import imported where it is used; every line of code stays where it was."""
    for old, new in texts:
        if old not in text:
            sys.exit(f"{name} has no {old.strip()!r} any more: look what has become of it, and mend assemble.py")
        text = text.replace(old, new)
    for line, bound, used in imports:
        if text.count(line) != 1:
            sys.exit(f"{name} has no line {line.strip()!r} any more: look what has become of it, and mend assemble.py")
        text = re.sub(rf"(?<![\w.\"']){re.escape(bound)}\.", lambda _, used=used: f"{used}.", text.replace(line, "\n"))
    return text.replace("# Changed: without docstrings and comments.", "# Changed: without docstrings and comments, some imports deferred.")


def without_symbols(body: bytes) -> bytes:
    """
    A 64-bit little-endian ELF library without what follows its segments: debug information, symbol and section tables (four fifths of wrapt's).

    The loader reads segments only. Done here and not by `strip`, which differs from machine to machine and knows one architecture.
    """
    if body[:6] != b"\x7fELF\x02\x01":
        sys.exit("a compiled extension is not a 64-bit little-endian ELF file")
    start, (size, count) = struct.unpack_from("<Q", body, 32)[0], struct.unpack_from("<HH", body, 54)
    end = start + size * count
    for number in range(count):
        offset, length = struct.unpack_from("<Q16xQ", body, start + number * size + 8)
        end = max(end, offset + length)
    header = bytearray(body[:64])
    struct.pack_into("<Q", header, 40, 0)  # no section table ...
    struct.pack_into("<HHH", header, 58, 0, 0, 0)  # ... of no entries
    return bytes(header) + body[64:end]


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)
    place.chmod(0o644)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
