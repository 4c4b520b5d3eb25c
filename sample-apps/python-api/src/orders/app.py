"""The HTTP API: PUT /orders/{id} prices and stores an order and passes it on to shipping; GET /orders/{id} shows it."""

import json
import os
from decimal import Decimal

import boto3
import urllib3
from botocore.config import Config

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
sqs = boto3.client("sqs")
# Presigned addresses that every region takes: of its own host, signed in the newer way.
s3 = boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))
http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=1, read=3), retries=False)


def handler(event, _context):
    """Answer an API Gateway HTTP API event (payload 2.0)."""
    order_id = event["pathParameters"]["id"]
    if event["requestContext"]["http"]["method"] == "PUT":
        return put(order_id, event)
    found = table.get_item(Key={"id": order_id}).get("Item")
    return answer(200, found) if found else answer(404, {"message": f"no order {order_id}"})


def put(order_id, event):
    """Store the order in the request's body and send it to shipping."""
    try:
        order = json.loads(event.get("body") or "")
        sku, quantity = order["sku"], int(order["quantity"])
    except (ValueError, KeyError, TypeError):
        return answer(400, {"message": 'the body must be {"sku": "...", "quantity": 1}'})
    price = prices().get(sku)
    if price is None:
        return answer(422, {"message": f"no price for {sku}"})
    item = {"id": order_id, "sku": sku, "quantity": quantity, "total": Decimal(str(price)) * quantity, "status": "accepted"}
    table.put_item(Item=item)
    sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps({"id": order_id}))
    return answer(201, item)


def prices():
    """The price list, as the second service has it now."""
    url = s3.generate_presigned_url("get_object", Params={"Bucket": os.environ["PRICES_BUCKET"], "Key": "prices.json"}, ExpiresIn=60)
    response = http.request("GET", url)
    if response.status != 200:
        raise RuntimeError(f"the price list answered {response.status}")
    return json.loads(response.data)


def answer(status, body):
    """A response in the API's JSON."""
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body, default=plain)}


def plain(number):
    """DynamoDB's numbers as JSON has them."""
    return int(number) if number == int(number) else float(number)
