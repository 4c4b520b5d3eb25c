"""The Go module of a custom Collector: the default one's requirements with more, and another main package laid over its own."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from .. import console, files, process, toolchain
from ..errors import BuildFailed
from ..project import Project
from .components import Components, Module

_COLLECTOR = "github.com/open-telemetry/opentelemetry-lambda/collector"
SUMS = "components.sum"  # go.sum's lines for all that the catalogue of components leads to, beyond those of the default flavour
LIMIT_S = 900


def main_source(modules: Sequence[Module]) -> str:
    """The main package that adds the factories of `modules` to the built-in ones."""
    made = [f"\tf{i} := c{i}.NewFactory()" for i in range(len(modules))]
    fields: dict[str, list[str]] = {}
    for i, module in enumerate(modules):
        fields.setdefault(f"{module.kind.title()}s", []).append(f"f{i}")
    names = [f'"{m.kind} " + f{i}.Type().String(): {json.dumps(f"{m.path} {m.version}")},' for i, m in enumerate(modules) if m.kind != "provider"]
    kinds = sorted({m.kind for m in modules} - {"provider"})
    types = {f"{kind.title()}s": f"{kind}.Factory" for kind in kinds} | {"Providers": "confmap.ProviderFactory"}
    imports = [f"go.opentelemetry.io/collector/{kind}" for kind in kinds]
    imports += ["go.opentelemetry.io/collector/confmap"] if "Providers" in fields else []
    lines = ["package main", "", "import ("]
    lines += [f'\t"{path}"' for path in sorted(imports)]
    lines += [f'\t"{_COLLECTOR}/app"', f'\t"{_COLLECTOR}/host"']
    lines += [f"\tc{i} {json.dumps(m.path)}" for i, m in enumerate(modules)]
    lines += [")", "", 'var version = "0.0.0-dev"', "", "func main() {", *made]
    lines += ["\tapp.Main(version, app.Builtin().With(host.Factories{"]
    lines += [f"\t\t{field}: []{types[field]}{{{', '.join(them)}}}," for field, them in sorted(fields.items())]
    lines += ["\t\tModules: map[string]string{", *(f"\t\t\t{name}" for name in names), "\t\t},", "\t}))", "}", ""]
    return "\n".join(lines)


def prepare(project: Project, folder: Path, known: Components, modules: Sequence[Module], configs: Sequence[Path]) -> Path:
    """
    A folder with go.mod, go.sum, main.go, overlay.json, experiment (GOEXPERIMENT) and, of `configs`, collector-config/.

    Its name is the digest of what it was made from.

    BuildFailed when a module is not to be had.
    """
    source = main_source(modules)
    place = place_of(project, folder, source, configs)
    if (place / "experiment").is_file():  # the last to be written
        return place
    with files.temporary(project, "ondemand") as tmp:
        made = tmp / "made"
        (made / "collector-config").mkdir(parents=True)
        for number, path in enumerate(configs):  # merged in the order of their names
            shutil.copyfile(path, made / "collector-config" / f"{number:02}-{re.sub(r'[^A-Za-z0-9_-]', '-', path.stem)}.yaml")
        (made / "main.go").write_text(source)
        (made / "overlay.json").write_text(json.dumps({"Replace": {str(folder / "main.go"): str(place / "main.go")}}))
        furnish(project, folder, known, modules, made)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)
    return place


def place_of(project: Project, folder: Path, source: str, configs: Sequence[Path]) -> Path:
    """The folder for the main package `source`: another one where the repository has moved, since what is in it names paths."""
    total = hashlib.sha256(f"{folder}\0{project.cache}\0{source}".encode())
    for path in [folder / "go.mod", folder / "go.sum", folder / SUMS, *configs]:
        total.update(f"\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return project.cache / "build" / "ondemand" / total.hexdigest()[:24]


def furnish(project: Project, folder: Path, known: Components, modules: Sequence[Module], place: Path) -> None:
    """Write go.mod, go.sum and experiment with what `modules` need into the folder `place`; BuildFailed when something is not to be had."""
    shutil.copyfile(folder / "go.mod", place / "go.mod")
    (place / "go.sum").write_text((folder / "go.sum").read_text() + (folder / SUMS).read_text())
    if modules:
        _require(project, folder, place / "go.mod", known, modules)
    (place / "experiment").write_text(_experiment(project, folder, place / "go.mod", modules))


def lock(project: Project, folder: Path, known: Components) -> int:
    """
    Add to `folder`/components.sum what is served for the components of the catalogue, and count its lines.

    Each is asked for alone: of several, Go takes each module in the newest version that one of them alone leads to.
    What the file does not have yet is held against Go's checksum database, unless the user's GONOSUMDB leaves that out.
    """
    own, found = set((folder / "go.sum").read_text().splitlines()), set((folder / SUMS).read_text().splitlines())
    for module in known.needed(sorted(known.listed), []):
        with files.temporary(project, "lock") as tmp:
            furnish(project, folder, known, [module], tmp)
            found.update((tmp / "go.sum").read_text().splitlines())
    files.write_atomically(folder / SUMS, "\n".join(sorted(found - own)) + "\n")
    return len(found - own)


def _require(project: Project, folder: Path, mod: Path, known: Components, modules: Sequence[Module]) -> None:
    go, env = toolchain.go(project), toolchain.go_environment(project, GOWORK="off")
    for module in modules:
        if module.folder:
            edits = [f"-require={module.path}@{module.version}", f"-replace={module.path}=./{module.folder}"]
            process.run([go, "mod", "edit", *edits, str(mod)], cwd=folder, env=env, capture=True, error=BuildFailed, echo=False)
    console.detail("getting " + ", ".join(f"{m.kind}/{m.name}" for m in modules))
    wanted = [f"{m.path}@{m.version}" for m in modules]
    try:
        process.run([go, "get", f"-modfile={mod}", *wanted], cwd=folder, env=env, capture=True, timeout=LIMIT_S, error=BuildFailed, echo=False)
    except BuildFailed as exc:
        raise _explained(project, folder, known, modules, exc) from exc


def _experiment(project: Project, folder: Path, mod: Path, modules: Sequence[Module]) -> str:
    """GOEXPERIMENT for `modules`: the default flavour's, but the compiler's own where a library needs more. Lists, and so fetches, every package."""
    go, env = toolchain.go(project), toolchain.go_environment(project, GOWORK="off")
    try:
        ask = [go, "list", "-mod=mod", f"-modfile={mod}", "-deps", *(m.path for m in modules or ()), "."]
        process.run(ask, cwd=folder, env=env, capture=True, timeout=LIMIT_S, error=BuildFailed, echo=False)
    except BuildFailed as exc:
        if "build constraints exclude all Go files" in exc.why:
            return ""
        raise
    return env["GOEXPERIMENT"]


def _explained(project: Project, folder: Path, known: Components, modules: Sequence[Module], cause: BuildFailed) -> BuildFailed:
    """The error that names the module that is not to be had, what is near, and the versions that there are."""
    go, env = toolchain.go(project), toolchain.go_environment(project, GOWORK="off")
    for module in modules:
        if module.folder:
            continue
        try:
            ask = [go, "list", "-m", f"{module.path}@{module.version}"]
            process.run(ask, cwd=folder, env=env, capture=True, timeout=120, error=BuildFailed, echo=False)
        except BuildFailed as exc:
            name, what = f"{module.kind}/{module.name}", f"{module.path}@{module.version}"
            near = [] if module.known else known.near(name)
            offered, pinned = versions(project, folder, module.path), known.sources["contrib"].version
            remedy = [f"did you mean {' or '.join(near)}?"] if near else []
            if offered:
                best = pinned if pinned in offered else offered[-1]
                remedy.append(f"--with {name}={module.path}@{best} (there are {', '.join(offered[-5:])})")
            if not module.known:
                remedy.append(f"--with {name}=MODULE@VERSION names another module")
            first = f"{name} is known, but its module is not to be had" if module.known else f"unknown component {name}"
            return BuildFailed(first, why=f"tried {what}: {exc.why.splitlines()[-1] if exc.why else exc.what}", remedy="\n".join(remedy))
    concerned = [f"{m.kind}/{m.name}" for m in modules if f"{m.path} imports" in cause.why or f"{m.path}@" in cause.why]
    return BuildFailed(f"what {', '.join(concerned) or 'the components'} need is not to be had", why=cause.why)


def versions(project: Project, folder: Path, path: str) -> list[str]:
    """The released versions of the module `path`, the newest last; none when nobody serves it."""
    env = toolchain.go_environment(project, GOWORK="off")
    try:
        ask = [toolchain.go(project), "list", "-m", "-versions", path]
        return process.run(ask, cwd=folder, env=env, capture=True, timeout=120, error=BuildFailed, echo=False).split()[1:]
    except BuildFailed:
        return []
