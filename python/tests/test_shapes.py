"""Handlers of every shape do with the layer, byte for byte, what they do without it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import several
from otel_layers import toolchain
from parts import PROJECT, ROOT
from sandbox import attributes
from shapes import CASES


def _gave(seen: several.Seen) -> Any:
    """What a function gave first, in the words of Case.gives."""
    if seen.outcomes:
        how, _, body = seen.outcomes[0]
        value = json.loads(body)
        return value if how == "response" else "!" + value["errorType"]
    return (seen.exit,)


def _as_expected(case: several.Case, bare: several.Seen) -> bool:
    if case.gives == "*":
        return True
    gave = _gave(bare)
    return gave[:1] == "!" if case.gives == "!" else gave == case.gives


def _telemetry(case: several.Case, ours: several.Seen, version: str) -> list[str]:
    """What is wrong with the spans and the lines of a function."""
    if case.early and version == "3.10":
        case = replace(case, error=None, spans=0, says="(event, context)")
    servers = [s for s in ours.spans if s.kind == 2]
    expected = case.spans if case.spans is not None else 0 if ours.outcomes and ours.outcomes[0][0] == "init" else len(case.events)
    out = [] if len(servers) == expected else [f"{len(servers)} spans of invocations, not {expected}"]
    found = attributes(servers[0]).get("error.type") if servers else None
    if case.error and found != case.error:
        out.append(f"error.type is {found}, not {case.error}")
    said = ours.said()
    if len(said) != bool(case.says) or any(case.says not in line for line in said):
        out.append(f"said {said}")
    return out


def _different(case: several.Case, bare: several.Seen, ours: several.Seen, version: str) -> dict[str, Any]:
    one, other = bare.comparable(), ours.comparable()
    if case.framed or (version == "3.10" and ours.exit):
        for found in (one, other):
            found["err"] = found["err"].splitlines()[-1:]
    return {key: _part(str(one[key]), str(other[key])) for key in one if one[key] != other[key]}


def _part(one: str, other: str) -> tuple[str, str]:
    """Where two texts begin to differ."""
    at = next((n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other)))
    return one[max(0, at - 80) : at + 200], other[max(0, at - 80) : at + 200]


def test_every_shape(layer: Path, version: str, tmp_path: Path) -> None:
    python = toolchain.interpreters()[version]
    packages = [
        toolchain.target(PROJECT, ROOT / f"requirements/{lock}.txt", str(python), f"{lock}{version}") for lock in ("runtime-python", "powertools")
    ]
    task = tmp_path / "task"
    cases = {name: case for name, case in CASES.items() if float(version[2:]) >= float(case.since[2:])}
    several.write(task, cases)
    with ThreadPoolExecutor() as pool:
        bare, ours = pool.map(lambda opt: several.run(python, packages, opt, task, cases, tmp_path / ("ours" if opt else "bare")), (None, layer))
    wrong: dict[str, Any] = {}
    for name, case in cases.items():
        if not _as_expected(case, bare[name]):
            wrong[name] = f"without the layer: {_gave(bare[name])!r}\n{bare[name].err[-500:]}"
        elif different := _different(case, bare[name], ours[name], version):
            wrong[name] = different
        elif found := _telemetry(case, ours[name], version):
            wrong[name] = found
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())
