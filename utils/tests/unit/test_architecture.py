"""The rooms' arrows go one way, and only the catalogue spells regions, runtimes and layer names."""

import ast
import re
from pathlib import Path

import pytest
from otel_layers import catalog

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "utils/otel_layers"
ROOMS = {"build", "local", "release", "aws", "ondemand", "triggers"}
UPON = {"build": {"ondemand"}}  # what a Collector layer is compiled from
BOTTOM = {"archive", "catalog", "console", "cpython", "errors", "files", "function", "policy", "process", "project", "toolchain"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The package's rooms that a module imports, wherever in it."""
    here = ("otel_layers", *path.relative_to(PACKAGE).with_suffix("").parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = list(here[: len(here) - node.level]) if node.level else []
            base += node.module.split(".") if node.module else []
            names = [[*base, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        else:
            continue
        found |= {name[1] for name in names if len(name) > 1 and name[0] == "otel_layers"}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_go_one_way(path: Path) -> None:
    where = room(path)
    if where in ("cli", "__main__", "__init__"):
        return
    allowed = BOTTOM | ({where} if where in ROOMS else set()) | UPON.get(where, set())
    assert where in ROOMS | BOTTOM, f"{where} is neither a room nor one of the bottom modules"
    assert imported(path) <= allowed


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_fact_of_the_catalogue_is_spelled_again(path: Path) -> None:
    cat = catalog.load(ROOT / "layers.toml")
    facts = [*cat.regions, *cat.runtimes, *cat.layers]
    text = "\n".join(
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not is_doc(node, path)
    )
    assert [fact for fact in facts if re.search(rf"(?<![\w.-]){re.escape(fact)}(?![\w-])", text)] == []


def is_doc(node: ast.Constant, path: Path) -> bool:
    """Whether the string is a docstring."""
    docs = {
        ast.get_docstring(n, clean=False) for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, (ast.Module, ast.ClassDef, ast.FunctionDef))
    }
    return node.value in docs


def test_modules_are_of_a_size_that_one_reads_at_a_sitting() -> None:
    assert {str(p.relative_to(PACKAGE)): n for p in MODULES if (n := len(p.read_text().splitlines())) > 420} == {}
