"""Receipts: what is written is read back the same, and nothing else is taken for one. And what is made of them."""

import copy
import json
from typing import get_args

import pytest
from otel_layers.errors import NothingToDo, UsageError
from otel_layers.project import find_root
from otel_layers.release import index, notes
from otel_layers.release import receipt as receipts
from otel_layers.release.outcome import Result, Status
from otel_layers.release.plan import Item, Plan, Target


def item(name="x-amd64-1_0_0", **changed):
    base = {"name": name, "layer": "x", "arch": "amd64", "version": "1.0.0", "language": "python", "role": "language", "description": "X 1.0.0"}
    base |= {"license": "L", "runtimes": ("python3.12",), "architecture": "x86_64", "zip": "x-amd64.zip", "sha256": "ab" * 32, "code_sha256": "q="}
    base |= {"zipped_bytes": 1234567, "unzipped_bytes": 2345678, "source_revision": "c" * 40}
    return Item(**{**base, **changed})


def plan(to="aws", items=None, regions=("r-one-1", "r-two-2"), public=True):
    return Plan(to, "aws", public, tuple(items or [item()]), tuple(Target(r, n == 0, n == 1) for n, r in enumerate(regions)))


def done(region="r-one-1", name="x-amd64-1_0_0", status="published", **changed):
    return Result(name, region, status, f"arn:aws:lambda:{region}:1:layer:{name}:1", 1, True, **changed)


@pytest.fixture
def receipt():
    made = receipts.new(plan(), "123456789012")
    made.record(done())
    made.record(Result("x-amd64-1_0_0", "r-two-2", "unreachable", reason="no answer"))
    return made


def test_a_receipt_is_read_back_as_it_was_written(receipt, tmp_path):
    receipts.save(receipt, tmp_path / "r.json")
    assert receipts.load(tmp_path / "r.json") == receipt
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_who_takes_back_what_says_why(receipt, tmp_path):
    receipt.yanked = {"x-amd64-1_0_0": "loses spans"}
    receipts.save(receipt, tmp_path / "receipts/r.json")
    assert receipts.load(tmp_path / "receipts/r.json").yanked == receipt.yanked
    assert receipts.newest(tmp_path) is None
    for wrong in ({"other": "why"}, {"x-amd64-1_0_0": ""}, {"x-amd64-1_0_0": 1}, [], None):
        (tmp_path / "r.json").write_text(json.dumps({**receipts.as_json(receipt), "yanked": wrong}))
        with pytest.raises(UsageError, match="is not a receipt"):
            receipts.load(tmp_path / "r.json")


def _paths(value, at=()):
    """Every key and every element inside a receipt's JSON."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*at, key)
            yield from _paths(inner, (*at, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _paths(value[0], (*at, 0))


def test_a_receipt_that_lacks_any_key_is_refused(receipt, tmp_path):
    body = receipts.as_json(receipt)
    removable = list(_paths(body))
    assert len(removable) > 30
    for path in removable:
        broken = copy.deepcopy(body)
        inner = broken
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]
        (tmp_path / "r.json").write_text(json.dumps(broken, default=list))
        with pytest.raises(UsageError, match="is not a receipt"):
            receipts.load(tmp_path / "r.json")


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "{}", '{"schema": "another/1"}', '"x"', "\x00", b"\xff\xfe"])
def test_other_files_are_no_receipts(tmp_path, text):
    (tmp_path / "r.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match="is not a receipt"):
        receipts.load(tmp_path / "r.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.update(to="moon"),
        lambda b: b["results"][0].update(status="great"),
        lambda b: b["results"][0].update(region="elsewhere"),
        lambda b: b["results"][0].update(version="1"),
        lambda b: b["results"][0].update(public=1),
        lambda b: b["layers"][0].update(more=1),
        lambda b: b["layers"][0].update(zipped_bytes=True),
        lambda b: b.update(layers=[]),
        lambda b: b.update(regions="r-one-1"),
        lambda b: b.update(account=1),
    ],
)
def test_wrong_values_are_refused(receipt, tmp_path, change):
    body = json.loads(json.dumps(receipts.as_json(receipt), default=list))
    change(body)
    (tmp_path / "r.json").write_text(json.dumps(body))
    with pytest.raises(UsageError, match="is not a receipt"):
        receipts.load(tmp_path / "r.json")


def test_a_receipt_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="there is no receipt"):
        receipts.load(tmp_path / "r.json")


def test_required_and_other_regions_are_told_apart(receipt):
    assert (receipt.open(required=True), [r.region for r in receipt.open(required=False)]) == ([], ["r-two-2"])


def test_what_was_published_stays_so_when_it_is_found_again(receipt):
    receipt.record(done(status="reused"))
    assert receipt.results["r-one-1", "x-amd64-1_0_0"].status == "published"


@pytest.mark.parametrize(("to", "kept"), [("aws", "published"), ("local", "unreachable")])
def test_what_was_verified_in_aws_stays_done_when_it_cannot_be_asked(to, kept):
    receipt = receipts.new(plan(to), "1")
    receipt.record(done())
    receipt.record(Result("x-amd64-1_0_0", "r-one-1", "unreachable"))
    assert receipt.results["r-one-1", "x-amd64-1_0_0"].status == kept


def test_a_failure_replaces_what_was_done(receipt):
    receipt.record(Result("x-amd64-1_0_0", "r-one-1", "failed", reason="other bytes"))
    assert receipt.arn("x-amd64-1_0_0", "r-one-1") == ""


def test_the_newest_receipt_with_an_arn_of_the_layer_is_found(receipt, tmp_path):
    empty = receipts.new(plan(items=[item(layer="y", name="y-amd64-1_0_0")]), "1")
    receipts.save(receipt, tmp_path / "receipts/a.json")
    receipts.save(empty, tmp_path / "receipts/b.json")
    assert receipts.newest(tmp_path)[0].name == "a.json"
    assert receipts.newest(tmp_path, ["y"]) is None
    assert receipts.newest(tmp_path, ["x"], "arm64") is None
    assert receipts.newest(tmp_path, ["x"], "amd64", "r-one-1") is not None
    assert receipts.newest(tmp_path, ["x"], "amd64", "r-two-2") is None  # not done there


def test_notes_have_every_arn_the_checksum_and_what_is_missing(receipt):
    text = notes.markdown([receipt])
    assert "| r-one-1 | `arn:aws:lambda:r-one-1:1:layer:x-amd64-1_0_0:1` |" in text
    assert f"{'ab' * 32}  x-amd64.zip" in text
    assert "1,234,567 bytes zipped" in text
    assert "Not published in: r-two-2." in text
    assert "private" not in text
    assert "\n\n\n" not in text


def test_notes_of_private_layers_say_so():
    receipt = receipts.new(plan(public=False), "1")
    receipt.record(done())
    assert "only the account that published them" in notes.markdown([receipt])


def test_the_terminal_table_shows_what_has_no_arn(receipt):
    lines = notes.arn_table(receipt).splitlines()
    assert lines[0] == "x 1.0.0, amd64 (python3.12)"
    assert lines[3].split() == ["r-one-1", "arn:aws:lambda:r-one-1:1:layer:x-amd64-1_0_0:1"]
    assert lines[4].split() == ["r-two-2", "(unreachable)"]


def test_receipts_of_several_partitions_become_one_index(receipt):
    other = receipts.new(plan(regions=("c-one-1",)), "2")
    other.record(done("c-one-1"))
    [layer] = index.make([receipt, other])["layers"]
    assert sorted(layer["arns"]) == ["c-one-1", "r-one-1"]
    assert layer["codeSha256"] == "q="


def test_receipts_with_other_bytes_under_a_name_do_not_mix(receipt):
    other = receipts.new(plan(items=[item(sha256="cd" * 32)]), "2")
    with pytest.raises(UsageError, match="different bytes"):
        index.make([receipt, other])


def test_notes_of_nothing_are_nothing_to_do():
    with pytest.raises(NothingToDo):
        notes.markdown([receipts.new(plan(), "1")])


def test_the_page_on_releasing_explains_every_status_and_every_key(receipt):
    page = (find_root() / "docs/releasing.md").read_text()
    body = receipts.as_json(receipt)
    keys = {*body, *body["layers"][0], *body["regions"][0], *body["results"][0], *index.make([receipt]), *index.make([receipt])["layers"][0]}
    words = {*keys, *get_args(Status), receipts.SCHEMA, index.SCHEMA}
    assert [word for word in sorted(words) if f"`{word}`" not in page and f'"{word}"' not in page] == []
