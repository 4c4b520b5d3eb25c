"""The Python sample with the built layers: deployed, read back and run, its queue driven; what it answers and what it tells."""

import json

import pytest
from e2e.local_parts import HERE, PROJECT
from otel_layers import build
from otel_layers.aws import sample
from otel_layers.cli import deployed
from otel_layers.cli.session import session
from otel_layers.local import compare, expectation, otlp
from otel_layers.project import open_project

SAMPLE = "sample-apps/python-api"
FOLDER = PROJECT.root / SAMPLE


@pytest.fixture(scope="module")
def story():
    """Every event of the sample, one after the other, each followed by its queue's consumer: (responses, spans, result)."""
    for layer in sample.layers(PROJECT, SAMPLE).values():
        build.build(PROJECT, layer, HERE)
    project = open_project(SAMPLE)
    responses = {}
    with deployed.stack(project) as place, session(project, place.functions, aws_port=place.port) as (ours, finish):
        name = deployed.choose(place.functions, "orders")
        for event in ("1-put-order", "2-put-order-traced", "3-get-order", "4-put-order-unknown"):
            done = ours.invoke(name, (FOLDER / f"events/{event}.json").read_bytes())
            responses[event] = json.loads(done.response)
            place.drain(ours.invoke)
        result = finish()
    return responses, otlp.spans(result["resourceSpans"]), result


def test_the_api_answers(story):
    responses, _, result = story
    assert [i["status"] for i in result["invocations"]] == ["success"] * 6
    assert {event: r["statusCode"] for event, r in responses.items()} == {
        "1-put-order": 201,
        "2-put-order-traced": 201,
        "3-get-order": 200,
        "4-put-order-unknown": 422,
    }
    # Written by the first function, changed by the consumer, read by the first again: table and queue are real.
    assert json.loads(responses["3-get-order"]["body"]) == {"id": "1001", "sku": "lamp", "quantity": 2, "total": 49, "status": "shipped"}


def test_the_first_order_tells_what_expected_json_says(story):
    _, spans, _ = story
    first = next(s for s in spans if s.attributes.get("url.path") == "/orders/1001" and s.attributes["http.request.method"] == "PUT")
    sent = {s.span_id for s in spans if s.trace_id == first.trace_id}
    linked = {s.trace_id for s in spans if any(link.span_id in sent for link in s.links)}
    of_the_story = [s for s in spans if s.trace_id in {first.trace_id, *linked}]
    assert compare.differences(expectation.load(FOLDER / "expected.json"), of_the_story) == []


def test_a_request_with_a_trace_continues_it(story):
    _, spans, _ = story
    event = json.loads((FOLDER / "events/2-put-order-traced.json").read_text())
    trace, parent = event["headers"]["traceparent"].split("-")[1:3]
    (root,) = [s for s in spans if s.attributes.get("url.path") == "/orders/1002"]
    assert (root.trace_id, root.parent_id) == (trace, parent)


def test_each_message_links_its_consumer_to_its_sender(story):
    _, spans, _ = story
    senders = [s.span_id for s in spans if s.name == "SQS.SendMessage"]
    consumers = [s for s in spans if s.kind == "CONSUMER"]
    assert len(senders) == 2
    assert sorted(link.span_id for s in consumers for link in s.links) == sorted(senders)


def test_no_span_is_lost_and_none_comes_twice(story):
    _, spans, result = story
    counts = result["counts"]
    assert counts["backend"]["spans"] == {"received": len(spans), "unique": len(spans), "duplicated": 0}
    assert counts["collector"]["received"]["spans"] == counts["collector"]["sent"]["spans"] == len(spans)
