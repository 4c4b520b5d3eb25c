"""The HTML report as text: complete, escaped, and without any way to the network. The browser's view is in e2e/test_report_browser.py."""

import base64
import hashlib
import html.parser
import re

import pytest
from otel_layers.errors import UsageError
from otel_layers.local import report
from otel_layers.local.report_html import Html, el, join

EVIL = "</script><script>evil()</script><img src=http://x.example onerror=evil()>\"'&amp;</pre></title></style>"
TRACE, SPAN, OTHER = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "eee19b7ec3c1b175"
START = 1_800_000_000_000_000_000


def attributes(**pairs):
    return [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in pairs.items()]


def result(word="plain"):
    """A result with `word` wherever text that is not ours can stand."""
    span = {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": f"name {word}",
        "kind": 2,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 5_000_000),
        "attributes": [
            *attributes(faas__invocation_id=f"req {word}"),
            {"key": f"key {word}", "value": {"arrayValue": {"values": [{"stringValue": f"value {word}"}]}}},
        ],
        "events": [{"name": f"event {word}", "timeUnixNano": str(START), "attributes": attributes(exception__type=f"type {word}")}],
        "links": [{"traceId": TRACE, "spanId": OTHER, "attributes": attributes(a=f"linked {word}")}],
        "status": {"code": 2, "message": f"message {word}"},
    }
    child = {**span, "spanId": OTHER, "parentSpanId": SPAN, "name": "child", "links": [{"traceId": "f" * 32, "spanId": "f" * 16}]}
    resource = {"attributes": attributes(service__name=f"service {word}")}
    scope = {"name": f"scope {word}", "version": "1"}
    record = {
        "timeUnixNano": str(START),
        "severityText": f"severity {word}",
        "body": {"stringValue": f"body {word}"},
        "traceId": TRACE,
        "spanId": SPAN,
    }
    point = {"asInt": "42", "attributes": attributes(label=f"label {word}")}
    metrics = [
        {"name": f"metric {word}", "unit": f"unit {word}", "sum": {"dataPoints": [point]}},
        {"name": "h", "histogram": {"dataPoints": [{"count": "3", "sum": 4.5}]}},
        {"name": "empty"},
    ]
    return {
        "invocations": [
            {
                "function": f"function {word}",
                "requestId": f"req {word}",
                "status": f"status {word}",
                "response": {"body": f"response {word}"},
                "initMs": 12.5,
                "durationMs": 5,
                "extensionMs": 1,
                "extensionsMs": {f"extension {word}": 0.7},
                "billedMs": 18,
                "maxMemoryMB": 40,
                "frozenMs": 0,
                "startedNs": START,
                "responseNs": START + 6_000_000,
                "endedNs": START + 7_000_000,
                "phases": [{"name": f"extension:{word}", "startNs": START - 1_000_000, "endNs": START}],
            }
        ],
        "resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": [span, child]}]}],
        "resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}],
        "resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}],
        "platform": [{"time": f"time {word}", "type": f"platform {word}", "record": {"deep": f"record {word}"}}],
        "counts": {
            "collector": {"received": {"spans": 31}, "sent": {"spans": 30}, "dropped": {"spans": 1}},
            "backend": {"spans": {"received": 32, "unique": 30, "duplicated": 2}, "refused": {f"fault {word}": 77}},
        },
        "isolation": [f"isolation {word}"],
        "logs": [{"time": "2027-01-15T08:00:00.230Z", "function": f"env {word}", "source": f"source {word}", "text": f"text {word}"}],
    }


class Page(html.parser.HTMLParser):
    """A page's elements, and what does not close as it should."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.scripts, self.wrong = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        (self.scripts if self.open and self.open[-1] == "script" else self.texts).append(data)


def all_text(page):
    return "\n".join(page.texts)


@pytest.mark.parametrize("word", ["plain", EVIL])
def test_everything_told_is_shown_as_text(word):
    page = Page(report.page(result(word)))
    assert (page.wrong, page.open) == ([], [])
    shown = all_text(page)
    told = "name,event,message,linked,scope,severity,body,label,metric,unit,function,req"
    told += ",status,platform,source,text,service,key,type,time,isolation,fault,env"
    for kind in told.split(","):
        assert f"{kind} {word}" in shown, kind
    for kind in ("value", "response", "record"):
        assert f"{kind} {word}" in shown.replace('\\"', '"'), kind
    assert f"init: {word}" in shown
    for amount in ("12.5", "42", "3 values, sum 4.5"):
        assert amount in shown


def test_hostile_text_adds_no_element_and_no_attribute():
    plain, evil = Page(report.page(result("plain"))), Page(report.page(result(EVIL)))
    assert [(tag, set(found)) for tag, found in plain.tags] == [(tag, set(found)) for tag, found in evil.tags]
    assert plain.scripts == evil.scripts


def test_the_page_can_neither_load_nor_send():
    text = report.page(result())
    page = Page(text)
    for tag, found in page.tags:
        assert tag not in ("img", "link", "iframe", "object", "embed", "form", "base", "video", "audio", "source")
        assert not {"src", "srcset", "action", "style", "background", "ping"} & set(found), (tag, found)
        assert not [name for name in found if name.startswith("on")]
        assert found.get("href", "#").startswith("#")
    assert "url(" not in text
    assert "@import" not in text
    (policy,) = [found["content"] for _, found in page.tags if found.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for rule, tag in (("script-src", "script"), ("style-src", "style")):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert rules[rule] == f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'"
    assert set(rules) == {"default-src", "script-src", "style-src", "base-uri", "form-action"}


def test_links_lead_to_spans_that_are_there():
    page = Page(report.page(result()))
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))
    links = [found["href"] for tag, found in page.tags if tag == "a"]
    assert f"#span={TRACE}-{OTHER}" in links
    assert {"span-" + link.removeprefix("#span=") for link in links} <= set(ids)
    assert "(not received)" in all_text(page)


@pytest.mark.parametrize(
    "raw",
    [{}, {"invocations": [{}]}, {"invocations": [], "resourceSpans": []}, {"invocations": [{"status": "error", "error": None, "response": None}]}],
)
def test_little_or_nothing_is_a_page_too(raw):
    page = Page(report.page(raw))
    assert (page.wrong, page.open) == ([], [])


def test_the_same_result_gives_the_same_bytes_in_a_new_folder(tmp_path):
    for name in ("a", "b"):
        report.write_html(result(), tmp_path / "new" / name)
    assert (tmp_path / "new/a").read_bytes() == (tmp_path / "new/b").read_bytes()
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["a", "b"]
    with pytest.raises(UsageError, match="cannot write"):
        report.write_html(result(), tmp_path / "new/a/under-a-file")


def test_long_texts_are_folded_and_kept_whole():
    raw = {"invocations": [{"function": "f", "status": "success", "response": "x" * 5000}]}
    page = Page(report.page(raw))
    assert "x" * 5000 in page.texts
    assert "5,000 characters" in all_text(page)


def test_the_accounts_stand_beside_each_other():
    text = all_text(Page(report.page(result())))
    assert re.search(r"spans\s+31\s+30\s+1\s+32\s+2\s+metrics\s+-", text)
    assert "77 by fault" in text


def test_duplicates_are_told():
    raw = result()
    raw["resourceSpans"] *= 2
    text = all_text(Page(report.page(raw)))
    assert re.search(r"2\s+spans\s+2\s+spans twice", text)


def test_elements():
    assert el("a", "<", Html("<b>"), None, 3, href='"', class_="c", x=None, y=False, z=True, aria_hidden="t") == (
        '<a href="&quot;" class="c" z aria-hidden="t">&lt;<b>3</a>'
    )
    assert el("meta", charset="utf-8") == '<meta charset="utf-8">'
    assert el("rect") == "<rect></rect>", "an open rect would swallow the next ones"
    assert join("&", el("b")) == "&amp;<b></b>"
