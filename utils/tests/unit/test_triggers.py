"""The trigger table is as its format says, and a mistake in it is named with row, key and remedy."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from otel_layers.errors import UsageError
from otel_layers.triggers import page, table

TABLE = json.loads((Path(__file__).parents[3] / table.FILE).read_text())


def row(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(r for r in data["rows"] if r["row"] == name)


def test_the_table_is_right() -> None:
    table.check(TABLE)


def test_a_row_has_what_it_is_like() -> None:
    url = table.complete(TABLE, row(TABLE, "function-url"))
    assert url["trigger"] == "http"
    assert url["response"]["default"] == 200
    assert url["attributes"]["http.route"] == []
    assert url["attributes"]["url.path"] == [{"path": ["rawPath"]}]
    assert url["attributes"]["url.scheme"] == TABLE["shapes"]["http"]["attributes"]["url.scheme"]


# What must be recognised, and its faas.trigger: whoever takes a row away, or renames it, has every language's telemetry in mind.
RECOGNISED = {
    "http": "rest-api http-api function-url load-balancer websocket vpc-lattice vpc-lattice-v1",
    "pubsub": "sqs sns kinesis kafka activemq rabbitmq eventbridge firehose logs-subscription",
    "datasource": "dynamodb s3 s3-test s3-eventbridge documentdb codecommit s3-object-lambda",
    "timer": "schedule",
    "other": "authorizer http-api-authorizer appsync default",
}


def test_every_trigger_is_in_the_table() -> None:
    found: dict[str, set[str]] = {}
    for one in TABLE["rows"]:
        found.setdefault(table.complete(TABLE, one)["trigger"], set()).add(one["row"])
    assert found == {trigger: set(names.split()) for trigger, names in RECOGNISED.items()}
    batches = {one["row"] for one in TABLE["rows"] if "consumer" in table.complete(TABLE, one)}
    assert batches == {"sqs", "sns", "kinesis", "kafka", "activemq", "rabbitmq"}


Change = Callable[[dict[str, Any]], object]
# What is changed, and words of the error and of the remedy that it must have.
MISTAKES: dict[str, tuple[Change, str, str]] = {
    "a format of later": (lambda d: d.update(format=2), "format: is 2", "1 is the format"),
    "an unknown key": (lambda d: d.update(sapes={}), "unknown key 'sapes'", "shapes"),
    "a missing key": (lambda d: d.pop("lists"), "lacks the key 'lists'", "README"),
    "a field in capitals": (lambda d: d["fields"].append("B3"), "'B3' is not in lower case", "lower case"),
    "a limit of nothing": (lambda d: d.update(largest_json=0), "largest_json: is 0", "above 0"),
    "the same name twice": (lambda d: row(d, "sns").update(row="sqs"), "row 'sqs': has a name that is taken", "its own"),
    "a key of a row": (lambda d: row(d, "sqs").update(atributes={}), "row 'sqs': has the unknown key 'atributes'", "attributes"),
    "a row without title": (lambda d: row(d, "sqs").pop("title"), "row 'sqs': lacks the key 'title'", "README"),
    "a shape that is not there": (lambda d: row(d, "sqs").update(like="mesages"), "no shape and no row 'mesages'", "messages"),
    "a circle": (lambda d: row(d, "http-api").update(like="function-url"), "comes back to itself", "break"),
    "a trigger that the conventions lack": (lambda d: row(d, "s3").update(trigger="storage"), "trigger: is 'storage'", "datasource"),
    "no default": (lambda d: d["rows"].pop(), "when: is not empty", "the last row"),
    "a row that takes all": (lambda d: row(d, "s3").update(when=[]), "row 's3': when: is empty", "the last row"),
    "a row that is never reached": (lambda d: row(d, "sns").update(when=row(d, "sqs")["when"]), "is that of row 'sqs'", "first row"),
    "a test of two kinds": (lambda d: row(d, "s3")["when"][0].update({"is": "string"}), "not exactly one of the keys is, equals, contains", "which"),
    "a test of no kind": (lambda d: row(d, "s3").update(when=[{"path": ["a"]}]), "not exactly one of", "which"),
    "a test for a type that is none": (lambda d: row(d, "s3").update(when=[{"path": ["a"], "is": "text"}]), "is: is 'text'", "string"),
    "a text instead of a list": (lambda d: row(d, "s3").update(when=[{"path": ["a"], "equals": "x"}]), "equals: is 'x'", "a list"),
    "a path that is none": (lambda d: row(d, "s3").update(when=[{"path": "a.b", "is": "string"}]), "'a.b' is no path", "a list of keys"),
    "an attribute in capitals": (lambda d: row(d, "s3")["attributes"].update({"Key": []}), "'Key' is no attribute's name", "lower case"),
    "a source of no kind": (lambda d: row(d, "s3")["attributes"].update({"a.b": [{"place": []}]}), "not exactly one of the keys path", "which"),
    "a source with a stranger": (
        lambda d: row(d, "s3")["attributes"].update({"a.b": [{"path": ["x"], "all": True}]}),
        "row 's3': attributes: a.b: has the unknown key 'all'",
        "as",
    ),
    "a transform that is none": (
        lambda d: row(d, "s3")["attributes"].update({"a.b": [{"path": ["x"], "as": [["arn-resorce"]]}]}),
        "is no transform",
        "arn-resource",
    ),
    "a Forwarded header's parameters as a list": (
        lambda d: row(d, "s3").update(headers=[["h"]], forwarded=["for"]),
        "row 's3': forwarded: is",
        "object",
    ),
    "a parameter in capitals": (lambda d: row(d, "s3").update(headers=[["h"]], forwarded={"For": "a"}), "row 's3': forwarded: is", "lower case"),
    "a Forwarded header without headers": (lambda d: row(d, "s3").update(forwarded={"for": "a"}), "does not say where headers are", "'headers'"),
    "arguments that do not fit": (
        lambda d: row(d, "s3")["attributes"].update({"a.b": [{"path": ["x"], "as": [["segment", "/"]]}]}),
        "other arguments than segment takes",
        "text, number",
    ),
    "a list that is not there": (
        lambda d: row(d, "s3")["attributes"].update({"a.b": [{"path": ["x"], "as": [["none-of", "verbs"]]}]}),
        "other arguments than none-of takes",
        "list",
    ),
    "pairs that are none": (
        lambda d: row(d, "s3")["attributes"].update({"a.b": [{"path": ["x"], "as": [["cases", ["a"]]]}]}),
        "other arguments than cases takes",
        "pairs",
    ),
    "records of a row that has none": (
        lambda d: row(d, "eventbridge")["attributes"].update({"a.b": [{"record": ["x"]}]}),
        "the row has no records",
        "'records'",
    ),
    "a header of a row that has none": (
        lambda d: row(d, "eventbridge")["attributes"].update({"a.b": [{"header": ["host"]}]}),
        "['host'] cannot be found",
        "'headers'",
    ),
    "a header in capitals": (
        lambda d: row(d, "http-api")["attributes"].update({"a.b": [{"header": ["Host"]}]}),
        "['Host'] cannot be found",
        "lower case",
    ),
    "a transform of a number": (
        lambda d: row(d, "http-api")["attributes"].update({"a.b": [{"path": ["x"], "as": [["port"], ["first"]]}]}),
        "has a transform of a number",
        "'port' is the last",
    ),
    "headers as context of a row that has none": (
        lambda d: row(d, "eventbridge").update(context=[{"headers": True}]),
        "does not say where headers are",
        "'headers'",
    ),
    "a value that is no text": (lambda d: row(d, "s3")["attributes"].update({"a.b": [{"value": 1}]}), "value: is 1", "a text"),
    "a count of something": (lambda d: row(d, "s3")["attributes"].update({"a.b": [{"count": "all"}]}), "count: is 'all'", "several"),
    "a context that is not there": (lambda d: row(d, "sns")["message"]["context"][1].update(context="evnt"), "no context 'evnt'", "event"),
    "JSON without what is looked at in it": (lambda d: row(d, "sns")["message"]["context"][1].pop("context"), "lacks the key 'context'", "README"),
    "a CONSUMER span without messages": (lambda d: row(d, "sqs").pop("message"), "only some of consumer, message and records", "all three"),
    "a destination that is no attribute": (
        lambda d: row(d, "sqs").update(consumer={"operation": "process", "destination": "queue", "several": "x"}),
        "the row has no attribute 'queue'",
        "name one",
    ),
    "a destination that records do not have": (
        lambda d: row(d, "sqs")["attributes"].update({"messaging.destination.name": [{"path": ["x"]}]}),
        "is not read from the records",
        "'record' or 'keys'",
    ),
    "a name that is not used": (lambda d: row(d, "sqs").update(name=[{"path": ["x"]}]), "not used where there is a CONSUMER span", "leave it out"),
    "a status that is no number": (
        lambda d: row(d, "http-api")["response"].update(default="200"),
        "response: default: is '200'",
        "number",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake: str) -> None:
    change, what, remedy = MISTAKES[mistake]
    data = copy.deepcopy(TABLE)
    change(data)
    with pytest.raises(UsageError) as caught:
        table.check(data)
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "triggers.json").write_text("{")
    with pytest.raises(UsageError, match=r"triggers\.json cannot be read"):
        table.load(tmp_path / "triggers.json")


def test_the_page_follows_the_table() -> None:
    data = copy.deepcopy(TABLE)
    text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    row(data, "s3")["attributes"]["aws.s3.bucket"] = [{"record": ["bucket"], "as": [["segment", "/", 2]]}]
    made = page.fit(text, data)
    assert made.startswith("before\n")
    assert made.endswith("after\n")
    assert "old" not in made
    assert "`aws.s3.bucket` | `bucket` of the records, if they agree, part 2 between `/`" in made
    assert page.fit(made, data) == made
    with pytest.raises(UsageError, match="lacks the marks"):
        page.fit("nothing", data)
