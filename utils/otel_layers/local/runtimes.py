"""The managed runtimes that can run here: an interpreter of this machine, AWS's runtime client and SDK, and our bootstrap."""

from __future__ import annotations

import functools
import hashlib
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .. import catalog, console, cpython, process, toolchain
from ..catalog import architecture
from ..errors import ToolMissing, UsageError
from ..files import locked, write_atomically
from ..function import Function
from ..project import Project

QUIET = "LAMBDA_DISABLE_PREVIEW_WARN"  # set, the client of a preview runtime does not say at each start that it is one, with the time
_INSIDE = Path(__file__).parent / "inside"


@dataclass(frozen=True)
class Runtime:
    """What /var/lang and /var/runtime are made of."""

    name: str  # python3.12
    version: str  # 3.12
    exact: str  # 3.12.1
    prefix: Path  # becomes /var/lang
    folder: Path  # becomes /var/runtime
    libraries: tuple[Path, ...]  # needed at their own place too
    hidden: tuple[str, ...]  # the machine's own packages, as paths below /var/lang: a managed runtime has none


def here(project: Project) -> tuple[catalog.Runtime, ...]:
    """The runtimes of the catalogue that this machine can run, in its order."""
    found = toolchain.interpreters()
    return tuple(r for r in project.catalogue.runtimes.values() if r.language == "python" and r.version in found)


def check(project: Project, function: Function) -> Path:
    """The interpreter that runs `function`; an error that says what to do when this machine has none."""
    runtime = project.catalogue.runtime(function.runtime)
    machine = architecture(platform.machine())
    wanted = architecture(function.architecture)
    if wanted != machine:
        raise UsageError(
            f"{function.name} is for {wanted.aws}; this machine is {machine.aws}",
            remedy=f"build and deploy for {machine.aws} to run it here",
        )
    found = toolchain.interpreters()
    here_too = ", ".join(r.name for r in here(project))
    if runtime.language != "python":
        raise UsageError(
            f"the local Lambda runs only Python functions for now; {function.name} is {runtime.name}",
            remedy=f"runtimes that run on this machine: {here_too or 'none'}",
        )
    if runtime.version not in found:
        cpython.obtain(project)
        found = toolchain.interpreters()
    if runtime.version not in found:
        raise ToolMissing(
            f"{runtime.name} needs a Python {runtime.version}, and this machine has none",
            why=f"runtimes that this machine can run: {here_too or 'none'}",
            remedy=f"uv python install {runtime.version}  (or pyenv install {runtime.version}, or apt-get install python{runtime.version})",
        )
    return found[runtime.version]


def prepare(project: Project, function: Function) -> Runtime:
    """Everything that `function`'s runtime needs, installed and compiled once."""
    interpreter = check(project, function)
    runtime = project.catalogue.runtime(function.runtime)
    with locked(project.cache / "targets.lock"):
        folder = toolchain.target(project, project.root / "requirements/runtime-python.txt", str(interpreter), f"lambda-{runtime.name}")
        _finish(folder, interpreter, runtime.version)
    prefix = interpreter.parent.parent
    exact, hidden = _facts(interpreter)
    return Runtime(runtime.name, runtime.version, exact, prefix, folder, cpython.libraries(prefix), hidden)


@functools.cache
def _facts(interpreter: Path) -> tuple[str, tuple[str, ...]]:
    """(exact version, where it has packages of its own, relative to its prefix)."""
    code = "import platform, site; print(platform.python_version(), *site.getsitepackages(), sep='\\n')"
    exact, *sites = subprocess.run([interpreter, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    prefix = f"{interpreter.parent.parent}/"
    found = [s.removeprefix(prefix) for s in (*sites, f"{prefix}lib/python3/dist-packages") if s.startswith(prefix)]
    return exact, tuple(dict.fromkeys(found))


def _finish(folder: Path, interpreter: Path, version: str) -> None:
    """Add our bootstrap and byte code, as /var/runtime has; again when the bootstrap changed."""
    sources = {name: (_INSIDE / name).read_text() for name in ("bootstrap", "bootstrap.py")}
    mark = hashlib.sha256("".join(sources.values()).encode()).hexdigest()
    marker = folder / ".compiled"
    if marker.is_file() and marker.read_text() == mark:
        return
    console.detail(f"compiling the runtime of python{version} (once)")
    for name, text in sources.items():
        write_atomically(folder / name, text.replace("@VERSION@", version))
        (folder / name).chmod(0o755 if name == "bootstrap" else 0o644)
    shutil.rmtree(folder / "bin", ignore_errors=True)  # command line tools that nothing there calls
    process.run(
        [interpreter, "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", folder],
        error=ToolMissing,
        capture=True,
        echo=False,
    )
    marker.write_text(mark)
