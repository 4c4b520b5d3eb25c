"""Every event of the conformance suite through the built layers, in every runtime that this machine has; and that the runner finds what is wrong."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from pathlib import Path

import pytest
from e2e import local_parts
from e2e.local_parts import PROJECT, built
from otel_layers import cli, local
from otel_layers.cli.conformance import cases, fuzz, propagation, runner
from otel_layers.cli.conformance.cases import Case
from otel_layers.cli.verbs import conformance
from otel_layers.local import runtimes
from otel_layers.local.expectation import Conditions, Expectation, Expected

ROOT = PROJECT.root
CASES = cases.load(ROOT)
HERE = [runtime.name for runtime in runtimes.here(PROJECT)]


@pytest.fixture(scope="session")
def layers() -> list[tuple[str, Path]]:
    """Each language with its built layer."""
    return [(layer.language, built(layer.folder)) for layer in conformance.languages(PROJECT)]


def test_every_event_in_every_runtime(layers: list[tuple[str, Path]]) -> None:
    jobs = []
    for layer in layers:
        of_language = [name for name in HERE if PROJECT.catalogue.runtimes[name].language == layer[0]]
        assert of_language, f"this machine has no runtime of {layer[0]}"
        jobs += runner.jobs(PROJECT, CASES, layer, of_language, "auto")
        jobs += runner.jobs(PROJECT, CASES, layer, of_language[-1:], "sdk")
    outcomes = runner.run(PROJECT, jobs)
    assert {(o.case, o.runtime) for o in outcomes} == {(case.name, name) for case in CASES for name in HERE}
    assert conformance.words([one for one in outcomes if one.differences]) == []


@pytest.mark.parametrize("tier", runner.TIERS)
def test_the_parent_for_every_list_of_propagators(layers: list[tuple[str, Path]], tier: str) -> None:
    found = list(propagation.cases(cases.common(ROOT)))
    if tier != "auto":  # pairs differ from single ones only in the order of reading, which is not a matter of tiers
        found = [case for case in found if "," not in case.conditions.environment.get(propagation.VARIABLE, "")]
    for language, path in layers:
        runtime = [name for name in HERE if PROJECT.catalogue.runtimes[name].language == language][-1:]
        outcomes = runner.run(PROJECT, runner.jobs(PROJECT, found, (language, path), runtime, tier))
        assert conformance.words([one for one in outcomes if one.differences]) == []


# At debug level: the propagators, what is sent, what Lambda's environment holds -> the line. In one environment each line is said once.
SAID = [
    ("", "nothing", "unsampled", "no parent: a trace begins here; X-Ray's context of Lambda's environment, which is not sampled, is a link"),
    ("", "nothing", "sampled", "no parent: a trace begins here; X-Ray's context of Lambda's environment is a link"),
    ("", "nothing", "absent", "no parent: a trace begins here"),
    ("", "w3c", "absent", "the parent is the context of the event, read by tracecontext"),
    ("", "w3c unsampled", "absent", "the parent is the context of the event, read by tracecontext. It is not sampled: no span is recorded"),
    ("", "w3c, xray", "absent", "the parent is the context of the event, read by tracecontext; X-Ray's context of the event is a link"),
    ("", "xray unsampled", "absent", "no parent: a trace begins here; X-Ray's context of the event, which is not sampled, is a link"),
    ("xray-lambda", "nothing", "sampled", "the parent is the context of Lambda's environment, read by xray-lambda"),
    ("xray-lambda", "xray", "absent", "the parent is the context of the event, read by xray-lambda"),
    ("b3", "b3multi", "malformed", "the parent is the context of the event, read by b3"),
]


# With OTEL_LAMBDA_SINGLE_MESSAGE_PARENT: an event's file, what is changed in it, what Lambda's environment holds -> the line.
ALONE = [
    ("sqs-traceparent", {}, "absent", "the parent is the context of the only message"),
    (
        "sqs-xray",
        {},
        "unsampled",
        "the parent is the context of the only message; X-Ray's context of Lambda's environment, which is not sampled, is a link",
    ),
    ("sqs-xray", {"Sampled=1": "Sampled=0"}, "absent", "no parent: a trace begins here"),
    (
        "sns-traceparent",
        {"b7ad6b7169203331-01": "b7ad6b7169203331-00"},
        "absent",
        "the parent is the context of the only message. It is not sampled: no span is recorded",
    ),
    ("sqs-batch", {}, "sampled", "no parent: a trace begins here; X-Ray's context of Lambda's environment is a link"),
]


@pytest.mark.parametrize("tier", runner.TIERS)
@pytest.mark.parametrize("propagators", dict.fromkeys(row[0] for row in SAID))
def test_which_parent_was_chosen_is_said_once_at_debug_level(layers: list[tuple[str, Path]], propagators: str, tier: str) -> None:
    sent = {one.name: one for one in propagation.SENT}
    variables = {**cases.common(ROOT)["environment"], "OTEL_LOG_LEVEL": "debug", **({propagation.VARIABLE: propagators} if propagators else {})}
    rows = [(propagation.event(sent[what].headers), environment, line) for names, what, environment, line in SAID if names == propagators]
    assert_said(layers, tier, variables, rows)


@pytest.mark.parametrize("tier", runner.TIERS)
def test_which_message_is_the_parent_is_said_once_at_debug_level(layers: list[tuple[str, Path]], tier: str) -> None:
    events = {case.name: case.event.decode() for case in CASES}
    variables = {**cases.common(ROOT)["environment"], "OTEL_LOG_LEVEL": "debug", "OTEL_LAMBDA_SINGLE_MESSAGE_PARENT": "true"}
    rows = []
    for name, change, environment, line in ALONE:
        text = events[name]
        for old, new in change.items():
            assert old in text
            text = text.replace(old, new)
        rows.append((text.encode(), environment, line))
    assert_said(layers, tier, variables, rows)


def assert_said(layers: list[tuple[str, Path]], tier: str, variables: dict[str, str], rows: list[tuple[bytes, str, str]]) -> None:
    """Each row (event, what Lambda's environment holds, line) gets its line at debug level, the first time and not the second."""
    conditions = [Conditions(environment=variables, xray=propagation.ENVIRONMENT[row[1]][0]) for row in rows]
    made = [Case("", row[0], Expectation((), conditions=one)) for row, one in zip(rows, conditions, strict=True)]
    for language, path in layers:
        runtime = [name for name in HERE if PROJECT.catalogue.runtimes[name].language == language][-1]
        function = runner.function(PROJECT, runner.Job(language, runtime, tuple(made), path, tier), [{"returns": 1}])
        with local.environment(PROJECT, function, local.Endpoints(), freeze=False, cold_files=False) as environment:
            for again in (False, True):
                for row, case in zip(rows, made, strict=True):
                    lines = [line for line in runner.invoke(environment, case)[0].lines if line.startswith("otel: debug: ")]
                    assert lines == ([] if again else [f"otel: debug: {row[2]}"])


def test_the_page_says_what_is_said_at_debug_level() -> None:
    text = (ROOT / "docs/telemetry.md").read_text()
    assert [words for *_, line in (*SAID, *ALONE) for words in re.split("; |[.] ", line) if words not in text] == []


def test_fuzzed_events_change_nothing(layers: list[tuple[str, Path]]) -> None:
    for language, path in layers:
        runtime = [name for name in HERE if PROJECT.catalogue.runtimes[name].language == language][-1]
        assert fuzz.run(PROJECT, runner.Job(language, runtime, tuple(CASES), path, "auto"), seed=5, count=500) == []


# A wrapper that answers for the function: every other event is handed on with a key more, and nothing is traced.
MEDDLER = {
    "wrapper*": """
        #!/bin/sh
        export MEANT="$_HANDLER" _HANDLER=meddler.handler
        exec "$@"
        """,
    "python/meddler.py": """
        import importlib, os
        module, _, name = os.environ["MEANT"].rpartition(".")
        meant = getattr(importlib.import_module(module), name)

        def handler(event, context):
            if isinstance(event, dict):
                event["meddled"] = True
            return meant(event, context)
        """,
}


def test_the_fuzzer_finds_what_is_wrong(tmp_path: Path) -> None:
    shared = {**cases.common(ROOT)["environment"], "AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}
    chosen = [one for one in cases.load(ROOT, ["direct-*", "value-null"]) if one.conditions.environment == cases.common(ROOT)["environment"]]
    meddled = [
        dataclasses.replace(one, expected=dataclasses.replace(one.expected, conditions=dataclasses.replace(one.conditions, environment=shared)))
        for one in chosen
    ]
    found = fuzz.run(
        PROJECT,
        runner.Job("python", local_parts.runtime(), tuple(meddled), local_parts.layer(tmp_path, "meddler", MEDDLER), "auto"),
        seed=5,
        count=60,
    )
    assert [one.number for one in found] == list(range(60))
    assert all("0 SERVER spans" in one.differences for one in found)
    changed = [one for one in found if any("the function's output" in words and "meddled" in words for words in one.differences)]
    assert len(changed) == sum(isinstance(json.loads(one.event), dict) for one in found) > 0


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_invoke_passes_for_each_event(layers: list[tuple[str, Path]], case: Case) -> None:
    folder = ROOT / cases.FOLDER
    for language, path in layers:
        handler = cases.common(ROOT)["handlers"][language]
        words = ["invoke", "--code", folder / "functions" / language, "--handler", handler, "--layer", path, "--quiet"]
        words += ["--event", folder / f"events/{case.name}.json", "--expect", folder / f"expected/{case.name}.json"]
        assert cli.main([str(word) for word in words]) == 0


def test_the_runner_finds_what_is_wrong(layers: list[tuple[str, Path]]) -> None:
    (case,) = cases.load(ROOT, ["value-empty-object"])
    (span,) = case.expected.spans
    wrong = dataclasses.replace(case, expected=dataclasses.replace(case.expected, spans=(span, Expected("more"))))
    (outcome,) = runner.run(PROJECT, runner.jobs(PROJECT, [wrong], layers[0], HERE[-1:], "auto"))
    assert outcome.differences == ("missing span 'more'",)
    loud = dataclasses.replace(case.conditions, environment={**case.conditions.environment, "OTEL_PROPAGATORS": "homing-pigeon"})
    noisy = dataclasses.replace(case, expected=dataclasses.replace(case.expected, conditions=loud))
    (outcome,) = runner.run(PROJECT, runner.jobs(PROJECT, [noisy], layers[0], HERE[-1:], "auto"))
    (words,) = outcome.differences  # the layer says it once
    assert words.startswith("the function's output: ")
    assert "otel: OTEL_PROPAGATORS names 'homing-pigeon'" in words


@pytest.mark.parametrize(("name", "other"), [("http-error-503", "direct-raises"), ("direct-raises", "http-error-503")])
def test_invoke_takes_the_files_as_they_are(layers: list[tuple[str, Path]], name: str, other: str) -> None:
    language, path = layers[0]
    folder = ROOT / cases.FOLDER
    handler = cases.common(ROOT)["handlers"][language]
    command = [ROOT / "run.sh", "invoke", "--code", folder / "functions" / language, "--handler", handler, "--layer", path]
    command += ["--event", folder / f"events/{name}.json", "--expect"]
    done = subprocess.run([*command, folder / f"expected/{name}.json"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "the telemetry is as expected" in done.stdout
    done = subprocess.run([*command, folder / f"expected/{other}.json"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 8, done.stderr
    assert "span" in done.stderr
