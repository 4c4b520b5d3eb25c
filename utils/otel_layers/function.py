"""A Lambda function as this project passes it around: what was deployed, or what the command line named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Function:
    """Everything that decides how a function runs."""

    name: str
    runtime: str  # the catalogue's name: python3.12
    handler: str
    code: Path  # the folder that becomes /var/task
    region: str
    layers: tuple[Path, ...] = ()  # zips, in the function's order
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 128
    timeout_s: float = 3
    architecture: str = "x86_64"  # Lambda's spelling
    account: str = "123456789012"
    version: str = "$LATEST"
    partition: str = "aws"

    @property
    def arn(self) -> str:
        """The function's ARN, unqualified."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.name}"
