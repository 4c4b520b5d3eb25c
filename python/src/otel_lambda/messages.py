"""Batches of messages: the CONSUMER span's name and attributes, and a link for each message that carries trace context."""

import os

from opentelemetry.trace import Link

from . import propagation


class Batch:
    """The messages of one invocation."""

    __slots__ = ("attributes", "carriers", "destination", "name")

    def __init__(self, destination, attributes, carriers):
        """`carriers`: for each message its id, the fields it carries, and its X-Ray header or None."""
        self.name = f"process {destination or 'multiple_sources'}"
        self.destination, self.attributes, self.carriers = destination, attributes, carriers

    def contexts(self, propagators):
        """For each message that carries one: its id and context, the sender's own fields before AWS's header."""
        for identifier, carrier, header in self.carriers:
            context = propagators.extract(carrier) if carrier else None
            found = propagation.span_context(context)
            if found is None:
                found, context = propagation.xray(header), None
            if found is not None:
                yield identifier, found, context

    def links(self, propagators):
        """A link per message."""
        return [Link(found, {"messaging.message.id": identifier} if identifier else {}) for identifier, found, _ in self.contexts(propagators)]


def sqs(records):
    """SQS messages: W3C fields in the message's attributes, X-Ray in its system attribute, or either inside an SNS or EventBridge envelope."""
    arns, carriers = [], []
    for record in records:
        if not isinstance(record, dict):
            continue
        arn = record.get("eventSourceARN")
        if isinstance(arn, str) and arn not in arns:
            arns.append(arn)
        system = record.get("attributes")
        carrier = _fields(record.get("messageAttributes"), "stringValue") or _envelope(record.get("body"))
        header = system.get("AWSTraceHeader") if isinstance(system, dict) else None
        carriers.append((_string(record.get("messageId")), carrier, header))
    destination = arns[0].rpartition(":")[2] if len(arns) == 1 else ""
    attributes = _attributes("aws_sqs", destination, len(records))
    url = _queue_url(arns[0]) if len(arns) == 1 else ""
    if url:
        attributes["aws.sqs.queue.url"] = url
    return Batch(destination, attributes, carriers)


def sns(records):
    """SNS notifications."""
    arns, carriers = [], []
    for record in records:
        message = record.get("Sns") if isinstance(record, dict) else None
        if not isinstance(message, dict):
            continue
        arn = message.get("TopicArn")
        if isinstance(arn, str) and arn not in arns:
            arns.append(arn)
        carriers.append((_string(message.get("MessageId")), _fields(message.get("MessageAttributes"), "Value"), None))
    destination = arns[0].rpartition(":")[2] if len(arns) == 1 else ""
    attributes = _attributes("aws.sns", destination, len(records))
    if len(arns) == 1:
        attributes["aws.sns.topic.arn"] = arns[0]
    if len(carriers) == 1 and carriers[0][0]:
        attributes["messaging.message.id"] = carriers[0][0]
    return Batch(destination, attributes, carriers)


def _attributes(system, destination, count):
    out = {"messaging.system": system, "messaging.operation.type": "process", "messaging.operation.name": "process"}
    if destination:
        out["messaging.destination.name"] = destination
    if count > 1:
        out["messaging.batch.message_count"] = count
    return out


def _fields(attributes, key):
    """Message attributes as a carrier; `key` is where this service's casing keeps the text."""
    if not isinstance(attributes, dict):
        return {}
    out = {}
    for name, value in attributes.items():
        if isinstance(name, str) and isinstance(value, dict) and isinstance(value.get(key), str):
            out[name.lower()] = value[key]
    return out


def _envelope(body):
    """The fields that an SNS notification or an EventBridge event inside a message body carries."""
    if not isinstance(body, str) or len(body) > 1 << 18 or not ('"Notification"' in body or '"detail-type"' in body):
        return {}
    import json

    try:
        inner = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(inner, dict):
        return {}
    if inner.get("Type") == "Notification":
        return _fields(inner.get("MessageAttributes"), "Value")
    detail = inner.get("detail")
    return {k.lower(): v for k, v in detail.items() if isinstance(v, str)} if isinstance(detail, dict) else {}


def _queue_url(arn):
    parts = arn.split(":")
    if len(parts) != 6 or not all(parts):
        return ""
    suffix = "amazonaws.com.cn" if parts[1] == "aws-cn" else "amazonaws.com"
    return f"https://sqs.{parts[3]}.{suffix}/{parts[4]}/{parts[5]}"


def _string(value):
    return value if isinstance(value, str) else ""


def single_parent(batch, propagators):
    """The context of the only message, for OTEL_LAMBDA_SINGLE_MESSAGE_PARENT; None when there are several."""
    if len(batch.carriers) != 1:
        return None
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    for _, found, context in batch.contexts(propagators):
        return context if context is not None else set_span_in_context(NonRecordingSpan(found))
    return None


def environment_header():
    """The X-Ray header that the runtime client keeps in the environment."""
    return os.environ.get("_X_AMZN_TRACE_ID")
