"""The conformance suite's own rules: which parent is expected, what is fuzzed, what no span may be."""

import json
from dataclasses import replace

import pytest
from otel_layers.cli.conformance import cases, fuzz, matrix, propagation, runner
from otel_layers.cli.conformance.propagation import B3, B3MULTI, LAMBDA, UNSAMPLED, W3C, XRAY
from otel_layers.errors import UsageError
from otel_layers.local.otlp import Link, Span
from otel_layers.project import find_root, open_project

SENT = {sent.name: sent for sent in propagation.SENT}
OFF = UNSAMPLED["lambda"]


# By hand, from the convention and the design: the variable, what is sent, Lambda's context -> the parent and the links.
@pytest.mark.parametrize(
    ("names", "sent", "environment", "parent", "links"),
    [
        (None, "nothing", OFF, None, [OFF]),
        (None, "nothing", LAMBDA, None, [LAMBDA]),  # X-Ray's environment is a link, never the parent
        (None, "nothing", None, None, []),
        (None, "w3c", OFF, W3C, [OFF]),
        (None, "xray", OFF, XRAY, [OFF]),
        (None, "w3c, xray", OFF, W3C, [OFF, XRAY]),  # AWS's header does not hide the sender's
        (None, "xray unsampled", OFF, None, [OFF, UNSAMPLED["xray"]]),  # and never switches tracing off
        (None, "xray malformed", OFF, None, [OFF]),
        (None, "w3c unsampled", OFF, UNSAMPLED["w3c"], [OFF]),
        (None, "w3c malformed, xray", OFF, XRAY, [OFF]),
        (None, "b3", OFF, None, [OFF]),
        (("xray", "tracecontext"), "w3c, xray", OFF, XRAY, [OFF]),  # in the order of the list
        (("tracecontext", "xray"), "w3c, xray", OFF, W3C, [OFF, XRAY]),
        (("xray",), "xray unsampled", OFF, UNSAMPLED["xray"], [OFF]),  # asked for by name
        (("xray-lambda",), "nothing", LAMBDA, LAMBDA, []),
        (("xray-lambda",), "xray", LAMBDA, LAMBDA, [XRAY]),
        (("xray-lambda",), "xray", None, XRAY, []),
        (("tracecontext", "xray-lambda"), "w3c", LAMBDA, W3C, [LAMBDA]),
        (("b3",), "b3multi", OFF, B3MULTI, [OFF]),
        (("b3multi",), "all", OFF, B3, [OFF, XRAY]),
        (("none",), "all", LAMBDA, None, [LAMBDA, XRAY]),
        (("none", "tracecontext"), "w3c", OFF, None, [OFF]),
        (("baggage",), "w3c", OFF, None, [OFF]),
    ],
)
def test_the_parent_that_is_expected(names, sent, environment, parent, links):
    assert propagation.expected(names, SENT[sent], environment) == (parent, links)


def test_every_list_of_propagators_is_run_with_all_that_is_sent():
    found = list(propagation.cases(cases.common(find_root())))
    lists = {case.conditions.environment.get("OTEL_PROPAGATORS", "") for case in found}
    singles = {",".join((name,)) for name in propagation.NAMES}
    pairs = {f"{one},{other}" for one in propagation.NAMES for other in propagation.NAMES if one != other}
    assert lists >= {"", *singles, *pairs}
    assert len({case.name for case in found}) == len(found) == len(lists) * 24
    unsampled = [case for case in found if not case.expected.spans]
    assert unsampled
    assert len(unsampled) < len(found) / 2


SEEDS = [{"Records": [{"body": "b", "n": 1}]}, {"headers": {"a": "b"}, "path": "/"}]


def test_fuzzed_events_are_the_same_for_the_same_seed_and_many():
    made = [json.dumps(event) for event in fuzz.events(SEEDS, 7, 500)]
    assert made == [json.dumps(event) for event in fuzz.events(SEEDS, 7, 500)]
    assert made != [json.dumps(event) for event in fuzz.events(SEEDS, 8, 500)]
    assert len(set(made)) > 300
    kinds = {type(json.loads(event)) for event in made}
    assert {dict, list, str} < kinds
    text = "".join(made)
    for odd in ("\\ud800", "traceparent", '"HEADERS"', "\\u0000", "18446744073709551616", "[[["):
        assert odd in text, odd
    assert max(map(len, made)) > 3000
    assert SEEDS == [{"Records": [{"body": "b", "n": 1}]}, {"headers": {"a": "b"}, "path": "/"}]


SPAN = Span("1" * 32, "2" * 16, "", "a", "SERVER", 5, 6, {"faas.invocation_id": "r"})
CHILD = replace(SPAN, span_id="3" * 16, parent_id="2" * 16, kind="CONSUMER")


def test_no_fuzzed_event_is_larger_than_lambda_takes():
    large = [["x" * 300_000] * 3]
    sizes = [len(json.dumps(event)) for event in fuzz.events(large, 1, 40)]
    assert len(sizes) == 40
    assert max(sizes) <= 6_291_556
    assert max(sizes) > 1_500_000, "some grow"


def test_what_every_fuzzed_event_must_give():
    def wrong(*spans, event=b"{}"):
        return fuzz.differences(event, spans, "r")

    assert wrong(SPAN) == wrong(SPAN, CHILD) == []
    assert wrong() == ["0 SERVER spans"]
    assert wrong(event=b'{"traceparent": "00-11111111111111111111111111111111-1111111111111111-00"}') == []
    assert wrong(event=b'{"traceparent": "00-11111111111111111111111111111111-1111111111111111-01"}') == ["0 SERVER spans"]
    assert wrong(SPAN, replace(SPAN, attributes={})) == ["2 SERVER spans", "faas.invocation_id is None"]
    assert wrong(SPAN, replace(CHILD, kind="CLIENT")) == ["a span of kind CLIENT"]
    assert wrong(SPAN, CHILD, CHILD) == ["CONSUMER spans: more than one"]
    assert wrong(SPAN, replace(CHILD, parent_id="9" * 16)) == ["the CONSUMER span is not below the SERVER span"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trace_id": ""}, "span 'a': traceId is ''"),
        ({"span_id": "0" * 16}, f"span 'a': spanId is {'0' * 16!r}"),
        ({"parent_id": "1"}, "span 'a': parentSpanId is '1'"),
        ({"links": (Link("1", "2" * 16), Link("1" * 32, "2" * 16))}, "span 'a': link's traceId is '1'"),
        ({"links": (Link("1" * 32, "2" * 16), Link("1" * 32, ""))}, "span 'a': link's spanId is ''"),
        ({"end_ns": 4}, "span 'a' goes from 5 to 4"),
        ({"name": ""}, "a span has no name"),
    ],
)
def test_no_span_may_be_malformed(change, words):
    assert runner.malformed([SPAN]) == []
    assert runner.malformed([replace(SPAN, **change)]) == [words]


def test_a_function_that_the_layer_changes():
    was = runner.Result("success", b"1", "null", ("line",))
    assert runner.changed(was, was) == []
    assert runner.changed(was, replace(was, response=b"2")) == ["the function's response: b'1' without the layer, b'2' with it"]
    assert runner.changed(was, replace(was, lines=("line", "otel: no"))) == [
        "the function's output: with the layer there is ['otel: no'], and there is no []",
    ]


def suite(root, events, expected):
    home = root / cases.FOLDER
    for folder, names in (("events", events), ("expected", expected)):
        (home / folder).mkdir(parents=True)
        for name, body in names.items():
            (home / folder / f"{name}.json").write_text(body)
    shared = {
        "function": "f",
        "handlers": {},
        "xray": "",
        "resource": {},
        "server": {"attributes": {"faas.invocation_id": "*", "faas.coldstart": "*"}, "links": []},
    }
    (home / "common.json").write_text(json.dumps(shared))
    return root


def test_cases_are_read_and_share_environments_of_the_same_variables(tmp_path):
    span = {"name": "f", "kind": "SERVER"}
    other = {"spans": [span, {"name": "g", "kind": "SERVER", "attributes": {}}], "environment": {"A": "1"}}
    expected = {"a": json.dumps({"spans": [span]}), "b": json.dumps(other), "c": json.dumps({"spans": []})}
    root = suite(tmp_path, {"a": "1", "b": "null", "c": "{}"}, expected)
    found = cases.load(root)
    assert [(case.name, case.event) for case in found] == [("a", b"1"), ("b", b"null"), ("c", b"{}")]
    assert [[case.name for case in group] for group in cases.by_environment(found)] == [["a", "c"], ["b"]]
    assert [case.name for case in cases.load(root, ["a", "[c-z]"])] == ["a", "c"]
    (span,) = cases.of_invocation(found[0], "r", cold=True).spans
    assert span.attributes == {"faas.invocation_id": "r", "faas.coldstart": True}


def test_a_file_without_its_other_is_an_error(tmp_path):
    root = suite(tmp_path, {"a": "1"}, {})
    with pytest.raises(UsageError, match=r"events/a.json has no utils/conformance/expected/a.json"):
        cases.load(root)
    (root / cases.FOLDER / "events/a.json").unlink()
    (root / cases.FOLDER / "expected/b.json").write_text("{}")
    with pytest.raises(UsageError, match=r"expected/b.json has no utils/conformance/events/b.json"):
        cases.load(root)


def test_an_event_that_is_not_json_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="is not JSON"):
        cases.load(suite(tmp_path, {"a": "{"}, {"a": "{}"}))


def test_the_matrix_says_what_was_run_and_how_it_went(tmp_path):
    project = open_project()
    first, second, *_ = matrix.columns(project)
    span = {"name": "f", "kind": "SERVER"}
    raw = {name: json.dumps({"spans": [span], "description": "a | b", "rules": ["r", "s"]}) for name in "ab"}
    found = cases.load(suite(tmp_path, dict.fromkeys("ab", "1"), raw))
    outcomes = [
        runner.Outcome("a", "l", first, "auto", ()),
        runner.Outcome("a", "l", first, "sdk", ()),
        runner.Outcome("b", "l", first, "auto", ()),
        runner.Outcome("b", "l", first, "sdk", ("wrong",)),
        runner.Outcome("a", "l", second, "auto", ()),
    ]
    head, rows = matrix.table(project, found, outcomes)
    assert head[:4] == ["event", "what it shows", "rules", first]
    assert [row[:5] for row in rows] == [
        ["[a](../utils/conformance/events/a.json)", "a \\| b", "`r`, `s`", matrix.YES, matrix.YES],
        ["[b](../utils/conformance/events/b.json)", "a \\| b", "`r`, `s`", matrix.NO, matrix.NOT_RUN],
    ]
