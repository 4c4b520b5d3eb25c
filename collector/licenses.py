"""
Reads lines 'module version folder' and copies every module's licence files to FOLDER/MODULE@VERSION/: `licenses.py GO FOLDER OURS`.

OURS is the licence of this project, whose modules bring none of their own.
"""

import shutil
import subprocess
import sys
from pathlib import Path

root, version = subprocess.run([sys.argv[1], "env", "GOROOT", "GOVERSION"], capture_output=True, text=True, check=True).stdout.split()
# Not every Go installation keeps its own licence at its top; its parts have the same text.
own = f"{root}/src/cmd/vendor/golang.org/x/mod"
standard = ("stdlib", f"v{version.removeprefix('go')}", own)
for name, number, folder in [standard, *(line.rstrip("\n").split(" ", 2) for line in sys.stdin)]:
    files = sorted(p for p in Path(folder).iterdir() if p.is_file() and p.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE", "COPYING")))
    if name.startswith("github.com/open-telemetry/opentelemetry-lambda/"):
        files = [Path(sys.argv[3])]
    if not files:
        sys.exit(f"{name} {number} has no licence file in {folder}")
    place = Path(sys.argv[2], f"{name}@{number}")
    place.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(file, place / file.name)
