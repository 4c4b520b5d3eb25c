"""The result of `invoke` as one HTML file that needs no network: waterfalls, costs, responses, platform events, logs, metrics."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import files
from ..policy import policy
from . import otlp
from .report_chart import LEGEND, chart, text
from .report_html import Html, el, join, table
from .waterfall_rows import charts, costs

_COLOURS = 6  # .s0 to .s5 in report_page.css


def write_html(result: Mapping[str, Any], path: Path) -> None:
    """Write the report of an `invoke --json` result to `path`, atomically."""
    files.write_atomically(path, page(result))


def page(result: Mapping[str, Any]) -> str:
    """The report as HTML."""
    style, script = _part("report_page.css"), _part("report_page.js")
    invocations = list(result.get("invocations") or ())
    title = "Local Lambda: " + (", ".join(dict.fromkeys(str(inv.get("function", "")) for inv in invocations)) or "no invocation")
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy(style, script)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        el("style", Html(style)),
    )
    spans = otlp.spans(result.get("resourceSpans") or ())
    told = (
        _traces(spans, invocations),
        _costs(invocations),
        _responses(invocations),
        *(part(result) for part in (_accounts, _platform, _logs, _records, _metrics, _isolation)),
    )
    footer = el("footer", "Made by the local Lambda. The page loads nothing and sends nothing.")
    body = el("body", _header(title, spans, invocations), el("main", *told), footer, el("script", Html(script)))
    return "<!doctype html>\n" + el("html", head, body, lang="en") + "\n"


@functools.cache
def _part(name: str) -> str:
    return Path(__file__).with_name(name).read_text()


def _header(title: str, spans: list[otlp.Span], invocations: list[Mapping[str, Any]]) -> Html:
    unique = len({span.id for span in spans})
    failed = sum(inv.get("status") != "success" for inv in invocations)
    inits = [inv["initMs"] for inv in invocations if isinstance(inv.get("initMs"), (int, float))]
    start = min((int(inv.get("startedNs") or 0) for inv in invocations), default=0)
    cards: list[tuple[str, object, str]] = [
        ("invocations", len(invocations), ""),
        ("failed", failed, "bad" if failed else ""),
        ("spans", unique, ""),
        ("spans twice", len(spans) - unique, "bad" if len(spans) > unique else ""),
        ("errors in spans", sum(s.status == "ERROR" for s in {s.id: s for s in spans}.values()), ""),
        ("billed ms", f"{sum(inv.get('billedMs') or 0 for inv in invocations):.0f}", ""),
    ]
    if inits:
        cards.append(("longest init, ms", f"{max(inits):.0f}", ""))
    when = el("p", datetime.fromtimestamp(start / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"), class_="soft") if start else None
    items = (el("li", el("b", value, class_=kind or None), label) for label, value, kind in cards)
    return el("header", el("h1", title), when, el("ul", *items, class_="cards"))


def _traces(spans: list[otlp.Span], invocations: list[Mapping[str, Any]]) -> Html:
    known = {span.id: span for span in spans}
    colours = {service: i % _COLOURS for i, service in enumerate(dict.fromkeys(s.service for s in spans))}
    legend = [(f"s{i}", service or "no service name") for service, i in colours.items()] + list(LEGEND.items())
    marks = (el("li", el("svg", el("rect", class_=kind, width="100%", height="100%", rx="2"), aria_hidden="true"), words) for kind, words in legend)
    buttons = (el("button", words, type="button", id=name) for words, name in (("Open all", "open-all"), ("Close all", "close-all")))
    tools = el("div", *buttons, class_="tools", hidden=True)
    drawn = [chart(one, known, colours) for one in charts(spans, invocations)]
    return el("section", tools, el("h2", "Traces"), el("ul", *marks, class_="legend"), *(drawn or [el("p", "Nothing was invoked.", class_="soft")]))


def _costs(invocations: list[Mapping[str, Any]]) -> Html | None:
    if not invocations:
        return None
    head, found = costs(invocations)
    rows: list[list[object]] = [[*row[:2], _status(row[2]), *row[3:]] for row in found]
    return el("section", el("h2", "What it took"), table(list(head), rows, frozenset({0, *range(3, len(head))})))


def _status(status: str) -> Html:
    return el("span", status, class_="good" if status == "success" else "bad")


def _responses(invocations: list[Mapping[str, Any]]) -> Html | None:
    if not invocations:
        return None
    rows: list[list[object]] = []
    for number, inv in enumerate(invocations, 1):
        told = inv.get("error") if inv.get("error") is not None else inv.get("response")
        rows.append([number, inv.get("function", ""), _status(str(inv.get("status", ""))), _folded(text(told))])
    return el("section", el("h2", "Responses"), table(["#", "function", "status", "response or error"], rows, frozenset({0}), kind="text"))


def _folded(body: str, limit: int = 400) -> Html:
    """Long text behind its beginning."""
    if len(body) <= limit:
        return el("pre", body)
    start = " ".join(body[:500].split())[:110]
    return el("details", el("summary", el("code", start, " …"), f" ({len(body):,} characters)"), el("pre", body), class_="more")


def _clock(stamp: object) -> Html:
    return el("span", str(stamp or "").partition("T")[2].rstrip("Z") or str(stamp or ""), title=stamp, class_="mono soft")


def _accounts(result: Mapping[str, Any]) -> Html | None:
    """What the Collector says it took, sent and dropped, beside what arrived: a row a signal."""
    counts = result.get("counts") or {}
    collector, backend = counts.get("collector") or {}, counts.get("backend") or {}
    rows: list[list[object]] = []
    for signal in ("spans", "metrics", "logs"):
        said = [collector.get(what, {}).get(signal, "-") for what in ("received", "sent", "dropped")]
        came = [backend.get(signal, {}).get(what, "-") for what in ("received", "duplicated")]
        rows.append([signal, *said, *came])
    if not collector and not backend:
        return None
    head = ["signal", "collector received", "collector sent", "collector dropped", "backend received", "backend received twice"]
    refused = ", ".join(f"{n} by fault {kind}" for kind, n in (backend.get("refused") or {}).items())
    note = el("p", f"Requests refused: {refused}", class_="bad") if refused else None
    return el("section", el("h2", "Accounts"), table(head, rows, frozenset(range(1, 6))), note)


def _isolation(result: Mapping[str, Any]) -> Html | None:
    lines = result.get("isolation") or ()
    return el("section", el("h2", "How real this was"), el("ul", *(el("li", line) for line in lines))) if lines else None


def _platform(result: Mapping[str, Any]) -> Html | None:
    events = result.get("platform") or ()
    rows = [[_clock(e.get("time")), e.get("function", ""), el("code", e.get("type", "")), _folded(text(e.get("record")), 160)] for e in events]
    return el("section", el("h2", "Platform events"), table(["time", "function", "type", "record"], rows, kind="text")) if rows else None


def _logs(result: Mapping[str, Any]) -> Html | None:
    lines = result.get("logs") or ()
    rows = [[_clock(one.get("time")), one.get("function", ""), one.get("source", ""), _folded(text(one.get("text", "")), 2000)] for one in lines]
    return el("section", el("h2", "Output of the processes"), table(["time", "function", "source", "text"], rows, kind="text")) if rows else None


def _records(result: Mapping[str, Any]) -> Html | None:
    rows: list[list[object]] = []
    for log in otlp.logs(result.get("resourceLogs") or ()):
        when = datetime.fromtimestamp(log.time_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        trace = el("a", "span", href=f"#span={log.trace_id}-{log.span_id}") if log.span_id else ""
        rows.append([_clock(when), log.severity, log.resource.get("service.name", ""), el("pre", text(log.body)), trace])
    return el("section", el("h2", "Log records received"), table(["time", "severity", "service", "body", "trace"], rows)) if rows else None


def _metrics(result: Mapping[str, Any]) -> Html | None:
    rows: list[list[object]] = []
    for resource in result.get("resourceMetrics") or ():
        service = otlp.attributes(resource.get("resource", {}).get("attributes", [])).get("service.name", "")
        for metric in (m for scope in resource.get("scopeMetrics", []) for m in scope.get("metrics", [])):
            kind = next((k for k in ("gauge", "sum", "histogram", "exponentialHistogram", "summary") if k in metric), "")
            for point in metric.get(kind, {}).get("dataPoints", []) if kind else []:
                shown = point.get("asInt", point.get("asDouble", f"{point.get('count', 0)} values, sum {point.get('sum', '-')}"))
                labels = join(*(el("div", el("code", f"{k}={text(v)}")) for k, v in otlp.attributes(point.get("attributes", [])).items()))
                rows.append([metric.get("name", ""), kind, service, labels, str(shown), metric.get("unit", "")])
    head = ["metric", "kind", "service", "attributes", "value", "unit"]
    return el("section", el("h2", "Metrics received"), table(head, rows, frozenset({4}))) if rows else None
