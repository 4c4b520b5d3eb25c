"""docs/troubleshooting.md lists exactly the lines that the layers print, and each that it lists of the Collector is in the Collector."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/troubleshooting.md").read_text()
SOURCES = ROOT / "python/src/otel_lambda"
GAP = "…"  # stands for what differs from time to time


def listed(heading: str) -> list[str]:
    """The first column of the table below a heading."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(.+?)` \|", part, re.MULTILINE)


def template(node: ast.expr) -> str:
    """A text with its gaps; both sides of a choice are one gap."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    return GAP


def said(tree: ast.AST) -> list[str]:
    """What is given to say() or _complain() in a module."""
    out = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("say", "_complain"):
            text = template(node.args[0])
            if text.strip(GAP):
                out.append(f"otel: {text}" + (f": {GAP}. The function runs without it." if node.func.id == "_complain" else ""))
    return out


def test_every_line_of_the_python_layer_is_listed_and_no_other() -> None:
    lines = {line for path in SOURCES.rglob("*.py") for line in said(ast.parse(path.read_text()))}
    lines -= {f"otel: {GAP}: {GAP}. The function runs without it."}  # how _complain says it
    lines |= set(re.findall(r'sys\.stderr\.write\("(otel: .+?)\\n"\)', (SOURCES / "bootstrap.py").read_text()))
    wrapper = (ROOT / "python/layer/otel-handler").read_text()
    lines |= {found.replace("$next", GAP) for found in re.findall(r'echo "(otel: .+?)"', wrapper)}
    assert len(lines) > 40
    shown = listed("Lines of the Python layer")
    assert len(shown) == len(set(shown))
    assert set(shown) == lines


def test_every_advice_about_delivery_is_listed() -> None:
    advice = {
        template(node.value)
        for node in ast.walk(ast.parse((SOURCES / "advice.py").read_text()))
        if isinstance(node, ast.Return) and node.value is not None and template(node.value)
    }
    assert len(advice) > 5
    assert set(listed("What follows a line about delivery")) == advice


def test_the_collectors_lines_are_its_own() -> None:
    go = "\n".join(path.read_text() for path in (ROOT / "collector").rglob("*.go") if not path.name.endswith("_test.go"))
    shown = listed("Lines of the Collector")
    assert len(shown) >= 6
    assert [line for line in shown if f'"{line}"' not in go] == []
