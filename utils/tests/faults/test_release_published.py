"""What was published, looked at again, taken back and brought further: the real ./run.sh against an embedded AWS that stays."""

import json
import zlib
from urllib.request import urlopen

import boto3
import pytest
from faults.release_tree import RELEASED, held, run, write_layer
from otel_layers.aws import standing
from otel_layers.aws.client import Access
from otel_layers.aws.embedded import set_faults
from otel_layers.release import index
from otel_layers.release import receipt as receipts

OWN, OTHER = "123456789012", "210987654321"
REGIONS = ("us-east-1", "eu-west-1", "eu-west-2")
PUBLISH = ("publish", "--region", ",".join(REGIONS), "--public", "--receipt", "r.json")


def client(port, region, service="lambda", **credentials):
    keys = credentials or {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.client(service, region_name=region, endpoint_url=f"http://localhost:{port}", **keys)


def as_account(port, account):
    """The variables of a shell that works as `account` at the embedded AWS, by `--to aws`."""
    env = {"AWS_ENDPOINT_URL": f"http://localhost:{port}", "AWS_ACCESS_KEY_ID": "own", "AWS_SECRET_ACCESS_KEY": "own", "AWS_SESSION_TOKEN": ""}
    if account != OWN:
        got = client(port, "us-east-1", "sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/x", RoleSessionName="theirs")["Credentials"]
        env |= {"AWS_ACCESS_KEY_ID": got["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": got["SecretAccessKey"], "AWS_SESSION_TOKEN": got["SessionToken"]}
    return env


@pytest.fixture
def published(fresh):
    """The receipt of two new layers in three regions of the embedded AWS."""
    path = fresh.root / "r.json"
    path.unlink(missing_ok=True)
    done = run(fresh, *PUBLISH)
    assert done.returncode == 0, done.stderr
    return receipts.load(path)


@pytest.fixture
def released(fresh, port, request):
    """The same as a release in an account: the receipt's path and the publishing account's variables."""
    version = f"1.{zlib.crc32(request.node.name.encode())}.0"  # a name's bytes never change, and each test has its own
    for name in RELEASED:
        write_layer(fresh, name, "amd64", version=version)
        write_layer(fresh, name, "arm64", version=version)
    (fresh.root / "aws.json").unlink(missing_ok=True)
    env = as_account(port, OWN)
    layer = ("--layer", RELEASED[1])
    done = run(fresh, "publish", "--to", "aws", "--region", ",".join(REGIONS), "--public", "--receipt", "aws.json", *layer, env=env)
    assert done.returncode == 0, done.stderr
    return receipts.load(fresh.root / "aws.json"), env


def everything(port, receipt):
    """What AWS holds under the names of `receipt`, by region and name."""
    access = Access(f"http://localhost:{port}")
    found = {(t.region, i.name): held(access, t.region, i.name) for t in receipt.plan.targets for i in receipt.plan.items}
    return {place: versions for place, versions in found.items() if versions}


def test_what_was_published_is_verified_and_nothing_is_written(fresh, port, published):
    before = (fresh.root / "r.json").read_bytes(), everything(port, published)
    done = run(fresh, "verify", "r.json", "--bytes", "--json")
    assert done.returncode == 0, done.stderr
    [body] = json.loads(done.stdout)
    assert body["caller"] == OWN
    assert {r["status"] for r in body["results"]} == {"verified"}
    assert len(body["results"]) == 6
    assert ((fresh.root / "r.json").read_bytes(), everything(port, published)) == before


def _gone(lam, item):
    lam.delete_layer_version(LayerName=item.name, VersionNumber=1)


def _closed(lam, item):
    lam.remove_layer_version_permission(LayerName=item.name, VersionNumber=1, StatementId="anyone")


def _twice(lam, item):
    code = lam.get_layer_version(LayerName=item.name, VersionNumber=1)["Content"]
    body = urlopen(code["Location"]).read()
    lam.publish_layer_version(LayerName=item.name, Content={"ZipFile": body})


def _other_words(lam, item):
    _twice(lam, item)
    lam.delete_layer_version(LayerName=item.name, VersionNumber=1)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(_gone, "ResourceNotFound"), (_closed, "it is not public"), (_twice, "further versions under its name: 2"), (_other_words, "ResourceNotFound")],
)
def test_what_is_not_as_the_receipt_says_is_named(fresh, port, published, damage, reason):
    item = published.plan.items[0]
    damage(client(port, "eu-west-1"), item)
    done = run(fresh, "verify", "r.json")
    assert done.returncode == 7
    assert "not verified in eu-west-1 (failed)" in done.stderr
    assert reason in done.stdout
    assert "us-east-1" not in done.stdout


def test_a_hash_that_aws_tells_and_one_that_its_bytes_have(fresh, port, published):
    set_faults(port, {"eu-west-2": "alter:1"})
    done = run(fresh, "verify", "r.json")
    assert (done.returncode, "its CodeSha256 is" in done.stdout) == (7, True)
    body = json.loads((fresh.root / "r.json").read_text())
    body["layers"][0]["sha256"] = "0" * 64
    (fresh.root / "r.json").write_text(json.dumps(body))
    assert run(fresh, "verify", "r.json").returncode == 0
    done = run(fresh, "verify", "r.json", "--bytes")
    assert (done.returncode, f"not {'0' * 64}" in done.stdout) == (7, True)


def test_a_region_that_hangs_is_not_verified(fresh, port, published):
    set_faults(port, {"us-east-1": "hang"})
    done = run(fresh, "verify", "r.json", "--region-timeout", "3")
    assert done.returncode == 7
    assert "not verified in us-east-1 (unreachable)" in done.stderr


def test_what_was_never_published_is_not_verified(fresh, port, published):
    body = json.loads((fresh.root / "r.json").read_text())
    body["results"][0] |= {"status": "failed", "arn": "", "version": 0, "reason": "AccessDenied"}
    (fresh.root / "r.json").write_text(json.dumps(body))
    done = run(fresh, "verify", "r.json")
    assert done.returncode == 7
    assert "publish --to local --resume" in done.stderr


def test_another_account_verifies_by_arn_what_is_public(fresh, port, released):
    receipt, _ = released
    env = as_account(port, OTHER)
    done = run(fresh, "verify", "aws.json", "--bytes", "--account", OTHER, "--json", env=env)
    assert done.returncode == 0, done.stderr
    [body] = json.loads(done.stdout)
    assert (body["caller"], {r["status"] for r in body["results"]}) == (OTHER, {"verified"})
    client(port, "us-east-1").remove_layer_version_permission(LayerName=receipt.plan.items[0].name, VersionNumber=1, StatementId="anyone")
    closed = run(fresh, "verify", "aws.json", env=env)
    assert (closed.returncode, "AccessDeniedException" in closed.stdout) == (7, True)
    wrong = run(fresh, "verify", "aws.json", "--account", "1" * 12, env=env)
    assert (wrong.returncode, f"of account {OTHER}, not {'1' * 12}" in wrong.stderr) == (2, True)


def test_another_account_cannot_look_at_private_layers(fresh, port, released):
    body = json.loads((fresh.root / "aws.json").read_text())
    (fresh.root / "aws.json").write_text(json.dumps({**body, "public": False}))
    done = run(fresh, "verify", "aws.json", env=as_account(port, OTHER))
    assert (done.returncode, "only their own account can see them" in done.stderr) == (2, True)


def test_taken_back_is_marked_told_and_undone_and_nothing_is_deleted(fresh, port, published):
    before = everything(port, published)
    mute = run(fresh, "unpublish", "r.json")
    assert (mute.returncode, "--reason" in mute.stderr) == (2, True)
    name = published.plan.items[1].name
    done = run(fresh, "unpublish", "r.json", "--layer", RELEASED[1], "--reason", "loses spans; use the next one")
    assert done.returncode == 0, done.stderr
    assert "nothing was deleted" in done.stdout
    assert receipts.load(fresh.root / "r.json").yanked == {name: "loses spans; use the next one"}
    assert everything(port, published) == before

    assert run(fresh, "notes", "r.json", "--output", "n.md", "--json", "i.json").returncode == 0
    assert "**Taken back, do not use it: loses spans; use the next one**" in (fresh.root / "n.md").read_text()
    made = index.load(fresh.root / "i.json")
    assert {e["layer"]: e["yanked"] for e in made["layers"]} == {RELEASED[0]: "", RELEASED[1]: "loses spans; use the next one"}
    assert [e["layer"] for e in index.newest(made)] == [RELEASED[0]]
    assert "was taken back: loses spans" in run(fresh, "verify", "r.json").stderr

    narrower = ("publish", "--layer", RELEASED[1], "--region", REGIONS[0], "--public")
    kept = fresh.dist / "receipts/marked.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes((fresh.root / "r.json").read_bytes())
    for where in ((), ("--to", "local", "-r", REGIONS[0])):  # of the receipts, and of the AWS
        assert name not in run(fresh, "python", "-l", *where).stdout
    for again in (PUBLISH, narrower, ("publish", "--resume", "r.json"), ("promote", "r.json", "--region", "eu-west-3")):
        refused = run(fresh, *again)
        assert (refused.returncode, "was taken back: loses spans" in refused.stderr) == (2, True), again
    kept.unlink()
    assert run(fresh, "unpublish", "r.json", "--undo").returncode == 0
    assert receipts.load(fresh.root / "r.json").yanked == {}
    assert run(fresh, "unpublish", "r.json", "--undo").returncode == 2
    assert run(fresh, *PUBLISH).returncode == 0


def test_the_same_bytes_are_no_better_under_another_name_and_their_receipts_are_named(fresh, port, published):
    folder = fresh.dist / "receipts"
    folder.mkdir(exist_ok=True)
    (folder / "prod.json").write_bytes((fresh.root / "r.json").read_bytes())
    dev = ("promote", "r.json", "--group", "dev", "--region", REGIONS[0], "--public", "--receipt", "dist/receipts/dev.json")
    assert run(fresh, *dev).returncode == 0
    [twin] = [item.name for item in receipts.load(folder / "dev.json").plan.items if item.layer == RELEASED[1]]
    done = run(fresh, "unpublish", "dist/receipts/prod.json", "--layer", RELEASED[1], "--reason", "loses spans")
    assert done.returncode == 0, done.stderr
    assert f"{twin} has the same bytes and is not marked: ./run.sh unpublish dist/receipts/dev.json --layer {twin}" in done.stderr
    beta = ("promote", "dist/receipts/dev.json", "--group", "beta", "--region", REGIONS[0])
    for words in (beta, (*PUBLISH, "--dry-run"), ("publish", "--region", REGIONS[0], "--group", "dev")):
        refused = run(fresh, *words)
        assert (refused.returncode, "was taken back: loses spans" in refused.stderr) == (2, True), words
    for where in ((), ("--to", "local", "-r", REGIONS[0])):
        asked = run(fresh, "python", "-l", "--layer", RELEASED[1], "--group", "dev", *where)
        assert (asked.stdout, f"taken back: {', '.join(sorted([published.plan.items[1].name, twin]))}" in asked.stderr) == ("", True)
    asked = run(fresh, "collector", "-l", "--layer", RELEASED[0], "--group", "beta")
    assert (asked.stdout, "taken back" in asked.stderr) == ("", False)


def test_a_bundle_of_what_was_taken_back_is_named(fresh, port):
    bundle = next(la for la in fresh.catalogue.layers.values() if RELEASED[1] in la.bundle)
    write_layer(fresh, bundle.name, "amd64", version="0.0.0-dev")
    assert run(fresh, "publish", "--region", REGIONS[0], "--receipt", "b.json").returncode == 0
    done = run(fresh, "unpublish", "b.json", "--layer", RELEASED[1], "--reason", "loses spans")
    assert f"{bundle.name}-amd64-0_0_0-dev" in done.stderr
    assert "has these files too and is not marked: ./run.sh unpublish b.json" in done.stderr


def test_a_private_publication_that_finds_public_layers_says_so_and_is_verified(fresh, port, published):
    done = run(fresh, "publish", "--region", REGIONS[0], "--receipt", "private.json")
    assert done.returncode == 0, done.stderr
    assert "is public already, and stays so" in done.stderr
    assert run(fresh, "verify", "private.json").returncode == 0


def test_deleting_takes_two_words_and_spares_other_bytes(fresh, port, published):
    before = everything(port, published)
    once = run(fresh, "unpublish", "r.json", "--reason", "a secret", "--force")
    assert (once.returncode, "this deletes 6 layer versions" in once.stderr) == (2, True)
    assert (everything(port, published), receipts.load(fresh.root / "r.json").yanked) == (before, {})

    first, second = published.plan.items
    client(port, "eu-west-2").publish_layer_version(LayerName=first.name, Content={"ZipFile": (fresh.dist / second.zip).read_bytes()})
    set_faults(port, {"us-east-1": "hang"})
    force = ("unpublish", "r.json", "--reason", "a secret", "--force", "--yes", "--region-timeout", "3")
    done = run(fresh, *force)
    assert done.returncode == 7
    assert "has other bytes" in done.stdout
    left = {("us-east-1", first.name), ("us-east-1", second.name), ("eu-west-2", first.name)}
    set_faults(port, {})
    assert {*everything(port, published)} == left
    again = run(fresh, *force)
    assert (again.returncode, "not removed in eu-west-2 (failed)" in again.stderr) == (7, True)
    assert {*everything(port, published)} == {("eu-west-2", first.name)}
    assert set(everything(port, published)["eu-west-2", first.name]) == {1, 2}

    stand = receipts.load(fresh.root / "r.json").stand()
    assert sorted(r.status for r in stand) == ["published", *["removed"] * 5]
    undo = run(fresh, "unpublish", "r.json", "--undo")
    assert (undo.returncode, "never comes back" in undo.stderr) == (2, True)
    gone = run(fresh, "verify", "r.json", "--json")
    assert [r["status"] for r in json.loads(gone.stdout)[0]["results"]].count("verified") == 5


def test_the_same_bytes_go_to_other_regions_and_another_group(fresh, port, published):
    for item in published.plan.items:
        (fresh.dist / item.zip).unlink()
    command = ("promote", "r.json", "--region", "eu-west-3,ca-central-1", "--group", "beta", "--public", "--receipt", "beta.json")
    (fresh.root / "beta.json").unlink(missing_ok=True)
    plan = run(fresh, *command, "--dry-run")
    assert (plan.returncode, (fresh.root / "beta.json").exists()) == (0, False)
    set_faults(port, {"ca-central-1": "down"})
    done = run(fresh, *command)
    assert done.returncode == 7
    assert "try: ./run.sh promote r.json --to local --region eu-west-3,ca-central-1 --group beta --receipt beta.json --public" in done.stderr
    set_faults(port, {})
    assert run(fresh, *command).returncode == 0
    made = receipts.load(fresh.root / "beta.json")
    assert (made.plan.group, [i.sha256 for i in made.plan.items]) == ("beta", [i.sha256 for i in published.plan.items])
    assert all(f"{i.layer}-beta-amd64-0_0_0-dev-" in i.name for i in made.plan.items)
    assert everything(port, made) == {(r, i.name): {1: (i.code_sha256, True)} for r in ("eu-west-3", "ca-central-1") for i in made.plan.items}
    [arn] = run(fresh, "python", "-l", "--to", "local", "-r", "eu-west-3", "--group", "beta").stdout.split()
    assert arn == made.arn(made.plan.items[1].name, "eu-west-3")
    assert run(fresh, "python", "-l", "--to", "local", "-r", "ca-central-1", "--group", "dev").returncode == 3
    assert list((fresh.cache / "tmp").glob("*/promote-*")) == []


def test_another_account_gets_the_bytes_of_a_release(fresh, port, released):
    receipt, _ = released
    command = ("promote", "aws.json", "--to", "aws", "--region", "us-east-1", "--receipt", "theirs.json")
    for item in receipt.plan.items:
        (fresh.dist / item.zip).unlink()
    empty = run(fresh, *command, "--from", ".", env=as_account(port, OTHER))
    assert (empty.returncode, "lacks" in empty.stderr) == (2, True)
    done = run(fresh, *command, env=as_account(port, OTHER))
    assert done.returncode == 0, done.stderr
    made = receipts.load(fresh.root / "theirs.json")
    assert (made.account, made.plan.public) == (OTHER, False)
    assert {r.arn.split(":")[4] for r in made.stand()} == {OTHER}
    assert [i.code_sha256 for i in made.plan.items] == [i.code_sha256 for i in receipt.plan.items]
    theirs = run(fresh, "verify", "theirs.json", "--bytes", env=as_account(port, OTHER))
    assert theirs.returncode == 0, theirs.stderr


def test_bytes_that_are_not_the_receipts_are_not_brought_further(fresh, port, published):
    body = json.loads((fresh.root / "r.json").read_text())
    body["layers"][0]["sha256"] = "0" * 64
    (fresh.root / "r.json").write_text(json.dumps(body))
    done = run(fresh, "promote", "r.json", "--region", "eu-west-3", "--receipt", "p.json")
    assert (done.returncode, "could not be fetched" in done.stderr) == (1, True)
    assert not (fresh.root / "p.json").exists()


def test_a_receipt_of_an_aws_that_has_ended_says_so(fresh, port, published):
    standing.stop(fresh)
    try:
        done = run(fresh, "verify", "r.json")
        assert (done.returncode, "forgets everything when it ends" in done.stderr) == (2, True)
    finally:
        standing.start(fresh, port=port)
