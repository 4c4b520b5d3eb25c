"""Publishing against the embedded AWS with what can go wrong: in the end every region has one version, the right bytes and policy."""

import base64
import hashlib
import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
from faults.release_tree import held, write_layer
from otel_layers import archive
from otel_layers.aws.client import Access
from otel_layers.aws.embedded import EmbeddedAws
from otel_layers.cli import publishing
from otel_layers.errors import RegionsFailed, UsageError
from otel_layers.project import open_project
from otel_layers.release import calls, upload
from otel_layers.release import execute as execution
from otel_layers.release import receipt as receipts
from otel_layers.release.calls import Clock, Place
from otel_layers.release.outcome import DONE
from otel_layers.release.region import bring
from otel_layers.release.upload import Store, Uploads

REGIONS = "us-east-1,eu-west-1,eu-west-2,af-south-1"
PYTHON, COLLECTOR = "opentelemetry-python", "opentelemetry-collector"


@pytest.fixture(scope="module")
def aws():
    with EmbeddedAws(open_project()) as running:
        yield running


@pytest.fixture
def access(aws):
    yield Access(aws.endpoint)
    aws.set_faults({})


@pytest.fixture
def project(tmp_path):
    """Fresh bytes for each test under development names, so that no test meets another's layers."""
    made = replace(open_project(), root=tmp_path)
    for name in (PYTHON, COLLECTOR):
        write_layer(made, name, "amd64", version="0.0.0-dev")
    return made


def make(project, *, region=REGIONS, public=True, layers=(PYTHON, COLLECTOR)):
    return publishing.plan(project, [project.catalogue.layer(n) for n in layers], to="local", region=region, public=public)


def publish(project, access, plan, receipt=None, timeout=30.0, bucket=""):
    path = project.root / "receipt.json"
    return publishing.publish(project, receipt or receipts.new(plan, "123456789012"), path, access, region_timeout=timeout, bucket=bucket)


def stands(access, plan):
    """That every region of the plan holds each layer once, with its bytes, public or not as planned."""
    for target in plan.targets:
        for item in plan.items:
            assert held(access, target.region, item.name) == {1: (item.code_sha256, plan.public)}, (target.region, item.name)


def files(project, plan):
    return {item.name: project.dist / item.zip for item in plan.items}


def statuses(done):
    return {region: {r.status for r in done.results if r.region == region} for region in {r.region for r in done.results}}


def test_the_second_run_publishes_nothing(project, access):
    plan = make(project)
    first, second = publish(project, access, plan), publish(project, access, plan)
    assert {r.status for r in first.results} == {"published"}
    assert {r.status for r in second.results} == {"reused"}
    assert "nothing to publish: 2 layers in 4 regions, there already with these bytes" in publishing.as_text(second)
    assert "nothing to publish" not in publishing.as_text(first)
    stands(access, plan)
    publishing.check(second)


def test_what_is_published_carries_what_the_plan_says(project, access):
    plan = make(project, region="eu-west-1", layers=[PYTHON])
    [result] = publish(project, access, plan).results
    [item] = plan.items
    found = access.lambda_("eu-west-1").get_layer_version_by_arn(Arn=result.arn)
    assert (found["Description"], found["LicenseInfo"]) == (item.description, "Apache-2.0")
    assert (tuple(found["CompatibleRuntimes"]), found["CompatibleArchitectures"]) == (item.runtimes, ["x86_64"])
    assert result.arn == f"arn:aws:lambda:eu-west-1:123456789012:layer:{item.name}:1"


def test_private_is_the_default_and_public_later_completes_the_same_version(project, access):
    private, public = make(project, public=False), make(project, public=True)
    publish(project, access, private)
    stands(access, private)
    assert {r.status for r in publish(project, access, public).results} == {"completed"}
    stands(access, public)


def test_killed_between_publish_and_grant_the_next_run_only_grants(project, access):
    plan = make(project, layers=[PYTHON])
    [item] = plan.items
    for target in plan.targets:  # exactly what a killed run leaves: the version, and no permission
        access.lambda_(target.region).publish_layer_version(LayerName=item.name, Content={"ZipFile": (project.dist / item.zip).read_bytes()})
    assert {r.status for r in publish(project, access, plan).results} == {"completed"}
    stands(access, plan)


def squat(project, access, plan, region):
    """Publish another layer's bytes under the Python layer's name in `region`."""
    python = next(i for i in plan.items if i.layer == PYTHON)
    other = (project.dist / next(i.zip for i in plan.items if i.layer == COLLECTOR)).read_bytes()
    access.lambda_(region).publish_layer_version(LayerName=python.name, Content={"ZipFile": other})
    return python


def test_other_bytes_under_a_name_anywhere_are_refused_before_the_first_write(project, aws, access):
    plan = make(project)
    python = squat(project, access, plan, "eu-west-1")
    aws.set_faults({"af-south-1": "down"})  # a region that says nothing does not hide what another says
    with pytest.raises(UsageError, match=f"{python.name} is published already, from another build, in eu-west-1") as caught:
        publish(project, access, plan)
    assert not (project.root / "receipt.json").exists()
    assert python.code_sha256 not in caught.value.why
    for target in plan.targets[:3]:
        assert access.lambda_(target.region).list_layer_versions(LayerName=plan.items[1].name)["LayerVersions"] == []


def test_names_that_are_free_or_have_these_bytes_are_not_refused(project, access):
    publish(project, access, make(project, region="us-east-1"))
    assert statuses(publish(project, access, make(project, region="us-east-1,eu-west-1"))) == {"us-east-1": {"reused"}, "eu-west-1": {"published"}}


def test_other_bytes_that_came_meanwhile_stop_that_layer_there_and_nothing_else(project, access):
    plan = make(project)
    begun = publish(project, access, replace(plan, targets=plan.targets[:1])).receipt
    python = squat(project, access, plan, "eu-west-1")
    done = publish(project, access, plan, receipts.Receipt(plan, begun.account, begun.created, begun.results))
    [failed] = [r for r in done.results if r.status not in DONE]
    assert (failed.name, failed.region, failed.status) == (python.name, "eu-west-1", "failed")
    assert "is there with other bytes" in failed.reason
    assert list(held(access, "eu-west-1", python.name)) == [1]
    with pytest.raises(RegionsFailed, match=r"not done in eu-west-1 \(failed\)"):
        publishing.check(done)


def test_a_hanging_a_refusing_and_a_dead_region_do_not_keep_the_others(project, aws, access, capsys):
    aws.set_faults({"eu-west-1": "hang", "af-south-1": "refuse", "eu-west-2": "down"})
    plan = make(project)
    done = publish(project, access, plan, timeout=4.0)
    assert statuses(done) == {"us-east-1": {"published"}, "eu-west-1": {"unreachable"}, "eu-west-2": {"unreachable"}, "af-south-1": {"refused"}}
    with pytest.raises(RegionsFailed) as caught:
        publishing.check(done)
    assert all(region in caught.value.what for region in ("eu-west-1", "eu-west-2", "af-south-1"))
    assert caught.value.remedy == "./run.sh publish --to local --resume receipt.json"
    aws.set_faults({})
    again = publish(project, access, plan, receipts.load(done.path))
    assert statuses(again) == {"us-east-1": {"reused"}, "eu-west-1": {"published"}, "eu-west-2": {"published"}, "af-south-1": {"published"}}
    stands(access, plan)
    publishing.check(again)
    assert {r.status for r in receipts.load(done.path).stand()} == {"published"}


def test_a_region_that_no_release_needs_does_not_decide(project, aws, access, capsys):
    aws.set_faults({"af-south-1": "refuse"})
    plan = make(project)
    plan = replace(plan, targets=tuple(replace(t, required=t.region != "af-south-1") for t in plan.targets))
    publishing.check(publish(project, access, plan))
    assert "no release needs them, and this finishes them: ./run.sh publish" in capsys.readouterr().err


def test_a_refusal_of_a_region_that_needs_no_opting_in_is_a_failure(project, aws, access):
    aws.set_faults({"us-east-1": "refuse"})
    done = publish(project, access, make(project))
    assert statuses(done)["us-east-1"] == {"failed"}


def test_twenty_throttled_calls_are_waited_out(project, aws, access):
    aws.set_faults({"us-east-1": "throttle:20"})
    plan = make(project, region="us-east-1,eu-west-1")
    assert {r.status for r in publish(project, access, plan, timeout=120).results} == {"published"}
    stands(access, plan)


def test_endless_throttling_ends_with_the_regions_time(project, aws, access):
    aws.set_faults({"us-east-1": "throttle:100000"})
    done = publish(project, access, make(project, region="us-east-1,eu-west-1"), timeout=2.0)
    assert statuses(done) == {"us-east-1": {"unreachable"}, "eu-west-1": {"published"}}


def test_every_answer_that_is_lost_is_looked_for_by_the_next_run_and_no_version_is_made_twice(project, aws, access):
    aws.set_faults(dict.fromkeys(REGIONS.split(","), "lose:2"))
    plan = make(project)
    assert {r.status for r in publish(project, access, plan).results} == {"unreachable"}  # the version is there, the grant is not
    assert [held(access, "us-east-1", i.name) for i in plan.items] == [{1: (plan.items[0].code_sha256, False)}, {}]
    assert {r.status for r in publish(project, access, plan).results} == {"completed", "unreachable"}
    aws.set_faults({})
    assert {r.status for r in publish(project, access, plan).results} == {"reused", "completed"}
    stands(access, plan)


def test_a_region_that_tells_other_bytes_is_a_failure_until_it_tells_the_right_ones(project, aws, access):
    aws.set_faults({"eu-west-1": "alter:1"})
    plan = make(project, layers=[PYTHON])
    done = publish(project, access, plan)
    assert {r.region: r.reason for r in done.results if r.status == "failed"}.keys() == {"eu-west-1"}
    assert "reads back with other bytes" in next(r.reason for r in done.results if r.status == "failed")
    assert {r.status for r in publish(project, access, plan, receipts.load(done.path)).results} == {"reused"}
    stands(access, plan)


def hooked(access, event, hook):
    """A way to get real clients whose calls of one operation meet `hook` (botocore's own event system)."""

    def connect(region):
        client = access.lambda_(region)
        client.meta.events.register(event, hook)
        return client

    return connect


def carry_out(project, plan, connect, hear=lambda _: None, limit=30.0):
    with Uploads(files(project, plan), plan.items) as uploads:
        return execution.execute(plan, partial(bring, public=plan.public, uploads=uploads), connect, hear, limit)


def test_two_publications_at_the_same_moment_leave_one_version(project, access):
    plan = make(project, layers=[PYTHON])
    [item] = plan.items
    body = (project.dist / item.zip).read_bytes()
    seen = set()
    lock = threading.Lock()

    def race(**more):
        region = more["context"]["client_region"]
        with lock:
            if region in seen:
                return
            seen.add(region)
        access.lambda_(region).publish_layer_version(LayerName=item.name, Content={"ZipFile": body})

    results = carry_out(project, plan, hooked(access, "before-call.lambda.PublishLayerVersion", race))
    assert len(seen) == len(plan.targets)
    assert {(r.status, r.version) for r in results} == {("completed", 1)}
    stands(access, plan)


def test_bytes_that_read_back_otherwise_are_a_failure(project, access):
    def change(parsed, **_):
        parsed["Content"]["CodeSha256"] = "b3RoZXI="

    results = carry_out(project, make(project, layers=[PYTHON]), hooked(access, "after-call.lambda.GetLayerVersion", change))
    assert {r.status for r in results} == {"failed"}
    assert all("reads back with other bytes" in r.reason for r in results)


def test_a_grant_that_did_not_happen_is_a_failure(project, access):
    def forget(parsed, **_):
        parsed["Policy"] = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "lambda:GetLayerVersion", "Condition": {"x": {}}}]}'

    results = carry_out(project, make(project, layers=[PYTHON]), hooked(access, "after-call.lambda.GetLayerVersionPolicy", forget))
    assert {r.status for r in results} == {"failed"}
    assert all("is not public after the grant" in r.reason for r in results)


def test_no_client_for_a_region_is_that_regions_failure(project, access):
    def connect(region):
        if region == "eu-west-1":
            raise OSError("no certificates")
        return access.lambda_(region)

    results = carry_out(project, make(project), connect)
    assert {r.region for r in results if r.status == "failed"} == {"eu-west-1"}
    assert {r.status for r in results if r.region != "eu-west-1"} == {"published"}


def test_the_caller_is_checked_before_anything_is_written(project, aws, access):
    plan = make(project)
    assert publishing.caller(access, plan) == "123456789012"
    with pytest.raises(UsageError, match="are of account 123456789012, not 999999999999"):
        publishing.caller(access, plan, "999999999999")
    with pytest.raises(UsageError, match="the partition"):
        publishing.caller(access, replace(plan, partition="aws-cn"))
    aws.set_faults({"us-east-1": "down"})  # the first to be asked
    assert publishing.caller(access, plan) == "123456789012"


def test_a_resumed_release_must_have_the_same_bytes(project, access):
    done = publish(project, access, make(project))
    assert publishing.resumed(project, done.path).plan == done.receipt.plan
    write_layer(project, PYTHON, "amd64", version="0.0.0-dev")
    with pytest.raises(UsageError, match="has other bytes than the release"):
        publishing.resumed(project, done.path)


def test_only_what_is_built_is_published_unless_all_is_asked_for(project):
    assert [i.arch for i in make(project).items] == ["amd64", "amd64"]
    chosen = [project.catalogue.layer(PYTHON)]
    with pytest.raises(UsageError, match=r"opentelemetry-python-arm64\.zip is not built"):
        publishing.plan(project, chosen, to="local", arch="all")
    write_layer(project, PYTHON, "amd64")
    with pytest.raises(UsageError, match=r"opentelemetry-python-arm64\.zip is not built"):
        publishing.plan(project, chosen, to="aws", public=True)


def test_a_flavour_that_is_not_built_is_left_out_but_not_of_a_public_release(project):
    every = tuple(project.catalogue.layers)
    (full,) = (layer for layer in project.catalogue.layers.values() if layer.flavour)
    assert full.name not in {i.layer for i in make(project, layers=every).items}
    for wanted, options in (((full.name,), {"to": "local"}), (every, {"to": "aws", "public": True})):
        with pytest.raises(UsageError, match="is not built"):
            publishing.plan(project, [project.catalogue.layer(n) for n in wanted], **options)
    write_layer(project, full.name, "arm64", version="0.0.0-dev")
    assert [i.arch for i in make(project, layers=every).items if i.layer == full.name] == ["arm64"]


def test_what_a_given_up_region_says_later_is_not_listened_to(project, access, monkeypatch):
    monkeypatch.setattr(execution, "_AT_ONCE", 1)  # the second region begins when the first is given up
    plan = make(project, region="eu-west-1,us-east-1", layers=[PYTHON])
    go_on = threading.Event()

    def hold(**more):
        if more["context"]["client_region"] == "eu-west-1":
            go_on.wait(30)
            return
        [late] = [thread for thread in threading.enumerate() if thread.name == "eu-west-1"]
        go_on.set()
        late.join(30)

    heard = []
    results = carry_out(project, plan, hooked(access, "before-call.lambda.PublishLayerVersion", hold), heard.append, 3.0)
    assert [(r.region, r.status, r.reason) for r in results] == [("eu-west-1", "unreachable", "not done within 3 s"), ("us-east-1", "published", "")]
    assert [r.region for r in heard] == ["eu-west-1", "us-east-1", "us-east-1"]
    publish(project, access, plan)
    stands(access, plan)


BUCKET = f"zips-{os.urandom(4).hex()}-{{account}}-{{region}}"


@pytest.fixture
def large(project, monkeypatch):
    """The Python layer is above the limit of a direct upload, the Collector is not."""
    write_layer(project, PYTHON, "amd64", version="0.0.0-dev", files={"bin/data": bytes(3_000_000)})
    monkeypatch.setattr(archive, "MAX_ZIPPED", 1_000_000)
    return make(project, region="us-east-1,eu-west-1")


def buckets(access, plan):
    """A bucket in each region; what is in all of them."""
    store = Store(BUCKET, "123456789012", access.s3)
    places = [(access.s3(t.region), t.region, store.name(t.region)) for t in plan.targets]
    for client, region, name in places:
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):  # by the test before
            elsewhere = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            client.create_bucket(Bucket=name, **elsewhere)
    return lambda: [entry["Key"] for client, _, name in places for entry in client.list_objects_v2(Bucket=name).get("Contents", [])]


def test_a_zip_above_the_limit_of_a_direct_upload_goes_through_a_bucket_of_the_region(project, access, large):
    left = buckets(access, large)
    seen = []

    def note(params, **_):
        seen.append("S3Bucket" in params["body"].decode())
        seen.extend(left())

    with Uploads(files(project, large), large.items, Store(BUCKET, "123456789012", access.s3)) as uploads:
        connect = hooked(access, "before-call.lambda.PublishLayerVersion", note)
        [*results] = execution.execute(
            replace(large, targets=large.targets[:1]), partial(bring, public=True, uploads=uploads), connect, lambda _: None, 30.0
        )
    assert {r.status for r in results} == {"published"}
    assert sorted(map(str, seen)) == ["False", "True", f"opentelemetry-lambda/{large.items[0].sha256}/{large.items[0].zip}"]
    assert left() == []
    assert {r.status for r in publish(project, access, large, bucket=BUCKET).results} == {"published", "reused"}
    stands(access, large)
    assert left() == []


def test_what_a_killed_upload_left_in_the_bucket_is_removed_by_the_next_run(project, access, large):
    left = buckets(access, large)
    publish(project, access, large, bucket=BUCKET)
    name = f"opentelemetry-lambda/{large.items[0].sha256}/{large.items[0].zip}"
    access.s3("eu-west-1").put_object(Bucket=Store(BUCKET, "123456789012", access.s3).name("eu-west-1"), Key=name, Body=b"left")
    assert {r.status for r in publish(project, access, large, bucket=BUCKET).results} == {"reused"}
    assert left() == []


def test_a_zip_above_the_limit_is_refused_without_a_bucket_of_each_region(project, access, large):
    for bucket, message in (("", "has 3,000,"), ("zips", "one bucket, zips, for 2 regions")):
        with pytest.raises(UsageError, match=message):
            publish(project, access, large, bucket=bucket)
    assert not (project.root / "receipt.json").exists()


def test_a_zip_that_is_replaced_after_the_plan_was_made_is_refused(project, access):
    plan = make(project)
    write_layer(project, PYTHON, "amd64", version="0.0.0-dev")
    with pytest.raises(UsageError, match="has changed since the plan was made"):
        publish(project, access, plan)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 1 << 20, upload._BLOCK - 1, upload._BLOCK, upload._BLOCK + 1])
def test_a_request_is_encoded_once_for_all_regions_and_says_its_length(project, access, size):
    write_layer(project, PYTHON, "amd64", version="0.0.0-dev")
    plan = make(project, layers=[PYTHON])
    body = os.urandom(size)
    paths = files(project, plan)
    (path,) = paths.values()
    path.write_bytes(body)
    item = replace(plan.items[0], sha256=hashlib.sha256(body).hexdigest())
    sent = []
    with Uploads(paths, (item,), folder=path.parent) as uploads:
        for region in ("us-east-1", "eu-west-1"):
            client = access.lambda_(region)
            client.meta.events.register("before-send.lambda.PublishLayerVersion", lambda request, **_: sent.append(request))
            place = Place(client, item, Clock(time.monotonic() + 30, threading.Event()))
            with uploads.content(place) as content, suppress(client.exceptions.ClientError):
                calls.publish(place, content)
        whole = [b"".join(request.body) for request in sent]
    assert len({request.body.handle for request in sent}) == 1
    for request, text in zip(sent, whole, strict=True):
        assert base64.b64decode(json.loads(text)["Content"]["ZipFile"], validate=True) == body
        assert int(request.headers["Content-Length"]) == len(text)
        assert request.headers["X-Amz-Content-SHA256"] == hashlib.sha256(text).hexdigest().encode()
    assert [p for p in path.parent.iterdir() if p.suffix not in (".zip", ".json")] == []
