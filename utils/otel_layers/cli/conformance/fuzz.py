"""
Events that nobody sends: the suite's own, changed at random where their structure is, through a function with the layer and without it.

What the convention says of them is little, and that must hold: the function's result and output are what they are without the layer, and there is
one well-formed SERVER span, with at most one CONSUMER span below it, and none where the event carries a context that is not sampled.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from ... import local
from ...local.backend import Backend
from ...local.expectation import Conditions, Expectation
from ...local.model import MAX_PAYLOAD
from ...local.otlp import Span
from ...project import Project
from . import runner
from .cases import Case
from .runner import AT_ONCE, Job

_UNSAMPLED = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f][02468ace]")
_CONTEXT = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
_TEXTS = (
    *(
        "",
        " ",
        "null",
        "\x00",
        "a\nb\r\tc",
        "\ud800",
        "\udfff\ud800",
        "\u202eabc",
        "e\u0301",
        "\U0001f680" * 3,
        "\u0660\u0661",
        "%zz%",
        "a=b&c",
        '"{',
        "\\",
    ),
    *(
        "arn:",
        ":::::::",
        "arn:aws:sqs:::",
        "http://u:p@h:99999/",
        "[::1]:x",
        "99999999999999999999",
        "-1",
        "1e999",
        "NaN",
        "true",
        "2.0",
        "$default",
        'for="_a:1";host=[::1]:99999, ;=',
    ),
    *(_CONTEXT, _CONTEXT[:-1], _CONTEXT.upper(), f"ff{_CONTEXT[2:]}", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"),
    *("Root=;Parent=;Sampled=", "aws:sqs", "aws:kinesis", "AQID", "eyJ0cmFjZXBhcmVudCI6IDF9", '{"Type": "Notification"}', '{"detail-type": 1}'),
)
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    -(2**64),
    1.5,
    -0.0,
    1e308,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"a": {"b": []}},
    ["a", 1, None],
)
RESULTS: tuple[Any, ...] = (
    *(
        None,
        1,
        "text",
        [],
        {},
        {"ok": True},
        {"statusCode": 200},
        {"statusCode": "404"},
        {"statusCode": 500},
        {"statusCode": None},
        {"statusCode": []},
    ),
    *(
        {"statusCode": True},
        {"statusCode": -1},
        {"statusCode": 10**30},
        {"statusCode": "\u0661"},
        {"statusCode": 1.5},
        {"statusCode": {"a": 1}},
        [200],
    ),
    *({"batchItemFailures": [{"itemIdentifier": "m"}]}, {"batchItemFailures": 1}, {"batchItemFailures": [None]}, {"isAuthorized": True}),
)


def events(seeds: Sequence[Any], seed: int, count: int) -> Iterator[Any]:
    """`count` events that Lambda would take, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - what it makes must be made again
    while count:
        event = copy.deepcopy(chance.choice(seeds))
        for _ in range(chance.choice((1, 1, 2, 3, 5, 8))):
            event = _mutated(chance, event, seeds)
        if len(json.dumps(event)) <= MAX_PAYLOAD:
            count -= 1
            yield event


def _mutated(chance: random.Random, event: Any, seeds: Sequence[Any]) -> Any:
    """`event`, changed in place somewhere; another value when it is changed as a whole."""
    places = list(_places(event))
    if not places or chance.random() < 0.02:
        return _value(chance, event, seeds)
    owner, key = chance.choice(places)
    act = chance.randrange(8)
    if act == 0:
        del owner[key]
    elif act == 1 and isinstance(owner, list):
        owner[key:key] = [copy.deepcopy(owner[key]) for _ in range(chance.choice((1, 2, 50)))]
    elif act == 2 and isinstance(owner, dict):
        owner[chance.choice((key.lower(), key.upper(), key.title(), chance.choice(_TEXTS)))] = owner.pop(key)
    elif act == 3 and isinstance(owner, dict):
        owner[chance.choice(("traceparent", "Traceparent", "tracestate", "baggage", "headers", "Records", "detail"))] = _value(
            chance, owner[key], seeds
        )
    else:
        owner[key] = _value(chance, owner[key], seeds)
    return event


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a value, as its owner and key or index."""
    waiting = [value]
    while waiting:
        owner = waiting.pop()
        if isinstance(owner, dict | list):
            for key, inner in owner.items() if isinstance(owner, dict) else enumerate(owner):
                yield owner, key
                waiting.append(inner)


def _value(chance: random.Random, old: Any, seeds: Sequence[Any]) -> Any:
    """Something in the place of `old`."""
    act = chance.randrange(8)
    if act == 0:
        return None
    if act == 1:
        return copy.deepcopy(chance.choice(_VALUES))
    if act == 2:
        return chance.choice(([old], {chance.choice(_TEXTS): old}, [old, old], json.dumps(old)))
    if act == 3:
        nested: Any = old
        for _ in range(chance.choice((3, 60))):
            nested = chance.choice(([nested], {"a": nested}))
        return nested
    if act == 4:
        return chance.choice(_TEXTS) * chance.choice((1, 1, 1, 1, 1, 1, 1, 1, 1, 500))
    if act == 5 and isinstance(old, str) and old:
        at = chance.randrange(len(old))
        return old[:at] + chance.choice(("", chance.choice(_TEXTS), old)) + old[at + chance.randrange(3) :]
    owner, key = chance.choice([*_places(chance.choice(seeds)), ([old], 0)])
    return copy.deepcopy(owner[key])


@dataclass(frozen=True)
class Found:
    """An event that something is wrong with."""

    number: int
    event: bytes
    differences: tuple[str, ...]


def run(project: Project, job: Job, seed: int, count: int, said: Callable[[str], None] = lambda _: None) -> list[Found]:
    """Run `count` events made from those of the job's cases, some environments at once."""
    seeds = [json.loads(case.event) for case in job.cases]
    made = [json.dumps(event).encode() for event in events(seeds, seed, count)]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fuzz") as pool:
        parts = pool.map(lambda shard: _shard(project, job, list(enumerate(made))[shard::AT_ONCE]), range(AT_ONCE))
        found = [one for part in parts for one in part]
    said(f"{job.runtime} {job.tier or runner.TIERS[0]}: {count} events from seed {seed}, {len(found)} differ")
    return sorted(found, key=lambda one: one.number)


def _shard(project: Project, job: Job, numbered: Sequence[tuple[int, bytes]]) -> list[Found]:
    results = [{"returns": result} for result in RESULTS]
    bare = replace(job, zip=None)
    out = []
    with ExitStack() as stack:
        backend = stack.enter_context(Backend())
        endpoints = local.Endpoints(("127.0.0.1", backend.http_port), ("127.0.0.1", backend.grpc_port))
        without, layered = (
            stack.enter_context(local.environment(project, runner.function(project, one, results), endpoints, freeze=False, cold_files=False))
            for one in (bare, job)
        )
        for number, event in numbered:
            case = Case(str(number), event, Expectation((), conditions=Conditions(xray=job.cases[0].conditions.xray)))
            was, _ = runner.invoke(without, case)
            now, done = runner.invoke(layered, case)
            spans = backend.spans()
            wrong = [*runner.changed(was, now), *differences(event, spans, done.request_id), *runner.malformed(spans), *backend.causes()]
            backend.clear()
            if wrong:
                out.append(Found(number, event, tuple(wrong)))
    return out


def differences(event: bytes, spans: Sequence[Span], request_id: str) -> list[str]:
    """What is wrong with the spans of one invocation, whatever its event."""
    servers = [span for span in spans if span.kind == "SERVER"]
    if not spans and _UNSAMPLED.search(event):
        return []
    out = [] if len(servers) == 1 else [f"{len(servers)} SERVER spans"]
    out += [
        f"faas.invocation_id is {s.attributes.get('faas.invocation_id')!r}" for s in servers if s.attributes.get("faas.invocation_id") != request_id
    ]
    others = [span for span in spans if span.kind != "SERVER"]
    out += [f"a span of kind {span.kind}" for span in others if span.kind != "CONSUMER"]
    out += ["CONSUMER spans: more than one"] if len(others) > 1 else []
    out += ["the CONSUMER span is not below the SERVER span" for s in others if (s.trace_id, s.parent_id) not in {server.id for server in servers}]
    return out
