"""The HTML report in a real browser: it draws, opens, follows links, and asks the network for nothing."""

import json
import re

import pytest
from e2e.browser import HOSTILE, NEEDED, browse, title
from otel_layers.local import report

pytestmark = NEEDED

START = 1_800_000_000_000_000_000
MS = 1_000_000
A, B = "5b8efff798038103d269b633813fc60c", "9a1c0e4cf7981b03d269b633813fc611"

# Runs in a page around the report and writes what it finds into its own title.
PROBE = """<!doctype html><title>waiting</title><link rel=icon href="data:,"><iframe id=f width=WIDTH height=900 src="/report.html"></iframe><script>
onload = async () => {
  const win = document.getElementById("f").contentWindow, doc = win.document, found = {};
  const spans = [...doc.querySelectorAll("details.span")], open = () => spans.filter(d => d.open).length;
  found.spans = spans.map(d => d.querySelector(".name").textContent);
  const seen = (box) => box.width > 0 && box.height > 0;
  found.bars = [...doc.querySelectorAll(".row > svg > rect:not(.track)")].map(r => seen(r.getBoundingClientRect()));
  found.tools = getComputedStyle(doc.querySelector(".tools")).display;
  found.colour = getComputedStyle(doc.querySelector("rect.init")).fill;
  found.closed = open();
  spans[0].querySelector("summary").click(); found.clicked = open();
  found.attributes = spans[0].querySelector(".inside").getBoundingClientRect().height > 50 && spans[0].innerText.includes("http.route");
  doc.getElementById("open-all").click(); found.all = open();
  doc.getElementById("close-all").click(); found.none = open();
  doc.querySelector(".row.link a").click();
  await new Promise(done => setTimeout(done, 50));
  found.followed = spans.filter(d => d.open).map(d => d.id);
  found.focus = doc.activeElement.tagName;
  found.wide = doc.documentElement.scrollWidth - win.innerWidth;
  found.title = doc.title;
  document.title = JSON.stringify(found);
};
</script>"""


def told():
    def span(trace, number, parent, name, kind, start, end, **more):
        times = {"startTimeUnixNano": str(START + start * MS), "endTimeUnixNano": str(START + end * MS)}
        parents = {"parentSpanId": f"{parent:016x}"} if parent else {}
        return {"traceId": trace, "spanId": f"{number:016x}", **parents, "name": name, "kind": kind, **times, **more}

    def resource(name, *spans):
        attributes = [{"key": "service.name", "value": {"stringValue": name}}]
        return {"resource": {"attributes": attributes}, "scopeSpans": [{"scope": {"name": "scope"}, "spans": list(spans)}]}

    def invocation(function, request, init, started, response, ended):
        return {
            "function": function,
            "requestId": request,
            "status": "success",
            "response": HOSTILE,
            "initMs": started - init,
            "durationMs": ended - started,
            "extensionMs": ended - response,
            "billedMs": ended - init,
            "maxMemoryMB": 41,
            "frozenMs": 0,
            "initStartNs": START + init * MS,
            "startedNs": START + started * MS,
            "responseNs": START + response * MS,
            "endedNs": START + ended * MS,
        }

    route = [{"key": "http.route", "value": {"stringValue": "/items"}}, {"key": "faas.invocation_id", "value": {"stringValue": "r1"}}]
    link = [{"traceId": A, "spanId": f"{2:016x}"}]
    return {
        "invocations": [invocation("api", "r1", 0, 50, 90, 95), invocation("worker", "r2", 5000, 5040, 5060, 5061)],
        "resourceSpans": [
            resource("api", span(A, 1, 0, "/items", 2, 50, 90, attributes=route), span(A, 2, 1, "send", 4, 60, 80)),
            resource("worker", span(B, 1, 0, "worker", 2, 5041, 5059, status={"code": 2}), span(B, 2, 1, HOSTILE, 5, 5042, 5058, links=link)),
        ],
        "platform": [{"time": "2027-01-15T08:00:00.000Z", "type": HOSTILE, "record": {"a": HOSTILE}}],
        "logs": [{"time": "2027-01-15T08:00:00.000Z", "source": "function", "text": HOSTILE}],
    }


@pytest.mark.parametrize("width", [1280, 420])
def test_the_report_draws_opens_and_follows_links(tmp_path, width):
    pages = {"/report.html": report.page(told()), "/probe.html": PROBE.replace("WIDTH", str(width))}
    dom, console, asked = browse(tmp_path, pages, "/probe.html")
    found = json.loads(title(dom))
    assert found["spans"] == ["/itemsapi", "send", "workererror", HOSTILE]
    assert found["bars"] == [True] * 10, "four spans, and init, handler and flush of two invocations"
    assert found["tools"] == "flex"
    assert found["colour"] not in ("rgb(0, 0, 0)", "none"), "the style sheet is in force"
    assert [found[k] for k in ("closed", "clicked", "all", "none")] == [0, 1, 4, 0]
    assert found["attributes"]
    assert found["followed"] == [f"span-{A}-{2:016x}"]
    assert found["focus"] == "SUMMARY"
    assert found["wide"] <= 0, "nothing is wider than the window"
    assert found["title"] == "Local Lambda: api, worker"
    assert console == []
    assert asked == ["report.example /probe.html", "report.example /report.html"]


def test_an_address_opens_a_span(tmp_path):
    span = f"span-{B}-{2:016x}"
    dom, console, asked = browse(tmp_path, {"/report.html": report.page(told())}, f"/report.html#span={B}-{2:016x}")
    assert re.findall(r'<details class="span[^"]*" id="([^"]*)" open', dom) == [span]
    assert (console, asked) == ([], ["report.example /report.html"])
    dom, console, _ = browse(tmp_path, {"/report.html": report.page(told())}, "/report.html#span=nothing'\"><b>")
    assert not re.findall(r'<details class="span[^"]*" id="([^"]*)" open', dom)
    assert console == []


def test_even_unescaped_markup_could_neither_run_nor_load(tmp_path):
    page = report.page(told()).replace("<main>", f"<main>{HOSTILE}<link rel=stylesheet href=http://elsewhere.example/css>")
    dom, console, asked = browse(tmp_path, {"/report.html": page}, "/report.html")
    assert title(dom).startswith("Local Lambda")
    assert asked == ["report.example /report.html"]
    assert [message for message in console if "Content Security Policy" in message]


def test_the_means_of_this_test_would_see_a_script_and_a_request(tmp_path):
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    page = policy.sub("", report.page(told())).replace("<main>", f"<main>{HOSTILE}<script>console.error('seen')</script>")
    dom, console, asked = browse(tmp_path, {"/report.html": page}, "/report.html")
    assert title(dom) == "pwned"
    assert "elsewhere.example /name" in asked
    assert [message for message in console if "seen" in message]
