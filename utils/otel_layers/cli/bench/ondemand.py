"""Collectors that are built on demand: what each combination of components weighs and how it starts; the flavour `full` against a stock build."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ... import archive, console, toolchain
from ...build import Built, build, custom
from ...catalog import Layer
from ...local.backend import Backend
from ...ondemand import components
from ...project import Project
from . import builds, extensions
from .figures import Figure, figure
from .page import Table

FULL, STOCK = "full", "stock build of the same components"

# The newest contrib releases that the module proxy serves in full beside the stock service of builds.RELEASE; in components.toml some are newer.
_CONTRIB = "v0.161.0"
SAME: Mapping[str, Sequence[str]] = {  # as collector/flavours/full.yaml; telemetryapi, coldstart, decouple and ssm have no stock counterpart
    "receivers": builds.DEFAULT["receivers"],
    "exporters": (
        *builds.DEFAULT["exporters"],
        *(f"{builds.CORE}/exporter/{name}exporter {builds.RELEASE}" for name in ("otlp", "debug")),
        f"{builds.CONTRIB}/exporter/prometheusremotewriteexporter {_CONTRIB}",
    ),
    "processors": (
        *(f"{builds.CORE}/processor/{name}processor {builds.RELEASE}" for name in ("batch", "memorylimiter")),
        *(
            f"{builds.CONTRIB}/processor/{name}processor {_CONTRIB}"
            for name in ("attributes", "filter", "probabilisticsampler", "resource", "span", "transform")
        ),
    ),
    "connectors": (f"{builds.CONTRIB}/connector/spanmetricsconnector {_CONTRIB}",),
    "extensions": (f"{builds.CONTRIB}/extension/basicauthextension v0.158.0", f"{builds.CONTRIB}/extension/sigv4authextension v0.159.0"),
    "providers": (
        *builds.DEFAULT["providers"],
        f"{builds.CONTRIB}/confmap/provider/s3provider v0.158.0",
        f"{builds.CONTRIB}/confmap/provider/secretsmanagerprovider v0.164.0",
    ),
}
PROCESSED = """receivers: {otlp: {protocols: {http: {endpoint: "{receiver}"}}}}
processors:
  filter: {error_mode: ignore, traces: {span: ['attributes["http.route"] == "/health"']}}
  attributes: {actions: [{key: password, action: delete}]}
  resource: {attributes: [{key: team, value: blue, action: upsert}]}
  probabilistic_sampler: {sampling_percentage: 100}
  transform: {error_mode: ignore, trace_statements: ['set(span.attributes["seen"], true)']}
exporters: {otlphttp: {endpoint: "{backend}"}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], processors: [filter, attributes, resource, probabilistic_sampler, transform], exporters: [otlphttp]}}
"""


@dataclass(frozen=True)
class Row:
    """A combination: what its layer weighs, and milliseconds from exec to the first next with the binary in the page cache and not."""

    name: str
    components: int
    zipped_bytes: int
    binary_bytes: int
    warm_ms: Figure
    cold_ms: Figure
    next_mb: Figure


def measure(project: Project, default: Built, layer: Layer, folder: Path, runs: int) -> tuple[dict[str, Any], dict[str, Table]]:
    """Build every combination, the flavour `layer` and its stock counterpart; run all rounds; the result for machines, and the tables."""
    toolchain.use(project, "local")
    toolchain.use(project, "aws")  # PyYAML
    full = build(project, layer, default.arch)
    ours = builds.extracted(full.zip, layer.executables[0], folder / "full")
    programs = {FULL: ours, STOCK: builds.stock(project, folder, "stock-full", SAME)}
    tables: dict[str, Table] = {}
    plain: dict[str, Any] = {}
    for heading, config in (("full, OTLP to OTLP", extensions.CONFIG), ("full, five processors", PROCESSED)):
        console.step(f"measuring {heading}, {runs} times each, interleaved")
        samples = extensions.rounds(programs, folder, runs, extensions.message(100), config)
        rows = extensions.summary(samples, programs)
        head, cells = extensions.table(rows)
        tables[heading] = (head, [*cells, ratio_row(samples, rows)])
        plain[heading] = [{k: asdict(v) if isinstance(v, Figure) else v for k, v in row.items()} for row in rows]
    made = combinations(project, default, folder, runs)
    plain["combinations"] = [asdict(row) for row in made]
    tables["Combinations"] = table(made)
    return plain, tables


def ratio_row(samples: Mapping[str, Sequence[extensions.Start]], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Cells: `full` over the stock build, by medians."""
    mine, theirs = ({row["program"]: row for row in rows}[name] for name in (FULL, STOCK))
    of = {
        key: statistics.median(getattr(one, key) for one in samples[FULL]) / statistics.median(getattr(one, key) for one in samples[STOCK])
        for key in ("warm_ms", "cold_ms", "next_mb", "loaded_mb")
    }
    sizes = [mine[key] / theirs[key] for key in ("binaryBytes", "deflatedBytes")]
    return ["**full over stock**", *(f"**{value:.2f}**" for value in [*of.values(), *sizes])]


def combinations(project: Project, default: Built, folder: Path, runs: int) -> list[Row]:
    """Every configuration of utils/conformance/collector in a layer of its own, and the default layer, started interleaved."""
    files = sorted((project.root / "utils/conformance/collector").glob("*.yaml"))
    place = default.layer.executables[0]
    layers, configs, counts = {"the default layer": default.zip}, {"the default layer": extensions.CONFIG}, {"the default layer": 0}
    for path in files:
        (one,) = custom.build_custom(project, [path], [], arch=default.arch.name, name=f"opentelemetry-collector-{path.stem}", embed=True)
        layers[path.stem], configs[path.stem] = one.zip, path.read_text(encoding="utf-8").replace("localhost:4318", "{receiver}")
        counts[path.stem] = len(components.resolve(project.root / default.layer.folder, [path], [])[1])
    binaries = {name: builds.extracted(zipped, place, folder / f"binary-{number}") for number, (name, zipped) in enumerate(layers.items())}
    console.step(f"measuring {len(binaries)} combinations, {runs} times each, interleaved")
    starts: dict[str, list[extensions.Start]] = {name: [] for name in binaries}
    with Backend() as backend:
        for number in range(runs + 1):
            for name, binary in binaries.items():
                cold, *_ = extensions.once(binary, folder, backend, cold=True, text=configs[name])
                warm, at_next, _ = extensions.once(binary, folder, backend, cold=False, text=configs[name])
                if number:
                    starts[name].append(extensions.Start(warm, cold, at_next, 0.0))
    return [
        Row(
            name,
            counts[name],
            archive.measure(layers[name]).zipped_bytes,
            binaries[name].stat().st_size,
            *(figure([getattr(one, key) for one in starts[name]]) for key in ("warm_ms", "cold_ms", "next_mb")),
        )
        for name in binaries
    ]


def table(rows: Sequence[Row]) -> Table:
    """Head and cells of the combinations."""
    head = ("configuration", "modules added", "start, ms", "start, files cold, ms", "memory at next, MB", "binary, MB", "zip, MB")
    cells = [
        [
            row.name if not row.components else f"[{row.name}](../utils/conformance/collector/{row.name}.yaml)",
            str(row.components),
            str(row.warm_ms),
            str(row.cold_ms),
            str(row.next_mb),
            f"{row.binary_bytes / 1e6:.2f}",
            f"{row.zipped_bytes / 1e6:.2f}",
        ]
        for row in rows
    ]
    return head, cells
