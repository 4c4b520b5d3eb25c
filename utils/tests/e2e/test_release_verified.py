"""docs/supply-chain.md as a user walks it: the lines of the page, as they stand, on a release that was published to the embedded AWS."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from faults.release_tree import copy_tree, run, write_bill, write_layer
from otel_layers.aws import standing
from otel_layers.project import find_root

PAGE = (find_root() / "docs/supply-chain.md").read_text()
LAYER, REGION = "opentelemetry-python", "eu-west-1"


def lines(heading):
    """The lines of the shell blocks in a section of the page."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    project = copy_tree(tmp_path_factory.mktemp("release") / "tree")
    write_layer(project, LAYER, "amd64", version="0.4.0")
    write_bill(project, LAYER, "pkg:pypi/h2@4.4.1")
    standing.start(project)
    done = run(project, "publish", "--region", REGION, "--public", "--layer", LAYER, "--receipt", "receipt.json")
    assert done.returncode == 0, done.stderr
    yield project
    standing.stop(project)


@pytest.fixture
def release(tree, tmp_path):
    """The folder of the release, as a user has downloaded it."""
    folder = tmp_path / "release"
    done = run(tree, "notes", "receipt.json", "--output-dir", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def typed(tree, release):
    """Types a line of the page in that folder."""
    [arn] = run(tree, "python", "-l", "--to", "local", "-r", REGION).stdout.split()
    env = {**os.environ, "AWS_ENDPOINT_URL": standing.running(tree).endpoint, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"

    def run_line(line):
        for word, value in {"NAME-ARCH": f"{LAYER}-amd64", "REGION": REGION, "ARN": arn}.items():
            line = re.sub(rf"(?<![\w-]){word}(?![\w-])", value, line)
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line], cwd=release, env=env, capture_output=True, text=True, timeout=120, check=False
        )

    return run_line


def test_the_page_shows_what_is_tried_here():
    assert [line.split()[0] for line in lines("Verify what you downloaded")] == ["sha256sum", "gh", "aws", "openssl", "python3", "sha256sum"]


def test_what_was_downloaded_is_what_was_released(typed, release):
    sums, _, lambda_hash, zip_hash, bill_hash, zip_sum = (typed(line) for line in lines("Verify what you downloaded"))
    assert (sums.returncode, f"{LAYER}-amd64.zip: OK" in sums.stdout, f"{LAYER}-amd64.cdx.json: OK" in sums.stdout) == (0, True, True), sums.stderr
    assert lambda_hash.stdout.strip() == zip_hash.stdout.strip() != ""
    assert bill_hash.stdout.split() == zip_sum.stdout.split()[:1] != []


def test_what_was_changed_afterwards_is_found_by_each_line(typed, release):
    with (release / f"{LAYER}-amd64.zip").open("r+b") as file:
        file.seek(100)
        file.write(b"other")
    sums, _, lambda_hash, zip_hash, bill_hash, zip_sum = (typed(line) for line in lines("Verify what you downloaded"))
    assert (sums.returncode, f"{LAYER}-amd64.zip: FAILED" in sums.stdout) == (1, True)
    assert lambda_hash.stdout.strip() != zip_hash.stdout.strip()
    assert bill_hash.stdout.split() != zip_sum.stdout.split()[:1]


def test_a_part_of_a_release_can_be_checked_too(typed, release):
    (release / f"{LAYER}-amd64.cdx.json").unlink()
    sums = typed(lines("Verify what you downloaded")[0])
    assert (sums.returncode, f"{LAYER}-amd64.zip: OK" in sums.stdout) == (0, True)


def test_a_version_that_was_taken_back_is_told(tree, typed, release):
    [line] = lines("Versions that were taken back")
    assert (typed(line).stdout, "Taken back" in (release / "notes.md").read_text()) == ("", False)
    done = run(tree, "unpublish", "receipt.json", "--reason", "loses spans; use 0.4.1")
    assert done.returncode == 0, done.stderr
    try:
        assert run(tree, "notes", "receipt.json", "--output-dir", str(release)).returncode == 0
        assert typed(line).stdout == f"{LAYER}-amd64-0_4_0 loses spans; use 0.4.1\n"
        assert "Taken back, do not use it" in (release / "notes.md").read_text()
    finally:
        assert run(tree, "unpublish", "receipt.json", "--undo").returncode == 0
