"""The Runtime API, 2018-06-01: next, response, error, init/error, restore/next, restore/error."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from typing import Any

from .generation import Current, Generation, answer, refusal
from .http_server import Hangup, Request, Response
from .model import MAX_PAYLOAD, MAX_STREAM

PREFIX = "/2018-06-01/runtime/"
_TOKEN = re.compile(r"[A-Za-z0-9_.]{1,128}")
_OK: dict[str, Any] = {"status": "OK"}


def handle(request: Request, generation: Generation) -> Response:
    """Answer one request below /2018-06-01/runtime/."""
    match request.method, request.path.removeprefix(PREFIX).split("/"):
        case "GET", ["invocation", "next"]:
            return _next(request, generation)
        case "POST", ["invocation", request_id, "response"]:
            return _response(request, generation, request_id)
        case "POST", ["invocation", request_id, "error"]:
            return _error(request, generation, request_id)
        case "POST", ["init", "error"]:
            return _init_error(request, generation)
        case "GET", ["restore", "next"]:
            return _restore_next(generation)
        case "POST", ["restore", "error"]:
            return _restore_error(request, generation)
    return refusal(404, "NotFound", f"{request.method} {request.path} is not of the Runtime API")


def _next(request: Request, generation: Generation) -> Response:
    now = time.monotonic_ns()
    with generation.changed:
        runtime = generation.runtime
        for current in [] if generation.managed else generation.in_flight.values():  # there each worker has its own, and which is not told
            if current.handed_at and not current.response_at:
                return refusal(403, "InvalidStateTransition", "next was called before the invocation was answered")
            if current.response_at and not current.runtime_done_at:
                current.runtime_done_at = now
        runtime.waiting += 1
        runtime.restore = "done" if runtime.restore == "restored" else runtime.restore
        runtime.ready_at = runtime.ready_at or now
        generation.changed.notify_all()
        while not generation.closed:
            if unhanded := generation.unhanded():
                runtime.waiting = max(0, runtime.waiting - 1)
                if request.gone():  # a worker that has died
                    break
                unhanded[0].handed_at = time.monotonic_ns()
                return Response(200, unhanded[0].event, unhanded[0].headers)
            generation.changed.wait()
    raise Hangup


def _restore_next(generation: Generation) -> Response:
    """A runtime of snap-start ends its init here; the answer is the restore."""
    with generation.changed:
        runtime = generation.runtime
        if runtime.ready_at:
            return refusal(403, "InvalidStateTransition", "the runtime has finished its init")
        runtime.ready_at, runtime.waiting, runtime.restore = time.monotonic_ns(), 1, "waiting"
        generation.changed.notify_all()
        while not generation.closed:
            if runtime.restore == "restored":
                runtime.waiting = 0
                return answer(200, _OK)
            generation.changed.wait()
    raise Hangup


def _restore_error(request: Request, generation: Generation) -> Response:
    with generation.changed:
        if generation.runtime.restore != "restored":
            return refusal(403, "InvalidStateTransition", "nothing is being restored")
        error = _reported(request)  # the header says which hook failed, the body what it raised
        generation.runtime.error = {**error, "errorType": request.headers.get("lambda-runtime-function-error-type") or error["errorType"]}
        generation.changed.notify_all()
    return answer(202, _OK)


def _in_flight(generation: Generation, request_id: str) -> Current | None:
    current = generation.in_flight.get(request_id)
    return current if current and current.handed_at and not current.response_at else None


def _response(request: Request, generation: Generation, request_id: str) -> Response:
    streaming = request.headers.get("lambda-runtime-function-response-mode", "").lower() == "streaming"
    with generation.changed:
        current = _in_flight(generation, request_id)
        if not current:
            return refusal(400, "InvalidRequestID", "Invalid request ID")
        kind = request.trailers.get("lambda-runtime-function-error-type", "")
        size = max(len(request.body), int(request.headers.get("content-length", "0")))
        limit = MAX_STREAM if streaming else MAX_PAYLOAD
        if size > limit:
            message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
            _finish(generation, current, None, {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message})
            return refusal(413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({limit} bytes).")
        error = _late_error(kind, request.trailers.get("lambda-runtime-function-error-body", "")) if kind else None
        _finish(generation, current, request.body, error)
    return answer(202, _OK)


def _late_error(kind: str, body: str) -> dict[str, Any]:
    """An error that a streaming response ends with."""
    try:
        parsed = json.loads(base64.b64decode(body, validate=True))
    except (ValueError, binascii.Error):
        parsed = None
    return parsed if isinstance(parsed, dict) else {"errorType": kind, "errorMessage": body}


def _error(request: Request, generation: Generation, request_id: str) -> Response:
    with generation.changed:
        current = _in_flight(generation, request_id)
        if not current:
            return refusal(400, "InvalidRequestID", "Invalid request ID")
        _finish(generation, current, None, _reported(request))
    return answer(202, _OK)


def _init_error(request: Request, generation: Generation) -> Response:
    with generation.changed:
        if generation.runtime.ready_at:
            return refusal(403, "InvalidStateTransition", "the runtime has finished its init")
        generation.runtime.error = _reported(request)
        generation.changed.notify_all()
    return answer(202, _OK)


def _reported(request: Request) -> dict[str, Any]:
    """The error object that the runtime posted; the header's type where the body has none."""
    header = request.headers.get("lambda-runtime-function-error-type", "")
    kind = header if _TOKEN.fullmatch(header) else "Runtime.Unknown"
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return {"errorType": kind, "errorMessage": request.body.decode(errors="replace")}
    return {**body, "errorType": body.get("errorType") or kind, "errorMessage": body.get("errorMessage", "")}


def _finish(generation: Generation, current: Current, response: bytes | None, error: dict[str, Any] | None) -> None:
    current.response, current.error, current.response_at = response, error, time.monotonic_ns()
    generation.changed.notify_all()
