"""What is compared: two functions, each bare, with our layers and with the stock set-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...function import Function

BARE, OURS, OURS_COLLECTED, COLLECTOR, STOCK, STOCK_PLAIN = "bare", "our layer", "our layer + collector", "collector", "stock", "stock, no byte code"
PLAIN, SDK = "imports nothing", "imports boto3"
CODE = {
    PLAIN: "def handler(event, context):\n    return {'ok': True}\n",
    SDK: "import boto3\n\ntable = boto3.client('dynamodb')\n\n\ndef handler(event, context):\n    return {'ok': True}\n",
}
WARM = 3  # warm invocations of each environment


@dataclass(frozen=True)
class Case:
    """One row: a function in one set-up."""

    function: str  # PLAIN or SDK
    setup: str  # one of the names above
    layers: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its name in results."""
        return f"{self.function} / {self.setup}"

    @property
    def traced(self) -> bool:
        """Whether its invocations must arrive as spans: a set-up that silently does nothing would look fast."""
        return self.setup not in (BARE, COLLECTOR)


def cases(language: Path, collector: Path, stock: Path, stock_plain: Path) -> tuple[Case, ...]:
    """All rows; those of one function stand together, the bare one first."""
    ours = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-handler"}
    theirs = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/stock-instrument"}
    rows = [
        case
        for function in CODE
        for case in (
            Case(function, BARE),
            Case(function, OURS, (language,), ours),
            Case(function, OURS_COLLECTED, (collector, language), ours),
            Case(function, STOCK, (stock,), theirs),
        )
    ]
    return (*rows, Case(PLAIN, COLLECTOR, (collector,)), Case(PLAIN, STOCK_PLAIN, (stock_plain,), theirs))


def function(case: Case, runtime: str, architecture: str, region: str, folder: Path) -> Function:
    """The Lambda function of a row; its code is written into `folder`."""
    code = folder / ("sdk" if case.function == SDK else "plain")
    code.mkdir(exist_ok=True)
    (code / "app.py").write_text(CODE[case.function])
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
