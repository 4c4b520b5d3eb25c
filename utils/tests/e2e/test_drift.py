"""The real `./run.sh drift`, with the botocore that the package registry has now."""

import json

import pytest
from faults.release_tree import copy_tree, run


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return copy_tree(tmp_path_factory.mktemp("drift") / "tree")


def told(tree):
    done = run(tree, "drift", "--json", "drift.json", timeout=250)
    return done, json.loads((tree.root / "drift.json").read_text())


def test_the_newest_botocore_is_asked_and_the_answer_is_the_exit_code(tree):
    done, body = told(tree)
    assert done.returncode == (9 if body["differences"] else 0), done.stderr
    assert (body["botocore"] in done.stdout) == (not body["differences"])
    locked = next(line for line in (tree.root / "requirements/release.txt").read_text().splitlines() if line.startswith("botocore=="))
    order = [tuple(map(int, version.split("."))) for version in (locked.removeprefix("botocore==").split()[0], body["botocore"])]
    assert order == sorted(order)


def test_a_region_and_a_runtime_that_the_catalogue_lacks_are_new_and_one_that_aws_lacks_is_gone(tree):
    path = tree.root / "layers.toml"
    text = path.read_text()
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(("eu-west-3 =", '"ruby3.4" ='))]
    path.write_text(
        "".join(lines).replace("[regions]\n", '[regions]\nxx-north-1 = { partition = "aws", opt-in = true, required = false, at = [0, 0] }\n')
    )
    try:
        done, body = told(tree)
    finally:
        path.write_text(text)
    assert done.returncode == 9
    found = {(d["kind"], d["name"], d["what"]) for d in body["differences"]}
    assert {("region", "eu-west-3", "new"), ("region", "xx-north-1", "gone"), ("runtime", "ruby3.4", "new")} <= found
    assert all(d["name"] in done.stdout for d in body["differences"])
