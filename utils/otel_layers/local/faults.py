"""How Lambda names what went wrong: errors of an init and of an invocation, from what the processes did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..function import Function
from .generation import Current, Extension, Generation, ended_how
from .model import Init

Error = dict[str, Any]
INIT_TIMEOUT = "Sandbox.Timedout"


def init_error(generation: Generation, *, out_of_memory: bool, timed_out: bool) -> Error | None:
    """What made an init fail; None when it did not."""
    runtime, extension = generation.runtime, generation.crashed()
    if runtime.error:
        return runtime.error
    if runtime.exit:
        return _runtime_exit(generation, out_of_memory=out_of_memory)
    if extension:
        return _extension(extension)
    if timed_out and not generation.initialised():
        return {"errorType": INIT_TIMEOUT, "errorMessage": "the init did not end in time"}
    return None


def failed_init(init: Init, current: Current, function: Function) -> tuple[str, Error]:
    """Status and error of an invocation whose own (suppressed) init failed."""
    error = dict(init.error or {})
    if error["errorType"] == INIT_TIMEOUT:
        return "timeout", timeout(current, function)
    if "stackTrace" in error or (error["errorType"].startswith("Runtime.") and "Runtime exited" not in error["errorMessage"]):
        return "error", error
    return "failure", {**error, "errorMessage": _with_id(current, error["errorMessage"])}


def invocation(
    generation: Generation, current: Current, function: Function, *, out_of_memory: Callable[[], bool], late: bool = False
) -> tuple[str, Error | None]:
    """Status and error of the invocation in flight, as far as it went; `late` when an extension was not ready in time."""
    runtime, extension = generation.runtime, generation.crashed()
    if current.error:
        return "error", current.error
    if runtime.exit:
        error = _runtime_exit(generation, out_of_memory=out_of_memory())
        return "failure", {**error, "errorMessage": _with_id(current, error["errorMessage"])}
    if extension:
        error = _extension(extension)
        return "failure", {**error, "errorMessage": _with_id(current, error["errorMessage"])}
    if late or not current.response_at or not current.runtime_done_at:
        return "timeout", timeout(current, function)
    return "success", None


def _with_id(current: Current, message: str) -> str:
    return f"RequestId: {current.request_id} Error: {message}"


def timeout(current: Current, function: Function) -> Error:
    """What an invocation says that did not end in time."""
    return {"errorType": INIT_TIMEOUT, "errorMessage": _with_id(current, f"Task timed out after {function.timeout_s:.2f} seconds")}


def _runtime_exit(generation: Generation, *, out_of_memory: bool) -> Error:
    ended = generation.runtime.exit
    assert ended  # noqa: S101 - the callers looked
    if ended.code == 0:
        return {"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited without providing a reason"}
    kind = "Runtime.OutOfMemory" if out_of_memory else "Runtime.ExitError"
    return {"errorType": kind, "errorMessage": f"Runtime exited with error: {ended_how(ended)}"}


def _extension(extension: Extension) -> Error:
    if extension.error:
        return extension.error
    assert extension.exit  # noqa: S101 - crashed() means one of the two
    return {"errorType": "Extension.Crash", "errorMessage": f"{extension.name}: {ended_how(extension.exit)}"}
