"""What docs/telemetry.md says of each trigger, made from the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from . import table as rules

PAGE = "docs/telemetry.md"
BEGIN, END = "<!-- triggers: made from utils/conformance/triggers.json by ./run.sh check --fix -->", "<!-- end of triggers -->"
_KINDS = {"present": "is there", "string": "is a string", "object": "is an object", "list": "is a list"}
_TRANSFORMS = {
    "first": "the first of a list",
    "host": "without the port",
    "port": "its port as a number",
    "node": "without brackets and port",
    "after": "what follows `{}`",
    "segment": "part {1} between `{0}`",
    "one-of": "`{1}` when it is none of the {0}",
    "none-of": "when it is none of the {}",
    "form-decode": "percent-decoded",
    "arn-resource": "the ARN's resource",
    "sqs-url": "as the queue's URL",
}


def fit(text: str, table: Mapping[str, Any]) -> str:
    """The page with the part between the marks made anew."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UsageError(f"{PAGE} lacks the marks of the trigger table", remedy=f"write the lines {BEGIN} and {END} where it shall stand")
    return f"{before}{BEGIN}\n\n{write(table)}\n{END}{after}"


def is_current(root: Path, *, mend: bool = False) -> bool:
    """Whether the page says what the table says; with `mend` it is made so."""
    page = root / PAGE
    text = page.read_text()
    wanted = fit(text, rules.load(root / rules.FILE))
    if mend and text != wanted:
        page.write_text(wanted)
        return True
    return text == wanted


def write(table: Mapping[str, Any]) -> str:
    """Two tables: what each trigger gives, and where each attribute comes from."""
    lines = ["| event | recognised by | `faas.trigger` | spans | context from |", "|---|---|---|---|---|"]
    complete = [rules.complete(table, row) for row in table["rows"]]
    for row in complete:
        when = "; ".join(_test(test) for test in row["when"]) or "nothing else fits"
        lines.append(f"| {row['title']} (`{row['row']}`) | {when} | `{row['trigger']}` | {_spans(row)} | {_origin(row, table) or '-'} |")
    lines += ["", "| event | attribute | from |", "|---|---|---|"]
    for name, own in [*table["shapes"].items(), *((row["row"], row) for row in table["rows"])]:
        first = f"`{name}`" + (f", else as `{own['like']}`" if "like" in own else "")
        for attribute, sources in own.get("attributes", {}).items():
            lines.append(f"| {first} | `{attribute}` | {' · else '.join(_source(s) for s in sources) or 'nothing'} |")
            first = ""
    return "\n".join(lines) + "\n"


def _spans(row: Mapping[str, Any]) -> str:
    if "consumer" in row:
        consumer = row["consumer"]
        operation, several = consumer["operation"], consumer["several"]
        return (
            f"SERVER, and a CONSUMER child `{operation} DESTINATION` (`{operation} {several}`), which has the attributes and a link for each message"
        )
    name = " · else ".join(_source(s) for s in row.get("name", ()))
    return f"SERVER, named {name}" if name else "SERVER"


def _origin(row: Mapping[str, Any], table: Mapping[str, Any]) -> str:
    if "message" not in row:
        return _contexts(row.get("context", ()), table)
    message = row["message"]
    header = f" · else X-Ray's header in `{dotted(message['xray'])}`" if "xray" in message else ""
    return f"of each record {_contexts(message['context'], table)}{header}"


def _contexts(sources: Any, table: Mapping[str, Any]) -> str:
    return " · else ".join(_context(s, table) for s in (table["contexts"][sources] if isinstance(sources, str) else sources))


def _context(source: Mapping[str, Any], table: Mapping[str, Any]) -> str:
    when = "".join(f", where {_test(test)}" for test in source.get("when", ()))
    if "headers" in source:
        return "headers" + when
    if "json" in source:
        return f"JSON{' in base64' if 'base64' in source else ''} in `{dotted(source['json'])}` ({_contexts(source['context'], table)}){when}"
    path = [*source["map"], "*", source["member"]] if "member" in source else source["map"]
    return (f"`{dotted(path)}`" if path else "its top level") + when


def _test(test: Mapping[str, Any]) -> str:
    paths = " or ".join(f"`{dotted(path)}`" for path in test.get("any") or [test["path"]])
    if "equals" in test:
        return f"{paths} is {' or '.join(f'`{text}`' for text in test['equals'])}"
    if "contains" in test:
        return f"{paths} contains `{test['contains']}`"
    return f"{paths} {_KINDS[test['is']]}"


def _source(source: Mapping[str, Any]) -> str:
    if "value" in source:
        return f"always `{source['value']}`"
    if "count" in source:
        return "how many records there are, if several"
    if "header" in source:
        what = f"header {' or '.join(f'`{name}`' for name in source['header'])}"
    elif "query" in source:
        what = f"`{dotted(source['query'])}`{', encoded' if 'encode' in source else ''}"
    elif "keys" in source:
        what = f"the keys of `{dotted(source['keys'])}`, if they agree"
    elif "record" in source:
        what = f"`{dotted(source['record'])}` of {'all records, as a list' if 'all' in source else 'the records, if they agree'}"
    else:
        what = f"`{dotted(source['path'])}`"
    return ", ".join([what, *(_transform(*transform) for transform in source.get("as", ()))])


def _transform(name: str, *arguments: Any) -> str:
    if name == "cases":
        return "; ".join(f"`{prefix}`… is `{result}`" if prefix != result else f"`{prefix}`" for prefix, result in arguments)
    return _TRANSFORMS[name].format(*arguments)


def dotted(path: Iterable[str | int]) -> str:
    """A path as people write it."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
