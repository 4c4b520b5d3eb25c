"""What --expect says about telemetry that is, and is not, as expected."""

import itertools
import json
from dataclasses import replace

import pytest
from otel_layers.errors import UsageError
from otel_layers.local import compare, expectation
from otel_layers.local.otlp import Event, Link, Span


def span(number, name, parent=0, kind="INTERNAL", trace=1, status="UNSET", links=(), resource=None, events=(), **attributes):
    found = tuple(Link(f"{t:032x}", f"{s:016x}", dict(*more)) for t, s, *more in links)
    attributes = {k.replace("__", "."): v for k, v in attributes.items()}
    parent_id = f"{parent:016x}" if parent else ""
    return Span(
        f"{trace:032x}", f"{number:016x}", parent_id, name, kind, number, number + 1, attributes, found, events, status, "why", resource or {}
    )


RECEIVED = [
    span(1, "GET /items", kind="SERVER", http__response__status_code=200, cold=True, tags=["a", "b"], resource={"faas.name": "api"}),
    span(2, "send", 1, "PRODUCER", messaging__system="aws_sqs"),
    span(3, "process q", trace=2, kind="CONSUMER", links=[(1, 2), (9, 9)], status="ERROR"),
]


def differences(*spans, received=RECEIVED, **more):
    return compare.differences(expectation.parse({"spans": list(spans), **more}), received)


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
        ({"spans": [], "exact": 1}, "the file.exact is 1"),
        ({"spans": [{"name": "a", "parent": 3}]}, "spans[0].parent is 3"),
        ({"spans": [{"name": "a", "parent": {"traceId": "1" * 32}}]}, "spans[0].parent has no 'spanId'"),
        ({"spans": [{"name": "a", "parent": {"traceId": "A" * 32, "spanId": "1" * 16}}]}, f"spans[0].parent.traceId is '{'A' * 32}'"),
        ({"spans": [{"name": "a", "links": ["b", 3]}]}, "spans[0].links[1] is not an object"),
        ({"spans": [{"name": "a", "links": [{"spanId": "1", "traceId": "1" * 32}]}]}, "spans[0].links[0].spanId is '1'"),
        ({"spans": [{"name": "a", "links": [{"attributes": 3}]}]}, "spans[0].links[0].attributes is 3"),
        ({"spans": [{"name": "a", "links": [{"traceState": {}}]}]}, "spans[0].links[0].traceState is {}"),
        ({"spans": [{"name": "a", "traceState": None}]}, "spans[0].traceState is null"),
        ({"spans": [{"name": "a", "links": [{"ids": 3}]}]}, "spans[0].links[0] has no 'traceId'"),
        ({"spans": [{"name": "a", "events": [{"name": "b"}, {}]}]}, "spans[0].events[1] has no 'name'"),
        ({"spans": [], "returns": 1, "raises": "boom"}, "the file has both returns and raises"),
        ({"spans": [], "environment": {"A": 1}}, 'environment["A"] is 1'),
        ({"spans": [], "rules": ["sqs", None]}, "rules[1] is null"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path, raw, words):
    path = tmp_path / "expected.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(UsageError) as refused:
        expectation.load(path)
    assert refused.value.what == f"{path}: {words}"


def test_files_that_are_not_json_or_not_there(tmp_path):
    (tmp_path / "a").write_text("{")
    (tmp_path / "b").write_bytes(b"\xff")
    for name in ("a", "b", "c"):
        with pytest.raises(UsageError, match="cannot read the expected telemetry"):
            expectation.load(tmp_path / name)


def test_a_right_file(tmp_path):
    path = tmp_path / "expected.json"
    path.write_text(json.dumps({"spans": FULL, "unexpected": "fail"}))
    assert compare.differences(expectation.load(path), RECEIVED) == []


def ids(trace, span, **more):
    return {"traceId": f"{trace:032x}", "spanId": f"{span:016x}", **more}


REMOTE = [
    span(
        5,
        "process q",
        parent=9,
        trace=7,
        kind="SERVER",
        links=[(1, 2, {"id": "a"}), (1, 2, {"id": "b"}), (3, 4)],
        events=(Event("x", 1, {"n": 1}),),
        a=1,
    ),
]
EXACT = {
    "name": "process q",
    "parent": ids(7, 9),
    "attributes": {"a": 1},
    "links": [ids(3, 4), ids(1, 2, attributes={"id": "b"}), ids(1, 2, attributes={"id": "*"})],
    "events": [{"name": "x", "attributes": {"n": 1}}],
}


def test_ids_links_and_events_as_expected():
    for exact in (True, False):
        assert differences(EXACT, received=REMOTE, exact=exact) == []
    assert differences(EXACT | {"attributes": {"*": "*"}}, received=REMOTE, exact=True) == []
    assert differences(EXACT | {"events": [{"name": "x"}]}, received=REMOTE) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parent": ids(7, 8)}, f"parent: want {7:032x}-{8:016x}, got {7:032x}-{9:016x}"),
        ({"parent": ids(8, 9)}, f"parent: want {8:032x}-{9:016x}, got {7:032x}-{9:016x}"),
        ({"attributes": {}}, "attribute a: not wanted, got 1"),
        ({"attributes": {"a": 1, "b.*": "*"}}, None),
        ({"attributes": {"b.*": "*"}}, "attribute a: not wanted, got 1"),
        ({"links": EXACT["links"][1:]}, f"link to {3:032x}-{4:016x}: not wanted"),
        ({"links": [*EXACT["links"], ids(5, 5)]}, f"link to {5:032x}-{5:016x}: it is absent"),
        ({"links": [*EXACT["links"], "send"]}, "link to 'send': it is absent"),
        (
            {"links": [*EXACT["links"][:2], ids(1, 2, attributes={"id": "c"})]},
            f"link to {1:032x}-{2:016x}: attribute id: want 'c', got 'a'",
        ),
        ({"links": [*EXACT["links"][:2], ids(1, 2, attributes={})]}, f"link to {1:032x}-{2:016x}: attribute id: not wanted, got 'a'"),
        ({"events": []}, "events: want [], got ['x']"),
        ({"events": [{"name": "x", "attributes": {"n": 2}}]}, "event x: attribute n: want 2, got 1"),
        ({"events": [{"name": "x"}]}, "event x: attribute n: not wanted, got 1"),
    ],
)
def test_each_exact_difference_has_its_words(change, words):
    assert differences(EXACT | change, received=REMOTE, exact=True) == ([f"span 'process q': {words}"] if words else [])


def test_what_is_left_out_of_an_exact_file_is_none():
    got = [span(5, "a", trace=7, links=[(1, 2)], events=(Event("x", 1),), status="ERROR")]
    assert differences({"name": "a"}, received=got) == []
    assert differences({"name": "a"}, received=got, exact=True) == [
        f"span 'a': link to {1:032x}-{2:016x}: not wanted",
        "span 'a': events: want [], got ['x']",
        "span 'a': status: want UNSET, got ERROR (why)",
    ]


def test_a_root_where_a_remote_parent_is_wanted():
    assert differences({"name": "a", "parent": ids(7, 9)}, received=[span(5, "a", trace=7)]) == [
        f"span 'a': parent: want {7:032x}-{9:016x}, got a root",
    ]


def test_links_to_received_spans_by_name_and_to_others_by_ids():
    assert differences(FULL[0], FULL[1], {"name": "process q", "links": ["send", ids(9, 9)]}) == []
    assert differences(FULL[0], FULL[1], {"name": "process q", "links": [ids(9, 9)]}) == ["span 'process q': link to 'send': not wanted"]


def test_the_resource_of_every_span():
    got = [span(1, "a", resource={"x": 1, "y.z": 2}), span(2, "b", resource={"x": 1}), span(3, "c", resource={"x": 1})]
    assert differences(unexpected="allow", received=got, resource={"x": 1, "y.*": "*"}) == []
    assert differences(unexpected="allow", received=got, resource={"x": 2}) == [
        "resource attribute x: want 2, got 1",
        "resource attribute y.z: not wanted, got 2",
        "resource attribute x: want 2, got 1",
    ]


SHARED = {
    "function": "f",
    "handlers": {},
    "xray": "Root=1",
    "environment": {"A": "1", "B": "1"},
    "resource": {"x": "*"},
    "server": {"attributes": {"faas.coldstart": "*"}, "links": [ids(1, 2)]},
}


def shared(tmp_path, **raw):
    (tmp_path / "expected").mkdir()
    (tmp_path / "common.json").write_text(json.dumps(SHARED))
    path = tmp_path / "expected" / "one.json"
    path.write_text(json.dumps(raw))
    return expectation.load(path)


def test_what_the_suites_files_have_in_common(tmp_path):
    found = shared(tmp_path, exact=True, spans=[{"name": "f", "kind": "SERVER", "attributes": {"a": 1}}, {"name": "c"}], environment={"B": "2"})
    server, other = found.spans
    assert server.attributes == {"faas.coldstart": "*", "a": 1}
    assert [link.to for link in server.links] == [expectation.Reference(f"{1:032x}", f"{2:016x}")]
    assert (other.attributes, other.links) == ({}, ())
    assert found.resource == {"x": "*"}
    assert found.conditions == expectation.Conditions(environment={"A": "1", "B": "2"}, xray="Root=1")


def test_a_file_of_the_suite_says_how_it_is_invoked(tmp_path):
    span_only = {"name": "f", "kind": "SERVER"}
    found = shared(tmp_path, exact=True, spans=[span_only], xray="", raises="boom", rules=["sqs"], description="d", clientContext={"custom": {}})
    assert found.spans[0].links == ()
    assert found.conditions == expectation.Conditions("d", ("sqs",), {"raises": "boom"}, {"A": "1", "B": "1"}, "", '{"custom": {}}')


def test_a_wrong_common_file_is_told_by_its_name(tmp_path):
    path = tmp_path / "common.json"
    path.write_text(json.dumps(SHARED | {"server": {}}))
    with pytest.raises(UsageError) as refused:
        expectation.common(path)
    assert refused.value.what == f"{path}: server has no 'attributes'"


def test_tracestate_as_expected_and_not_compared_where_nothing_says_so():
    got = [replace(span(5, "a", trace=7), trace_state="v=1", links=(Link(f"{1:032x}", f"{2:016x}", {}, "v=2"),))]
    full = {"name": "a", "traceState": "v=1", "links": [ids(1, 2, traceState="v=2")]}
    assert differences(full, received=got, exact=True) == []
    assert differences({"name": "a", "links": [ids(1, 2)]}, received=got) == []
    assert differences({"name": "a", "links": [ids(1, 2)]}, received=got, exact=True) == [
        f"span 'a': link to {1:032x}-{2:016x}: traceState: want '', got 'v=2'",
        "span 'a': traceState: want '', got 'v=1'",
    ]
    assert differences({"name": "a", "traceState": "v=2"}, received=got) == ["span 'a': traceState: want 'v=2', got 'v=1'"]
