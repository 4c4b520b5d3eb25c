"""The page's lists of permissions are exactly what is called, and enough: a user who may do that and no more publishes from a laptop."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import pytest
from faults.release_callers import Caller, actions, enforce, recorded, run_as, user
from faults.release_tree import copy_tree, write_layer
from otel_layers import archive
from otel_layers.aws.client import Access
from otel_layers.aws.embedded import EmbeddedAws
from otel_layers.cli import publishing
from otel_layers.project import Project, find_root
from otel_layers.release.execute import execute
from otel_layers.release.region import bring
from otel_layers.release.upload import Uploads

PAGE = (find_root() / "docs/releasing.md").read_text()
if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

LAYERS = ("opentelemetry-collector", "opentelemetry-python")
WITHDRAWS = "lambda:DeleteLayerVersion"  # only after somebody else published at the same moment: the last test here


def needed(heading: str) -> list[str]:
    """The permissions of the sentence in a section of the page."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n#")[0]
    [sentence] = re.findall(r"Needed permissions: [^.]+\.", section)
    return re.findall(r"`((?:lambda|s3):\w+)`", sentence)


PUBLISH, BUCKET = needed("To your own account"), needed("Zips above the limit of a direct upload")
VERIFY = needed("Is it still there?")
FETCH, DELETE = needed("The same bytes elsewhere"), needed("Taking a version back")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return copy_tree(tmp_path_factory.mktemp("release") / "tree")


@pytest.fixture(scope="module")
def aws(tree: Project) -> Iterator[EmbeddedAws]:
    with EmbeddedAws(tree) as running:
        yield running


@pytest.fixture
def fresh(tree: Project, aws: EmbeddedAws) -> Iterator[Project]:
    """New bytes; nothing is enforced at the beginning."""
    for name in LAYERS:
        write_layer(tree, name, "amd64", version="0.0.0-dev")
    enforce(aws.port, on=False)
    yield tree
    enforce(aws.port, on=False)


def laptop(aws: EmbeddedAws, allowed: list[str]) -> Caller:
    """A user who may do only what is `allowed`; from now on that counts."""
    made = user(aws.port, allowed)
    enforce(aws.port)
    return made


def test_from_a_laptop_to_an_account_of_ones_own(fresh: Project, aws: EmbeddedAws) -> None:
    me = partial(run_as, laptop(aws, [action for action in PUBLISH if action != WITHDRAWS]), fresh, aws.port, extra={"AWS_REGION": "eu-west-1"})
    steps = [
        (("all", "publish", "--to", "aws", "--region", "eu-west-1"), "2 layers to 1 region of AWS"),
        (("all", "publish", "--to", "aws", "--region", "eu-west-1"), ""),
        (("python", "-l", "--to", "aws"), ""),
        (("notes",), ""),
    ]
    with recorded(aws.port) as seen:
        for words, said in steps:
            done = me(*words)
            assert (done.returncode, said in done.stderr) == (0, True), (words, done.stderr)
            if "-l" in words:
                assert done.stdout.startswith("arn:aws:lambda:eu-west-1:123456789012:layer:opentelemetry-python-amd64-0_0_0-dev-")
    assert {call.region for call in seen} == {"eu-west-1"}
    assert actions(seen) == set(PUBLISH) - {WITHDRAWS, "lambda:AddLayerVersionPermission"}  # private: nothing is granted


def public(fresh: Project) -> tuple[str, ...]:
    """A public publication of committed sources under a version of its own, new each time."""
    version = f"1.0.{int.from_bytes(os.urandom(4))}"
    write_layer(fresh, LAYERS[1], "amd64", version=version)
    return (
        "all",
        "publish",
        "--to",
        "aws",
        "--region",
        "eu-west-1",
        "--public",
        "--arch",
        "amd64",
        "--layer",
        LAYERS[1],
        "--receipt",
        f"{version}.json",
    )


def test_a_release_and_its_verification_call_what_the_page_says(fresh: Project, aws: EmbeddedAws) -> None:
    arguments = public(fresh)
    caller = laptop(aws, [action for action in PUBLISH if action != WITHDRAWS])
    with recorded(aws.port) as seen:
        for words in (arguments, ("python", "-l", "--to", "aws", "-r", "eu-west-1")):
            done = run_as(caller, fresh, aws.port, *words)
            assert done.returncode == 0, done.stderr
    assert actions(seen) == set(PUBLISH) - {WITHDRAWS}
    enforce(aws.port, on=False)
    caller = laptop(aws, VERIFY)
    with recorded(aws.port) as seen:
        done = run_as(caller, fresh, aws.port, "verify", arguments[-1])
    assert done.returncode == 0, done.stderr
    assert actions(seen) == set(VERIFY)


def test_bytes_go_further_by_what_the_page_says(fresh: Project, aws: EmbeddedAws) -> None:
    arguments = public(fresh)
    caller = laptop(aws, [action for action in PUBLISH if action != WITHDRAWS])
    assert run_as(caller, fresh, aws.port, *arguments).returncode == 0
    (fresh.dist / fresh.catalogue.layer(LAYERS[1]).zip_name("amd64")).unlink()
    with recorded(aws.port) as seen:
        done = run_as(caller, fresh, aws.port, "promote", arguments[-1], "--to", "aws", "--region", "us-west-2", "--public")
    assert done.returncode == 0, done.stderr
    assert {call.region for call in seen if actions([call]) - set(FETCH) and call.service == "lambda"} == {"us-west-2"}
    assert actions([call for call in seen if call.region == "eu-west-1"]) == set(FETCH)
    assert actions(seen) == set(PUBLISH) - {WITHDRAWS, "lambda:ListLayers"}


def test_versions_are_deleted_by_what_the_page_says_and_marked_without_a_call(fresh: Project, aws: EmbeddedAws) -> None:
    arguments = public(fresh)
    assert run_as(laptop(aws, PUBLISH), fresh, aws.port, *arguments).returncode == 0
    enforce(aws.port, on=False)
    taken_back = ("unpublish", arguments[-1], "--reason", "loses spans")
    with recorded(aws.port) as seen:
        assert run_as(None, fresh, aws.port, *taken_back).returncode == 0
    assert seen == []
    for missing in DELETE:
        caller = laptop(aws, [action for action in DELETE if action != missing])
        done = run_as(caller, fresh, aws.port, *taken_back, "--force", "--yes")
        assert (done.returncode, f"is not authorized to perform: {missing}" in done.stdout) == (7, True), done.stdout + done.stderr
        enforce(aws.port, on=False)
    caller = laptop(aws, DELETE)
    with recorded(aws.port) as seen:
        done = run_as(caller, fresh, aws.port, *taken_back, "--force", "--yes")
    assert done.returncode == 0, done.stderr
    assert actions(seen) == set(DELETE)


@pytest.mark.parametrize("missing", [action for action in PUBLISH if action not in (WITHDRAWS, "lambda:ListLayers")])
def test_without_one_of_them_it_fails_and_names_it(fresh: Project, aws: EmbeddedAws, missing: str) -> None:
    arguments = public(fresh)
    done = run_as(laptop(aws, [action for action in PUBLISH if action != missing]), fresh, aws.port, *arguments)
    assert (done.returncode, f"is not authorized to perform: {missing}" in done.stdout) == (7, True), done.stdout + done.stderr


def test_without_the_permission_to_list_the_newest_arn_cannot_be_asked_for(fresh: Project, aws: EmbeddedAws) -> None:
    caller = laptop(aws, [action for action in PUBLISH if action != "lambda:ListLayers"])
    done = run_as(caller, fresh, aws.port, "python", "-l", "--to", "aws", "-r", "eu-west-1")
    assert (done.returncode, "is not authorized to perform: lambda:ListLayers" in done.stderr) == (1, True), done.stderr


def test_a_large_zip_needs_the_bucket_s_permissions_too(fresh: Project, aws: EmbeddedAws) -> None:
    write_layer(fresh, LAYERS[1], "amd64", version="0.0.0-dev", files={"bin/data": os.urandom(archive.MAX_ZIPPED)})
    Access(aws.endpoint).s3("us-east-1").create_bucket(Bucket="zips")
    arguments = ("publish", "--to", "aws", "--region", "us-east-1", "--layer", LAYERS[1], "--bucket", "zips")
    caller = laptop(aws, [*PUBLISH, *BUCKET])
    with recorded(aws.port) as seen:
        done = run_as(caller, fresh, aws.port, *arguments)
    assert done.returncode == 0, done.stderr
    # Lambda itself reads the object, in the caller's name: no call of ours.
    assert {action for action in actions(seen) if action.startswith("s3:")} == set(BUCKET) - {"s3:GetObject"}


def test_the_version_that_lost_a_race_is_taken_back_by_the_one_permission_left(fresh: Project, aws: EmbeddedAws) -> None:
    access = Access(aws.endpoint)
    plan = publishing.plan(fresh, [fresh.catalogue.layer(LAYERS[1])], to="local", region="eu-west-2")
    [item] = plan.items
    raced = []

    def connect(region: str) -> LambdaClient:
        client = access.lambda_(region)

        def race(**_: object) -> None:
            if not raced:
                raced.append(region)
                access.lambda_(region).publish_layer_version(LayerName=item.name, Content={"ZipFile": (fresh.dist / item.zip).read_bytes()})

        client.meta.events.register("before-call.lambda.PublishLayerVersion", race)
        return client

    with recorded(aws.port) as seen, Uploads({item.name: fresh.dist / item.zip}, plan.items) as uploads:
        [result] = execute(plan, partial(bring, public=False, uploads=uploads), connect, lambda _: None, 30.0)
    assert (result.status, result.version, raced) == ("completed", 1, ["eu-west-2"])
    assert WITHDRAWS in actions(seen)
    assert actions(seen) <= set(PUBLISH)
