"""What functions do with boto3, a case each: `handler(name)` runs one and tells its result or its error as text."""

import base64
import functools
import io
import json
import os
import pickle
import sys
import threading
import traceback

import boto3
import botocore.stub
from boto3.dynamodb.conditions import Key
from botocore.config import Config

PORT = os.environ["AWS"]
URL = "http://127.0.0.1:" + PORT
QUEUE = URL + "/123456789012/jobs"
TOPIC = "arn:aws:sns:us-east-1:123456789012:news"
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def handler(event, context):
    try:
        return {"result": CASES[event]()}
    except Exception as exc:  # noqa: BLE001 - the case's outcome
        frames = [f.name for f in traceback.extract_tb(exc.__traceback__) if sys.version_info >= (3, 11) or "otel_lambda" not in f.filename]
        return {"error": f"{type(exc).__module__}.{type(exc).__qualname__}: {exc}".replace(PORT, "PORT"), "frames": frames}


@functools.cache
def client(name):
    return boto3.client(name, region_name="us-east-1", endpoint_url=URL)


def status(answer):
    return answer["ResponseMetadata"]["HTTPStatusCode"]


@case
def s3_create_bucket():
    return status(client("s3").create_bucket(Bucket="bucket"))


@case
def s3_put_object():
    return status(client("s3").put_object(Bucket="bucket", Key="a/1", Body=b"x"))


@case
def s3_copy_object():
    return status(client("s3").copy_object(Bucket="bucket", Key="a/2", CopySource={"Bucket": "bucket", "Key": "a/1"}))


@case
def s3_get_object():
    return client("s3").get_object(Bucket="bucket", Key="a/1")["Body"].read().decode()


@case
def s3_no_such_key():
    return client("s3").get_object(Bucket="bucket", Key="none")


@case
def s3_pages():
    return [page["KeyCount"] for page in client("s3").get_paginator("list_objects_v2").paginate(Bucket="bucket", PaginationConfig={"PageSize": 1})]


@case
def s3_upload_in_threads():
    client("s3").upload_fileobj(io.BytesIO(b"abc"), "bucket", "up")


@case
def s3_presigned():
    return client("s3").generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "a"}).partition("?")[0].replace(PORT, "PORT")


@case
def s3_missing_parameter():
    return client("s3").get_object(Bucket="bucket")


@case
def dynamodb_create_table():
    return status(
        client("dynamodb").create_table(
            TableName="pets",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "kind", "AttributeType": "S"}],
            ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 2},
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "kinds",
                    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                    "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
                }
            ],
        )
    )


@case
def dynamodb_put_item():
    return status(client("dynamodb").put_item(TableName="pets", Item={"id": {"S": "1"}}, ReturnConsumedCapacity="TOTAL"))


@case
def dynamodb_query():
    return client("dynamodb").query(
        TableName="pets",
        KeyConditionExpression="id = :i",
        ExpressionAttributeValues={":i": {"S": "1"}},
        ProjectionExpression="id",
        ScanIndexForward=False,
        Limit=5,
        ConsistentRead=True,
        ReturnConsumedCapacity="TOTAL",
    )["Count"]


@case
def dynamodb_scan():
    return client("dynamodb").scan(TableName="pets", TotalSegments=1, Segment=0, Select="COUNT", Limit=3)["Count"]


@case
def dynamodb_batch_write():
    items = [{"PutRequest": {"Item": {"id": {"S": n}}}} for n in "23"]
    return status(client("dynamodb").batch_write_item(RequestItems={"pets": items}, ReturnConsumedCapacity="TOTAL"))


@case
def dynamodb_batch_get():
    return len(client("dynamodb").batch_get_item(RequestItems={"pets": {"Keys": [{"id": {"S": "2"}}]}})["Responses"]["pets"])


@case
def dynamodb_update_item():
    return status(
        client("dynamodb").update_item(
            TableName="pets", Key={"id": {"S": "1"}}, UpdateExpression="SET a = :a", ExpressionAttributeValues={":a": {"S": "b"}}
        )
    )


@case
def dynamodb_list_tables():
    return client("dynamodb").list_tables(Limit=2)["TableNames"]


@case
def dynamodb_no_table():
    return client("dynamodb").get_item(TableName="none", Key={"id": {"S": "1"}})


@case
def dynamodb_resource():
    table = boto3.resource("dynamodb", region_name="us-east-1", endpoint_url=URL).Table("pets")
    return table.query(KeyConditionExpression=Key("id").eq("2"))["Items"]


@case
def sqs_create_queue():
    return client("sqs").create_queue(QueueName="jobs")["QueueUrl"].replace(PORT, "PORT")


@case
def sqs_send():
    own = {"mine": {"DataType": "String", "StringValue": "1"}}
    return client("sqs").send_message(QueueUrl=QUEUE, MessageBody="b", MessageAttributes=own)["MD5OfMessageBody"], own


@case
def sqs_send_with_ten_attributes():
    own = {str(n): {"DataType": "String", "StringValue": "1"} for n in range(10)}
    return status(client("sqs").send_message(QueueUrl=QUEUE, MessageBody="ten", MessageAttributes=own)), len(own)


@case
def sqs_send_batch():
    own = [{"Id": "1", "MessageBody": "b"}, {"Id": "2", "MessageBody": "c"}]
    return len(client("sqs").send_message_batch(QueueUrl=QUEUE, Entries=own)["Successful"]), own


@case
def sqs_send_the_most():
    return status(client("sqs").send_message(QueueUrl=QUEUE, MessageBody="x" * 262_144))


@case
def sqs_send_by_resource():
    return status(boto3.resource("sqs", region_name="us-east-1", endpoint_url=URL).Queue(QUEUE).send_message(MessageBody="r"))


@case
def sqs_no_queue():
    return client("sqs").send_message(QueueUrl=QUEUE + "2", MessageBody="b")


@case
def sqs_receive():
    found = client("sqs").receive_message(QueueUrl=QUEUE, MaxNumberOfMessages=1)["Messages"]
    return status(client("sqs").delete_message(QueueUrl=QUEUE, ReceiptHandle=found[0]["ReceiptHandle"]))


@case
def sqs_presigned():
    return "traceparent" in client("sqs").generate_presigned_url("send_message", {"QueueUrl": QUEUE, "MessageBody": "b"})


@case
def sns_create_topic():
    return client("sns").create_topic(Name="news")["TopicArn"]


@case
def sns_publish():
    own = {"mine": {"DataType": "String", "StringValue": "1"}}
    return len(client("sns").publish(TopicArn=TOPIC, Message="m", MessageAttributes=own)["MessageId"]), own


@case
def sns_publish_to_a_telephone():
    return len(client("sns").publish(PhoneNumber="+15551234567", Message="m")["MessageId"])


@case
def sns_publish_batch():
    own = [{"Id": "1", "Message": "m", "MessageAttributes": {}}, {"Id": "2", "Message": "n"}]
    return len(client("sns").publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=own)["Successful"]), own


@case
def kinesis_create_stream():
    return status(client("kinesis").create_stream(StreamName="clicks", ShardCount=1))


@case
def kinesis_put_record():
    return status(client("kinesis").put_record(StreamName="clicks", Data=b'{"a": 1.0,  "b": "\\u00fc"}', PartitionKey="p"))


@case
def kinesis_put_records():
    data = [b"raw", '{"b": 1}', "[1]", b'{"traceparent": "own"}', b"{}", b"\xff\xfe"]
    return client("kinesis").put_records(StreamName="clicks", Records=[{"Data": d, "PartitionKey": "p"} for d in data])["FailedRecordCount"]


@case
def events_put():
    own = [{"Source": "me", "DetailType": "d", "Detail": '{"a": 1}'}, {"Source": "me", "DetailType": "d", "Detail": "{}", "TraceHeader": "Root=own"}]
    return client("events").put_events(Entries=own)["FailedEntryCount"], own


@case
def steps_start():
    return client("stepfunctions").start_execution(stateMachineArn="arn:aws:states:us-east-1:123456789012:stateMachine:none", input='{"a": 1}')


@case
def steps_start_with_a_name():
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:none"
    return client("stepfunctions").start_execution(stateMachineArn=arn, name="once", input='{"a": 1}')


@case
def secrets():
    client("secretsmanager").create_secret(Name="n", SecretString="v")
    return client("secretsmanager").get_secret_value(SecretId="n")["SecretString"]


@case
def secrets_none():
    return client("secretsmanager").get_secret_value(SecretId="arn:aws:secretsmanager:us-east-1:123456789012:secret:none")


@case
def lambda_invoke():
    return client("lambda").invoke(FunctionName="other", Payload=b'{"headers": 1}')["Payload"].read().decode()


@case
def lambda_invoke_with_context():
    arn = "arn:aws:lambda:us-east-1:123456789012:function:other:live"
    own = "eyJjdXN0b20iOiB7ImEiOiAiYiJ9LCAiZW52IjogeyJjIjogImQifX0="  # {"custom": {"a": "b"}, "env": {"c": "d"}}
    return client("lambda").invoke(FunctionName=arn, Payload=b"[1]", ClientContext=own, InvocationType="RequestResponse")["StatusCode"]


@case
def lambda_large_context():
    own = base64.b64encode(json.dumps({"custom": {"a": "x" * 2600}}).encode()).decode()
    return client("lambda").invoke(FunctionName="123456789012:function:other", ClientContext=own)["StatusCode"]


@case
def lambda_foreign_context():
    return [
        client("lambda").invoke(FunctionName="other", ClientContext=own)["StatusCode"] for own in ("bm8=", "WzFd", "e30=A", "eyJjdXN0b20iOiAxfQ==")
    ]


@case
def retries():
    short = Config(retries={"max_attempts": 4, "mode": "standard"})
    flaky = boto3.client("lambda", region_name="us-east-1", endpoint_url=URL, config=short)
    return flaky.get_function(FunctionName="flaky")["ResponseMetadata"]["RetryAttempts"]


@case
def refused():
    none = Config(retries={"max_attempts": 0})
    return boto3.client("s3", region_name="us-east-1", endpoint_url="http://127.0.0.1:1", config=none).list_buckets()


@case
def sts():
    return client("sts").get_caller_identity()["Account"]


@case
def hooks():
    own, seen = boto3.client("sqs", region_name="us-east-1", endpoint_url=URL), []
    own.meta.events.register("before-parameter-build.sqs.SendMessage", lambda params, **_: seen.append(sorted(params)))
    own.meta.events.register("before-call.sqs.SendMessage", lambda params, **_: params["headers"].update({"X-Amzn-Trace-Id": "Root=own"}))
    return status(own.send_message(QueueUrl=QUEUE, MessageBody="b")), seen


@case
def stubbed():
    own = boto3.client("sqs", region_name="us-east-1")
    with botocore.stub.Stubber(own) as stub:
        stub.add_response("send_message", {"MessageId": "m"}, {"QueueUrl": "u", "MessageBody": "b"})
        answer = own.send_message(QueueUrl="u", MessageBody="b")
        stub.assert_no_pending_responses()
        return answer


@case
def stubbed_error():
    own = boto3.client("s3", region_name="us-east-1")
    with botocore.stub.Stubber(own) as stub:
        stub.add_client_error("list_buckets", "AccessDenied", "no", 403)
        return own.list_buckets()


@case
def error_pickled():
    try:
        client("s3").get_object(Bucket="bucket", Key="none")
    except botocore.exceptions.ClientError as exc:
        return pickle.loads(pickle.dumps(botocore.exceptions.ClientError(exc.response, exc.operation_name))).args


@case
def in_a_thread():
    out = []
    work = threading.Thread(target=lambda: out.append(client("sts").get_caller_identity()["Account"]))
    work.start()
    work.join()
    return out


@case
def mixin():
    session = boto3.session.Session(region_name="us-east-1")
    seen = []

    class Own:
        def list_buckets(self, *args, **kwargs):
            seen.append("own")
            return super().list_buckets(*args, **kwargs)

    session.events.register("creating-client-class.s3", lambda base_classes, **_: base_classes.insert(0, Own))
    return len(session.client("s3", endpoint_url=URL).list_buckets()["Buckets"]), seen


@case
def bedrock_converse():
    own = {"maxTokens": 10, "temperature": 0.5, "topP": 0.9, "stopSequences": ["x"]}
    messages = [{"role": "user", "content": [{"text": "q"}]}]
    return client("bedrock-runtime").converse(modelId="amazon.titan", messages=messages, inferenceConfig=own)["stopReason"]


@case
def json_is_untouched():
    return json.dumps({"a": 1})
