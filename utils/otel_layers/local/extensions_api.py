"""The Extensions API, 2020-01-01: register, event/next, init/error, exit/error."""

from __future__ import annotations

import json
import time
import uuid

from .generation import Extension, Generation, answer, refusal
from .http_server import Hangup, Request, Response

PREFIX = "/2020-01-01/extension/"
_EVENTS = frozenset(("INVOKE", "SHUTDOWN"))


def handle(request: Request, generation: Generation) -> Response:
    """Answer one request below /2020-01-01/extension/."""
    match request.method, request.path.removeprefix(PREFIX):
        case "POST", "register":
            return _register(request, generation)
        case "GET", "event/next":
            return _next(request, generation)
        case "POST", "init/error" | "exit/error":
            return _error(request, generation)
    return refusal(404, "NotFound", f"{request.method} {request.path} is not of the Extensions API")


def caller(request: Request, generation: Generation) -> Extension | Response:
    """The extension that calls, or the refusal it gets."""
    identifier = request.headers.get("lambda-extension-identifier", "")
    if not identifier:
        return refusal(403, "Extension.MissingExtensionIdentifier", "the header Lambda-Extension-Identifier is missing")
    extension = generation.by_identifier(identifier)
    return extension or refusal(403, "Extension.UnknownExtensionIdentifier", f"unknown extension {identifier}")


def _register(request: Request, generation: Generation) -> Response:
    name = request.headers.get("lambda-extension-name", "")
    if not name:
        return refusal(403, "Extension.InvalidExtensionName", "the header Lambda-Extension-Name is missing")
    try:
        body = json.loads(request.body or b"{}")
        wanted = body.get("events", [])
        events = frozenset(wanted)
    except (ValueError, TypeError, AttributeError):
        return refusal(400, "InvalidRequestFormat", "the body is not an object with a list of events")
    if not events <= _EVENTS:
        return refusal(400, "Extension.InvalidEventType", f"{', '.join(sorted(map(str, events - _EVENTS)))}: invalid event type")
    if generation.managed and "INVOKE" in events:
        return refusal(403, "Extension.InvalidEventType", "INVOKE: there is no such event on managed instances")
    with generation.changed:
        extension = generation.extensions.get(name)
        if extension is None:
            if generation.runtime.ready_at:
                return refusal(403, "Extension.RegistrationClosed", "extensions register before the end of init")
            if "SHUTDOWN" in events:
                return refusal(403, "ShutdownEventNotSupportedForInternalExtension", "an internal extension cannot register for SHUTDOWN")
            extension = generation.extensions[name] = Extension(name, external=False, started_at=time.monotonic_ns())
        if extension.identifier:
            return refusal(403, "Extension.AlreadyRegistered", f"{name} has registered already")
        extension.identifier, extension.events = str(uuid.uuid4()), events
        generation.changed.notify_all()
    function = generation.function
    reply = {"functionName": function.name, "functionVersion": function.version, "handler": function.handler}
    if "accountid" in [feature.strip().lower() for feature in request.headers.get("lambda-extension-accept-feature", "").split(",")]:
        reply["accountId"] = function.account
    generation.telemetry.emit("platform.extension", {"name": name, "state": "Registered", "events": sorted(events)})
    response = answer(200, reply)
    return Response(200, response.body, (*response.headers, ("Lambda-Extension-Identifier", extension.identifier)))


def _next(request: Request, generation: Generation) -> Response:
    extension = caller(request, generation)
    if isinstance(extension, Response):
        return extension
    now = time.monotonic_ns()
    with generation.changed:
        first = not extension.ready_at
        extension.ready_at = extension.ready_at or now
        extension.next_at, extension.waiting = now, True
        generation.changed.notify_all()
    if first:
        generation.telemetry.emit("platform.extension", {"name": extension.name, "state": "Ready", "events": sorted(extension.events)}, at=now)
    with generation.changed:
        while not generation.closed:
            if extension.queue:
                extension.waiting = False
                return answer(200, extension.queue.popleft())
            generation.changed.wait()
    raise Hangup


def _error(request: Request, generation: Generation) -> Response:
    extension = caller(request, generation)
    if isinstance(extension, Response):
        return extension
    kind = request.headers.get("lambda-extension-function-error-type", "")
    if not kind:
        return refusal(403, "Extension.MissingHeader", "the header Lambda-Extension-Function-Error-Type is missing")
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    message = body.get("errorMessage", "") if isinstance(body, dict) else request.body.decode(errors="replace")
    with generation.changed:
        extension.error = {"errorType": kind, "errorMessage": message}
        generation.changed.notify_all()
    return answer(202, {"status": "OK"})
