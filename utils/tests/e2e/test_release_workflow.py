"""The real workflows, from an event to ARNs: jobs on this machine, an embedded AWS as AWS, stand-ins for actions and for GitHub's releases."""

import base64
import functools
import hashlib
import io
import json
import re
import urllib.request
import zipfile

import boto3
import pytest
from e2e import acting
from faults.release_tree import held_by
from otel_layers.aws.client import Access
from otel_layers.aws.embedded import EmbeddedAws
from otel_layers.project import open_project
from otel_layers.release.output import SUMS

CATALOGUE = open_project().catalogue
DEFAULT = CATALOGUE.default_partition
OURS, THEIRS = "222222222222", "333333333333"
TAG, LATER = "layer-tiny/0.4.0", "layer-extension/1.0.0"
ARCHS = CATALOGUE.architectures
CONFIGURATION = """
receivers:
  otlp:
    protocols:
      http:
        endpoint: localhost:4318
exporters:
  debug:
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [debug]
"""
pytestmark = pytest.mark.timeout(900)


def role(account: str, partition: str = DEFAULT) -> str:
    return f"arn:{partition}:iam::{account}:role/release"


@pytest.fixture
def aws():
    with EmbeddedAws(open_project()) as server:
        yield server


@pytest.fixture
def runner(aws, tmp_path) -> acting.Runner:
    return acting.Runner(acting.tree(tmp_path / "tree"), tmp_path, aws.endpoint)


@functools.cache
def client(endpoint: str, service: str, region: str, account: str):
    keys = Access(endpoint).sts(region).assume_role(RoleArn=role(account), RoleSessionName="look")["Credentials"]
    given = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"], "aws_session_token": keys["SessionToken"]}
    return boto3.client(service, region_name=region, endpoint_url=endpoint, **given)


def layers_of(aws: EmbeddedAws, account: str) -> set[tuple[str, str]]:
    """(region, name) of every layer that the account has, in every region of every partition."""
    return {
        (region, layer["LayerName"])
        for region in CATALOGUE.regions
        for layer in client(aws.endpoint, "lambda", region, account).list_layers()["Layers"]
    }


def hashes(run: acting.Run) -> dict[str, str]:
    """The zips that the jobs built and handed on, by the names that their release has in AWS."""
    found = {}
    for files in run.artefacts.values():
        for name, body in files.items():
            if name.endswith(".zip") and (facts := files.get(name.replace(".zip", ".json"))):
                about = json.loads(facts)
                version = about["version"].replace(".", "_")
                found[f"{about['layer']}-{about['arch']}-{version}"] = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return found


def _taken_back(index: dict, why: str) -> dict:
    return {**index, "layers": [{**entry, "yanked": why} for entry in index["layers"]]}


def test_a_tag_ends_with_every_layer_in_every_region(runner, aws) -> None:
    acting.git(runner.root, "tag", TAG)
    run = runner.tag(TAG, AWS_ROLE=role(OURS))
    assert run.code == 0, run.log
    assert not run.jobs("failed")
    assert run.jobs() == {"Plan", "layer", "Publish", "Notes", "Draft", "Open", "site"}
    built = hashes(run)
    assert built.keys() == {f"tiny-{kind}-{arch}-0_4_0" for kind in ("python", "bundle") for arch in ARCHS}
    regions = [region.name for region in CATALOGUE.select_regions("all")]
    assert layers_of(aws, OURS) == {(region, name) for region in regions for name in built}
    for region in regions:
        for name, code in built.items():
            assert held_by(client(aws.endpoint, "lambda", region, OURS), name) == {1: (code, True)}
    receipt = json.loads(run.artefacts[f"receipt-{DEFAULT}"][f"{DEFAULT}.json"])
    assert (receipt["account"], receipt["public"], {r["status"] for r in receipt["results"]}) == (OURS, True, {"published"})
    assert {layer["source_revision"] for layer in receipt["layers"]} == {acting.git(runner.root, "rev-parse", "HEAD")}

    folder = run.artefacts["release"]
    assert "The handler does nothing, faster." in folder["notes.md"].decode()
    arns = [arn for entry in json.loads(folder["index.json"])["layers"] for arn in entry["arns"].values()]
    assert len(arns) == len(built) * len(regions)
    for arn in arns:
        assert arn.split(":")[-1] == "1"
        assert arn in folder["notes.md"].decode()
    release = runner.release(TAG)
    assert (release["isDraft"], release["isPrerelease"], release["body"]) == (False, False, folder["notes.md"].decode())
    assert release["assets"] == {name for name in folder if "/" not in name} | {"folders.zip"}
    assert (runner.state / "attested").read_bytes() == folder[SUMS]
    site = {str(p.relative_to(runner.state / "site")): p.read_bytes() for p in (runner.state / "site").rglob("*") if p.is_file()}
    assert {name: body for name, body in folder.items() if name in site and name != SUMS} == {name: site[name] for name in site if name != SUMS}
    assert {name for name in folder if name not in site} == {"notes.md"} | {name for name in folder if name.endswith((".zip", ".cdx.json"))}

    # Somebody takes a layer back and edits the release: the site says it.
    index = runner.state / "releases" / TAG.replace("/", "%2F") / "assets/index.json"
    index.write_text(json.dumps(_taken_back(json.loads(index.read_text()), "loses spans")))
    edited = runner.run("release", {"action": "edited", "repository": {"default_branch": "main"}, "release": {"tag_name": TAG}}, workflow="site.yml")
    assert (edited.code, edited.jobs()) == (0, {"Site"}), edited.log
    assert "loses spans" in (runner.state / "site/index.html").read_text()


@pytest.mark.workflows
def test_the_next_release_goes_on_with_the_index_and_every_partition_has_its_own_account(runner, aws) -> None:
    for tag in (TAG, LATER):
        acting.git(runner.root, "tag", tag)
    first = runner.tag(TAG, AWS_ROLE=role(OURS))
    assert first.code == 0, first.log
    run = runner.tag(LATER, AWS_ROLE=role(OURS), RELEASE_PARTITIONS="all")
    assert run.code == 0, run.log
    index = json.loads((runner.state / "site/index.json").read_bytes())
    assert {(entry["layer"], entry["version"]) for entry in index["layers"]} == {
        ("tiny-extension", "1.0.0"),
        ("tiny-python", "0.4.0"),
        ("tiny-bundle", "0.4.0"),
    }
    assert {name for name in run.artefacts if name.startswith("receipt-")} == {f"receipt-{partition}" for partition in CATALOGUE.partitions}
    for entry in index["layers"]:
        wanted = CATALOGUE.regions if entry["layer"] == "tiny-extension" else [r.name for r in CATALOGUE.select_regions("all")]
        assert set(entry["arns"]) == set(wanted)
        assert all(arn.split(":")[1] == CATALOGUE.regions[region].partition for region, arn in entry["arns"].items())
    assert not runner.release(LATER)["isDraft"]


@pytest.mark.workflows
def test_a_required_region_that_fails_leaves_a_draft_and_the_same_run_again_opens_it(runner, aws) -> None:
    acting.git(runner.root, "tag", TAG)
    home = CATALOGUE.home_region
    assert home.required
    aws.set_faults({home.name: "refuse"})
    run = runner.tag(TAG, AWS_ROLE=role(OURS))
    assert run.code != 0
    assert run.jobs("failed") == {"Publish"}
    assert run.jobs() == {"Plan", "layer", "Notes", "Draft"}
    assert runner.release(TAG)["isDraft"]
    assert not (runner.state / "site").exists()
    receipt = json.loads(run.artefacts[f"receipt-{DEFAULT}"][f"{DEFAULT}.json"])
    assert {r["region"] for r in receipt["results"] if r["status"] == "failed"} == {home.name}
    assert {r["region"] for r in receipt["results"] if r["status"] == "published"} == {r.name for r in CATALOGUE.select_regions("all")} - {home.name}
    assert re.search(r"\./run\.sh publish --to aws --resume dist/receipts/\S+\.json", run.log)
    aws.set_faults({})
    again = runner.tag(TAG, AWS_ROLE=role(OURS))
    assert again.code == 0, again.log
    assert hashes(again) == hashes(run)
    assert not runner.release(TAG)["isDraft"]
    for region in CATALOGUE.select_regions("all"):
        for name, code in hashes(run).items():
            assert held_by(client(aws.endpoint, "lambda", region.name, OURS), name) == {1: (code, True)}


@pytest.mark.workflows
def test_a_fork_publishes_to_its_own_account_and_no_release_is_made(runner, aws) -> None:
    regions = [region.name for region in CATALOGUE.select_regions("all")][:2]
    inputs = {"folder": "extension", "version": "", "regions": ",".join(regions), "public": "false", "role": role(THEIRS), "config": ""}
    run = runner.dispatch(inputs, AWS_ROLE=role(OURS))
    assert run.code == 0, run.log
    assert run.jobs() == {"Plan", "layer", "Publish", "Notes"}
    assert layers_of(aws, OURS) == set()
    mine = layers_of(aws, THEIRS)
    assert {region for region, _ in mine} == set(regions)
    assert len(mine) == len(regions) * len(ARCHS)
    for region, name in mine:
        assert re.fullmatch(r"tiny-extension-(amd64|arm64)-0_0_0-dev-[0-9a-f]{8}", name)
        [(_, public)] = held_by(client(aws.endpoint, "lambda", region, THEIRS), name).values()
        assert not public
    assert "notes.md" in run.artefacts["release"]
    assert not list((runner.state / "releases").iterdir())
    assert not (runner.state / "site").exists()


@pytest.mark.workflows
def test_a_forks_own_configuration_is_in_the_collector_that_it_publishes(runner, aws) -> None:
    folder = acting.add_collector(runner.root)
    (runner.root / "mine.yaml").write_text(CONFIGURATION)
    acting.commit(runner.root, "Add a configuration")
    region = CATALOGUE.home_region.name
    inputs = {"folder": folder, "version": "7.0.0", "regions": region, "public": "true", "role": role(THEIRS), "config": "mine.yaml"}
    run = runner.dispatch(inputs)
    assert run.code == 0, run.log
    lambdas = client(aws.endpoint, "lambda", region, THEIRS)
    names = {name for _, name in layers_of(aws, THEIRS)}
    assert len(names) == len(ARCHS)
    for name in names:
        assert name.endswith("-7_0_0")
        [(code, public)] = held_by(lambdas, name).values()
        assert (code, public) == (hashes(run)[name], True)
        with urllib.request.urlopen(lambdas.get_layer_version(LayerName=name, VersionNumber=1)["Content"]["Location"]) as answer:
            zipped = zipfile.ZipFile(io.BytesIO(answer.read()))
        assert zipped.read("collector-config/00-mine.yaml").decode() == CONFIGURATION


@pytest.mark.workflows
def test_a_tag_that_is_no_version_ends_before_anything_is_built(runner, aws) -> None:
    for tag in ("layer-tiny/0.4", "layer-nothing/0.4.0"):
        acting.git(runner.root, "tag", tag)
        run = runner.tag(tag, AWS_ROLE=role(OURS))
        assert (run.code != 0, run.jobs(), run.jobs("failed"), run.artefacts) == (True, set(), {"Plan"}, {})
    assert layers_of(aws, OURS) == set()


@pytest.mark.workflows
def test_a_pull_request_publishes_nothing(runner, aws) -> None:
    base = acting.git(runner.root, "rev-parse", "HEAD")
    (runner.root / "tiny/more.txt").write_text("a change\n")
    head = acting.commit(runner.root, "Change one folder")
    payload = {"number": 1, "pull_request": {"number": 1, "head": {"sha": head, "ref": "change"}, "base": {"sha": base, "ref": "main"}}}
    run = runner.run("pull_request", payload, variables={"AWS_ROLE": role(OURS)})
    assert "layer" in run.jobs(), run.log
    assert not (run.jobs() | run.jobs("failed")) & {"Publish", "Notes", "Draft", "Open", "site"}
    assert {name for name in run.artefacts if name.startswith("layer-")} == {f"layer-tiny-{kind}-{a}" for kind in ("python", "bundle") for a in ARCHS}
    assert layers_of(aws, OURS) == set()
    assert not list((runner.state / "releases").iterdir())
