"""The real ./run.sh publish, killed or failing on its way to an embedded AWS that stays, and finished by the command that it printed."""

import json
import random
import shlex
import signal
import subprocess
import time

import pytest
from faults.release_tree import command, held, run
from otel_layers.aws.client import Access
from otel_layers.aws.embedded import held_back, set_faults
from otel_layers.release import receipt as receipts
from otel_layers.release.outcome import DONE

PUBLISH = ("publish", "--to", "local", "--region", "all", "--public")


def stands(port, receipt, regions=34):
    """That every region holds every layer once, with the right bytes, for everyone; and that the receipt says so."""
    assert len(receipt.plan.targets) == regions
    access = Access(f"http://localhost:{port}")
    for target in receipt.plan.targets:
        for item in receipt.plan.items:
            assert held(access, target.region, item.name) == {1: (item.code_sha256, True)}, (target.region, item.name)
    assert {r.status for r in receipt.stand()} <= set(DONE)
    assert all(r.public for r in receipt.stand())


def interrupted(tree, path, number, reached):
    """Start publishing, and send the signal `number` as soon as so many versions are in the receipt; every receipt that is seen is whole."""
    child = subprocess.Popen(command(tree, *PUBLISH, f"--receipt={path}"), cwd=tree.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = None
    try:
        end = time.monotonic() + 120
        while child.poll() is None and time.monotonic() < end:
            if path.exists():
                seen = receipts.load(path)
                if sum(bool(r.arn) for r in seen.results.values()) >= reached:
                    break
            time.sleep(0.001)
        child.send_signal(number)
        _, err = child.communicate(timeout=30)
    finally:
        child.kill()
    assert seen is not None
    return child.returncode, err


def killed_after(tree, port, path, requests, *arguments):
    """Run publish until the AWS has answered so many `requests`, and kill it while the next ones wait; False when it ended before."""
    set_faults(port, {}, hold=requests)
    child = subprocess.Popen(command(tree, *arguments), cwd=tree.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 60
        while child.poll() is None and not held_back(port) and time.monotonic() < end:
            if path.exists():
                receipts.load(path)  # whole, whenever it is read
            time.sleep(0.01)
        alive = child.poll() is None
        assert alive or child.returncode == 0, child.communicate()[1]
    finally:
        child.kill()
        child.communicate(timeout=30)
        set_faults(port, {})  # what waited goes: its client is dead
    return alive


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_calls_and_resumed_it_is_complete_and_nothing_is_there_twice(fresh, port, tmp_path, seed):
    points = random.Random(seed)
    path = tmp_path / "receipt.json"
    regions = ",".join(list(fresh.catalogue.regions)[:5])
    first = ("publish", "--to", "local", "--region", regions, "--public", f"--receipt={path}")
    resume = ("publish", "--to", "local", "--resume", str(path))
    kills = [points.randrange(1, 60), *(points.randrange(1, 30) for _ in range(3))]  # a run has 61 calls, one with nothing left to do has 31
    happened = [killed_after(fresh, port, path, n, *(resume if path.exists() else first)) for n in kills]
    assert all(happened), kills
    done = run(fresh, *(resume if path.exists() else first))
    assert done.returncode == 0, (kills, done.stderr)
    stands(port, receipts.load(path), regions=5)
    assert [p.name for p in tmp_path.iterdir()] == ["receipt.json"]  # no part of one is left


def test_killed_in_the_middle_of_all_regions_and_resumed_it_is_complete(fresh, port, tmp_path):
    set_faults(port, {}, latency=0.02)  # so that calls are on their way when the process dies
    path = tmp_path / "receipt.json"
    code, _ = interrupted(fresh, path, signal.SIGKILL, 20)
    assert code == -signal.SIGKILL
    assert any(r.status not in DONE for r in receipts.load(path).stand())  # it was killed in the middle, not after the end
    set_faults(port, {})
    done = run(fresh, "publish", "--to", "local", "--resume", str(path))
    assert done.returncode == 0, done.stderr
    stands(port, receipts.load(path))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_finish_it(fresh, port, tmp_path, number):
    set_faults(port, {}, latency=0.02)
    path = tmp_path / "receipt.json"
    code, err = interrupted(fresh, path, number, 5)
    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert "Traceback" not in err
    printed = err.partition("this finishes it: ")[2].splitlines()[0]
    set_faults(port, {})
    assert run(fresh, *shlex.split(printed)[1:]).returncode == 0
    stands(port, receipts.load(path))


def test_one_region_hangs_and_one_refuses_then_the_printed_command_finishes(fresh, port):
    set_faults(port, {"eu-west-1": "hang", "af-south-1": "refuse"})
    done = run(fresh, *PUBLISH, "--region-timeout", "8", "--json", "result.json")
    assert done.returncode == 7, done.stderr
    result = json.loads((fresh.root / "result.json").read_text())
    left = {(r["region"], r["status"]) for r in result["results"] if r["status"] not in DONE}
    assert left == {("eu-west-1", "unreachable"), ("af-south-1", "refused")}
    assert result["run"] == {"published": 64, "unreachable": 2, "refused": 2}
    printed = done.stderr.rpartition("try: ")[2].strip()
    assert printed == result["resume"]
    set_faults(port, {})
    again = run(fresh, *shlex.split(printed)[1:], "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["run"] == {"reused": 64, "published": 4}
    stands(port, receipts.load(fresh.root / shlex.split(printed)[-1]))
    third = run(fresh, *PUBLISH)
    assert (third.returncode, "nothing to publish" in third.stdout) == (0, True)


def test_notes_and_the_newest_arn_come_from_the_receipt_or_from_aws(fresh, port):
    before = run(fresh, "python", "-l", "--to", "local", "-r", "us-gov-west-1")
    assert (before.returncode, before.stdout) == (3, "")
    assert "no published version of opentelemetry-python, opentelemetry-python-bundle in us-gov-west-1" in before.stderr
    assert run(fresh, *PUBLISH).returncode == 0
    from_receipt = run(fresh, "python", "-l", "-r", "eu-west-1")
    assert from_receipt.stdout == run(fresh, "python", "-l", "--to", "local", "-r", "eu-west-1").stdout
    [arn] = from_receipt.stdout.split()
    assert arn.startswith("arn:aws:lambda:eu-west-1:123456789012:layer:opentelemetry-python-amd64-0_0_0-dev-")
    written = run(fresh, "notes", "--output", "notes.md", "--json", "index.json")
    assert written.returncode == 0, written.stderr
    assert arn in (fresh.root / "notes.md").read_text()
    index = json.loads((fresh.root / "index.json").read_text())
    assert [len(layer["arns"]) for layer in index["layers"]] == [34, 34]


def test_a_dry_run_calls_nothing(fresh, port):
    set_faults(port, dict.fromkeys(fresh.catalogue.regions, "hang"))
    done = run(fresh, *PUBLISH, "--dry-run", "--json", timeout=60)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["steps"], len(plan["targets"]), plan["public"]) == (68, 34, True)
    assert not list((fresh.dist / "receipts").glob(f"*{plan['digest']}*"))
