"""The embedded AWS as a process: it ends with who started it, `aws start` leaves one running, and regions fail as they are told to."""

import base64
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from command_lines import share_cache
from otel_layers import project as projects
from otel_layers.aws import standing
from otel_layers.aws.embedded import EmbeddedAws
from otel_layers.errors import LayersError, NothingToDo, UsageError

ROOT = projects.find_root()


@pytest.fixture
def copy(tmp_path):
    """A copy of the project's package and facts: a project of its own with its own .cache."""
    shutil.copy(ROOT / "layers.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copytree(ROOT / "utils/otel_layers", tmp_path / "utils/otel_layers", ignore=shutil.ignore_patterns("__pycache__"))
    share_cache(tmp_path / ".cache", "envs", "pycache")
    yield tmp_path
    for pid in processes(tmp_path):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def aws():
    with EmbeddedAws(projects.open_project()) as server:
        yield server


@pytest.fixture(autouse=True)
def no_faults(request):
    yield
    if "aws" in request.fixturenames:
        request.getfixturevalue("aws").set_faults({})


def client(aws, region, service="lambda", **config):
    settings = Config(retries={"total_max_attempts": 1}, **config)
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, region_name=region, endpoint_url=aws.endpoint, config=settings, **keys)


def command(root, *arguments):
    """`./run.sh ARGUMENTS` of the copy."""
    env = {**os.environ, "PYTHONPATH": str(root / "utils"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "otel_layers", *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root
    )


def done(root, *arguments):
    child = command(root, *arguments)
    out, err = child.communicate(timeout=100)
    return child.returncode, out, err


def processes(root):
    """The processes whose command line names `root`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if str(root).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def eventually(check, limit=20):
    end = time.monotonic() + limit
    while not check():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_server_stays_until_it_is_stopped(copy):
    code, out, _ = done(copy, "aws", "start", "--json")
    assert code == 0
    started = json.loads(out)
    assert json.loads((copy / ".cache/aws/server.json").read_text()) == {"pid": started["pid"], "port": started["port"]}

    bucket = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "endpoint_url": started["endpoint"]}
    boto3.client("s3", region_name="us-east-1", **bucket).create_bucket(Bucket="kept")
    code, out, err = done(copy, "aws", "start", "--json")
    assert (code, json.loads(out)) == (0, started)
    assert "running already" in err
    code, out, _ = done(copy, "aws", "status")
    assert code == 0
    assert f"export AWS_ENDPOINT_URL={started['endpoint']}" in out
    names = [b["Name"] for b in boto3.client("s3", region_name="us-east-1", **bucket).list_buckets()["Buckets"]]
    assert names == ["kept"]

    assert done(copy, "aws", "stop")[0] == 0
    assert processes(copy) == []
    assert not (copy / ".cache/aws/server.json").exists()
    assert [done(copy, "aws", verb)[0] for verb in ("stop", "status")] == [3, 3]


def test_it_listens_on_loopback_only(aws):
    port = f":{aws.port:04X}"
    listening = [line.split()[1] for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    assert [address for address in listening if address.endswith(port)] == [f"0100007F{port}"]


def test_commands_use_the_standing_server(copy):
    project = projects.open_project(root=copy)
    server, new = standing.start(project)
    try:
        assert new
        with standing.connect(project, "local") as access:
            assert access.endpoint == server.endpoint
        with pytest.raises(UsageError, match="already runs"):
            standing.start(project, port=server.port + 1)
    finally:
        standing.stop(project)
    with standing.connect(project, "local") as access:
        assert access.endpoint != server.endpoint


@pytest.mark.parametrize("state", ['{"pid": 1, "port": 1}', "not json", "[]", '{"pid": "x"}', ""])
def test_a_stale_state_file_is_removed(copy, state):
    project = projects.open_project(root=copy)
    path = standing.state_file(project)
    path.parent.mkdir(parents=True)
    path.write_text(state)
    assert standing.running(project) is None
    assert not path.exists()
    with pytest.raises(NothingToDo):
        standing.stop(project)


def test_a_process_that_is_not_ours_is_never_stopped(copy, aws):
    """The pid of a stale file may be another program's by now, and its port another project's server."""
    project = projects.open_project(root=copy)
    path = standing.state_file(project)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"pid": os.getpid(), "port": aws.port}))
    with pytest.raises(NothingToDo):
        standing.stop(project)


def test_a_port_that_is_taken_is_said(copy):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(LayersError) as caught:
        standing.start(projects.open_project(root=copy), port=taken.getsockname()[1])
    assert "in use" in caught.value.why
    assert processes(copy) == []


def test_it_ends_with_the_process_that_started_it(copy):
    script = "import sys\nfrom otel_layers.project import open_project\nfrom otel_layers.aws.embedded import EmbeddedAws\n"
    script += "with EmbeddedAws(open_project()) as aws:\n    print(aws.port, flush=True)\n    sys.stdin.read()\n"
    env = {**os.environ, "PYTHONPATH": str(copy / "utils")}
    with subprocess.Popen([sys.executable, "-c", script], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        port = int(child.stdout.readline())
        assert len(processes(copy)) == 1
        child.send_signal(signal.SIGKILL)
    eventually(lambda: processes(copy) == [] and refused(port))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_deploy_leaves_nothing(copy, number):
    project = projects.open_project(root=copy)
    shutil.copytree(ROOT / "sample-apps/python-api", copy / "sample-apps/python-api", ignore=shutil.ignore_patterns(".layers"))
    for layer in project.catalogue.layers.values():
        path = project.dist / layer.zip_name("amd64")
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as made:
            made.writestr("name", layer.name)
    child = command(copy, "sample-apps/python-api", "deploy", "--arch", "amd64")
    for line in child.stderr:
        if line.startswith("+ ") and "sam deploy" in line:
            break
    eventually(lambda: len(processes(copy)) >= 2)
    child.send_signal(number)
    child.communicate(timeout=20)
    assert child.returncode in (130, 143)
    eventually(lambda: processes(copy) == [])
    assert list((copy / ".cache/aws").glob("embedded-*")) == []


def test_a_layer_is_found_by_its_arn_and_its_bytes_can_be_downloaded(aws):
    body = b"any bytes: " + os.urandom(64)
    made = client(aws, "eu-north-1").publish_layer_version(LayerName="by-arn", Content={"ZipFile": body})
    found = client(aws, "eu-north-1").get_layer_version_by_arn(Arn=made["LayerVersionArn"])
    assert found["LayerVersionArn"] == made["LayerVersionArn"]
    assert found["Content"]["CodeSha256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
    with urllib.request.urlopen(found["Content"]["Location"]) as answer:
        assert answer.read() == body


@pytest.mark.parametrize("arn", ["arn:aws:lambda:eu-north-1:123456789012:layer:nothing:1", "arn:aws:lambda:eu-north-1:123456789012:layer:nothing"])
def test_a_layer_that_is_not_there_is_not_found(aws, arn):
    with pytest.raises(ClientError) as caught:
        client(aws, "eu-north-1").get_layer_version_by_arn(Arn=arn)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)


def test_every_region_of_the_catalogue_at_once(aws):
    regions = [r.name for r in projects.open_project().catalogue.regions.values()]
    body = os.urandom(200_000)

    def publish(region):
        lambda_ = client(aws, region)
        made = lambda_.publish_layer_version(LayerName="everywhere", Content={"ZipFile": body})
        lambda_.add_layer_version_permission(
            LayerName="everywhere", VersionNumber=made["Version"], StatementId="public", Principal="*", Action="lambda:GetLayerVersion"
        )
        policy = json.loads(lambda_.get_layer_version_policy(LayerName="everywhere", VersionNumber=made["Version"])["Policy"])
        return made["LayerVersionArn"].split(":")[3], made["Version"], policy["Statement"][0]["Sid"]

    with ThreadPoolExecutor(len(regions)) as pool:
        assert list(pool.map(publish, regions)) == [(region, 1, "public") for region in regions]


def test_faults_stay_in_their_region(aws):
    aws.set_faults({"eu-west-1": "refuse", "eu-west-2": "throttle:2", "eu-west-3": "down", "eu-north-1": "hang"})
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        client(aws, "eu-west-1").list_layers()
    throttled = client(aws, "eu-west-2")
    for _ in range(2):
        with pytest.raises(throttled.exceptions.TooManyRequestsException):
            throttled.list_layers()
    throttled.list_layers()
    with pytest.raises(ConnectionClosedError):
        client(aws, "eu-west-3").list_layers()
    with pytest.raises(ReadTimeoutError):
        client(aws, "eu-north-1", read_timeout=0.3).list_layers()
    client(aws, "us-east-1").list_layers()
    client(aws, "eu-west-1", service="sqs")
    with pytest.raises(ClientError):
        client(aws, "eu-west-1", service="sqs").list_queues()
    aws.set_faults({})
    client(aws, "eu-west-3").list_layers()


def test_a_wrong_fault_is_refused(aws):
    with pytest.raises(UsageError):
        aws.set_faults({"eu-west-1": "explode"})
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=5)
    connection.request("PUT", "/_embedded/faults", b'{"faults": {"eu-west-1": "explode"}}')
    assert connection.getresponse().status == 400
    connection.close()


def test_it_runs_no_function_itself(aws):
    lambda_ = client(aws, "us-east-1")
    role = client(aws, "us-east-1", service="iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = {"ZipFile": b"zip"}
    lambda_.create_function(FunctionName="f", Role=role, Code=code, Handler="a.b", Runtime="python3.12")
    answer = lambda_.invoke(FunctionName="f")
    assert answer["FunctionError"]
    assert b"./run.sh invoke" in answer["Payload"].read()
