"""
Where an invocation's parent comes from, for every value of OTEL_PROPAGATORS and whatever the caller and Lambda send.

The rules are the project's, for every language: the propagators are asked in their order and the first valid context is the parent; `none` anywhere
leaves none. Both B3 propagators read both B3 formats, the single header first; `xray-lambda` reads Lambda's environment, then the X-Ray header.
An X-Ray context that is valid and not the parent is a link. With the default propagators one that is not sampled never is the parent;
whoever names `xray` or `xray-lambda` gets what it says. A parent that is not sampled leaves no span.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...local.expectation import ANY, Conditions, Expectation, Expected, ExpectedLink, Reference
from .cases import Case

VARIABLE = "OTEL_PROPAGATORS"
DEFAULT = ("tracecontext", "baggage", "xray")
NAMES = ("tracecontext", "baggage", "xray", "xray-lambda", "b3", "b3multi", "none")


@dataclass(frozen=True)
class Context:
    """A remote span."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def reference(self) -> Reference:
        """Its ids."""
        return Reference(self.trace_id, self.span_id)

    @property
    def w3c(self) -> str:
        """As traceparent."""
        return f"00-{self.trace_id}-{self.span_id}-{self.sampled:02d}"

    @property
    def xray(self) -> str:
        """As X-Amzn-Trace-Id."""
        return f"Root=1-{self.trace_id[:8]}-{self.trace_id[8:]};Parent={self.span_id};Sampled={self.sampled:d}"

    @property
    def b3(self) -> str:
        """As the single B3 header."""
        return f"{self.trace_id}-{self.span_id}-{self.sampled:d}"

    @property
    def b3multi(self) -> dict[str, str]:
        """As several B3 headers."""
        return {"x-b3-traceid": self.trace_id, "x-b3-spanid": self.span_id, "x-b3-sampled": f"{self.sampled:d}"}


@dataclass(frozen=True)
class Sent:
    """What comes with an event: headers, and the contexts in them by format; nothing valid is in the others."""

    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    valid: Mapping[str, Context] = field(default_factory=dict)


def _context(digit: str, *, sampled: bool = True) -> Context:
    return Context(f"5759e98{digit}" + digit * 24, digit * 16, sampled)


W3C, XRAY, B3, B3MULTI, LAMBDA = (_context(digit) for digit in "12345")
UNSAMPLED = {name: Context(one.trace_id, one.span_id, sampled=False) for name, one in (("w3c", W3C), ("xray", XRAY), ("b3", B3), ("lambda", LAMBDA))}
_ALL = {"Traceparent": W3C.w3c, "X-Amzn-Trace-Id": XRAY.xray, "b3": B3.b3, **B3MULTI.b3multi}
_BROKEN = "Root=1-5759e988-short;Parent=53995c3f42cd8ad8;Sampled=1"

SENT = (
    Sent("nothing"),
    Sent("w3c", {"traceparent": W3C.w3c}, {"w3c": W3C}),
    Sent("xray", {"X-Amzn-Trace-Id": XRAY.xray}, {"xray": XRAY}),
    Sent("w3c unsampled", {"traceparent": UNSAMPLED["w3c"].w3c}, {"w3c": UNSAMPLED["w3c"]}),
    Sent("w3c malformed", {"traceparent": W3C.w3c[:-4]}),
    Sent("w3c of zeros", {"traceparent": f"00-{'0' * 32}-{W3C.span_id}-01"}),
    Sent("w3c malformed, xray", {"traceparent": "garbage", "X-Amzn-Trace-Id": XRAY.xray}, {"xray": XRAY}),
    Sent("w3c, xray", {"traceparent": W3C.w3c, "X-Amzn-Trace-Id": XRAY.xray}, {"w3c": W3C, "xray": XRAY}),
    Sent("w3c, xray unsampled", {"traceparent": W3C.w3c, "X-Amzn-Trace-Id": UNSAMPLED["xray"].xray}, {"w3c": W3C, "xray": UNSAMPLED["xray"]}),
    Sent("xray unsampled", {"x-amzn-trace-id": UNSAMPLED["xray"].xray}, {"xray": UNSAMPLED["xray"]}),
    Sent("xray malformed", {"X-Amzn-Trace-Id": _BROKEN}),
    Sent("b3", {"B3": B3.b3}, {"b3": B3}),
    Sent("b3 unsampled", {"b3": UNSAMPLED["b3"].b3}, {"b3": UNSAMPLED["b3"]}),
    Sent("b3multi", {"X-B3-TraceId": B3MULTI.trace_id, "X-B3-SpanId": B3MULTI.span_id, "X-B3-Sampled": "1"}, {"b3multi": B3MULTI}),
    Sent("all", _ALL, {"w3c": W3C, "xray": XRAY, "b3": B3, "b3multi": B3MULTI}),
)
# What _X_AMZN_TRACE_ID holds, and the context in it.
ENVIRONMENT: Mapping[str, tuple[str, Context | None]] = {
    "unsampled": (UNSAMPLED["lambda"].xray, UNSAMPLED["lambda"]),
    "sampled": (LAMBDA.xray, LAMBDA),
    "malformed": (_BROKEN, None),
    "absent": ("", None),
}
_WITH_EVERY_ENVIRONMENT = ("nothing", "w3c", "xray")


def cases(shared: Mapping[str, Any]) -> Iterator[Case]:
    """Every case; `shared` is common.json."""
    for names in lists():
        for sent in SENT:
            for environment in ENVIRONMENT if sent.name in _WITH_EVERY_ENVIRONMENT else ("unsampled",):
                yield _case(shared, names, sent, environment)


def lists() -> Iterator[tuple[str, ...] | None]:
    """The variable's values: not set, each name, each pair in either order, and all in either order."""
    yield None
    for size in (1, 2):
        yield from itertools.permutations(NAMES, size)
    yield NAMES[:-1]
    yield NAMES[-2::-1]


def expected(names: tuple[str, ...] | None, sent: Sent, environment: Context | None) -> tuple[Context | None, list[Context]]:
    """The parent, or None, and what is linked to."""
    asked = DEFAULT if names is None else () if "none" in names else names
    read = {
        "tracecontext": sent.valid.get("w3c"),
        "xray": sent.valid.get("xray"),
        "xray-lambda": environment or sent.valid.get("xray"),
        "b3": sent.valid.get("b3") or sent.valid.get("b3multi"),
        "b3multi": sent.valid.get("b3") or sent.valid.get("b3multi"),
    }
    found = [context for name in asked if (context := read.get(name))]
    if names is None:
        found = [context for context in found if context.sampled or context is not read["xray"]]
    parent = found[0] if found else None
    return parent, [context for context in (environment, sent.valid.get("xray")) if context and context is not parent]


def _case(shared: Mapping[str, Any], names: tuple[str, ...] | None, sent: Sent, environment: str) -> Case:
    header, from_lambda = ENVIRONMENT[environment]
    parent, links = expected(names, sent, from_lambda)
    span = Expected(
        name=shared["function"],
        kind="SERVER",
        parent=parent.reference if parent else None,
        attributes={"*": ANY},
        links=tuple(ExpectedLink(context.reference) for context in links),
        exact=True,
    )
    variables = {**shared["environment"], **({VARIABLE: ",".join(names)} if names else {})}
    return Case(
        name=f"propagators {','.join(names) if names else 'by default'}: {sent.name}; environment {environment}",
        event=event(sent.headers),
        expected=Expectation(
            spans=(span,) if parent is None or parent.sampled else (),
            conditions=Conditions(environment=variables, xray=header),
        ),
        times=1,
    )


def event(headers: Mapping[str, str]) -> bytes:
    """A function URL's event, which gives no route."""
    http = {"method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "curl/8"}
    context = {"domainName": "a.lambda-url.local", "http": http, "requestId": "r", "routeKey": "$default", "stage": "$default"}
    event = {"version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "", "headers": dict(headers), "requestContext": context}
    return json.dumps(event).encode()
