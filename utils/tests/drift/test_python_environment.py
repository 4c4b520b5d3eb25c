"""docs/python-environment.md names the variables that the Python layer's signals read, with the code's own defaults, and says what needs the SDK."""

from __future__ import annotations

import ast
import os
import re
import sys
from pathlib import Path

import pytest
from otel_layers.project import find_root

ROOT = find_root()
SOURCES = ROOT / "python/src/otel_lambda"
PAGE = (ROOT / "docs/python-environment.md").read_text()
ROWS = {
    cells[0].strip("` "): [c.strip() for c in cells[1:]]
    for cells in re.findall(r"^\|(`?[^|]+)\|([^|]*)\|([^|]*)\|(.*)\|$", PAGE.replace("| `OTEL", "|`OTEL"), re.MULTILINE)
}
ROWS = {name: cells for name, cells in ROWS.items() if name.startswith("OTEL_")}
FILES = ("correlation", "destination", "limits", "logs", "metrics", "say", "sdk", "settings", "signals")
ELSEWHERE = {"OTEL_LAMBDA_", "OTEL_PYTHON_DISABLED", "OTEL_PYTHON_CONTEXT", "OTEL_PYTHON_ID", "OTEL_PYTHON_TRACER"}  # of other pages


def _calls() -> dict[str, object]:
    """Variable -> the default that the code gives it, as far as it is written beside it."""
    found: dict[str, object] = {}
    for file in FILES:
        for node in ast.walk(ast.parse((SOURCES / f"{file}.py").read_text())):
            if not isinstance(node, ast.Call) or len(node.args) < 2 or not isinstance(node.args[0], ast.Constant):
                continue
            name, default = getattr(node.func, "id", ""), node.args[1]
            if name == "whole" and isinstance(default, ast.Constant):
                found[node.args[0].value] = "no limit" if default.value is None else str(default.value)
            elif name == "one_of" and isinstance(default, ast.Tuple) and isinstance(default.elts[0], ast.Constant):
                found[node.args[0].value] = default.elts[0].value
            elif name == "exporters" and isinstance(default, ast.Constant):
                found[f"OTEL_{node.args[0].value}_EXPORTER"] = default.value
    return found


def test_every_default_is_the_codes() -> None:
    calls = _calls()
    assert {"OTEL_TRACES_EXPORTER", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"} <= calls.keys()
    for name, default in calls.items():
        if not name.startswith(tuple(ELSEWHERE)):
            assert ROWS[name][0].strip("`") == default, name


def test_every_variable_is_on_the_page() -> None:
    names: set[str] = set()
    for file in FILES:
        names |= set(re.findall(r"\bOTEL_[A-Z0-9_]*[A-Z0-9]\b", (SOURCES / f"{file}.py").read_text()))
    names = {n for n in names if not n.startswith(tuple(ELSEWHERE)) and n not in ("OTEL_EXPORTER_OTLP", "OTEL_LAMBDA")}
    assert len(names) > 25
    telemetry = (ROOT / "docs/telemetry.md").read_text()  # has those of client libraries
    assert sorted(n for n in names if f"`{n}`" not in PAGE + telemetry) == []


@pytest.mark.parametrize("name", sorted(ROWS))
def test_what_needs_the_sdk(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(SOURCES.parent)])
    from otel_lambda import settings

    for variable in [v for v in os.environ if v.startswith("OTEL_")]:
        monkeypatch.delenv(variable)
    assert settings.read(str(tmp_path)).sdk is False
    expected = ROWS[name][1]
    values = {
        "yes": {"otlp": True},
        "no": {"1": False},
        "`console`": {"console": True, "otlp": False},
        "unless `always_on`": {"always_off": True, "always_on": False},
    }
    for value, needed in values[expected].items():
        monkeypatch.setenv(name, value)
        assert settings.read(str(tmp_path)).sdk is needed, value


def test_every_library_is_on_the_page_and_no_other() -> None:
    sys.path.append(str(SOURCES.parent))
    from otel_lambda.instrumentations import OWN, TABLE, THREADS

    shown = re.findall(r"^\| `([\w-]+)` \| (.+?) \| (ours|contrib)", PAGE.split("## Libraries")[1], re.MULTILINE)
    wanted: dict[str, list[str]] = {}
    for module, name, _ in (*TABLE, *THREADS):
        wanted.setdefault(name, []).append(f"`{module}`")
    own = {*OWN, *(name for _, name, _ in THREADS)}
    assert sorted(shown) == sorted(
        (name, ", ".join(dict.fromkeys(modules)), "ours" if name in own else "contrib") for name, modules in wanted.items()
    )
