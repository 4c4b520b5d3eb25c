"""The spans of one invocation: started before the user's handler, ended after it."""

import os

from . import messages, propagation, say, tracing, triggers
from .recorder import named


class Invocation:
    """What is open while the user's handler runs."""

    __slots__ = ("child", "deadline", "request", "response", "span", "token")


def begin(telemetry, event, context, coldstart):
    """Start the invocation's spans and make them current."""
    trigger = triggers.recognise(event, {"custom": getattr(getattr(context, "client_context", None), "custom", None)})
    propagators = tracing.propagators
    parent, place = tracing.extract(trigger.carrier), "the event"
    if trigger.batch is not None and telemetry.settings.single_message_parent:
        only = messages.single_parent(trigger.batch, propagators)
        parent, place = (only, "the only message") if only else (parent, place)
    invocation = Invocation()
    invocation.response, invocation.child = trigger.response, None
    invocation.deadline = getattr(context, "get_remaining_time_in_millis", None)
    attributes = {"faas.coldstart": coldstart, "faas.trigger": trigger.trigger}
    identity = _identity(context)
    attributes.update(identity)
    invocation.request = identity.get("faas.invocation_id", "")
    attributes.update(trigger.attributes)
    name = trigger.name or os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or "function"
    links = _links(parent, trigger.carrier)
    if say.debugging:
        from . import explain

        explain.parent(parent.span_context, trigger.carrier, place, links, propagators)
    invocation.span = tracing.start(name, tracing.SERVER, attributes, parent, links)
    telemetry.announcer.announce(invocation.request, invocation.span, trigger.trigger)
    batch = trigger.batch
    if batch is not None:
        inside = tracing.within(invocation.span, parent)
        invocation.child = tracing.start(batch.name, tracing.CONSUMER, batch.attributes, inside, batch.links(propagators))
    invocation.token = tracing.attach(invocation.child or invocation.span, parent)
    return invocation


def finish(invocation, result, error):
    """End the invocation's spans."""
    try:
        tracing.detach(invocation.token)
        if error is not None:
            _failed(invocation, error)
        elif invocation.response is not None:
            _answered(invocation.span, invocation.response, result)
    finally:
        if invocation.child is not None:
            invocation.child.end()
        invocation.span.end()


def remaining(invocation):
    """Seconds until the function's deadline; None when the context does not say."""
    try:
        return invocation.deadline() / 1000
    except Exception:  # noqa: BLE001 - a context of any shape
        return None


def _identity(context):
    out = {}
    request = getattr(context, "aws_request_id", None)
    if isinstance(request, str) and request:
        out["faas.invocation_id"] = request
    arn = getattr(context, "invoked_function_arn", None)
    if isinstance(arn, str) and arn:
        out["aws.lambda.invoked_arn"] = arn
        parts = arn.split(":")
        if len(parts) >= 7:
            out["cloud.resource_id"] = ":".join(parts[:7])
            out["cloud.account.id"] = parts[4]
    return out


def _links(parent, carrier):
    """X-Ray contexts that were not made the parent: the environment's, and one that came in a header."""
    known, out = [parent.span_context], []
    for found in (propagation.environment(), propagation.xray(carrier.get(propagation.XRAY.lower()))):
        if found is not None and not any(propagation.same(found, k) for k in known):
            known.append(found)
            out.append((found, None))
    return out


def _failed(invocation, error):
    kind = type(error)
    name = named(kind)
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.endswith("otel_lambda/bootstrap.py"):
        trace = trace.tb_next  # begins where the user's code begins
    import traceback

    text = "".join(traceback.format_exception(kind, error, trace))
    event = {"exception.type": name, "exception.message": _text(error), "exception.stacktrace": text}
    invocation.span.add_event("exception", event)
    for span in (invocation.span, invocation.child):
        if span is not None:
            span.fail(name, _text(error))


def _text(error):
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's __str__ may fail
        return ""


def _answered(span, rule, result):
    """The HTTP status of `result`, by the rule of the trigger's row: what is no status is left out."""
    code = triggers.at(result, rule["status"])
    if isinstance(code, str) and len(code) == 3 and code.isascii() and code.isdigit():
        code = int(code)
    if code is None:
        code = rule.get("default")  # what the gateway answers for any result that names no status
    if type(code) is not int or not 100 <= code <= 999:
        return
    span.set_attribute(rule["attribute"], code)
    if code >= rule["error_from"]:
        span.fail(str(code))
