"""What the collector is compared with: a bare extension and stock builds, compiled here from the module proxy's sources."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ... import process, toolchain
from ...errors import BuildFailed
from ...project import Project

# The newest release of which the module proxy has every part: of 0.163.0 and 0.164.0 it lacks internal/statusutil.
RELEASE, STABLE = "v0.162.0", "v1.68.0"
CORE, CONTRIB = "go.opentelemetry.io/collector", "github.com/open-telemetry/opentelemetry-collector-contrib"
DEFAULT: Mapping[str, Sequence[str]] = {  # the parts of the collector's default configuration
    "receivers": (f"{CORE}/receiver/otlpreceiver {RELEASE}",),
    "exporters": (f"{CORE}/exporter/otlphttpexporter {RELEASE}",),
    "providers": (f"{CORE}/confmap/provider/envprovider {STABLE}", f"{CORE}/confmap/provider/fileprovider {STABLE}"),
}
_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=")
_PROGRAMS = Path(__file__).with_name("programs")


def bare(project: Project, folder: Path) -> Path:
    """The least extension that net/http makes."""
    shutil.copytree(_PROGRAMS / "bare", folder / "bare")
    return _compile(project, folder / "bare", folder / "bare-extension")


def stock(project: Project, folder: Path, name: str = "stock", modules: Mapping[str, Sequence[str]] = DEFAULT) -> Path:
    """
    A stock Collector of `modules` by the official builder, as the extension of programs/stock; run with --config it is a plain Collector.

    `modules` are "PATH VERSION" by the builder's kinds (receivers, processors, exporters, connectors, extensions, providers).
    """
    place = folder / name
    shutil.copytree(_PROGRAMS / "stock", place)
    (place / "builder.yaml").write_text(builder_input(modules))
    command = [toolchain.go(project), "run", f"{CORE}/cmd/builder@{RELEASE}", "--config", "builder.yaml", "--skip-compilation"]
    process.run(command, cwd=place, env=_environment(project), error=BuildFailed, remedy="a module proxy must be reachable")
    (place / "main_others.go").unlink()  # ours stands for it
    return _compile(project, place, folder / f"{name}-extension")


def builder_input(modules: Mapping[str, Sequence[str]]) -> str:
    """The official builder's configuration."""
    lines = ["dist: {name: stock, module: stock, output_path: .}"]
    for kind, paths in modules.items():
        lines += [f"{kind}:", *(f"  - gomod: {path}" for path in paths)]
    return "\n".join(lines) + "\n"


def loadgen(project: Project, folder: Path) -> Path:
    """The load generator of collector/loadgen."""
    return _compile(project, project.root / "collector", folder / "loadgen", "./loadgen")


def extracted(layer: Path, executable: str, target: Path) -> Path:
    """The program `executable` of a built layer, as the file `target`."""
    with zipfile.ZipFile(layer) as source:
        target.write_bytes(source.read(executable))
    target.chmod(0o755)
    return target


def _compile(project: Project, place: Path, binary: Path, package: str = ".") -> Path:
    command: list[str | Path] = [toolchain.go(project), "build", *_FLAGS, "-o", binary, package]
    process.run(command, cwd=place, env=_environment(project), error=BuildFailed)
    return binary


def _environment(project: Project) -> dict[str, str]:
    return toolchain.go_environment(project, CGO_ENABLED="0", GOWORK="off")
