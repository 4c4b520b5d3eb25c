"""
Writes a go.mod in which libraries whose start costs too much are replaced by copies with the edits of edits.toml, and prints its path.

Arguments: the go program, the go.mod to begin with. An edit that no longer fits its library is an error, except where the go.mod is not this
folder's (an on-demand build may need other versions): there the library stays as it is.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLLECTOR = HERE.parent
CACHE = COLLECTOR.parent / ".cache" / "build" / "startup"
_KEPT = ("go.mod", "LICENSE", "LICENCE", "NOTICE", "COPYING")


class Misfit(Exception):
    """An edit does not fit the library's version."""


def edited(text: str, changes: list[list[str]], where: str) -> str:
    """`text` with each [old, new] of `changes` done, which must occur."""
    for old, new in changes:
        if old not in text:
            raise Misfit(f"{where} has no {old!r}: the library has changed, and startup/edits.toml must follow")
        text = text.replace(old, new)
    return text


def copy(module: dict[str, str], edits: list[dict], into: Path) -> None:
    """The sources and licences of a module, edited."""
    source = Path(module["Dir"])
    for path in sorted(source.rglob("*")):
        kept = path.name.upper().startswith(_KEPT[1:]) or path.name == _KEPT[0]
        if path.is_file() and not path.name.endswith("_test.go") and (kept or path.suffix in (".go", ".s", ".h")):
            target = into / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    for edit in edits:
        where = f"{module['Path']} {module['Version']}: {edit['file']}"
        target = into / edit["file"]
        if not target.is_file():
            raise Misfit(f"{where} is not there: the library has changed, and startup/edits.toml must follow")
        if edit.get("drop"):
            target.unlink()
        else:
            text = edited(target.read_text(encoding="utf-8"), edit["changes"], where)
            target.write_text(f"{text}\n// This file was changed: collector/startup/edits.toml says how.\n", encoding="utf-8")


def prepare(go: str, base: Path) -> Path:
    """The folder with the edited go.mod and go.sum, and the copies; its name is the digest of what it is made from."""
    ours = base.resolve() == COLLECTOR / "go.mod"
    sums = base.with_suffix(".sum")
    total = hashlib.sha256()
    for path in (base, sums, HERE / "edits.toml", HERE / "edits.py"):
        total.update(f"\0{path.stat().st_size}\0".encode() + path.read_bytes())
    place = CACHE / total.hexdigest()[:16]
    if (place / "go.mod").is_file():
        return place
    by_module: dict[str, list[dict]] = {}
    for edit in tomllib.loads((HERE / "edits.toml").read_text(encoding="utf-8"))["edit"]:
        if ours or not edit.get("default-flavour"):
            by_module.setdefault(edit["module"], []).append(edit)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        made = Path(folder) / "made"
        made.mkdir()
        for source, name in ((base, "go.mod"), (sums, "go.sum")):
            shutil.copyfile(source, made / name)
        flags = ["-mod=mod", f"-modfile={made / 'go.mod'}"]
        run([go, "mod", "download", f"-modfile={made / 'go.mod'}", *by_module])
        listed = run([go, "list", *flags, "-m", "-json=Path,Version,Dir", *by_module])
        decoder, replaces = json.JSONDecoder(), []
        while listed := listed.strip():
            module, end = decoder.raw_decode(listed)
            listed = listed[end:]
            name = module["Path"].replace("/", "-")
            try:
                copy(module, by_module[module["Path"]], made / name)
            except Misfit:
                if ours:
                    raise
                shutil.rmtree(made / name)
                continue
            # The path gets into the binary: it must be the same on every machine.
            replaces.append(f"-replace={module['Path']}={os.path.relpath(place / name, COLLECTOR)}")
        if replaces:
            run([go, "mod", "edit", *replaces, str(made / "go.mod")])
        try:
            made.rename(place)
        except OSError:  # another build has made the same
            if not (place / "go.mod").is_file():
                raise
    return place


def run(command: list[str]) -> str:
    """Its output."""
    return subprocess.run(command, cwd=COLLECTOR, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    try:
        print(prepare(sys.argv[1], Path(sys.argv[2])) / "go.mod")
    except Misfit as exc:
        sys.exit(str(exc))
