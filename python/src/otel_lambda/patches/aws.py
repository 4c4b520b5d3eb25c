"""What a call of AWS is, as attributes: by the conventions of the AWS SDK, of messaging, databases, object stores and FaaS. For both tiers."""

from .. import tracing
from . import qualified

# operation of SQS -> its type and name; the name is the API's own verb
_SQS = {
    "SendMessage": ("send", "send"),
    "SendMessageBatch": ("send", "send"),
    "ReceiveMessage": ("receive", "receive"),
    "DeleteMessage": ("settle", "delete"),
    "DeleteMessageBatch": ("settle", "delete"),
}
_PRODUCERS = frozenset((("SQS", "SendMessage"), ("SQS", "SendMessageBatch"), ("SNS", "Publish"), ("SNS", "PublishBatch")))


def kind(service, operation):
    """The span's kind."""
    return tracing.PRODUCER if (service, operation) in _PRODUCERS else tracing.CLIENT


def request(client, service, operation, parameters):
    """Kind and attributes of a call that is about to be made."""
    meta = client.meta
    attributes = {"rpc.system": "aws-api", "rpc.service": service, "rpc.method": operation}
    if meta.region_name:
        attributes["cloud.region"] = meta.region_name
    address(attributes, meta.endpoint_url)
    attributes.update(described(service, operation, parameters, meta.region_name))
    return kind(service, operation), attributes


def address(attributes, url):
    """Where the service listens."""
    from urllib.parse import urlsplit  # botocore has it

    parts = urlsplit(url or "")
    if parts.hostname:
        attributes["server.address"] = parts.hostname
        attributes["server.port"] = parts.port or (80 if parts.scheme == "http" else 443)


def described(service, operation, parameters, region=""):
    """What the service's own conventions say about a request."""
    describe = _SERVICES.get(service)
    if describe is None or not isinstance(parameters, dict):
        return {}
    return {k: v for k, v in describe(operation, parameters, region).items() if v is not None and v != ""}


def response(span, service, operation, result):
    """Add what came back to the call's span."""
    _metadata(span, result)
    if isinstance(result, dict):
        answer = _ANSWERS.get(service)
        if answer is not None:
            span.set_attributes({k: v for k, v in answer(operation, result).items() if v is not None})


def error(span, exc):
    """The error's type, when the call ended with `exc`: the code of one that the service sent; with it what else came back."""
    answer = getattr(exc, "response", None)
    _metadata(span, answer)
    code = (answer.get("Error") or {}).get("Code") if isinstance(answer, dict) else None
    return code if isinstance(code, str) and code else qualified(type(exc))


def _metadata(span, result):
    found = result.get("ResponseMetadata") if isinstance(result, dict) else None
    if not isinstance(found, dict):
        return
    values = {
        "aws.request_id": found.get("RequestId"),
        "aws.extended_request_id": found.get("HostId"),
        "retry_attempts": found.get("RetryAttempts"),
        "http.response.status_code": found.get("HTTPStatusCode"),
    }
    span.set_attributes({k: v for k, v in values.items() if v is not None and v != ""})


def _name(arn):
    return arn.rpartition(":")[2] if isinstance(arn, str) else None


def _count(entries):
    return len(entries) if isinstance(entries, list) and len(entries) > 1 else None


def _sqs(operation, parameters, _):
    out = {"messaging.system": "aws_sqs"}  # as the consumer's span says
    out["messaging.operation.type"], out["messaging.operation.name"] = _SQS.get(operation, (None, None))
    url = parameters.get("QueueUrl")
    if isinstance(url, str) and url:
        out["aws.sqs.queue.url"] = url
        out["messaging.destination.name"] = url.rpartition("/")[2]
    out["messaging.batch.message_count"] = _count(parameters.get("Entries"))
    return out


def _sqs_answer(operation, result):
    if operation == "ReceiveMessage":
        messages = result.get("Messages") or ()
        return {
            "messaging.message.id": messages[0].get("MessageId") if len(messages) == 1 else None,
            "messaging.batch.message_count": len(messages),
        }
    return {"messaging.message.id": result.get("MessageId")}


def _sns(operation, parameters, _):
    out = {"messaging.system": "aws.sns"}
    arn = parameters.get("TopicArn")
    out["aws.sns.topic.arn"] = arn if isinstance(arn, str) else None
    if operation in ("Publish", "PublishBatch"):
        out["messaging.operation.type"], out["messaging.operation.name"] = "send", "publish"
        out["messaging.destination.name"] = _name(arn or parameters.get("TargetArn"))  # a telephone number is nobody's business
        out["messaging.batch.message_count"] = _count(parameters.get("PublishBatchRequestEntries"))
    return out


def _sns_answer(_, result):
    return {"aws.sns.topic.arn": result.get("TopicArn"), "messaging.message.id": result.get("MessageId")}


def _kinesis(_, parameters, __):
    return {"aws.kinesis.stream_name": parameters.get("StreamName") or (_name(parameters.get("StreamARN")) or "").rpartition("/")[2]}


def _s3(_, parameters, __):
    source = parameters.get("CopySource")
    if isinstance(source, dict):
        source = "/".join(str(source.get(k)) for k in ("Bucket", "Key") if source.get(k))
    number = parameters.get("PartNumber")
    return {
        "aws.s3.bucket": parameters.get("Bucket"),
        "aws.s3.key": parameters.get("Key"),
        "aws.s3.copy_source": source,
        "aws.s3.upload_id": parameters.get("UploadId"),
        "aws.s3.part_number": number if isinstance(number, int) else None,
    }


def _lambda(operation, parameters, region):
    name = parameters.get("FunctionName")
    if operation != "Invoke" or not isinstance(name, str):
        return {}
    # fn, fn:live, 123456789012:function:fn, arn:aws:lambda:us-east-1:123456789012:function:fn:live
    bare = (name.partition(":function:")[2] or name).partition(":")[0]
    return {"faas.invoked_provider": "aws", "faas.invoked_name": bare, "faas.invoked_region": region}


def _secret(_, parameters, __):
    secret = parameters.get("SecretId")
    return {"aws.secretsmanager.secret.arn": secret if isinstance(secret, str) and secret.startswith("arn:") else None}


def _secret_answer(_, result):
    return {"aws.secretsmanager.secret.arn": result.get("ARN")}


def _steps(_, parameters, __):
    return {
        "aws.step_functions.state_machine.arn": parameters.get("stateMachineArn"),
        "aws.step_functions.activity.arn": parameters.get("activityArn"),
    }


def _dynamodb(operation, parameters, region):
    from . import dynamodb

    return dynamodb.request(operation, parameters, region)


def _dynamodb_answer(operation, result):
    from . import dynamodb

    return dynamodb.response(operation, result)


_SERVICES = {
    "SQS": _sqs,
    "SNS": _sns,
    "Kinesis": _kinesis,
    "S3": _s3,
    "Lambda": _lambda,
    "Secrets Manager": _secret,
    "SFN": _steps,
    "DynamoDB": _dynamodb,
}
_ANSWERS = {"SQS": _sqs_answer, "SNS": _sns_answer, "Secrets Manager": _secret_answer, "DynamoDB": _dynamodb_answer}
