"""Puts trace context into what AWS calls send, where the contrib instrumentation does not: the attributes of SQS messages."""

from opentelemetry import propagate

from .say import cause, say

_MOST = 10  # message attributes that SQS takes


def request_hook(_span, service, operation, parameters):
    """Called by the botocore instrumentation inside the call's span; `parameters` are that one call's own dict."""
    if str(service).lower() != "sqs" or not isinstance(parameters, dict):
        return
    try:
        if operation == "SendMessage":
            parameters["MessageAttributes"] = _with_context(parameters.get("MessageAttributes"))
        elif operation == "SendMessageBatch" and isinstance(parameters.get("Entries"), list):
            entries = parameters["Entries"]
            parameters["Entries"] = [{**e, "MessageAttributes": _with_context(e.get("MessageAttributes"))} for e in entries]
    except Exception as exc:  # noqa: BLE001 - the message is sent as the user wrote it
        say(f"an SQS message carries no trace context: {cause(exc)}", topic="sqs")


def _with_context(attributes):
    """A new dict: the user's own is never changed. AWS carries the X-Ray header by itself, so it takes no place here."""
    fields = {}
    propagate.inject(fields)
    fields.pop("X-Amzn-Trace-Id", None)
    own = dict(attributes or {})
    added = {k: {"DataType": "String", "StringValue": v} for k, v in fields.items() if k not in own and v}
    return {**own, **added} if len(own) + len(added) <= _MOST else own
