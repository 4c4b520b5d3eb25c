"""The conformance suite's events and expectations: complete, of one format, and none without the other."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

CONFORMANCE = Path(__file__).resolve().parents[2] / "conformance"
NAMES = sorted(path.stem for path in (CONFORMANCE / "expected").glob("*.json"))
TRIGGERS = {"http", "pubsub", "datasource", "timer", "other"}
KEYS = {"description", "rules", "returns", "raises", "environment", "xray", "clientContext", "exact", "spans"}


def read(folder, name):
    return (CONFORMANCE / folder / f"{name}.json").read_text(encoding="utf-8")


def expected(name):
    return json.loads(read("expected", name))


def test_every_event_has_an_expectation_and_conversely():
    assert sorted(path.stem for path in (CONFORMANCE / "events").iterdir()) == NAMES
    assert len(NAMES) >= 60
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in NAMES)


@pytest.mark.parametrize("folder", ["events", "expected"])
def test_files_are_written_in_one_way(folder):
    assert [name for name in NAMES if read(folder, name) != json.dumps(json.loads(read(folder, name)), indent=2) + "\n"] == []


def test_expectations_are_whole():
    """Each says what it holds, is exact, and has one SERVER span that names its trigger, or none at all."""
    descriptions = Counter(expected(name)["description"] for name in NAMES)
    assert [words for words, times in descriptions.items() if times > 1 or len(words) < 15 or not words.endswith(".")] == []
    for name in NAMES:
        found = expected(name)
        assert found.keys() <= KEYS, name
        assert found["exact"] is True, name
        assert not {"returns", "raises"} <= found.keys(), name
        servers = [span for span in found["spans"] if span["kind"] == "SERVER"]
        assert len(servers) == min(len(found["spans"]), 1), name
        assert all(span["attributes"]["faas.trigger"] in TRIGGERS for span in servers), name
        assert all(span["parent"] == servers[0]["name"] for span in found["spans"] if span["kind"] == "CONSUMER"), name


def test_every_kind_of_trigger_is_there():
    found = Counter(span["attributes"]["faas.trigger"] for name in NAMES for span in expected(name)["spans"] if span["kind"] == "SERVER")
    assert found.keys() == TRIGGERS
    assert all(expected(name)["rules"] for name in NAMES)


def test_no_real_account_or_address():
    """Account ids and host names are those of documentation."""
    for name in NAMES:
        text = read("events", name)
        assert set(re.findall(r"\barn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:(\d+):", text)) <= {"123456789012"}, name
        assert set(re.findall(r"@([a-z-]+\.[a-z.]+)", text)) <= {"example.com"}, name
