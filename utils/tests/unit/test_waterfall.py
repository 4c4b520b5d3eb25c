"""Waterfalls as text: what stands in which line, where bars stand, what a terminal can be sent."""

import io
import re
import unicodedata

import pytest
from otel_layers.local import waterfall
from otel_layers.local.otlp import Event, Link, Span
from otel_layers.local.waterfall_rows import charts, phases
from otel_layers.local.waterfall_scale import duration, scale

MS = 1_000_000
T0 = 1_800_000_000_000 * MS


def span(number, parent=0, *, trace=1, at=(0, 10), name="", service="api", error="", links=(), request="", events=()):
    attributes = {"faas.invocation_id": request} if request else {}
    return Span(
        f"{trace:032x}",
        f"{number:016x}",
        f"{parent:016x}" if parent else "",
        name or f"s{number}",
        "INTERNAL",
        T0 + int(at[0] * MS),
        T0 + int(at[1] * MS),
        attributes,
        tuple(Link(f"{t:032x}", f"{s:016x}") for t, s in links),
        events,
        "ERROR" if error else "UNSET",
        error,
        {"service.name": service, "faas.name": service},
    )


def invocation(request, started, response, ended, *, function="api", init=None, **more):
    times = {"startedNs": T0 + started * MS, "responseNs": T0 + response * MS, "endedNs": T0 + ended * MS}
    if init is not None:
        times["initStartNs"] = T0 + init * MS
    return {
        "function": function,
        "requestId": request,
        "status": "success",
        "initMs": None if init is None else float(started - init),
        "durationMs": float(ended - started),
        "extensionMs": float(ended - response),
        "billedMs": 70,
        "maxMemoryMB": 47.3,
        "frozenMs": 0.0,
        **times,
        **more,
    }


def row(text, label):
    (found,) = [line for line in text.splitlines() if line.strip().startswith(label)]
    return found


def place(text, label, mark):
    """Where the bar of a row begins and ends, in columns."""
    line = row(text, label)
    return line.index(mark), line.rindex(mark) + 1


def test_spans_and_phases_stand_on_one_time_line():
    told = invocation(
        "r1",
        20,
        80,
        90,
        init=0,
        phases=[{"name": "runtime", "startNs": T0, "endNs": T0 + 20 * MS}, {"name": "extension:collector", "startNs": T0, "endNs": T0 + 5 * MS}],
    )
    found = [span(1, at=(21, 79), name="GET /", request="r1"), span(2, 1, at=(50, 60), name="PUT", error="boom")]
    text = waterfall.render(found, [told], width=100)
    lines = [line.strip().split("  ")[0] for line in text.splitlines()]
    assert lines[0] == f"Trace {1:032x}: 2 spans, 90.0 ms"
    assert lines[2:9] == ["api", "init: collector", "init: runtime", "handler", "flush", "GET /", "PUT ✗ boom"]
    bars = 100 - 42 - 9 - 2
    for label, mark, start, end in (
        ("init: runtime", "░", 0, 20),
        ("handler", "▒", 20, 80),
        ("flush", "▓", 80, 90),
        ("GET /", "█", 21, 79),
        ("PUT", "█", 50, 60),
    ):
        left, right = place(text, label, mark)
        assert left == 43 + int(start / 90 * bars), label
        assert right == 43 + round(end / 90 * bars), label
    assert row(text, "PUT").endswith(" 10.0 ms")
    assert row(text, "handler").endswith(" 60.0 ms")
    assert "invocation 1, cold start, r1" in row(text, "api")


def test_a_linked_trace_is_shown_under_its_source_and_the_idle_time_between_is_cut():
    api = [span(1, at=(0, 50), request="r1"), span(2, 1, at=(40, 48), name="send", request="")]
    consumer = [
        span(1, trace=2, at=(5000, 5030), name="consume", service="worker", request="r2"),
        span(2, 1, trace=2, at=(5001, 5029), name="process", service="worker", links=[(1, 2)]),
    ]
    text = waterfall.render(api + consumer, [invocation("r1", 0, 50, 51), invocation("r2", 4999, 5030, 5031, function="worker")])
    order = [line.strip().split("  ")[0] for line in text.splitlines()]
    assert order[0] == f"Trace {1:032x} and 1 linked: 4 spans, 2 services, 5.03 s"
    assert order.index("send") < order.index("⤷ linked from send") < order.index("worker") < order.index("consume") < order.index("process")
    assert row(text, "consume")[43:].index("┊") < row(text, "consume")[43:].index("█")
    left, right = place(text, "process", "█")
    assert right - left >= 12, "28 of 83 active milliseconds; to scale with the gap it would be one column"
    assert row(text, "consume  worker")


def test_an_invocation_without_spans_is_still_shown():
    text = waterfall.render([], [invocation("r1", 0, 3000, 3000, status="timeout")])
    assert "No span was received for this invocation: 3.00 s" in text
    assert "✗ timeout" in row(text, "api")


def test_spans_without_invocations_and_nothing_at_all():
    assert "s1  api" in waterfall.render([span(1)], [])
    assert waterfall.render([], []) == "no invocations, no spans\n"


def test_a_freeze_takes_no_room():
    text = waterfall.render([span(1, at=(0, 10), request="r2")], [invocation("r2", 0, 10, 10, frozenMs=60_000.0)])
    assert row(text, "frozen").endswith("60.0 s")
    left, right = place(text, "s1", "█")
    assert right - left == 100 - 42 - 11


def test_spans_find_their_invocation_by_request_parent_or_time():
    two = [invocation("r1", 0, 10, 10), invocation("r2", 100, 110, 110)]
    found = [
        span(1, trace=1, at=(101, 109), request="r2"),
        span(2, 1, trace=1, at=(102, 103)),
        span(3, trace=3, at=(1, 2)),
        span(4, trace=4, at=(50, 51)),
    ]
    got = {c.trace_ids[0][-1]: [ln.invocation["requestId"] for ln in c.lines if ln.invocation] for c in charts(found, two)}
    assert got == {"1": ["r2"], "3": ["r1"], "4": []}


@pytest.mark.parametrize("width", [60, 80, 100, 173])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_than_the_terminal(width, unicode):
    names = ["x" * 300, "名前" * 60, "e\u0301" * 100, "short"]
    found = [span(n, n - 1, at=(n, 50 - n), name=names[n % 4], error="Failure" * 9 if n % 2 else "", request="r" * 60) for n in range(1, 40)]
    text = waterfall.render(found, [invocation("r" * 60, 0, 50, 51, function="f" * 64)], width=width, unicode=unicode)
    chart = text.split("\n\n")[0]
    for line in chart.splitlines():
        assert sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) <= width, line
    assert text.isascii() is not unicode


def test_a_function_cannot_send_control_characters_to_the_terminal():
    evil = "a\x1b[31m\x07\r\n\u202eb"
    text = waterfall.render([span(1, name=evil, service=evil, error=evil, request="r1")], [invocation("r1", 0, 10, 10, function=evil, status=evil)])
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert "a\N{REPLACEMENT CHARACTER}[31m" in text


def test_colours_only_when_asked():
    found, told = [span(1, error="bad", request="r1")], [invocation("r1", 0, 10, 11, init=-5)]
    assert "\x1b" not in waterfall.render(found, told)
    coloured = waterfall.render(found, told, colour=True)
    assert "\x1b[31m█" in coloured
    plain = "".join(part.split("m", 1)[1] if i else part for i, part in enumerate(coloured.split("\x1b[")))
    assert plain == waterfall.render(found, told)


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


@pytest.mark.parametrize(("encoding", "ascii_only"), [("utf-8", False), ("ascii", True), ("latin-1", True)])
def test_show_asks_the_stream(monkeypatch, encoding, ascii_only):
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    raw = io.BytesIO()
    stream = Terminal(raw, encoding=encoding)
    waterfall.show([span(1, name="größe")], [], stream)
    text = raw.getvalue().decode(encoding)
    assert text.isascii() is ascii_only
    assert "\x1b[34m" in text
    assert "gr??e" in text if ascii_only else "größe" in text


def test_phases():
    told = invocation("r", 10, 20, 25, init=0, frozenMs=4.0)
    got = [(p.kind, (p.start_ns - T0) // MS, (p.end_ns - T0) // MS) for p in phases(told)]
    assert got == [("init", 0, 10), ("frozen", 6, 10), ("handler", 10, 20), ("flush", 20, 25)]
    named = phases({**told, "phases": [{"name": n, "startNs": T0 + 1, "endNs": T0 + 2} for n in ("init", "handler", "flush", "frozen", "init: x")]})
    assert [(p.kind, p.label) for p in named] == [
        ("init", "init"),
        ("handler", "handler"),
        ("flush", "flush"),
        ("frozen", "frozen"),
        ("init", "init: x"),
    ]
    assert phases({"status": "error"}) == []
    for moment in (0, 0.004):
        assert [p.kind for p in phases({**told, "responseNs": None, "frozenMs": moment})] == ["init", "handler"]


def test_the_cost_table():
    text = waterfall.cost_table([invocation("r1", 204, 260, 266, init=0), invocation("r2", 0, 5, 5, status="timeout", maxMemoryMB=None)])
    assert [line.split() for line in text.splitlines()[2:]] == [
        ["1", "api", "success", "204", "62", "6", "70", "47", "0"],
        ["2", "api", "timeout", "-", "5", "0", "70", "-", "0"],
    ]
    assert len({len(line) for line in text.splitlines()}) == 1


def test_scale_is_linear_but_for_cut_gaps():
    plain = scale([(0, 50), (40, 100)])
    assert [plain.at(t) for t in (-5, 0, 25, 100, 900)] == [0, 0, 0.25, 1, 1]
    assert plain.cuts() == []
    cut = scale([(0, 100), (10_000, 10_100)])
    (gap,) = cut.cuts()
    assert (gap.start_ns, gap.end_ns) == (100, 10_000)
    assert cut.at(100) == pytest.approx(1 - cut.at(10_000))
    assert cut.at(10_100) == 1
    assert cut.time(0.5) is None
    assert cut.time(1.0) == 10_100
    assert [label for _, label in cut.ticks((0, 1))] == ["0 ms", "0.01 ms"]


def test_scale_of_nothing_and_of_moments():
    for active in ([], [(5, 5)], [(5, 5), (900, 900)], [(7, 3)], [(i * 100, i * 100) for i in range(50)]):
        axis = scale(active)
        places = [axis.at(t) for t in range(-1, 6000)]
        assert places == sorted(places)
        assert 0 <= places[0] <= places[-1] <= 1
        axis.ticks()


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (0, "0 ms"),
        (4_000, "0.00 ms"),
        (420_000, "0.42 ms"),
        (9_996_000, "10.0 ms"),
        (48_200_000, "48.2 ms"),
        (99_960_000, "100 ms"),
        (999_600_000, "1.00 s"),
        (6e10, "60.0 s"),
    ],
)
def test_durations(ns, words):
    assert duration(ns) == words


def test_an_event_tells_the_error():
    failed = span(1, error="message", events=(Event("exception", T0, {"exception.type": "KeyError"}),))
    assert "✗ KeyError" in waterfall.render([failed], [])


def test_each_extension_has_a_column_of_its_own():
    one = invocation("1", 0, 10, 30, extensionsMs={"collector": 12.5, "watcher": 20.0})
    two = invocation("2", 50, 60, 60, extensionsMs={"collector": 0.0})
    head, *rows = waterfall.cost_table([one, two]).splitlines()
    assert re.split(r"\s{2,}", head.strip())[5:9] == ["extension ms", "collector ms", "watcher ms", "billed ms"]
    assert [row.split()[5:8] for row in rows[1:]] == [["20", "12.5", "20"], ["0", "0", "-"]]
