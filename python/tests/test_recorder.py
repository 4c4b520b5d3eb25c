"""The recorder makes what the SDK makes: the same calls on both give the same bytes; and its formats read and write what OpenTelemetry's do."""

from __future__ import annotations

import re
import subprocess

from otel_layers import toolchain
from parts import PROJECT, ROOT

# Run inside the layer, on each interpreter. `calls` is what both kinds of spans are told; what comes out is compared field by field.
SAME = """
import random, sys
sys.path[:0] = [sys.argv[1] + "/python"]
sys.path.append(sys.argv[1] + "/otel-python")
import logging
logging.disable(logging.CRITICAL)
from otel_lambda import bridge, export, ids, otlp, propagation, recorder, resource, sdk, settings, tracing
tracing.propagators = propagation.Propagators(("tracecontext", "baggage"), True)

class Odd:
    pass

class Named:
    def __str__(self):
        return "named"

class Kept:
    timeout = 1
    def __init__(self):
        self.kept = []
    def add(self, span):
        self.kept.append(span)
    def force(self, seconds):
        return True

VALUES = [None, True, False, 0, 1, -1, 2**63 - 1, -(2**63), 2**70, 0.0, -1.5, float("inf"), "", "text", "\\u00fc\\udc80", b"", b"\\x00b"]
VALUES += [(), [], [1, 2], ["a", None], (True, 2.5), [[1], ["x"]], range(3), bytearray(b"ab")]
VALUES += [{}, {"k": 1, "": 2, 5: "five", "deep": {"l": [1]}}, {Odd(): 1}, Odd(), Named(), object, 1 + 2j]
KEYS = ["a", "b", "c", "error.type", "url.query", "", 5, None] + ["k%d" % n for n in range(140)]

def mapping(r, most):
    return {r.choice(KEYS): r.choice(VALUES) for _ in range(r.randrange(most))}

def plan(seed):
    r = random.Random(seed)
    state = r.choice(["", "a=1", "a=1,b@v=2"])
    def one(*flags):
        return r.getrandbits(128) or 1, r.getrandbits(64) or 1, r.choice(flags), state, r.random() < 0.5
    links = [(one(0, 1, 2, 3), r.choice([None, mapping(r, 140)])) for _ in range(r.choice([0, 1, 3, 130]))]
    above = r.choice([None, one(1, 3)])
    calls = []
    for _ in range(r.choice([0, 3, 20, 200])):
        kind = r.randrange(6)
        if kind == 0:
            calls.append(("set_attribute", r.choice(KEYS), r.choice(VALUES)))
        elif kind == 1:
            calls.append(("set_attributes", mapping(r, 30)))
        elif kind == 2:
            calls.append(("add_event", r.choice(["e", ""]), r.choice([None, mapping(r, 10)]), r.randrange(1, 2**62)))
        elif kind == 3:
            calls.append(("update_name", r.choice(["n", "", "\\u00fc"])))
        elif kind == 4:
            calls.append(("fail", r.choice(["", "T"]), r.choice(["", "why"])))
    scope = r.choice(["mine", ("mine", "1.0", ""), ("mine", "", "http://schema")])
    return r.choice(["name", ""]), r.randrange(5), r.choice([None, mapping(r, 140)]), above, links, scope, calls, r.randrange(2**62, 2**62 + 99)

def context(facts):
    return tracing.SpanContext(*facts) if facts else None

def begun(name, kind, attributes, above, links, scope):
    parent = tracing.remote(context(above)) if above else None
    return tracing.start(name, kind, attributes, parent, [(context(one), more) for one, more in links], scope)

def run(seed):
    name, kind, attributes, above, links, scope, calls, end = plan(seed)
    span = begun(name, kind, attributes, above, links, scope)
    for call, *arguments in calls:
        getattr(span, call)(*arguments)
    span.end(end)
    span.end(end + 1)
    span.set_attribute("late", 1)

def encoded(spans):
    from importlib import import_module
    out = []
    for span in spans:
        plain = otlp.request([span], resource.Resource({}))
        start = (span.start_time or 0).to_bytes(8, "little")
        ids_ = span.context.trace_id.to_bytes(16, "big"), span.context.span_id.to_bytes(8, "big")
        if span.parent is None:
            plain = plain.replace(ids_[0], b"T" * 16)
        out.append(plain.replace(ids_[1], b"S" * 8).replace(b"\\x39" + start, b"\\x39" + b"0" * 8))
    return out

SEEDS = range(int(sys.argv[2]), int(sys.argv[2]) + 80)
kept = Kept()
recorder.keep = kept.kept.append
for seed in SEEDS:
    run(seed)
first = encoded(kept.kept)
opened = []
for seed in SEEDS:  # begun by the recorder, ended by the SDK
    name, kind, attributes, above, links, scope, calls, end = plan(seed)
    span = begun(name, kind, attributes, above, links, scope)
    half = len(calls) // 2
    for call, *arguments in calls[:half]:
        getattr(span, call)(*arguments)
    opened.append((span, calls[half:], end, seed % 2))
described = resource.build()
kept.kept.clear()
recorder.keep = None
sdk.assemble(described, kept, export.Delivery(), settings.read("/opt"))
for span, calls, end, early in opened:
    if early:
        bridge.translated(tracing.Context(span))
        assert span.real is not None
    for call, *arguments in calls:
        getattr(span, call)(*arguments)
    span.end(end)
    assert span.real is not None and span.real.context.span_id == span.context.span_id and span.real.context.trace_id == span.context.trace_id
handed = encoded(kept.kept)
kept.kept.clear()
for seed in SEEDS:
    run(seed)
third = encoded(kept.kept)
assert len(first) == len(handed) == len(third) == len(SEEDS)
for seed, one, two, three in zip(SEEDS, first, handed, third):
    assert one == three, (seed, plan(seed), one, three)
    assert two == three, (seed, "handed over", plan(seed), two, three)
print("same", sum(map(len, first)) > 10000)
"""


def inside(layer, version, code, *arguments):
    """What `code` prints that runs on an interpreter with nothing but the layer."""
    done = subprocess.run(
        [toolchain.interpreters()[version], "-I", "-B", "-c", code, layer, *arguments],
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.split()


def test_the_same_calls_give_the_same_bytes(layer, version):
    assert inside(layer, version, SAME, "0") == ["same", "True"]


# The reference is what OpenTelemetry ships; it is asked with the same fields. A field's text is a good one with some faults.
FORMATS = """
import os, random, sys
sys.path[:0] = [sys.argv[1] + "/python"]
sys.path += [sys.argv[1] + "/otel-python", sys.argv[3]]
import logging
logging.disable(logging.CRITICAL)
from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.aws import AwsXRayLambdaPropagator, AwsXRayPropagator
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from otel_lambda import bridge, propagation, textmap

T, S = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
X = f"Root=1-{T[:8]}-{T[8:]}"
NONE = "0" * 32
LONG = "x" * 4000
FAULTS = [" ", "x", "", "0", "-", ";", "=", ",", "%", "A", "@"]  # the first two pass for part of a number where X-Ray's is read there
GOOD = {
    "traceparent": [f"00-{T}-{S}-01", f"00-{T}-{S}-00", f"00-{T}-{S}-ff", f"cc-{T}-{S}-03-more", f" 00-{T}-{S}-01\\t"],
    "tracestate": ["a=1", "a=1,b=2", "a=1, b@v=2 ,,c= d", "1a=1", "1a@v=1", "-a@v=1", "a=1,a=2", "A=1", "a@1=2", "a=b=c", "a=" + "x" * 257],
    "X-Amzn-Trace-Id": [f"{X};Parent={S};Sampled=1", f"{X};Parent={S};Sampled=0;Lineage=1:2:0", X, f"Sampled=?;{X};Parent={S}", f"{X}; Parent = {S}"],
    "b3": [f"{T}-{S}-1", f"{T}-{S}-0-{S}", f"{S}-{S}", f"{T}-{S}", f"{T}-{S}-d", "0", "1", f"{T.upper()}-{S}-true", f"{T}-{S}-1-2-3"],
    "x-b3-traceid": [T, S, T.upper(), NONE, "x"],
    "x-b3-spanid": [S, "0" * 16, "1"],
    "x-b3-sampled": ["1", "0", "true", "True", "d", "no"],
    "x-b3-flags": ["1", "0"],
    "baggage": ["a=1", "a=1,b=2", "a=1;p;q=3 , b = 2", "a=%20x%2C", "n%61me=v", "a", "=1", "a=,b=3", "a=b=c", "a b=1", "a=x y", "a=1;p=", "a=1;;"],
}
GOOD["traceparent"] += [f"ff-{T}-{S}-01", f"00-{NONE}-{S}-01"]
GOOD["tracestate"] += [",".join(f"k{n}=v" for n in range(33))]
GOOD["X-Amzn-Trace-Id"] += ["Root=1-00000000-000000000000000000000000;Parent=" + S]
GOOD["baggage"] += ["\\u00fc=1", "a=1+2", "a=x\\\\y", "a=1,,b=2", ",".join(f"k{n}={n}" for n in range(190)), f"a={LONG}x,b={LONG},c={LONG}"]
OTHER = {
    "tracecontext": TraceContextTextMapPropagator(),
    "xray": AwsXRayPropagator(),
    "xray-lambda": AwsXRayLambdaPropagator(),
    "b3": B3SingleFormat(),
    "b3multi": B3MultiFormat(),
    "baggage": W3CBaggagePropagator(),
}
r = random.Random(int(sys.argv[2]))

def text(key):
    value = r.choice(GOOD[key])
    for _ in range(r.choice([0, 0, 0, 1, 1, 3])):
        at = r.randrange(len(value) + 1)
        value = value[:at] + r.choice(FAULTS[2:] if key[0] == "X" else FAULTS) + value[at + r.randrange(2):]
    return value

found = dict.fromkeys(OTHER, 0)
for number in range(5000):
    name = r.choice(list(OTHER))
    carrier = {key: text(key) for key in GOOD if r.random() < 0.6}
    if r.random() < 0.5:
        os.environ["_X_AMZN_TRACE_ID"] = text("X-Amzn-Trace-Id")
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    own = propagation.Propagators((name,), False)
    reference = OTHER[name].extract(carrier, context=Context())
    expected = bridge.ours(trace.get_current_span(reference).get_span_context())
    context, entries = own.extract(propagation.reader({key.lower(): value for key, value in carrier.items()}))
    facts = lambda c: c and (c.trace_id, c.span_id, c.trace_flags, c.trace_state, c.is_remote)
    assert facts(context) == facts(expected), (name, carrier, os.environ.get("_X_AMZN_TRACE_ID"), facts(context), facts(expected))
    assert (entries or {}) == dict(baggage.get_all(reference)), (name, carrier, entries, baggage.get_all(reference))
    through = textmap.Propagators(own).extract(carrier)
    assert facts(bridge.ours(trace.get_current_span(through).get_span_context())) == facts(expected)
    assert dict(baggage.get_all(through)) == dict(baggage.get_all(reference))
    mine, theirs = {}, {}
    if expected is not None or entries:  # b3's writes ids that are not valid as well
        OTHER[name].inject(theirs, context=reference)
    textmap.Propagators(own).inject(mine, context=reference)
    assert mine == theirs == own.fields(context, entries), (name, mine, theirs)
    assert set(mine) <= textmap.Propagators(own).fields == OTHER[name].fields
    found[name] += bool(mine)
assert min(found.values()) > 100, found
print("same")
"""


def test_every_format_reads_and_writes_what_opentelemetrys_does(layer, version):
    b3 = toolchain.target(PROJECT, ROOT / "requirements/propagator-b3.txt", str(toolchain.interpreters()[version]), f"propagator-b3-python{version}")
    assert inside(layer, version, FORMATS, "0", str(b3)) == ["same"]


PROCESSES = """
import os, sys
def hook(event, arguments):
    if event in ("os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec", "subprocess.Popen", "pty.spawn"):
        open(os.environ["SPAWNED"], "a").write(event + chr(10))
sys.addaudithook(hook)
"""
MODULES = """
    import sys, threading
    AT_INIT = sorted(sys.modules)
    LAST = []

    def handler(event, context):
        LAST.append(sorted(sys.modules))
        return {"init": AT_INIT, "before": LAST[0], "now": LAST[-1], "threads": threading.active_count()}
"""


def test_nothing_but_ours_is_imported_and_no_process_is_started(start, receiver, version, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(PROCESSES)
    watched = {"PYTHONPATH": str(tmp_path), "SPAWNED": str(tmp_path / "spawned")}
    bare, ours = start(version, MODULES, layer=None, **watched), start(version, MODULES, **watched)
    plain, first, second = bare.invoke({}).json, ours.invoke({"a": 1}).json, ours.invoke({}).json
    assert len(receiver.spans()) == 2
    assert not (tmp_path / "spawned").exists()
    assert first["threads"] == second["threads"] == plain["threads"]
    for moment in ("init", "now"):
        added = set((first if moment == "init" else second)[moment]) - set(plain[moment])
        others = {name for name in added if not name.startswith("otel_lambda")}
        assert others <= {"_contextvars", "_socket", "_struct", "errno", "gc"}, f"{moment}: {sorted(others)}"
        assert "otel_lambda.recorder" in added
        assert not added & {
            f"otel_lambda.{name}" for name in ("bridge", "sdk", "ids", "processors", "redact", "rpc", "otlp_json", "sending", "frameworks")
        }


def test_the_sdk_version_is_that_of_the_sdk_that_is_shipped(layer):
    (version,) = re.findall(r'^SDK_VERSION = "([^"]+)"', (layer / "python/otel_lambda/resource.py").read_text(), re.MULTILINE)
    assert f"opentelemetry-sdk=={version} " in (ROOT / "python/requirements.txt").read_text()
