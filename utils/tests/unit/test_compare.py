"""What --expect says about telemetry that is, and is not, as expected."""

import itertools
import json

import pytest
from otel_layers.errors import UsageError
from otel_layers.local import compare
from otel_layers.local.otlp import Link, Span


def span(number, name, parent=0, kind="INTERNAL", trace=1, status="UNSET", links=(), resource=None, **attributes):
    found = tuple(Link(f"{t:032x}", f"{s:016x}") for t, s in links)
    attributes = {k.replace("__", "."): v for k, v in attributes.items()}
    parent_id = f"{parent:016x}" if parent else ""
    return Span(f"{trace:032x}", f"{number:016x}", parent_id, name, kind, number, number + 1, attributes, found, (), status, "why", resource or {})


RECEIVED = [
    span(1, "GET /items", kind="SERVER", http__response__status_code=200, cold=True, tags=["a", "b"], resource={"faas.name": "api"}),
    span(2, "send", 1, "PRODUCER", messaging__system="aws_sqs"),
    span(3, "process q", trace=2, kind="CONSUMER", links=[(1, 2), (9, 9)], status="ERROR"),
]


def differences(*spans, received=RECEIVED, **more):
    return compare.differences(compare.parse({"spans": list(spans), **more}), received)


FULL = [
    {
        "name": "GET /items",
        "kind": "SERVER",
        "parent": None,
        "attributes": {"http.response.status_code": 200, "cold": True, "tags": ["a", "*"]},
        "resource": {"faas.name": "*"},
        "links": [],
        "status": "UNSET",
    },
    {"name": "send", "parent": "GET /items"},
    {"name": "process q", "kind": "CONSUMER", "links": ["send"], "status": "ERROR"},
]


def test_as_expected():
    assert differences(*FULL) == []
    assert differences(unexpected="allow") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "CLIENT"}, "kind: want CLIENT, got SERVER"),
        ({"parent": "send"}, "parent: want 'send', got None"),
        ({"attributes": {"http.response.status_code": "200"}}, "attribute http.response.status_code: want '200', got 200"),
        ({"attributes": {"cold": 1}}, "attribute cold: want 1, got True"),
        ({"attributes": {"tags": ["a"]}}, "attribute tags: want ['a'], got ['a', 'b']"),
        ({"attributes": {"http.status_code": "*"}}, "attribute http.status_code: want '*', it is absent (there is http.response.status_code)"),
        ({"resource": {"faas.name": "other"}}, "resource attribute faas.name: want 'other', got 'api'"),
        ({"links": ["send"]}, "links: want ['send'], got []"),
        ({"status": "ERROR"}, "status: want ERROR, got UNSET (why)"),
    ],
)
def test_each_difference_has_its_words(change, words):
    assert differences(FULL[0] | change, *FULL[1:]) == [f"span 'GET /items': {words}"]


def test_missing_and_unexpected():
    assert differences(FULL[0], FULL[1], {"name": "process"}) == [
        "missing span 'process' (there is 'process q')",
        "unexpected span 'process q' (CONSUMER, parent None)",
    ]
    assert differences({"name": "zzz"}, unexpected="allow") == ["missing span 'zzz'"]
    assert differences(*FULL[:2]) == ["unexpected span 'process q' (CONSUMER, parent None)"]


def test_one_expected_span_is_one_received_span():
    assert differences(*FULL, FULL[1]) == ["missing span 'send'"]
    assert differences(*FULL, received=[*RECEIVED, RECEIVED[1]]) == ["1 span came twice"]


def test_of_several_with_one_name_each_finds_its_own():
    several = [span(n, "GET", url=f"/{n}", code=200) for n in (1, 2, 3)]
    want = [{"name": "GET"}, {"name": "GET", "attributes": {"url": "/1"}}, {"name": "GET", "attributes": {"url": "/3"}}]
    assert differences(*want, received=several) == []
    crossed = [{"name": "GET", "attributes": {"code": 200}}, {"name": "GET", "attributes": {"url": "/1"}}]
    assert differences(*crossed, received=several[:2]) == []
    assert differences(*crossed[::-1], received=several[:2]) == []
    want[1] = {"name": "GET", "attributes": {"url": "/1", "code": 500}}
    assert differences(*want, received=several) == ["span 'GET': attribute code: want 500, got 200"]


def test_the_assignment_is_the_cheapest_of_all():
    for seed in range(60):
        rows = seed % 4 + 1
        columns = rows + seed // 4 % 3
        costs = [[(seed * 7919 + r * 104729 + c * 1299709) % 11 % 5 for c in range(columns)] for r in range(rows)]
        got = compare._assign(costs)
        assert len(got) == len(set(got.values())) == rows
        best = min(sum(costs[r][c] for r, c in enumerate(chosen)) for chosen in itertools.permutations(range(columns), rows))
        assert sum(costs[r][c] for r, c in got.items()) == best


def test_when_spans_are_missing_the_others_still_find_their_own():
    got = [span(1, "GET", url="/1")]
    want = [{"name": "GET", "attributes": {"url": "/2"}}, {"name": "GET", "attributes": {"url": "/1"}}]
    assert differences(*want, received=got) == differences(*want[::-1], received=got) == ["missing span 'GET'"]


def test_a_parent_that_did_not_come_is_told():
    assert differences({"name": "send", "parent": None}, received=[RECEIVED[1]]) == [
        f"span 'send': parent: want None, got '(not received: {1:016x})'",
    ]


def test_links_to_unknown_spans_are_told():
    assert differences(FULL[0], FULL[1], {"name": "process q", "links": []}) == [
        "span 'process q': links: want [], got ['send'], and 1 to spans that were not received",
    ]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ([], "the file is not an object"),
        ({}, "the file has no 'spans'"),
        ({"spans": {}}, "the file.spans is {}"),
        ({"spans": [], "metrics": []}, "the file has an unknown key 'metrics'"),
        ({"spans": [], "unexpected": "warn"}, "unexpected is 'warn'"),
        ({"spans": [3]}, "spans[0] is not an object"),
        ({"spans": [{"kind": "SERVER"}]}, "spans[0] has no 'name'"),
        ({"spans": [{"name": "a"}, {"name": "b", "atributes": {}}]}, "spans[1] has an unknown key 'atributes'"),
        ({"spans": [{"name": "a", "kind": "server"}]}, "spans[0].kind is 'server'"),
        ({"spans": [{"name": "a", "status": "BAD"}]}, "spans[0].status is 'BAD'"),
        ({"spans": [{"name": "a", "links": "b"}]}, 'spans[0].links is "b"'),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path, raw, words):
    path = tmp_path / "expected.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(UsageError) as refused:
        compare.load(path)
    assert refused.value.what == f"{path}: {words}"


def test_files_that_are_not_json_or_not_there(tmp_path):
    (tmp_path / "a").write_text("{")
    (tmp_path / "b").write_bytes(b"\xff")
    for name in ("a", "b", "c"):
        with pytest.raises(UsageError, match="cannot read the expected telemetry"):
            compare.load(tmp_path / name)


def test_a_right_file(tmp_path):
    path = tmp_path / "expected.json"
    path.write_text(json.dumps({"spans": FULL, "unexpected": "fail"}))
    assert compare.differences(compare.load(path), RECEIVED) == []
