"""The sample deployed with the real `sam deploy` to an embedded AWS, asked about with boto3. Its layers are small stand-ins here."""

import dataclasses
import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import boto3
import pytest
from command_lines import share_cache
from otel_layers import project as projects
from otel_layers.aws import consumers, deployment, readback, removal, sample, template
from otel_layers.aws.client import Access
from otel_layers.aws.embedded import EmbeddedAws
from otel_layers.errors import LayersError, NothingToDo

ROOT = projects.find_root()
SAMPLE = "sample-apps/python-api"
REGION = "eu-west-1"
RUNTIME = "python3.12"


def make_zip(path: Path, **files: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as out:
        for name, body in files.items():
            out.writestr(name, body)
    return path


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project's facts and of the sample; tools come from the real cache."""
    root = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "layers.toml", root)
    shutil.copytree(ROOT / "requirements", root / "requirements")
    shutil.copytree(ROOT / SAMPLE, root / SAMPLE, ignore=shutil.ignore_patterns(".layers"))
    share_cache(root / ".cache", "envs", "uv", "pycache")
    opened = projects.open_project(SAMPLE, root)
    for role, layer in sample.layers(opened, SAMPLE).items():
        make_zip(opened.dist / layer.zip_name("amd64"), **{f"{role}.txt": f"stand-in for the {role} layer"})
    return opened


@pytest.fixture(scope="module")
def aws(project):
    with EmbeddedAws(project, stacks=True) as server:
        yield server


@pytest.fixture(scope="module")
def access(aws):
    return Access(aws.endpoint)


@pytest.fixture(scope="module")
def client(aws):
    def make(service, region=REGION):
        return boto3.client(service, region_name=region, endpoint_url=aws.endpoint, aws_access_key_id="test", aws_secret_access_key="test")

    return make


def order(project, stack="shop", **parameters):
    path = project.root / SAMPLE / "template.yaml"
    values = {"Runtime": RUNTIME, "Architecture": "x86_64", **parameters}
    layers = {f"{role}.zip": project.dist / la.zip_name("amd64") for role, la in sample.layers(project, SAMPLE).items()}
    return deployment.Order(path.parent, template.load(path), stack, REGION, layers, values)


@pytest.fixture(scope="module")
def shop(project, access):
    return deployment.deploy(project, access, order(project))


def physical(deployed, name):
    return next(r.id for r in deployed.resources if r.name == name)


def test_every_resource_of_the_template_really_exists(shop, client, project):
    orders = client("lambda").get_function(FunctionName=physical(shop, "OrdersFunction"))["Configuration"]
    shipping = client("lambda").get_function(FunctionName=physical(shop, "ShippingFunction"))["Configuration"]
    for function in (orders, shipping):
        assert function["Runtime"] == RUNTIME
        assert function["Handler"] == "app.handler"
        assert function["MemorySize"] == 256
        assert function["Timeout"] == 10
        assert function["Architectures"] == ["x86_64"]
        assert [la["Arn"].split(":layer:")[1] for la in function["Layers"]] == ["shop-collector:1", "shop-python:1"]
        assert function["Environment"]["Variables"]["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/otel-handler"
    # A parameter that is empty must leave the variable out: an empty one would switch export off.
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in orders["Environment"]["Variables"]

    tables = client("dynamodb").list_tables()["TableNames"]
    assert tables == [physical(shop, "OrdersTable")] == [orders["Environment"]["Variables"]["TABLE"]]
    queues = [url.rsplit("/", 1)[1] for url in client("sqs").list_queues()["QueueUrls"]]
    assert sorted(queues) == ["shop-shipping", "shop-shipping-failed"]
    (mapping,) = client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert mapping["EventSourceArn"].rsplit(":", 1)[1] in queues
    assert mapping["FunctionArn"] == shipping["FunctionArn"]
    assert mapping["BatchSize"] == 10
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    (api,) = client("apigatewayv2").get_apis()["Items"]
    routes = {r["RouteKey"] for r in client("apigatewayv2").get_routes(ApiId=api["ApiId"])["Items"]}
    assert routes == {"PUT /orders/{id}", "GET /orders/{id}"}
    assert [s["StageName"] for s in client("apigatewayv2").get_stages(ApiId=api["ApiId"])["Items"]] == ["$default"]
    assert shop.outputs["ApiUrl"] == f"https://{api['ApiId']}.execute-api.{REGION}.amazonaws.com"
    prices = client("s3").get_object(Bucket=shop.outputs["DataBucket"], Key="prices.json")["Body"].read()
    assert prices == (project.root / SAMPLE / "data/prices.json").read_bytes()


def test_layer_versions_say_what_the_template_says(shop, client):
    for name, runtimes in (("shop-collector", None), ("shop-python", [RUNTIME])):
        version = client("lambda").get_layer_version(LayerName=name, VersionNumber=1)
        assert version["CompatibleArchitectures"] == ["x86_64"]
        assert version.get("CompatibleRuntimes") == runtimes


def test_functions_are_read_back_byte_for_byte(shop, project, access):
    orders, shipping = readback.functions(project, access, shop)
    built = order(project).layers
    for function, source in ((orders, "orders"), (shipping, "shipping")):
        assert [p.read_bytes() for p in function.layers] == [built["collector.zip"].read_bytes(), built["language.zip"].read_bytes()]
        original = {p.name: p.read_bytes() for p in (project.root / SAMPLE / "src" / source).iterdir() if p.is_file()}
        assert {p.name: p.read_bytes() for p in function.code.iterdir()} == original
        assert (function.memory_mb, function.timeout_s, function.runtime, function.handler) == (256, 10, RUNTIME, "app.handler")
        assert (function.region, function.account, function.architecture) == (REGION, "123456789012", "x86_64")
    assert orders.environment["QUEUE_URL"].endswith(physical(shop, "ShippingQueue").rsplit("/", 1)[1])
    assert "QUEUE_URL" not in shipping.environment


def test_a_zip_that_was_changed_in_the_cache_is_fetched_again(shop, project, access):
    before = readback.functions(project, access, shop)[0].layers[0]
    good = before.read_bytes()
    before.write_bytes(b"not what AWS has")
    assert readback.functions(project, access, shop)[0].layers[0].read_bytes() == good


def test_the_queue_drives_its_consumer(shop, access, client):
    queue = shop.outputs["Queue"]
    sent = client("sqs").send_message(
        QueueUrl=queue,
        MessageBody='{"id": "1"}',
        MessageAttributes={"traceparent": {"DataType": "String", "StringValue": "00-aa-bb-01"}},
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5e3d83c1-e6a0db584850d61342823d4c"}},
    )["MessageId"]
    bad = client("sqs").send_message(QueueUrl=queue, MessageBody="bad")["MessageId"]
    got = []

    def invoke(name, body):
        got.append((name, json.loads(body)["Records"]))
        return True, json.dumps({"batchItemFailures": [{"itemIdentifier": bad}]}).encode()

    (delivery,) = consumers.drive(access, consumers.mappings(access, shop), invoke)
    ((name, records),) = got
    assert name == physical(shop, "ShippingFunction")
    assert [r["messageId"] for r in records] == [sent, bad]
    assert records[0]["messageAttributes"]["traceparent"]["stringValue"] == "00-aa-bb-01"
    assert records[0]["attributes"]["AWSTraceHeader"] == "Root=1-5e3d83c1-e6a0db584850d61342823d4c"
    assert records[0]["attributes"]["ApproximateReceiveCount"] == "1"
    assert records[0]["eventSourceARN"] == f"arn:aws:sqs:{REGION}:123456789012:{queue.rsplit('/', 1)[1]}"
    assert delivery.failed == (bad,)
    left = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]) == ("0", "1")


def test_a_consumer_that_fails_keeps_its_messages(shop, access, client):
    client("sqs").purge_queue(QueueUrl=shop.outputs["Queue"])
    client("sqs").send_message(QueueUrl=shop.outputs["Queue"], MessageBody="x")
    (delivery,) = consumers.drive(access, consumers.mappings(access, shop), lambda _name, _event: (False, b"{}"))
    assert delivery.ok is False
    left = client("sqs").get_queue_attributes(QueueUrl=shop.outputs["Queue"], AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessagesNotVisible"] == "1"


def test_deploying_again_changes_nothing(shop, project, access, client):
    assert deployment.deploy(project, access, order(project)) == shop
    versions = client("lambda").list_layer_versions(LayerName="shop-python")["LayerVersions"]
    assert [v["Version"] for v in versions] == [1]


def test_new_bytes_make_a_new_layer_version_and_the_functions_take_it(project, access, client):
    first = deployment.deploy(project, access, order(project, "again", LayerName="named"))
    changed = order(project, "again", LayerName="named")
    other = make_zip(project.dist / "other.zip", new="bytes")
    second = deployment.deploy(project, access, dataclasses.replace(changed, layers={**changed.layers, "language.zip": other}))
    assert physical(first, "OrdersFunction") == physical(second, "OrdersFunction")
    function = readback.functions(project, access, second)[0]
    assert hashlib.sha256(function.layers[1].read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()
    config = client("lambda").get_function_configuration(FunctionName=function.name)
    assert [la["Arn"].split(":layer:")[1] for la in config["Layers"]] == ["again-collector:1", "named:2"]
    assert [v["Version"] for v in client("lambda").list_layer_versions(LayerName="named")["LayerVersions"]] == [2]
    removal.delete(access, "again", REGION)


def test_delete_leaves_nothing(project, access, client, shop):
    client("s3").put_object(Bucket=shop.outputs["DataBucket"], Key="more", Body=b"1")
    client("logs").create_log_group(logGroupName=f"/aws/lambda/{physical(shop, 'OrdersFunction')}")
    removed = removal.delete(access, shop.stack, REGION)
    assert len(removed.resources) == len(shop.resources)
    left = {
        "stacks": client("cloudformation").describe_stacks()["Stacks"],
        "functions": client("lambda").list_functions()["Functions"],
        "layers": client("lambda").list_layers()["Layers"],
        "mappings": client("lambda").list_event_source_mappings()["EventSourceMappings"],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "tables": client("dynamodb").list_tables()["TableNames"],
        "buckets": client("s3").list_buckets()["Buckets"],
        "roles": client("iam").list_roles()["Roles"],
        "apis": client("apigatewayv2").get_apis()["Items"],
        "log groups": client("logs").describe_log_groups()["logGroups"],
    }
    assert {name: found for name, found in left.items() if found} == {}
    with pytest.raises(NothingToDo):
        removal.delete(access, shop.stack, REGION)


def broken(project, text):
    folder = project.root / "broken"
    folder.mkdir(exist_ok=True)
    path = folder / "template.yaml"
    path.write_text("Transform: AWS::Serverless-2016-10-31\nResources:\n" + text)
    return deployment.Order(folder, template.load(path), "broken", REGION, {})


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ("  Cluster: { Type: AWS::MSK::Cluster }", "the embedded AWS cannot make AWS::MSK::Cluster (Cluster)"),
        ("  F: { Type: AWS::Serverless::Function, Properties: { Handler: a.b } }", "Resource with id [F] is invalid"),
    ],
)
def test_a_template_that_cannot_be_made_is_an_error_with_the_cause(project, access, resources, said):
    with pytest.raises(LayersError) as caught:
        deployment.deploy(project, access, broken(project, resources))
    assert said in " ".join(caught.value.why.split())


def test_a_resource_that_fails_ends_the_deployment_and_leaves_nothing(project, access, client):
    wrong = """\
  Queue: { Type: AWS::SQS::Queue }
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: { EventSourceArn: !GetAtt Queue.Arn, FunctionName: not-there }
"""
    with pytest.raises(LayersError) as caught:
        deployment.deploy(project, access, broken(project, wrong))
    assert "ROLLBACK" in caught.value.why
    assert client("sqs").list_queues().get("QueueUrls", []) == []
    removal.delete(access, "broken", REGION)
    assert client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_deployment_that_made_nothing_is_found_out(project, access, client):
    """Plain moto ignores the SAM transform and says success: what this guards against, shown by a template that promises more."""
    made = broken(project, "  Queue: { Type: AWS::SQS::Queue }")
    deployment.deploy(project, access, made)
    promised = {**made.template.resources, "Function": "AWS::Serverless::Function"}
    with pytest.raises(LayersError, match="lacks Function"):
        deployment.deploy(project, access, dataclasses.replace(made, template=dataclasses.replace(made.template, resources=promised)))
    removal.delete(access, "broken", REGION)


def test_a_change_that_cannot_be_made_is_refused_and_the_stack_stays(project, access, client):
    table = "  T: { Type: AWS::DynamoDB::Table, Properties: { BillingMode: PAY_PER_REQUEST, KeySchema: [{ AttributeName: KEY, KeyType: HASH }],"
    table += " AttributeDefinitions: [{ AttributeName: KEY, AttributeType: S }] } }"
    deployment.deploy(project, access, broken(project, table.replace("KEY", "a")))
    with pytest.raises(LayersError) as caught:
        deployment.deploy(project, access, broken(project, table.replace("KEY", "b")))
    assert "cannot change AWS::DynamoDB::Table (T)" in " ".join(caught.value.why.split())
    (name,) = client("dynamodb").list_tables()["TableNames"]
    assert client("dynamodb").describe_table(TableName=name)["Table"]["KeySchema"][0]["AttributeName"] == "a"
    removal.delete(access, "broken", REGION)


def test_an_update_that_fails_says_so_until_the_stack_is_deleted(project, access, client):
    queue = "  Queue: { Type: AWS::SQS::Queue }\n"
    wrong = "  M: { Type: AWS::Lambda::EventSourceMapping, Properties: { EventSourceArn: !GetAtt Queue.Arn, FunctionName: not-there } }\n"
    deployment.deploy(project, access, broken(project, queue))
    with pytest.raises(LayersError):
        deployment.deploy(project, access, broken(project, queue + wrong))
    with pytest.raises(LayersError, match="UPDATE_ROLLBACK_FAILED"):
        deployment.describe(access, "broken", REGION)
    removal.delete(access, "broken", REGION)
    assert client("sqs").list_queues().get("QueueUrls", []) == []
