"""
What the contrib instrumentation of botocore lacks for SQS.

Trace context in the attributes of messages, the names of the present conventions, and the kind PRODUCER.
"""

from opentelemetry import propagate

from .say import cause, say

_MOST = 10  # message attributes that SQS takes


_Sqs = None  # made at the first call of SQS, because contrib imports its part only then

# operation -> its type
_OPERATIONS = {
    "SendMessage": "send",
    "SendMessageBatch": "send",
    "ReceiveMessage": "receive",
    "DeleteMessage": "settle",
    "DeleteMessageBatch": "settle",
}


def install():
    """Have contrib's own table of extensions load ours for SQS, which builds on its; a contrib package without that table stays as it is."""
    from opentelemetry.instrumentation.botocore import extensions

    for table in ("_BOTOCORE_EXTENSIONS", "_AIOBOTOCORE_EXTENSIONS"):
        known = getattr(extensions, table, None)
        if isinstance(known, dict) and "sqs" in known:
            known["sqs"] = _extension


def _extension():
    global _Sqs
    if _Sqs is None:
        from opentelemetry.instrumentation.botocore.extensions.sqs import _SqsExtension
        from opentelemetry.trace import SpanKind

        class Sqs(_SqsExtension):
            def __init__(self, call):
                super().__init__(call)
                if _OPERATIONS.get(call.operation) == "send":
                    call.span_kind = SpanKind.PRODUCER

            def extract_attributes(self, attributes):
                super().extract_attributes(attributes)
                _describe(attributes, self._call_context.operation, self._call_context.params.get("QueueUrl"))

        _Sqs = Sqs
    return _Sqs


def _describe(attributes, operation, url):
    attributes["messaging.system"] = "aws_sqs"  # as the consumer's span says
    kind = _OPERATIONS.get(operation)
    if kind is not None:
        attributes["messaging.operation.type"] = kind
        attributes["messaging.operation.name"] = kind if kind != "settle" else "delete"
    if isinstance(url, str) and url:
        attributes["aws.sqs.queue.url"] = url
        attributes["messaging.destination.name"] = url.rpartition("/")[2]


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
