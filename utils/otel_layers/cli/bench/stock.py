"""The stock set-up as a layer: the published packages and the `opentelemetry-instrument` command, nothing of ours in between."""

from __future__ import annotations

import shutil
from pathlib import Path

from ... import archive, process, toolchain
from ...project import Project

# An exec wrapper gets the runtime's own command line, whose first word is the interpreter. The command finds packages by PYTHONPATH only;
# the Lambda instrumentation is left out there and done by the entry module, once the search path is the function's.
WRAPPER = """#!/bin/sh
export PYTHONPATH="/opt/python:$LAMBDA_RUNTIME_DIR:$LAMBDA_TASK_ROOT"
export OTEL_TRACES_EXPORTER="${OTEL_TRACES_EXPORTER:-otlp}" OTEL_METRICS_EXPORTER="${OTEL_METRICS_EXPORTER:-none}"
export OTEL_LOGS_EXPORTER="${OTEL_LOGS_EXPORTER:-none}" OTEL_EXPORTER_OTLP_PROTOCOL="${OTEL_EXPORTER_OTLP_PROTOCOL:-http/protobuf}"
export OTEL_SERVICE_NAME="${OTEL_SERVICE_NAME:-$AWS_LAMBDA_FUNCTION_NAME}" OTEL_PROPAGATORS="${OTEL_PROPAGATORS:-tracecontext,baggage,xray}"
export OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=aws-lambda,aws_lambda
export ORIG_HANDLER="$_HANDLER" _HANDLER=stock_entry.handler
exec "$1" /opt/python/bin/opentelemetry-instrument "$@"
"""
ENTRY = """import importlib
import os

from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor

AwsLambdaInstrumentor().instrument(skip_dep_check=True)
module, _, name = os.environ["ORIG_HANDLER"].rpartition(".")
handler = getattr(importlib.import_module(module), name)
"""


def layer(project: Project, python: Path, name: str, destination: Path, *, compiled: bool) -> Path:
    """Pack the stock set-up for the interpreter `python` into `destination`, with byte code for it when `compiled`."""
    packages = toolchain.target(project, project.root / "requirements/bench.txt", str(python), f"bench-{name}")
    tree = destination.with_suffix("")
    shutil.copytree(packages, tree / "python", symlinks=True, ignore=shutil.ignore_patterns("__pycache__", ".ready"))
    (tree / "python/stock_entry.py").write_text(ENTRY)
    wrapper = tree / "stock-instrument"
    wrapper.write_text(WRAPPER)
    wrapper.chmod(0o755)
    if compiled:
        command: list[str | Path] = [python, "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", tree / "python"]
        process.run(command, echo=False, capture=True)
    archive.pack(tree, destination)
    shutil.rmtree(tree)
    return destination
