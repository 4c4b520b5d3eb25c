"""What the trigger table costs: reading and parsing it, in processes that have read nothing before."""

from __future__ import annotations

import statistics
import subprocess
import zipfile
from pathlib import Path

from .verdicts import Budget

TABLE = "python/otel_lambda/triggers.json"
RUNS = 20
_PROGRAM = """
import json, sys, time
began = time.perf_counter_ns()
with open(sys.argv[1], encoding="utf-8") as file:
    json.load(file)
print(time.perf_counter_ns() - began)
"""


def measure(interpreter: Path, layer: Path, tmp: Path) -> float:
    """Milliseconds, the median of `RUNS` processes, for the table in the layer's zip."""
    place = tmp / "triggers.json"
    with zipfile.ZipFile(layer) as source:
        place.write_bytes(source.read(TABLE))
    command = [str(interpreter), "-I", "-c", _PROGRAM, str(place)]
    took = [int(subprocess.run(command, capture_output=True, check=True, text=True).stdout) for _ in range(RUNS)]
    return statistics.median(took) / 1e6


def budget(milliseconds: float) -> Budget:
    """How it is judged."""
    return Budget("reading and parsing the trigger table, ms", milliseconds, 1)
