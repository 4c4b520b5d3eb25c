"""The environment variables of the runtime and of extensions, as on Lambda, and the few that the local Lambda adds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..function import Function
from .model import Endpoints, Mode
from .runtimes import Runtime


@dataclass(frozen=True)
class Places:
    """Where things are for the function: Lambda's own paths in a sandbox, the machine's in plain mode."""

    task: str
    runtime: str
    lang: str
    opt: str
    api: str  # host:port of the Runtime API
    plain: bool


_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
# With either, the endpoint is the function's own and no longer the Collector's (docs/decisions/0003).
_CONFIGURED = ("OPENTELEMETRY_COLLECTOR_CONFIG_URI", "OPENTELEMETRY_COLLECTOR_CONFIG_FILE")
INSIDE = Places("/var/task", "/var/runtime", "/var/lang", "/opt", "127.0.0.1:9001", plain=False)


def plain(code: Path, runtime: Runtime, opt: Path | None, port: int) -> Places:
    """The places when nothing can be mounted."""
    return Places(str(code), str(runtime.folder), str(runtime.prefix), str(opt or "/opt"), f"127.0.0.1:{port}", plain=True)


def added(endpoints: Endpoints, places: Places) -> dict[str, str]:
    """What the local Lambda adds unless the function's template sets it: where backend and embedded AWS are, that it wants the account."""
    backend = endpoints.backend_http and (f"{endpoints.backend_http[0]}:{endpoints.backend_http[1]}" if places.plain else "127.0.0.1:14318")
    aws = endpoints.aws and (f"{endpoints.aws[0]}:{endpoints.aws[1]}" if places.plain else "127.0.0.1:4566")
    out = {"OTEL_LAMBDA_ACCOUNT": "true", **({_ENDPOINT: f"http://{backend}"} if backend else {})}
    return {**out, "AWS_ENDPOINT_URL": f"http://{aws}"} if aws else out


def runtime(function: Function, made: Runtime, places: Places, extra: Mapping[str, str], log_stream: str, mode: Mode) -> dict[str, str]:
    """The runtime's variables: the function's own win over Lambda's defaults, never over the reserved ones."""
    opt, task = places.opt, places.task
    if any(function.environment.get(name) for name in _CONFIGURED):
        extra = {name: value for name, value in extra.items() if name != _ENDPOINT}  # else the function would send past its Collector
    defaults = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": f"{places.lang}/bin:/usr/local/bin:/usr/bin:/bin:{opt}/bin",
        "LD_LIBRARY_PATH": ":".join(
            (f"{places.lang}/lib", "/lib64", "/usr/lib64", places.runtime, f"{places.runtime}/lib", task, f"{task}/lib", f"{opt}/lib")
        ),
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        **extra,
    }
    reserved = {
        "_HANDLER": function.handler,
        "AWS_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{made.name}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": mode.variable,
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": places.api,
        "LAMBDA_TASK_ROOT": task,
        "LAMBDA_RUNTIME_DIR": places.runtime,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
    }
    if mode.managed:  # with a worker for each, and logs in JSON only
        reserved |= {"AWS_LAMBDA_MAX_CONCURRENCY": str(mode.concurrency), "AWS_LAMBDA_LOG_FORMAT": "JSON"}
    own = dict(function.environment)
    if places.plain:
        # No /opt: what names it is pointed to where the layers are; the bootstrap reads the rest.
        own = {k: f"{opt}{v[4:]}" if v.startswith("/opt/") else v for k, v in own.items()}
        reserved |= {"LAMBDA_LANG_BIN": f"{places.lang}/bin", "LAMBDA_LAYERS_ROOT": opt, "PYTHONDONTWRITEBYTECODE": "1"}
    return {**defaults, "AWS_DEFAULT_REGION": function.region, **own, **reserved}


def extension(variables: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """What an extension gets: `extra`, and of the runtime's variables nothing that begins with an underscore, no handler, no runtime internals."""
    hidden = ("AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR")
    return {**extra} | {k: v for k, v in variables.items() if not k.startswith("_") and k not in hidden}


def log_stream(at: str) -> str:
    """A log stream's name, as Lambda names it; `at` is the time of the start."""
    return f"{at[:10].replace('-', '/')}/[$LATEST]{uuid.uuid4().hex}"
