"""The SQS event in Lambda's casing, and the rules of ReportBatchItemFailures."""

import json

import pytest
from otel_layers.aws import consumers

ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"

# As ReceiveMessage gives it (SQS's own casing), every kind of attribute.
MESSAGE = {
    "MessageId": "0a5f5c8e",
    "ReceiptHandle": "AQEB",
    "MD5OfBody": "acbd18db4cc2f85cedef654fccc4a4d8",
    "Body": "foo",
    "Attributes": {"AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0", "SentTimestamp": "1545082649183"},
    "MD5OfMessageAttributes": "e4e68fb7bd0e697a0ae8f1bb342846b3",
    "MessageAttributes": {
        "traceparent": {"StringValue": "00-aa-bb-01", "DataType": "String"},
        "blob": {"BinaryValue": b"\x00\xff", "DataType": "Binary"},
        "n": {"StringValue": "3", "DataType": "Number"},
    },
}


def test_an_event_has_lambdas_casing():
    (record,) = consumers.event([MESSAGE], ARN, "eu-west-1")["Records"]
    assert record == {
        "messageId": "0a5f5c8e",
        "receiptHandle": "AQEB",
        "body": "foo",
        "attributes": {"AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0", "SentTimestamp": "1545082649183"},
        "messageAttributes": {
            "traceparent": {"stringValue": "00-aa-bb-01", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
            "blob": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
            "n": {"stringValue": "3", "stringListValues": [], "binaryListValues": [], "dataType": "Number"},
        },
        "md5OfBody": "acbd18db4cc2f85cedef654fccc4a4d8",
        "md5OfMessageAttributes": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": ARN,
        "awsRegion": "eu-west-1",
    }
    json.dumps(record)


def test_a_plain_message_has_empty_attributes():
    plain = {k: v for k, v in MESSAGE.items() if "Attributes" not in k}
    (record,) = consumers.event([plain], ARN, "eu-west-1")["Records"]
    assert record["messageAttributes"] == {}
    assert record["attributes"] == {}
    assert "md5OfMessageAttributes" not in record


@pytest.mark.parametrize(
    ("response", "left"),
    [
        (b'{"batchItemFailures": []}', []),
        (b'{"batchItemFailures": null}', []),
        (b"{}", []),
        (b"null", []),
        (None, []),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', ["b"]),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "a"}]}', ["a", "b"]),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', ["a", "b"]),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', ["a", "b"]),
        (b'{"batchItemFailures": [{"itemIdentifier": "of another batch"}]}', ["a", "b"]),
        (b'{"batchItemFailures": [{"id": "a"}]}', ["a", "b"]),
        (b'{"batchItemFailures": "a"}', ["a", "b"]),
        (b"not json", ["a", "b"]),
        (b'"text"', ["a", "b"]),
    ],
)
def test_which_messages_stay(response, left):
    assert consumers.failures(response, ["a", "b"]) == left
