"""The consumer of the queue: marks each order as shipped. Messages that cannot be handled are reported, and come again."""

import json
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, _context):
    """Handle a batch of SQS messages; the failed ones are named in the response."""
    failed = []
    for record in event["Records"]:
        try:
            ship(json.loads(record["body"])["id"])
        except Exception as exc:  # noqa: BLE001 - one bad message must not hold up the others
            print(f"message {record['messageId']}: {type(exc).__name__}: {exc}")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def ship(order_id):
    """Mark the order as shipped."""
    table.update_item(
        Key={"id": order_id},
        UpdateExpression="SET #status = :shipped",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":shipped": "shipped"},
    )
