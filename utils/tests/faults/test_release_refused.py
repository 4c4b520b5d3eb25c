"""What cannot be published is refused with the reason before the first write: the embedded AWS has seen no call that writes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from contract.elf_files import elf_file
from faults.release_callers import Caller, enforce, recorded, run_as, user, writes
from faults.release_tree import copy_tree, write_layer
from otel_layers import archive
from otel_layers.aws.client import Access
from otel_layers.aws.embedded import EmbeddedAws
from otel_layers.project import Project

LAYERS = ("opentelemetry-collector", "opentelemetry-python")
PUBLISH = ("publish", "--to", "aws")
OTHER = "999999999999"


@dataclass
class Scene:
    """A tree with an AWS that checks who calls, and the callers that it knows."""

    tree: Project
    port: int
    mine: Caller
    other: Caller
    chinese: Caller

    def run(self, caller: Caller | None, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_as(caller, self.tree, self.port, *arguments)

    def tag(self, name: str) -> None:
        subprocess.run(["git", "-C", str(self.tree.root), "tag", name], check=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    tree = copy_tree(tmp_path_factory.mktemp("release") / "tree")
    git = ["git", "-C", str(tree.root), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "begin"]):
        subprocess.run([*git, *words], check=True)
    with EmbeddedAws(tree) as aws:
        every = ["lambda:*"]
        callers = [user(aws.port, every), user(aws.port, every, account=OTHER), user(aws.port, every, partition="aws-cn")]
        enforce(aws.port)
        yield Scene(tree, aws.port, *callers)


@pytest.fixture
def scene(whole: Scene) -> Iterator[Scene]:
    """New bytes, so that nothing of another test is met, and no tag."""
    for name in LAYERS:
        write_layer(whole.tree, name, "amd64", version="0.0.0-dev")
    yield whole
    tags = subprocess.run(["git", "-C", str(whole.tree.root), "tag"], capture_output=True, text=True, check=True).stdout.split()
    for tag in tags:
        subprocess.run(["git", "-C", str(whole.tree.root), "tag", "-d", tag], check=True, capture_output=True)


def nothing(scene: Scene) -> Caller | None:
    return scene.mine


def tagged(scene: Scene) -> Caller | None:
    scene.tag("layer-python/latest")
    return scene.mine


def tagged_otherwise(scene: Scene) -> Caller | None:
    scene.tag("layer-python/2.0.0")
    return scene.mine


def released_from_other_bytes(scene: Scene) -> Caller | None:
    write_layer(scene.tree, LAYERS[1], "amd64", version="1.2.3")
    done = scene.run(scene.mine, *PUBLISH, "--region", "eu-west-1", "--layer", LAYERS[1])
    assert done.returncode == 0, done.stderr
    write_layer(scene.tree, LAYERS[1], "amd64", version="1.2.3")
    return scene.mine


def too_large_unpacked(scene: Scene) -> Caller | None:
    write_layer(scene.tree, LAYERS[1], "amd64", files={"bin/data": b"\0" * (archive.MAX_UNZIPPED + 1)})
    return scene.mine


def too_large(scene: Scene) -> Caller | None:
    write_layer(scene.tree, LAYERS[1], "amd64", files={"bin/data": os.urandom(archive.MAX_ZIPPED)})
    return scene.mine


def for_arm64(scene: Scene) -> Caller | None:
    write_layer(scene.tree, LAYERS[1], "amd64", files={"extensions/x": elf_file(183)})
    return scene.mine


def without(_scene: Scene) -> Caller | None:
    return None


def with_a_wrong_secret(scene: Scene) -> Caller | None:
    return replace(scene.mine, secret=scene.other.secret)


def unknown(scene: Scene) -> Caller | None:
    return replace(scene.mine, key="AKIAIOSFODNN7EXAMPLE")


def chinese(scene: Scene) -> Caller | None:
    return scene.chinese


def receipt(scene: Scene) -> Caller | None:
    (scene.tree.root / "receipt.json").unlink(missing_ok=True)
    done = scene.run(scene.mine, *PUBLISH, "--receipt=receipt.json")
    assert done.returncode == 0, done.stderr
    return scene.mine


def receipt_of_another(scene: Scene) -> Caller | None:
    receipt(scene)
    return scene.other


def receipt_of_other_bytes(scene: Scene) -> Caller | None:
    receipt(scene)
    write_layer(scene.tree, LAYERS[1], "amd64", version="0.0.0-dev")
    return scene.mine


RESUME = ("--resume", "receipt.json")
BAD: list[tuple[Callable[[Scene], Caller | None], tuple[str, ...], int, str]] = [
    (tagged, (), 2, "the tag layer-python/latest on this commit has no version"),
    (tagged_otherwise, (), 2, "was built as version 0.0.0-dev, not 2.0.0"),
    (nothing, ("--version", "1.0"), 2, "'1.0' is not a version"),
    (nothing, ("--version", "1.0.0"), 2, "was built as version 0.0.0-dev, not 1.0.0"),
    (released_from_other_bytes, ("--region", "eu-west-1", "--layer", LAYERS[1]), 2, "is published already, from another build, in eu-west-1"),
    (nothing, ("--region", "eu-wset-1"), 2, "did you mean eu-west-1"),
    (nothing, ("--region", "us-east-1,cn-north-1"), 2, "regions of several partitions"),
    (nothing, ("--region", "all", "--partition", "aws-xx"), 2, "unknown partition 'aws-xx'"),
    (nothing, ("--region", ","), 2, "no region named"),
    (nothing, ("--arch", "mips"), 2, "unknown architecture 'mips'"),
    (nothing, ("--layer", "opentelemetry-pyton"), 2, "did you mean opentelemetry-python"),
    (nothing, ("--public",), 2, "is not built"),
    (nothing, ("--public", "--arch", "amd64", "--layer", LAYERS[1]), 2, "is a development build"),
    (too_large_unpacked, (), 2, "unpacks to 262,144,001 bytes"),
    (too_large, (), 2, "has 52,42"),
    (for_arm64, (), 2, "holds a program for another architecture"),
    (without, (), 2, "Unable to locate credentials"),
    (with_a_wrong_secret, (), 1, "SignatureDoesNotMatch: The request signature we calculated does not match"),
    (unknown, (), 1, "InvalidClientTokenId: The security token included in the request is invalid"),
    (chinese, ("--region", "eu-west-1"), 1, "InvalidClientTokenId: The security token included in the request is invalid"),
    (nothing, ("--region", "cn-north-1"), 1, "InvalidClientTokenId: The security token included in the request is invalid"),
    (nothing, ("--account", OTHER), 2, f"are of account 123456789012, not {OTHER}"),
    (receipt_of_another, RESUME, 2, f"is of account 123456789012, the credentials are of {OTHER}"),
    (receipt, (*RESUME, "--version", "0.9.0"), 2, "is the receipt of another release"),
    (receipt, ("--receipt", "receipt.json", "--region", "eu-west-2"), 2, "is the receipt of another release"),
    (receipt, (*RESUME, "--to", "local"), 2, "is of a publication --to aws"),
    (receipt_of_other_bytes, RESUME, 2, "has other bytes than the release"),
    (nothing, ("--resume", "nowhere.json"), 2, "there is no receipt nowhere.json"),
    (nothing, ("--resume", "layers.toml"), 2, "is not a receipt"),
    (nothing, ("--resume", "layers.toml", "--region", "all"), 2, "--region cannot stand beside --resume"),
    (nothing, ("--receipt", "layers.toml"), 2, "is not a receipt"),
]


@pytest.mark.parametrize(("prepare", "arguments", "code", "message"), BAD, ids=lambda v: getattr(v, "__name__", "") if callable(v) else "")
def test_bad_input_is_refused_before_the_first_write(
    scene: Scene, prepare: Callable[[Scene], Caller | None], arguments: tuple[str, ...], code: int, message: str
) -> None:
    caller = prepare(scene)
    with recorded(scene.port) as seen:
        done = scene.run(caller, *PUBLISH, *arguments)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    assert writes(seen) == []


def test_a_receipt_of_another_folder_is_refused(scene: Scene) -> None:
    receipt(scene)
    with recorded(scene.port) as seen:
        done = scene.run(scene.mine, "python", *PUBLISH, *RESUME)
    assert (done.returncode, "opentelemetry-collector is not of python" in done.stderr) == (2, True), done.stderr
    assert seen == []


def test_notes_take_nothing_else_for_a_receipt(scene: Scene) -> None:
    done = scene.run(scene.mine, "notes", "layers.toml")
    assert (done.returncode, "is not a receipt" in done.stderr) == (2, True), done.stderr


def test_another_partition_is_published_to_with_its_own_credentials(scene: Scene) -> None:
    with recorded(scene.port) as seen:
        done = scene.run(scene.chinese, *PUBLISH, "--region", "all", "--partition", "aws-cn", "--json")
    assert done.returncode == 0, done.stderr
    assert {(call.region, call.key) for call in writes(seen)} == {(region, scene.chinese.key) for region in ("cn-north-1", "cn-northwest-1")}
    assert len(writes(seen)) == 4  # so a write is seen when there is one
    enforce(scene.port, on=False)
    try:
        listed = Access(f"http://localhost:{scene.port}").lambda_("cn-north-1").list_layers()["Layers"]
    finally:
        enforce(scene.port)
    assert [entry["LayerArn"].split(":")[:5] for entry in listed] == [["arn", "aws-cn", "lambda", "cn-north-1", "123456789012"]] * 2
