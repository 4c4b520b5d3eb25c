"""Where a start goes: what the interpreter itself says that each import took, with the layer beyond what it is without."""

from __future__ import annotations

import re
import statistics
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ... import local
from ...errors import FunctionFailed
from .cases import BARE, OURS, PROGRAMS, Case, function
from .measure import Machine
from .page import Table
from .verdicts import Budget

_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| \s*(\S+)")
RUNS = 5
_SHOWN = 12  # modules of each function


def profile(machine: Machine, case: Case) -> dict[str, float]:
    """Module -> milliseconds of its own (without what it imports), in one init; Python's -X importtime, which slows all alike."""
    wanted = function(case, machine.runtime, machine.architecture, machine.region, machine.code[case.function])
    wanted = replace(wanted, environment={**wanted.environment, "PYTHONPROFILEIMPORTTIME": "1"})
    with local.environment(machine.project, wanted, local.Endpoints(), cold_files=False) as environment:
        environment.invoke(b"{}")
        found = [match for line in environment.logs if (match := _LINE.search(str(line["text"])))]
    if not found:
        raise FunctionFailed(f"{case.key}: the interpreter told of no imports")
    took: dict[str, float] = defaultdict(float)
    for match in found:
        took[match[2]] += int(match[1]) / 1000
    return dict(took)


def added(bare: Sequence[Mapping[str, float]], ours: Sequence[Mapping[str, float]]) -> list[tuple[str, float]]:
    """The modules that only the layer's side imports, with the medians of their milliseconds, the longest first."""
    known = {name for one in bare for name in one}
    names = {name for one in ours for name in one} - known
    medians = {name: statistics.median(one.get(name, 0.0) for one in ours) for name in names}
    return sorted(medians.items(), key=lambda pair: (-pair[1], pair[0]))


def measure(machine: Machine, rows: Sequence[Case]) -> dict[str, list[tuple[str, float]]]:
    """What our layer adds to each function's imports, start and first invocation together."""
    by = {(case.function, case.setup): case for case in rows}
    out = {}
    for name in PROGRAMS:
        pair = {setup: [profile(machine, by[name, setup]) for _ in range(RUNS)] for setup in (BARE, OURS)}
        out[name] = added(pair[BARE], pair[OURS])
    return out


def budget(layer: Path, version: str, profiles: Mapping[str, Sequence[tuple[str, float]]]) -> Budget:
    """The byte code in the zip `layer` that a start and first invocation read: of the function that imports most of it, for Python `version`."""
    ending = f".cpython-{version.replace('.', '')}.pyc"
    with zipfile.ZipFile(layer) as source:
        sizes = {info.filename: info.file_size for info in source.infolist() if info.filename.endswith(ending)}
    modules = {name.removesuffix(ending).replace("/__pycache__/", "/").removesuffix("/__init__"): size for name, size in sizes.items()}
    by_module = {path.partition("/")[2].replace("/", "."): size for path, size in modules.items()}
    read = [sum(by_module.get(module, 0) for module, _ in found) for found in profiles.values()]
    return Budget("byte code that one start and first invocation read, MB", max(read) / 1e6, 1.5)


def plain(profiles: Mapping[str, Sequence[tuple[str, float]]]) -> list[dict[str, Any]]:
    """For machines."""
    return [{"function": name, "modules": [{"module": m, "ms": ms} for m, ms in found]} for name, found in profiles.items()]


def table(profiles: Mapping[str, Sequence[tuple[str, float]]]) -> Table:
    """Head and cells: the longest of each function, the rest of it in one row."""
    cells = []
    for name, found in profiles.items():
        cells.append([name, f"{len(found)} modules in all", f"{sum(ms for _, ms in found):.2f}"])
        cells += [["", module, f"{ms:.2f}"] for module, ms in found[:_SHOWN]]
        if found[_SHOWN:]:
            cells.append(["", "the others", f"{sum(ms for _, ms in found[_SHOWN:]):.2f}"])
    return ("function", "imported with our layer only", "ms of its own"), cells
