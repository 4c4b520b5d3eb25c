"""
Writes byte code for the running Python version beside every source of a layer: `byte_code.py OUT`.

Unchecked hashes: /opt is read-only and its files' times are the zip's, so byte code that is checked against them would be
thrown away and made again at every start. Without docstrings, which nobody reads at run time and which are a fifth of it.
"""

import ast
import importlib.util
import os
import sys
from importlib._bootstrap_external import _code_to_hash_pyc  # what py_compile uses; it takes no syntax tree


def main(out):
    """Compile all of `out`; the names inside are those in /opt."""
    for top in ("otel-python", "python"):
        for folder, folders, files in os.walk(os.path.join(out, top)):
            folders[:] = sorted(f for f in folders if f != "__pycache__")
            for name in sorted(files):
                if name.endswith(".py"):
                    _compile(out, folder, name)


def _compile(out, folder, name):
    path = os.path.join(folder, name)
    with open(path, "rb") as file:
        source = file.read()
    code = compile(_without_docstrings(ast.parse(source)), "/opt/" + os.path.relpath(path, out), "exec", dont_inherit=True, optimize=0)
    cache = os.path.join(folder, "__pycache__")
    os.makedirs(cache, exist_ok=True)
    target = os.path.join(cache, f"{name[:-3]}.{sys.implementation.cache_tag}.pyc")
    with open(target, "wb") as file:
        file.write(_code_to_hash_pyc(code, importlib.util.source_hash(source), False))


def _without_docstrings(tree):
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) or ast.get_docstring(node, clean=False) is None:
            continue
        if isinstance(node, ast.ClassDef) and node.decorator_list:
            continue  # a dataclass without one makes one, from its signature, at every start
        first = node.body[0]
        node.body[:1] = [] if len(node.body) > 1 else [ast.copy_location(ast.Pass(), first)]
    return tree


main(sys.argv[1])
