"""Decoding OTLP/JSON, and stories."""

from dataclasses import replace

import pytest
from otel_layers.local import otlp
from otel_layers.local.otlp import Link, Span


def span(number, parent=0, trace=1, start=None, links=(), name=None):
    hexes = [f"{n:016x}" if n else "" for n in (number, parent)]
    start = number * 10 if start is None else start
    found = tuple(Link(f"{t:032x}", f"{s:016x}") for t, s in links)
    return Span(f"{trace:032x}", *hexes, name or f"s{number}", "INTERNAL", start, start + 5, links=found)


def shape(story):
    return [(row.span.name, row.depth, row.linked_from and row.linked_from.name) for row in story.rows]


def test_attribute_values_of_every_type():
    values = {
        "s": {"stringValue": "x"},
        "t": {"boolValue": False},
        "i": {"intValue": "-9007199254740993"},
        "d": {"doubleValue": "NaN"},
        "b": {"bytesValue": "AP8="},
        "a": {"arrayValue": {"values": [{"intValue": "1"}, {"arrayValue": {}}, {}]}},
        "m": {"kvlistValue": {"values": [{"key": "k", "value": {"doubleValue": 1.5}}]}},
        "n": {},
    }
    got = otlp.attributes([{"key": k, "value": v} for k, v in values.items()])
    assert str(got.pop("d")) == "nan"
    assert got == {"s": "x", "t": False, "i": -9007199254740993, "b": b"\0\xff", "a": [1, [], None], "m": {"k": 1.5}, "n": None}


def test_a_span_with_everything():
    key = {"attributes": [{"key": "a", "value": {"intValue": "1"}}]}
    raw = {
        "traceId": "a" * 32,
        "spanId": "b" * 16,
        "parentSpanId": "c" * 16,
        "name": "n",
        "kind": 5,
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "3",
        "links": [{"traceId": "d" * 32, "spanId": "e" * 16, **key}],
        "events": [{"name": "exception", "timeUnixNano": "2", **key}],
        "status": {"code": 1},
        **key,
    }
    (got,) = otlp.spans([{"resource": key, "scopeSpans": [{"scope": {"name": "lib", "version": "2"}, "spans": [raw]}]}])
    assert got == Span(
        "a" * 32,
        "b" * 16,
        "c" * 16,
        "n",
        "CONSUMER",
        1,
        3,
        {"a": 1},
        (Link("d" * 32, "e" * 16, {"a": 1}),),
        (otlp.Event("exception", 2, {"a": 1}),),
        "OK",
        "",
        {"a": 1},
        "lib",
        "2",
    )


def test_what_is_absent_has_a_plain_value():
    (got,) = otlp.spans([{"scopeSpans": [{"spans": [{"status": {"code": 99}}]}]}])
    assert (got.kind, got.status, got.parent_id, got.service) == ("UNSPECIFIED", "99", "", "")


def test_logs():
    raw = {"observedTimeUnixNano": "5", "severityNumber": 9, "body": {"stringValue": "hello"}, "traceId": "a" * 32, "spanId": "b" * 16}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]}
    (got,) = otlp.logs([{"resource": resource, "scopeLogs": [{"scope": {"name": "lib"}, "logRecords": [raw]}]}])
    assert (got.time_ns, got.severity, got.body, got.trace_id, got.scope, got.resource) == (5, "9", "hello", "a" * 32, "lib", {"service.name": "s"})


def test_a_trace_is_a_tree_in_order_of_start():
    (story,) = otlp.traces([span(3, 1), span(2, 1), span(4, 2), span(1)])
    assert shape(story) == [("s1", 0, None), ("s2", 1, None), ("s4", 2, None), ("s3", 1, None)]


def test_a_linked_trace_stands_under_its_source():
    """The consumer's invocation has the queue span as child; only that one carries the link. It started earlier by a wrong clock."""
    api = [span(1), span(2, 1, name="send")]
    consumer = [span(11, trace=2, start=1), span(12, 11, trace=2, links=[(1, 2)], name="process")]
    (story,) = otlp.traces([*consumer, *api])
    assert shape(story) == [("s1", 0, None), ("send", 1, None), ("s11", 1, None), ("process", 2, "send")]
    assert story.trace_ids == (f"{1:032x}", f"{2:032x}")
    assert len(story.spans) == 4


def test_separate_traces_are_separate_stories_and_unknown_links_join_nothing():
    stories = otlp.traces([span(1, links=[(9, 9)]), span(2, trace=2, links=[(9, 9)])])
    assert [shape(s) for s in stories] == [[("s1", 0, None)], [("s2", 0, None)]]


def test_two_traces_with_a_span_of_the_same_id_are_not_mixed_up():
    stories = otlp.traces([span(1), span(1, trace=2), span(2, 1, trace=2)])
    assert [shape(s) for s in stories] == [[("s1", 0, None)], [("s1", 0, None), ("s2", 1, None)]]


def test_a_span_that_came_twice_appears_once_and_an_orphan_is_a_root():
    (story,) = otlp.traces([span(1, 77), span(1, 77), span(2, 1)])
    assert shape(story) == [("s1", 0, None), ("s2", 1, None)]


@pytest.mark.parametrize(
    "found",
    [
        [span(1, 1)],
        [span(1, 2), span(2, 1)],
        [span(1, links=[(2, 2)]), span(2, trace=2, links=[(1, 1)])],
        [span(1, links=[(1, 1)])],
        [span(1, links=[(1, 2)]), span(2, 1)],
        [span(1, links=[(2, 2)]), span(2, trace=2, links=[(3, 3)]), span(3, trace=3, links=[(1, 1)])],
    ],
)
def test_circles_end_and_lose_nothing(found):
    (story,) = otlp.traces(found)
    assert sorted(s.name for s in story.spans) == sorted(s.name for s in found)


def test_a_very_deep_trace():
    (story,) = otlp.traces([span(n, n - 1) for n in range(1, 3001)])
    assert story.rows[-1].depth == 2999


def test_many_links_join_many_producers():
    producers = [span(n, trace=n) for n in range(1, 6)]
    consumer = span(20, trace=20, links=[(n, n) for n in range(1, 6)])
    (story,) = otlp.traces([*producers, consumer])
    assert shape(story)[-1] == ("s20", 1, "s1")
    assert [row.depth for row in story.rows[:-1]] == [0] * 5


def test_the_service_falls_back_to_the_function():
    plain = span(1)
    assert replace(plain, resource={"faas.name": "f"}).service == "f"
    assert replace(plain, resource={"faas.name": "f", "service.name": "s"}).service == "s"
