"""Reads lines 'module version folder' and prints every licence text once, under the modules that it covers. Its argument is the go program."""

import subprocess
import sys
from pathlib import Path

root, version = subprocess.run([sys.argv[1], "env", "GOROOT", "GOVERSION"], capture_output=True, text=True, check=True).stdout.split()
# Not every Go installation keeps its own licence at its top; its parts have the same text.
own = f"{root}/src/cmd/vendor/golang.org/x/mod"
texts: dict[str, list[str]] = {}
for name, number, folder in [("go", version, own), *(line.rstrip("\n").split(" ", 2) for line in sys.stdin)]:
    files = sorted(p for p in Path(folder).iterdir() if p.is_file() and p.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE", "COPYING")))
    if not files:
        sys.exit(f"{name} {number} has no licence file in {folder}")
    for file in files:
        texts.setdefault(file.read_text(encoding="utf-8").strip(), []).append(f"{name} {number}")
for text, modules in texts.items():
    print("\n".join(dict.fromkeys(modules)) + f"\n\n{text}\n\n" + "-" * 80 + "\n")
