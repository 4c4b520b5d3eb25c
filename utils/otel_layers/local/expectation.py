"""
What a file expects of telemetry (`invoke --expect FILE`, and the conformance suite).

The file is JSON:

    {
      "spans": [
        {
          "name": "process orders",              required; everything else is compared only where it is given
          "kind": "CONSUMER",                    INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER
          "parent": "worker",                    the parent's name; null: the span is a root; {"traceId", "spanId"}: exactly that one
          "attributes": {"messaging.system": "aws_sqs", "messaging.message.id": "*"},   these at least; "*": any value
          "resource": {"faas.name": "worker"},   likewise
          "links": ["SQS.SendMessage"],          the names of all received spans that it links to, in any order; with {"traceId", "spanId",
                                                 "attributes", "traceState"} among them: all links, to received spans and to others
          "traceState": "vendor=value",          its W3C tracestate, the parent's
          "events": [{"name": "exception", "attributes": {"exception.message": "*"}}],   all of them, in order; attributes at least
          "status": "ERROR"                      UNSET, OK, ERROR
        }
      ],
      "unexpected": "fail",                      what a span that is not in the list is: "fail" (default) or "allow"
      "exact": true,                             attributes of spans, links and events are these and no others, a key that ends with *
                                                 being any number of them; links, events, status and traceState left out are none,
                                                 none, UNSET and empty
      "resource": {"faas.name": "*"}             every span's resource is exactly this
    }

Each expected span stands for one received span; of several with its name it takes the one that differs least.
A file of the conformance suite also says how the function is invoked (`Conditions`), and what is the same in all of them stands in
`common.json` beside the folder `expected` that it lies in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .otlp import KINDS, STATUSES

ANY = "*"
RESULTS = "CONFORMANCE_RESULTS"  # the variable that tells functions of the conformance suite what to do, invocation by invocation
_SPAN = {
    "name": str,
    "kind": str,
    "parent": (str, type(None), dict),
    "attributes": dict,
    "resource": dict,
    "links": list,
    "events": list,
    "status": str,
    "traceState": str,
}
_CONDITIONS = {
    "description": str,
    "rules": list,
    "returns": object,
    "raises": str,
    "environment": dict,
    "xray": str,
    "clientContext": dict,
}
_FILE = {"spans": list, "unexpected": str, "exact": bool, "resource": dict, **_CONDITIONS}
_COMMON = {"comment": str, "function": str, "handlers": dict, "xray": str, "environment": dict, "resource": dict, "server": dict}


@dataclass(frozen=True)
class Reference:
    """A span by its ids, in hex."""

    trace_id: str
    span_id: str


@dataclass(frozen=True)
class ExpectedLink:
    """A link to a received span of that name, or to any span by its ids."""

    to: str | Reference
    attributes: Mapping[str, Any] = field(default_factory=dict)
    trace_state: str | None = None


@dataclass(frozen=True)
class ExpectedEvent:
    """Something that happened during a span."""

    name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Expected:
    """One expected span; a field that is None is not compared, but `parent` None means a root (and '*' any)."""

    name: str
    kind: str | None = None
    parent: str | Reference | None = ANY
    attributes: Mapping[str, Any] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[ExpectedLink, ...] | None = None
    events: tuple[ExpectedEvent, ...] | None = None
    status: str | None = None
    trace_state: str | None = None
    exact: bool = False


@dataclass(frozen=True)
class Conditions:
    """How a function of the conformance suite is invoked."""

    description: str = ""
    rules: tuple[str, ...] = ()
    result: Mapping[str, Any] = field(default_factory=lambda: {"returns": {"ok": True}})  # or {"raises": message}
    environment: Mapping[str, str] = field(default_factory=dict)
    xray: str | None = None  # the invocation's header; '' for none, None for the local Lambda's own
    client_context: str | None = None


@dataclass(frozen=True)
class Expectation:
    """What a file expects. `resource` None: not compared as a whole. `conditions` None: no file of the conformance suite."""

    spans: tuple[Expected, ...]
    allow_unexpected: bool = False
    resource: Mapping[str, Any] | None = None
    conditions: Conditions | None = None


def load(path: Path) -> Expectation:
    """The file's expectation; UsageError with the place of what is wrong in it."""
    raw = _json(path)
    beside = path.resolve().parent.parent / "common.json"
    shared = common(beside) if path.resolve().parent.name == "expected" and beside.is_file() else None
    try:
        return parse(raw, shared)
    except UsageError as exc:
        raise UsageError(f"{path}: {exc.what}", remedy=exc.remedy) from exc


def common(path: Path) -> Mapping[str, Any]:
    """What is the same for all events: `common.json`, checked."""
    raw = _json(path)
    try:
        _keys("the file", raw, _COMMON, required=[key for key in _COMMON if key not in ("comment", "environment")])
        _keys("server", raw["server"], {"attributes": dict, "links": list}, required=("attributes", "links"))
    except UsageError as exc:
        raise UsageError(f"{path}: {exc.what}", remedy=exc.remedy) from exc
    return dict(raw)


def parse(raw: Any, shared: Mapping[str, Any] | None = None) -> Expectation:
    """The expectation in decoded JSON, with what `shared` (a common.json) adds; UsageError with the place of what is wrong."""
    _keys("the file", raw, _FILE, required=("spans",))
    if raw.get("unexpected", "fail") not in ("fail", "allow"):
        raise UsageError(f"unexpected is {raw['unexpected']!r}", remedy='"fail" or "allow"')
    if "returns" in raw and "raises" in raw:
        raise UsageError("the file has both returns and raises")
    exact = raw.get("exact", False)
    spans = tuple(_expected(f"spans[{i}]", one, exact, shared, "xray" in raw) for i, one in enumerate(raw["spans"]))
    resource = raw.get("resource", shared["resource"] if shared else None)
    conditions = _conditions(raw, shared) if shared or any(key in raw for key in _CONDITIONS) else None
    return Expectation(spans, raw.get("unexpected") == "allow", resource, conditions)


def _conditions(raw: Mapping[str, Any], shared: Mapping[str, Any] | None) -> Conditions:
    for what, of in (("environment", raw.get("environment", {}).items()), ("rules", enumerate(raw.get("rules", [])))):
        for at, found in of:
            if not isinstance(found, str):
                raise UsageError(f"{what}[{json.dumps(at)}] is {json.dumps(found)}")
    result = {"raises": raw["raises"]} if "raises" in raw else {"returns": raw.get("returns", {"ok": True})}
    return Conditions(
        description=raw.get("description", ""),
        rules=tuple(raw.get("rules", ())),
        result=result,
        environment={**(shared or {}).get("environment", {}), **raw.get("environment", {})},
        xray=raw.get("xray", (shared or {}).get("xray")),
        client_context=json.dumps(raw["clientContext"]) if "clientContext" in raw else None,
    )


def _expected(where: str, raw: Any, exact: bool, shared: Mapping[str, Any] | None, own_header: bool) -> Expected:
    _keys(where, raw, _SPAN, required=("name",))
    for key, known in (("kind", KINDS), ("status", STATUSES)):
        if raw.get(key, known[0]) not in known:
            raise UsageError(f"{where}.{key} is {raw[key]!r}", remedy=f"one of {', '.join(known)}")
    given = dict(raw)
    if exact:
        given = {"links": [], "events": [], "status": "UNSET", "traceState": "", **given}
    if shared and raw.get("kind") == "SERVER":
        given["attributes"] = {**shared["server"]["attributes"], **raw.get("attributes", {})}
        if "links" not in raw and not own_header:
            given["links"] = shared["server"]["links"]
    if isinstance(given.get("parent"), dict):
        given["parent"] = _reference(f"{where}.parent", given["parent"])
    if "links" in given:
        given["links"] = tuple(_link(f"{where}.links[{i}]", one, exact) for i, one in enumerate(given["links"]))
    if "events" in given:
        given["events"] = tuple(_event(f"{where}.events[{i}]", one) for i, one in enumerate(given["events"]))
    trace_state = given.pop("traceState", None)
    return Expected(**given, trace_state=trace_state, exact=exact)


def _link(where: str, raw: Any, exact: bool) -> ExpectedLink:
    if isinstance(raw, str):
        return ExpectedLink(raw, {"*": ANY} if exact else {})
    attributes = raw.get("attributes", {"*": ANY} if exact else {}) if isinstance(raw, dict) else {}
    more: dict[str, Any] = {"attributes": attributes, "traceState": raw.get("traceState", "" if exact else None) if isinstance(raw, dict) else None}
    _keys(where, more, {"attributes": dict, "traceState": (str, type(None))}, required=())
    ids = {key: found for key, found in raw.items() if key not in more} if isinstance(raw, dict) else raw
    return ExpectedLink(_reference(where, ids), attributes, more["traceState"])


def _event(where: str, raw: Any) -> ExpectedEvent:
    _keys(where, raw, {"name": str, "attributes": dict}, required=("name",))
    return ExpectedEvent(raw["name"], raw.get("attributes", {}))


def _reference(where: str, raw: Any) -> Reference:
    _keys(where, raw, {"traceId": str, "spanId": str}, required=("traceId", "spanId"))
    for key, digits in (("traceId", 32), ("spanId", 16)):
        if not re.fullmatch(f"[0-9a-f]{{{digits}}}", raw[key]):
            raise UsageError(f"{where}.{key} is {raw[key]!r}", remedy=f"{digits} hexadecimal digits in lower case")
    return Reference(raw["traceId"], raw["spanId"])


def _keys(where: str, raw: Any, types: Mapping[str, Any], required: Sequence[str]) -> None:
    if not isinstance(raw, dict):
        raise UsageError(f"{where} is not an object")
    for key in required:
        if key not in raw:
            raise UsageError(f"{where} has no {key!r}")
    for key, found in raw.items():
        if key not in types:
            raise UsageError(f"{where} has an unknown key {key!r}", remedy=f"one of {', '.join(types)}")
        if not isinstance(found, types[key]):
            raise UsageError(f"{where}.{key} is {json.dumps(found)}")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise UsageError(f"cannot read the expected telemetry {path}", why=str(exc)) from exc
