"""The trigger table, checked: every key known, every name that is used defined, every row reachable. utils/conformance/README.md has the format."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from ..errors import UsageError

FILE = "utils/conformance/triggers.json"
TRIGGERS = ("datasource", "http", "pubsub", "timer", "other")  # the values that the semantic conventions give to faas.trigger
KINDS = ("present", "string", "object", "list")
# What each transform takes: "text", "number", "list" (a name in `lists`), or "pairs" (any number of a prefix and a result).
TRANSFORMS: Mapping[str, tuple[str, ...]] = {
    "first": (),
    "host": (),
    "port": (),
    "node": (),
    "after": ("text",),
    "segment": ("text", "number"),
    "one-of": ("list", "text"),
    "none-of": ("list",),
    "cases": ("pairs",),
    "form-decode": (),
    "arn-resource": (),
    "sqs-url": (),
}
# Kind of source -> the keys that may stand beside it.
SOURCES: Mapping[str, tuple[str, ...]] = {
    "path": ("as",),
    "header": ("as",),
    "record": ("as", "all"),
    "keys": ("as", "all"),
    "query": ("encode",),
    "value": (),
    "count": (),
}
CONTEXTS: Mapping[str, tuple[str, ...]] = {"headers": (), "map": ("member", "bytes"), "json": ("base64", "context")}
_BODY = ("trigger", "name", "headers", "forwarded", "records", "attributes", "context", "response", "consumer", "message")
_TOP = ("format", "about", "fields", "largest_json", "most_links", "client_context", "lists", "contexts", "shapes", "rows")


def load(path: Path) -> dict[str, Any]:
    """The table in `path`; UsageError that names row, key and remedy when it is not as it must be."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path.name} cannot be read", why=str(exc)) from None
    check(table)
    return dict(table)


def complete(table: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with what it has from the shape or row that it is like."""
    base = row.get("like")
    if base is None:
        return dict(row)
    above = complete(table, table["shapes"].get(base) or next(r for r in table["rows"] if r["row"] == base))
    return {**above, **row, "attributes": {**above.get("attributes", {}), **row.get("attributes", {})}}


def check(table: Any) -> None:
    """Raise a UsageError for the first thing that is wrong in `table`."""
    _keys("the table", table, _TOP)
    if table["format"] != 1:
        _wrong("format", f"is {table['format']!r}", "1 is the format that the readers know")
    _texts("fields", table["fields"])
    for field in table["fields"]:
        if field != field.lower():
            _wrong("fields", f"{field!r} is not in lower case", "names of carriers are compared in lower case")
    for key in ("largest_json", "most_links"):
        if type(table[key]) is not int or table[key] <= 0:
            _wrong(key, f"is {table[key]!r}", "a whole number above 0")
    for name, texts in table["lists"].items():
        _texts(f"lists: {name}", texts)
    for name, sources in table["contexts"].items():
        _context(f"contexts: {name}", sources, table, {})
    _context("client_context", table["client_context"], table, {})
    for name, shape in table["shapes"].items():
        _keys(f"shape {name!r}", shape, (), ("like", *_BODY))
    _rows(table)


def _rows(table: Mapping[str, Any]) -> None:
    names: list[str] = []
    whens: dict[str, str] = {}
    known = [*table["shapes"], *(row.get("row", "") for row in table["rows"] if isinstance(row, dict))]
    for number, row in enumerate(table["rows"]):
        where = f"row {row.get('row', number)!r}" if isinstance(row, dict) else f"row {number}"
        _keys(where, row, ("row", "title", "when"), ("like", *_BODY))
        if not re.fullmatch(r"[a-z0-9-]+", row["row"]) or row["row"] in names:
            _wrong(where, "has a name that is taken, or has other characters than a-z, 0-9 and -", "give it a name of its own")
        names.append(row["row"])
        _like(where, row, table, known)
        last = number == len(table["rows"]) - 1
        if bool(row["when"]) == last:
            _wrong(f"{where}: when", "is empty" if not last else "is not empty", "the last row, and only that, takes every event")
        for test in row["when"]:
            _test(f"{where}: when", test)
        text = json.dumps(row["when"], sort_keys=True)
        if text in whens:
            _wrong(f"{where}: when", f"is that of row {whens[text]!r}", "an event goes to the first row that fits: this one is never reached")
        whens[text] = row["row"]
        _body(where, complete(table, row), table)


def _like(where: str, row: Mapping[str, Any], table: Mapping[str, Any], known: list[str]) -> None:
    seen = [row.get("row", "")]
    while (base := row.get("like")) is not None:
        if base not in known:
            _wrong(f"{where}: like", f"there is no shape and no row {base!r}", _near(base, known))
        if base in seen:
            _wrong(f"{where}: like", f"{base!r} comes back to itself", "break the circle")
        seen.append(base)
        row = table["shapes"].get(base) or next(r for r in table["rows"] if r.get("row") == base)


def _body(where: str, row: Mapping[str, Any], table: Mapping[str, Any]) -> None:
    """A row that is complete."""
    if row.get("trigger") not in TRIGGERS:
        _wrong(f"{where}: trigger", f"is {row.get('trigger')!r}", f"one of {', '.join(TRIGGERS)}")
    for path in row.get("headers", ()):
        _path(f"{where}: headers", path)
    if "forwarded" in row:
        _forwarded(f"{where}: forwarded", row)
    if "records" in row:
        _path(f"{where}: records", row["records"])
    for name, sources in row.get("attributes", {}).items():
        if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", name):
            _wrong(f"{where}: attributes", f"{name!r} is no attribute's name", "lower case, parts separated by dots")
        _sources(f"{where}: attributes: {name}", sources, row, table)
    _sources(f"{where}: name", row.get("name", ()), row, table)
    _context(f"{where}: context", row.get("context", ()), table, row)
    if "response" in row:
        _response(f"{where}: response", row["response"])
    if ("consumer" in row) != ("message" in row) or ("consumer" in row and "records" not in row):
        _wrong(where, "has only some of consumer, message and records", "a row with a CONSUMER span has all three")
    if "consumer" in row:
        _consumer(where, row, table)


def _forwarded(where: str, row: Mapping[str, Any]) -> None:
    given = row["forwarded"]
    if not isinstance(given, dict) or not all(isinstance(text, str) and text and text == text.lower() for pair in given.items() for text in pair):
        _wrong(where, f"is {json.dumps(given)}", "an object of the header's parameters and names of headers, both in lower case")
    if not row.get("headers"):
        _wrong(where, "the row does not say where headers are", "add the key 'headers' to the row")


def _consumer(where: str, row: Mapping[str, Any], table: Mapping[str, Any]) -> None:
    if "name" in row:
        _wrong(f"{where}: name", "is not used where there is a CONSUMER span", "the SERVER span has the function's name: leave it out")
    consumer, message = row["consumer"], row["message"]
    _keys(f"{where}: consumer", consumer, ("operation", "destination", "several"))
    if consumer["destination"] not in row.get("attributes", {}):
        _wrong(f"{where}: consumer: destination", f"the row has no attribute {consumer['destination']!r}", "name one that the row has")
    if not all("record" in source or "keys" in source for source in row["attributes"][consumer["destination"]]):
        _wrong(f"{where}: consumer: destination", "is not read from the records", "its sources are 'record' or 'keys'")
    _keys(f"{where}: message", message, ("context",), ("id", "xray"))
    for source in message.get("id", ()):
        _keys(f"{where}: message: id", source, ("path",))
        _path(f"{where}: message: id", source["path"])
    if "xray" in message:
        _path(f"{where}: message: xray", message["xray"])
    _context(f"{where}: message: context", message["context"], table, {})


def _response(where: str, response: Any) -> None:
    _keys(where, response, ("status", "attribute", "error_from"), ("default",))
    _path(f"{where}: status", response["status"])
    for key in ("error_from", "default"):
        if not isinstance(response.get(key, 200), int):
            _wrong(f"{where}: {key}", f"is {response[key]!r}", "an HTTP status as a number")


def _test(where: str, test: Any) -> None:
    _one(where, test, ("path", "any"))
    kind = _one(where, test, ("is", "equals", "contains"))
    _keys(where, test, (kind,), ("path", "any"))
    for path in test.get("any") or [test.get("path")]:
        _path(where, path)
    if kind == "is" and test["is"] not in KINDS:
        _wrong(f"{where}: is", f"is {test['is']!r}", f"one of {', '.join(KINDS)}")
    if kind == "equals":
        _texts(f"{where}: equals", test["equals"])
    if kind == "contains" and not (isinstance(test["contains"], str) and test["contains"]):
        _wrong(f"{where}: contains", f"is {test['contains']!r}", "a text")


def _sources(where: str, sources: Any, row: Mapping[str, Any], table: Mapping[str, Any]) -> None:
    for source in _list(where, sources):
        kind = _one(where, source, SOURCES)
        _keys(where, source, (kind,), SOURCES[kind])
        if kind in ("path", "record", "keys", "query"):
            _path(f"{where}: {kind}", source[kind])
        if kind == "record" and "records" not in row:
            _wrong(f"{where}: record", "the row has no records", "say where they are by the key 'records', or read a 'path' of the event")
        if kind == "header":
            _texts(f"{where}: header", source[kind])
            if any(name != name.lower() for name in source[kind]) or not row.get("headers"):
                _wrong(
                    f"{where}: header", f"{source[kind]!r} cannot be found", "write it in lower case, and say by the key 'headers' where headers are"
                )
        if kind == "value" and not (isinstance(source[kind], str) and source[kind]):
            _wrong(f"{where}: value", f"is {source[kind]!r}", "a text")
        if kind == "count" and source[kind] != "several":
            _wrong(f"{where}: count", f"is {source[kind]!r}", "'several': how many records there are, if more than one")
        transforms = _list(f"{where}: as", source.get("as", []))
        for transform in transforms:
            _transform(f"{where}: as", transform, table)
        if ["port"] in transforms[:-1]:
            _wrong(f"{where}: as", "has a transform of a number", "'port' is the last")


def _transform(where: str, transform: Any, table: Mapping[str, Any]) -> None:
    if not isinstance(transform, list) or not transform or transform[0] not in TRANSFORMS:
        name = str(transform[0]) if isinstance(transform, list) and transform else str(transform)
        _wrong(where, f"{transform!r} is no transform", _near(name, TRANSFORMS))
    takes, given = TRANSFORMS[transform[0]], transform[1:]
    if takes == ("pairs",):
        good = bool(given) and all(isinstance(p, list) and len(p) == 2 and all(isinstance(t, str) for t in p) for p in given)
    else:
        kinds = {"text": lambda g: isinstance(g, str), "number": lambda g: type(g) is int and g >= 0, "list": lambda g: g in table["lists"]}
        good = len(given) == len(takes) and all(kinds[kind](g) for kind, g in zip(takes, given, strict=True))
    if not good:
        _wrong(where, f"{transform!r} has other arguments than {transform[0]} takes", f"it takes: {', '.join(takes) or 'nothing'}")


def _context(where: str, sources: Any, table: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    if isinstance(sources, str):
        if sources not in table["contexts"]:
            _wrong(where, f"there is no context {sources!r}", _near(sources, table["contexts"]))
        return
    for source in _list(where, sources):
        kind = _one(where, source, CONTEXTS)
        _keys(where, source, (kind,), ("when", *CONTEXTS[kind]))
        for test in source.get("when", ()):
            _test(f"{where}: when", test)
        if kind == "headers":
            if not row.get("headers"):
                _wrong(f"{where}: headers", "the row does not say where headers are", "add the key 'headers' to the row")
            continue
        _path(f"{where}: {kind}", source[kind])
        if kind == "json":
            _keys(where, source, ("json", "context"), ("when", "base64"))
            _context(f"{where}: json", source["context"], table, {})


def _path(where: str, path: Any) -> None:
    if not isinstance(path, list) or not all(isinstance(key, str) or (type(key) is int and key >= 0) for key in path):
        _wrong(where, f"{path!r} is no path", "a list of keys, and of places (from 0) in lists")


def _texts(where: str, texts: Any) -> None:
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t for t in texts) or len(set(texts)) != len(texts):
        _wrong(where, f"is {texts!r}", "a list of different texts")


def _list(where: str, value: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        _wrong(where, f"is {value!r}", "a list, in the order in which they are tried")
    return value


def _one(where: str, entry: Any, choices: Iterable[str]) -> str:
    found = [key for key in choices if isinstance(entry, dict) and key in entry]
    if len(found) != 1:
        _wrong(where, f"{json.dumps(entry)} has not exactly one of the keys {', '.join(choices)}", "say which is meant")
    return found[0]


def _keys(where: str, entry: Any, needed: Iterable[str], allowed: Iterable[str] = ()) -> None:
    if not isinstance(entry, dict):
        _wrong(where, f"is {json.dumps(entry)}", "an object")
    needed, allowed = list(needed), list(allowed)
    for key in entry:
        if key not in needed and key not in allowed:
            _wrong(where, f"has the unknown key {key!r}", _near(key, [*needed, *allowed]))
    for key in needed:
        if key not in entry:
            _wrong(where, f"lacks the key {key!r}", "utils/conformance/README.md has an example")


def _near(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"one of {', '.join(known)}"


def _wrong(where: str, what: str, remedy: str) -> NoReturn:
    raise UsageError(f"triggers.json: {where}: {what}", remedy=remedy)
