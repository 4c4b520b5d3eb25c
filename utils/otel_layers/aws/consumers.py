"""Driving the consumers of real queues as Lambda's pollers do: receive, build the event in Lambda's casing, invoke, delete."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .client import Access, in_words
from .deployment import Deployment

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10  # ReceiveMessage gives at most ten


@dataclass(frozen=True)
class QueueMapping:
    """An event source mapping of a stack: messages of `queue_url` go to `function`."""

    function: str
    queue_arn: str
    queue_url: str
    region: str
    batch: int
    partial: bool  # the function reports the items that failed (ReportBatchItemFailures)


@dataclass(frozen=True)
class Delivery:
    """One batch that a consumer got."""

    function: str
    messages: int
    ok: bool
    failed: tuple[str, ...]  # message ids that stay in the queue


# Invokes the named function with the event; (whether it succeeded, its response).
Invoke = Callable[[str, bytes], tuple[bool, bytes | None]]


def mappings(access: Access, deployed: Deployment) -> list[QueueMapping]:
    """The enabled mappings from a queue to a function of the stack."""
    lambda_, sqs, found = access.lambda_(deployed.region), access.sqs(deployed.region), []
    for resource in deployed.resources:
        if resource.kind != "AWS::Lambda::EventSourceMapping":
            continue
        with in_words(f"reading the event source mapping {resource.name}"):
            mapping = lambda_.get_event_source_mapping(UUID=resource.id)
            arn = mapping.get("EventSourceArn", "").split(":")
            if len(arn) != 6 or arn[2] != "sqs" or mapping.get("State") != "Enabled":
                continue
            url = sqs.get_queue_url(QueueName=arn[5], QueueOwnerAWSAccountId=arn[4])["QueueUrl"]
        partial = "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", [])
        function = mapping["FunctionArn"].split(":")[6]
        found.append(QueueMapping(function, ":".join(arn), url, arn[3], min(mapping.get("BatchSize", _BATCH), _BATCH), partial))
    return found


def drive(access: Access, wanted: list[QueueMapping], invoke: Invoke, *, rounds: int = 10, wait_seconds: int = 0) -> list[Delivery]:
    """
    Poll every mapping's queue until all are empty, at most `rounds` times each: a message that fails comes again only after its
    visibility time-out, as on Lambda, and then in a later call. `wait_seconds`: how long a poll waits for a first message.
    """
    done: list[Delivery] = []
    for _ in range(rounds):
        before = len(done)
        for mapping in wanted:
            delivery = poll(access.sqs(mapping.region), mapping, invoke, wait_seconds)
            if delivery:
                done.append(delivery)
        if len(done) == before:
            break
    return done


def poll(sqs: SQSClient, mapping: QueueMapping, invoke: Invoke, wait_seconds: int = 0) -> Delivery | None:
    """Receive one batch and have it handled; None when the queue has nothing to give."""
    with in_words(f"receiving from {mapping.queue_url}"):
        messages = sqs.receive_message(
            QueueUrl=mapping.queue_url,
            MaxNumberOfMessages=mapping.batch,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            WaitTimeSeconds=wait_seconds,
        ).get("Messages", [])
    if not messages:
        return None
    body = json.dumps(event(messages, mapping.queue_arn, mapping.region)).encode()
    ok, response = invoke(mapping.function, body)
    ids = [m["MessageId"] for m in messages]
    failed = ids if not ok else failures(response, ids) if mapping.partial else []
    kept = set(failed)
    entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages) if m["MessageId"] not in kept]
    if entries:
        with in_words(f"deleting handled messages of {mapping.queue_url}"):
            sqs.delete_message_batch(QueueUrl=mapping.queue_url, Entries=entries)  # type: ignore[arg-type]
    return Delivery(mapping.function, len(messages), ok, tuple(failed))


def event(messages: list[Any], queue_arn: str, region: str) -> dict[str, Any]:
    """The event that Lambda makes of received messages: its own casing, not SQS's."""
    return {"Records": [_record(message, queue_arn, region) for message in messages]}


def _record(message: Mapping[str, Any], queue_arn: str, region: str) -> dict[str, Any]:
    attributes = {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()}
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
    if attributes:
        record["md5OfMessageAttributes"] = message.get("MD5OfMessageAttributes")
    return record


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "StringValue" in value:
        found["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        found["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return {**found, "stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}


def failures(response: bytes | None, ids: list[str]) -> list[str]:
    """
    The messages that a response with batchItemFailures leaves in the queue, by Lambda's rules: an empty or absent list means that all
    succeeded; an answer that cannot be understood, or names a message that was not sent, means that all failed.
    """
    try:
        parsed = json.loads(response or b"null")
    except ValueError:
        return ids
    if parsed is None or parsed == {}:
        return []
    if not isinstance(parsed, dict):
        return ids
    items = parsed.get("batchItemFailures")
    if items is None or items == []:
        return []
    if not isinstance(items, list) or not all(isinstance(i, dict) and i.get("itemIdentifier") in ids for i in items):
        return ids
    named = {i["itemIdentifier"] for i in items}
    return [i for i in ids if i in named]
