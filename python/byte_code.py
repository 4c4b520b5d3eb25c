"""
Writes byte code for the running Python version beside every source of a layer: `byte_code.py OUT`.

Unchecked hashes: /opt is read-only and its files' times are the zip's, so byte code that is checked against them would be
thrown away and made again at every start.
"""

import os
import py_compile
import sys


def main(out):
    """Compile all of `out`; the names inside are those in /opt."""
    sys.dont_write_bytecode = True
    for top in ("otel-python", "python"):
        for folder, folders, files in os.walk(os.path.join(out, top)):
            folders.sort()
            for name in sorted(files):
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    tag = sys.implementation.cache_tag
                    target = os.path.join(folder, "__pycache__", f"{name[:-3]}.{tag}.pyc")
                    shown = "/opt/" + os.path.relpath(path, out)
                    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
                    py_compile.compile(path, target, shown, doraise=True, optimize=0, invalidation_mode=mode, quiet=2)


main(sys.argv[1])
