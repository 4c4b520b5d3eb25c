"""What is compared: functions, each bare, with our layers and with the stock set-up."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ... import process, toolchain
from ...function import Function
from ...project import Project

BARE, OURS, OURS_COLLECTED, COLLECTOR, STOCK, STOCK_PLAIN = "bare", "our layer", "our layer + collector", "collector", "stock", "stock, no byte code"
OURS_ALONE, OURS_BUNDLED = "our layer, nobody listens", "our bundle"
NOBODY = "http://127.0.0.1:9"
PLAIN, SDK, HTTP, BOTH, API = "imports nothing", "imports boto3", "imports requests", "imports boto3 and requests", "uses OpenTelemetry's API"


@dataclass(frozen=True)
class Program:
    """A function's code, and the locks in requirements/ of what it brings along."""

    source: str
    packages: tuple[str, ...] = ()
    spans: int = 1  # of each invocation


_HANDLER = "\n\ndef handler(event, context):\n    return {'ok': True}\n"
_CLIENTS = "import boto3\nimport requests\n\ntable, session = boto3.client('dynamodb'), requests.Session()"
_SPAN = "\n\ndef handler(event, context):\n    with tracer.start_as_current_span('work'):\n        return {'ok': True}\n"
PROGRAMS: Mapping[str, Program] = {
    PLAIN: Program(_HANDLER),
    SDK: Program(f"import boto3\n\ntable = boto3.client('dynamodb'){_HANDLER}"),
    HTTP: Program(f"import requests\n\nsession = requests.Session(){_HANDLER}", ("bench-requests.txt",)),
    BOTH: Program(f"{_CLIENTS}{_HANDLER}", ("bench-requests.txt",)),
    API: Program(f"from opentelemetry import trace\n\ntracer = trace.get_tracer('bench'){_SPAN}", ("bench-api.txt",), spans=2),
}
WARM = 3  # warm invocations of each environment


@dataclass(frozen=True)
class Case:
    """One row: a function in one set-up."""

    function: str  # a name of PROGRAMS
    setup: str  # one of the names above
    layers: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its name in results."""
        return f"{self.function} / {self.setup}"

    @property
    def spans(self) -> int:
        """How many spans of each invocation must arrive: a set-up that silently does nothing would look fast."""
        return 0 if self.setup in (BARE, COLLECTOR, OURS_ALONE) else PROGRAMS[self.function].spans


def cases(language: Path, collector: Path, bundle: Path, stock: Path, stock_plain: Path) -> tuple[Case, ...]:
    """All rows; those of one function stand together, the bare one first."""
    ours = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-handler"}
    theirs = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/stock-instrument"}
    rows = [
        case
        for function in PROGRAMS
        for case in (
            Case(function, BARE),
            Case(function, OURS, (language,), ours),
            *([Case(function, OURS_COLLECTED, (collector, language), ours)] if function in (PLAIN, SDK) else []),
            *([Case(function, OURS_BUNDLED, (bundle,), ours)] if function in (PLAIN, SDK) else []),
            Case(function, STOCK, (stock,), theirs),
        )
    ]
    return (
        *rows,
        Case(PLAIN, OURS_ALONE, (language,), ours | {"OTEL_EXPORTER_OTLP_ENDPOINT": NOBODY}),
        Case(PLAIN, COLLECTOR, (collector,)),
        Case(PLAIN, STOCK_PLAIN, (stock_plain,), theirs),
    )


def write(project: Project, python: Path, name: str, folder: Path) -> dict[str, Path]:
    """Function -> the folder with its code and packages, compiled for the interpreter `python`, which is of the version `name`."""
    out = {}
    for number, (function, program) in enumerate(PROGRAMS.items()):
        out[function] = code = folder / f"function-{number}"
        code.mkdir()
        (code / "app.py").write_text(program.source.lstrip())
        for lock in program.packages:
            packages = toolchain.target(project, project.root / "requirements" / lock, str(python), f"{Path(lock).stem}-{name}")
            shutil.copytree(packages, code, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".ready", "bin"))
        compiled: list[str | Path] = [python, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", code]
        process.run(compiled, echo=False, capture=True)
    return out


def function(case: Case, runtime: str, architecture: str, region: str, code: Path) -> Function:
    """The Lambda function of a row, with the code in the folder `code`."""
    return Function(
        name="bench",
        runtime=runtime,
        handler="app.handler",
        code=code,
        layers=case.layers,
        environment=dict(case.environment),
        memory_mb=512,
        timeout_s=30,
        architecture=architecture,
        region=region,
    )
