"""docs/telemetry.md says of each trigger what the table says, and its prose names the table's own limits."""

from pathlib import Path

from otel_layers.triggers import page, table

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / page.PAGE).read_text()


def test_the_page_is_made_from_the_table() -> None:
    assert page.is_current(ROOT), "./run.sh check --fix writes it"


def test_the_prose_is_true() -> None:
    data = table.load(ROOT / table.FILE)
    assert f"{data['largest_json']:,} characters" in TEXT
    assert f"the last {data['most_links']:,} records" in TEXT
    assert data["client_context"] == [{"map": ["custom"]}]
    responses = {row["row"]: table.complete(data, row).get("response") for row in data["rows"]}
    assert {name for name, response in responses.items() if response and response.get("default") == 200} == {"http-api", "function-url"}
    assert {response["error_from"] for response in responses.values() if response} == {500}
    assert [r["path"] for r in table.complete(data, next(r for r in data["rows"] if r["row"] == "schedule"))["attributes"]["faas.cron"]] == [
        ["detail", "cron"],
        ["detail", "schedule"],
    ]


def test_the_format_is_explained() -> None:
    readme = (ROOT / "utils/conformance/README.md").read_text()
    words = {*table.TRANSFORMS, *table.SOURCES, *table.CONTEXTS, *table.KINDS, *table._TOP, *table._BODY, "equals", "contains", "any", "like", "when"}
    assert [word for word in sorted(words) if f"`{word}`" not in readme] == []
