"""
Writes byte code for the running Python version beside every source of a layer that the layer may need: `byte_code.py OUT`.

Unchecked hashes: /opt is read-only and its files' times are the zip's, so byte code that is checked against them would be
thrown away and made again at every start. Without docstrings, which nobody reads at run time and which are a fifth of it, and
without columns, a quarter of the rest: lines are all that a stack trace needs of code that is not the function's own.
"""

import ast
import importlib.util
import operator
import os
import sys
from importlib._bootstrap_external import _code_to_hash_pyc  # what py_compile uses; it takes no syntax tree

TOPS = ("otel-python", "otel-python/grpc-only", "python")  # folders of the search path
# Of these, modules that nothing in the layer imports have no byte code: a function that does imports them from their sources.
SPARE = (
    "asgiref.",
    "hpack.huffman_table.",
    "opentelemetry.propagators.",
    "opentelemetry.sdk._configuration.",
    "opentelemetry.sdk.trace._sampling_experimental.",
    "opentelemetry.semconv.",
    "packaging.",
)
# Imported by name, and never needed: otel_lambda/quick.py and huffman.py stand in for them.
STAND_INS = ("packaging.requirements", "hpack.huffman_table")
# Annotations of these packages' functions are nobody's business; those of the API and the SDK may be read, by injection frameworks.
INTERNAL = ("h2.", "hpack.", "hyperframe.", "opentelemetry.instrumentation.", "opentelemetry.util.")
COMPARED = {ast.GtE: operator.ge, ast.Gt: operator.gt, ast.LtE: operator.le, ast.Lt: operator.lt}


def main(out):
    """Compile all of `out` that the layer may import; the names inside are those in /opt."""
    files = {}
    for top in TOPS:
        for folder, folders, names in os.walk(os.path.join(out, top)):
            folders[:] = sorted(f for f in folders if f != "__pycache__" and os.path.relpath(os.path.join(folder, f), out) not in TOPS)
            for name in sorted(names):
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    with open(path, "rb") as file:
                        source = file.read()
                    files[_module(os.path.relpath(path, os.path.join(out, top)))] = (path, source, ast.parse(source))
    for module in sorted(reached({name: (tree, path.endswith("__init__.py")) for name, (path, _, tree) in files.items()})):
        _compile(out, module, *files[module])


def _module(path):
    return path[: -len("/__init__.py" if path.endswith("/__init__.py") else ".py")].replace(os.sep, ".")


def reached(trees):
    """Of the modules in `trees` (name -> syntax tree, whether it is a package) all but the spare ones that no other of these imports."""
    found = {name for name in trees if not f"{name}.".startswith(SPARE)}
    ahead = list(found)
    while ahead:
        name = ahead.pop()
        for target in _imports(name, *trees[name]):
            if target.startswith(STAND_INS) and not name.startswith("packaging"):
                continue
            parts = target.split(".")
            for end in range(1, len(parts) + 1):
                parent = ".".join(parts[:end])
                if parent in trees and parent not in found:
                    found.add(parent)
                    ahead.append(parent)
    return found


def _imports(name, tree, package):
    """The names that a module's import statements may load, wherever in it they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = name.split(".")[: len(name.split(".")) - node.level + package] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def _compile(out, module, path, source, tree):
    tree = Settled().visit(_without_docstrings(tree))
    if module.startswith(INTERNAL):
        tree = Unannotated().visit(tree)
    code = compile(without_columns(ast.fix_missing_locations(tree)), "/opt/" + os.path.relpath(path, out), "exec", dont_inherit=True, optimize=0)
    folder, name = os.path.split(path)
    cache = os.path.join(folder, "__pycache__")
    os.makedirs(cache, exist_ok=True)
    target = os.path.join(cache, f"{name[:-3]}.{sys.implementation.cache_tag}.pyc")
    with open(target, "wb") as file:
        file.write(_code_to_hash_pyc(code, importlib.util.source_hash(source), False))


def without_columns(tree):
    """`tree` with the lines of everything as they are."""
    for node in ast.walk(tree):
        if hasattr(node, "col_offset"):
            node.col_offset = node.end_col_offset = -1
            if not isinstance(node, ast.Attribute):  # of a method called on a later line, the compiler takes the line from its end
                node.end_lineno = node.lineno
    return tree


def _without_docstrings(tree):
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) or ast.get_docstring(node, clean=False) is None:
            continue
        if isinstance(node, ast.ClassDef) and node.decorator_list:
            continue  # a dataclass without one makes one, from its signature, at every start
        first = node.body[0]
        node.body[:1] = [] if len(node.body) > 1 else [ast.copy_location(ast.Pass(), first)]
    return tree


class Settled(ast.NodeTransformer):
    """Leaves out the branches that this Python version never takes: `if TYPE_CHECKING`, `if sys.version_info >= (3, 11)`."""

    def visit_If(self, node):
        """The taken branch; patch releases are not told apart."""
        self.generic_visit(node)
        test = node.test
        taken = None
        if ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            taken = False
        elif isinstance(test, ast.Compare) and type(test.ops[0]) in COMPARED and ast.unparse(test.left) == "sys.version_info":
            asked = test.comparators[-1]
            if isinstance(asked, ast.Tuple) and len(asked.elts) <= 2 and len(test.ops) == 1:
                taken = COMPARED[type(test.ops[0])](sys.version_info, ast.literal_eval(asked))
        if taken is None:
            return node
        return (node.body if taken else node.orelse) or ast.copy_location(ast.Pass(), node)


class Unannotated(ast.NodeTransformer):
    """Leaves out the annotations of functions; those of classes make dataclasses and named tuples."""

    def visit(self, node):
        """A function without them, unless a decorator may read them."""
        self.generic_visit(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not any("register" in ast.unparse(d) for d in node.decorator_list):
            node.returns = None
            arguments = node.args
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
                if argument is not None:
                    argument.annotation = None
        return node


if __name__ == "__main__":
    main(sys.argv[1])
