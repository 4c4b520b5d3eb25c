"""Why a custom Collector does not compile: which components do not, and the versions of them that would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .. import console, files, process, toolchain
from ..errors import BuildFailed
from ..project import Project
from . import module
from .components import Components, Module

_TRIED = 6  # versions that are compiled for one component
_ASKED = 20  # versions of it that are asked for


def explained(project: Project, folder: Path, known: Components, modules: Sequence[Module], place: Path, cause: BuildFailed) -> BuildFailed:
    """The error of a build in `place` that failed: the components that do not compile, the compiler's first word on each, and what to ask for."""
    pinned = known.sources["core"].version
    bad = {one: said for one in modules if not one.folder and (said := refused(project, folder, place, one))}
    if not bad:
        return BuildFailed(
            f"what was asked for does not compile against the Collector {pinned}", why=cause.what, remedy="the compiler's own words stand above"
        )
    console.detail("looking for versions that would compile: " + ", ".join(f"{m.kind}/{m.name}" for m in bad))
    good = [one for one in modules if one not in bad]
    remedy = []
    for one in bad:
        name, version = f"{one.kind}/{one.name}", fitting(project, folder, known, one, good)
        remedy.append(f"--with {name}={one.path}@{version}" if version else f"{name}: no version that is served compiles; the newest were tried")
    words = [f"{m.kind}/{m.name} ({m.path} {m.version}): {said}" for m, said in bad.items()]
    names = ", ".join(f"{m.kind}/{m.name}" for m in bad)
    return BuildFailed(f"{names} cannot be compiled against the Collector {pinned}", why="\n".join(words), remedy="\n".join(remedy))


def refused(project: Project, folder: Path, place: Path, one: Module) -> str:
    """The compiler's first word against the module `one` in the company that `place`/go.mod has; '' when it compiles."""
    env = toolchain.go_environment(project, GOWORK="off") | {"CGO_ENABLED": "0", "GOEXPERIMENT": (place / "experiment").read_text()}
    ask = [toolchain.go(project), "build", "-mod=mod", f"-modfile={place / 'go.mod'}", "-o", "/dev/null", one.path]
    try:
        process.run(ask, cwd=folder, env=env, capture=True, timeout=module.LIMIT_S, error=BuildFailed, echo=False)
    except BuildFailed as exc:
        lines = [line for line in exc.why.splitlines() if line and not line.startswith("#")]
        return next(iter(lines), exc.what).rpartition("/")[2]
    return ""


def fitting(project: Project, folder: Path, known: Components, one: Module, others: Sequence[Module]) -> str:
    """The version of `one` that compiles together with `others`: the catalogue's, else the newest that does; '' when none is found."""
    tried = 0
    for version in candidates(known, one, module.versions(project, folder, one.path))[:_ASKED]:
        if tried == _TRIED:
            break
        with files.temporary(project, "fitting") as tmp:
            other = replace(one, version=version)
            try:
                module.furnish(project, folder, known, [*others, other], tmp)
            except BuildFailed:
                continue  # it is listed and not served, or needs what is not
            tried += 1
            if not refused(project, folder, tmp, other):
                return version
    return ""


def candidates(known: Components, one: Module, offered: Sequence[str]) -> list[str]:
    """The versions of `one` to be tried, the likeliest first: the catalogue's, its source's, then those `offered` (oldest first) before it."""
    listed = [m.version for name in known.listed if (m := known.module(name)).path == one.path]
    source = [s.version for s in known.sources.values() if s.version and one.path.startswith(f"{s.prefix}/")]
    older = offered[: offered.index(source[0]) + 1] if source and source[0] in offered else offered
    return [version for version in dict.fromkeys([*listed, *source, *reversed(older)]) if version != one.version]
