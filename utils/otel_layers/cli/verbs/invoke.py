"""
Invoke a function in the local Lambda: a sample's, as it was deployed, or your own with --code, --handler and --runtime.

Between two events the environment is frozen, as on Lambda. A sample's queues are real: what an event sends to one is consumed
by the function that the template connects to it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ... import archive, catalog, console
from ...aws import standing
from ...build import elf
from ...errors import FunctionFailed, ToolMissing, UsageError
from ...files import temporary
from ...function import Function
from ...local import Mode, compare, expectation, otlp, runtimes, waterfall
from ...local.backend_faults import KINDS
from ...local.model import INIT_TYPES, MAX_CONCURRENCY
from ...project import Project
from .. import deployed, emit, json_option
from ..session import Session, as_asked, session

T = TypeVar("T", int, float)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `invoke`."""
    parser.add_argument("--event", action="append", type=Path, metavar="FILE", help="an event as JSON; several: several invocations")
    parser.add_argument("--repeat", type=_between(1, 100_000, int), default=1, metavar="N", help="go through the events N times (default: 1)")
    parser.add_argument(
        "--freeze", type=_between(0, 86_400, float), default=0.0, metavar="SECONDS", help="how long it stays frozen between two events"
    )
    parser.add_argument("--function", default="", metavar="NAME", help="which function of the sample (default: its first)")
    parser.add_argument("--code", type=Path, metavar="PATH", help="your own function: a folder or a zip")
    parser.add_argument("--handler", default="", help="the handler, as the function is configured with it")
    parser.add_argument("--runtime", default="", help="a runtime of the catalogue (default: the newest that this machine can run)")
    parser.add_argument("--layer", action="append", type=Path, metavar="ZIP", help="a layer; several: in this order (default: the sample's)")
    parser.add_argument("--env", action="append", metavar="NAME=VALUE", help="an environment variable of the function")
    parser.add_argument("--memory", type=_between(128, 10_240, int), metavar="MB", help="memory size (default: the template's, or 128)")
    parser.add_argument("--timeout", type=_between(1, 900, float), metavar="SECONDS", help="time-out (default: the template's, or 3)")
    parser.add_argument("--fault", default="", metavar="KIND[:SECONDS][,heal=N]", help=f"make the OTLP backend fail: {', '.join(KINDS)}")
    parser.add_argument("--init-type", choices=INIT_TYPES, default=INIT_TYPES[0], help="how the environment is initialised (default: on-demand)")
    parser.add_argument(
        "--concurrency",
        type=_between(1, MAX_CONCURRENCY, int),
        default=1,
        metavar="N",
        help="on managed instances: N invocations at once (default: 1)",
    )
    parser.add_argument("--no-telemetry-api", action="store_true", help="answer subscriptions 202, as AWS's emulators do")
    parser.add_argument("--logs", action="store_true", help="show the functions' and extensions' log lines as they come")
    parser.add_argument("--stack", "-s", default="", help="the stack's name (default: the sample's)")
    parser.add_argument("--region", "-r", default="", help="the stack's region (default: the home region)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as one HTML file")
    parser.add_argument("--expect", type=Path, metavar="FILE", help="compare the telemetry with what FILE expects")
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Invoke, print the waterfall and the costs; FunctionFailed when something was not as expected."""
    own = [flag for flag in ("code", "handler", "runtime") if getattr(args, flag)]
    if args.code and not args.handler:
        raise UsageError("--code needs --handler")
    if own and not args.code:
        raise UsageError(f"--{own[0]} is for your own function, with --code", why="a sample's handler and runtime stand in its template")
    check_places(args)
    mode = Mode(args.init_type, telemetry=not args.no_telemetry_api, concurrency=args.concurrency)
    events = [(str(path), _event(path)) for path in args.event or []]
    expected = expectation.load(args.expect) if args.expect else None
    conditions = expected.conditions if expected else None
    with ExitStack() as stack:
        if args.code:
            work = stack.enter_context(temporary(project, "invoke"))
            running = standing.running(project)
            functions, aws_port, drain = [_own(project, args, work, conditions)], running.port if running else None, None
        else:
            place = stack.enter_context(deployed.stack(project, args.stack, region=args.region))
            functions, aws_port, drain = [_adapted(f, args) for f in place.functions], place.port, place.drain
            events = events or deployed.default_events(project)
        name = deployed.choose(functions, args.function)
        for function in functions:
            _hint(function)
        console.step(f"invoking {name}")
        ours, finish = stack.enter_context(session(project, functions, aws_port=aws_port, fault_spec=args.fault, log=args.logs, mode=mode))
        _go_through(ours, name, [body for _, body in (events or [("", b"{}")])] * args.repeat, args.freeze, drain, conditions)
        result = finish()
    conclude(args, result, expected)


def _go_through(
    ours: Session, name: str, events: Sequence[bytes], freeze: float, drain: Any, conditions: expectation.Conditions | None = None
) -> None:
    asked = conditions or expectation.Conditions()
    if ours.mode.managed:
        batches = [events[at : at + ours.mode.concurrency] for at in range(0, len(events), ours.mode.concurrency)] if freeze else [events]
    else:
        batches = [[event] for event in events]
    for number, batch in enumerate(batches):
        if number and freeze:
            ours.stay_frozen(freeze)
        ours.invoke_all(name, batch, trace_header=asked.xray, client_context=asked.client_context)
        if drain:
            drain(lambda consumer, event: ours.invoke(consumer, event))


def conclude(args: argparse.Namespace, result: dict[str, Any], expected: expectation.Expectation | None = None) -> None:
    """Print and write the result, then say what was not as expected."""
    spans = otlp.spans(result["resourceSpans"])
    differences = compare.differences(expected, spans) if expected is not None else []
    if expected is not None:
        result["differences"] = differences
    if args.html:
        from ...local.report import write_html

        write_html(result, args.html)
        console.detail(f"report: {args.html}")
    emit(args, result, "")
    if args.json != "-":
        waterfall.show(spans, result["invocations"], sys.stdout)
        print(f"\n{accounts(result)}")
    asked = expected.conditions.result if expected and expected.conditions else {}
    bad = [f"{i['function']} {i['requestId']}: {i['status']}: {_said(i)}" for i in result["invocations"] if not as_asked(i, asked)]
    if bad:
        raise FunctionFailed(
            f"{len(bad)} of {len(result['invocations'])} invocations did not succeed",
            why="\n".join(bad),
            remedy="" if args.logs else "--logs shows what the function wrote",
        )
    if expected is not None and not differences and args.json != "-":
        print("the telemetry is as expected")
    if differences:
        raise FunctionFailed("the telemetry is not what was expected", why="\n".join(differences))


def accounts(result: dict[str, Any]) -> str:
    """One line: how many spans were sent and how many arrived."""
    collector, backend = result["counts"]["collector"], result["counts"]["backend"]["spans"]
    arrived = f"{backend['received']} received by the backend, {backend['duplicated']} of them twice"
    if not collector:
        return f"spans: {arrived}"
    number = {what: collector.get(what, {}).get("spans", 0) for what in ("received", "sent", "dropped")}
    return f"spans: {number['received']} sent by the functions, {number['sent']} forwarded by the Collector, {number['dropped']} dropped, {arrived}"


def _said(invocation: dict[str, Any]) -> str:
    error = invocation.get("error") or {}
    message = f"{error.get('errorType', '')}: {error.get('errorMessage', '')}".strip(": ")
    return message or ("no message" if invocation["status"] != "success" else f"it returned {json.dumps(invocation['response'])}")


def _own(project: Project, args: argparse.Namespace, work: Path, conditions: expectation.Conditions | None) -> Function:
    """The function that the command line describes, under the conditions of a file of the conformance suite."""
    code = args.code
    if code.is_file():
        code = work / "code"
        if not zipfile.is_zipfile(args.code):
            raise UsageError(f"--code {args.code} is a file but no zip", remedy="the function's folder, or a zip of it")
        archive.unpack(args.code, code)
    elif not code.is_dir():
        raise UsageError(f"--code {args.code} is not there", remedy="the function's folder, or a zip of it")
    runtime = project.catalogue.runtime(args.runtime).name if args.runtime else newest_python(project)
    variables = {**conditions.environment, expectation.RESULTS: json.dumps([conditions.result])} if conditions else {}
    return Function(
        name=args.function or "function",
        runtime=runtime,
        handler=args.handler,
        code=code.resolve(),
        region=project.catalogue.home_region.name,
        layers=_layers(args),
        environment={**variables, **_variables(args)},
        memory_mb=args.memory or 128,
        timeout_s=args.timeout or 3,
        architecture=catalog.architecture(platform.machine()).aws,
    )


def _layers(args: argparse.Namespace) -> tuple[Path, ...]:
    for layer in args.layer or []:
        if not layer.is_file():
            raise UsageError(f"--layer {layer} is {'a folder' if layer.is_dir() else 'not there'}", remedy="./run.sh build makes dist/*.zip")
    return tuple(layer.resolve() for layer in args.layer or [])


def _variables(args: argparse.Namespace) -> dict[str, str]:
    variables = {}
    for pair in args.env or []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--env {pair!r} is not NAME=VALUE")
        variables[key] = value
    return variables


def _adapted(function: Function, args: argparse.Namespace) -> Function:
    """A sample's function with what the command line says otherwise."""
    return replace(
        function,
        layers=_layers(args) or function.layers,
        environment={**function.environment, **_variables(args)},
        memory_mb=args.memory or function.memory_mb,
        timeout_s=args.timeout or function.timeout_s,
    )


def newest_python(project: Project) -> str:
    """The newest Python runtime of the catalogue that this machine has an interpreter for."""
    usable = [r.name for r in runtimes.here(project) if r.language == "python"]
    if not usable:
        offered = [r.name for r in project.catalogue.runtimes.values() if r.language == "python"]
        raise ToolMissing("this machine has no Python of a version that Lambda runs", remedy=f"install one of {', '.join(offered)}")
    return usable[-1]


def _hint(function: Function) -> None:
    """Warn of the usual slips: a layer of the other architecture, a language layer that is not switched on, a wrapper that no layer has."""
    wrapper, inside = function.environment.get("AWS_LAMBDA_EXEC_WRAPPER", ""), {}
    for layer in function.layers:
        with archive.opened(layer) as opened:
            inside[layer.name] = set(opened.namelist())
            machine = elf.first_machine(opened)
        other = next((a for a in catalog.ARCHITECTURES.values() if a.elf == machine), None)
        if other and other.aws != function.architecture:
            console.warn(
                f"{layer.name} is for {other.name}, the function runs on {function.architecture}: its programs will not start", once=layer.name
            )
    if not wrapper:
        for name, names in inside.items():
            if "otel-handler" in names:
                console.warn(f"{name} is attached but not switched on: --env AWS_LAMBDA_EXEC_WRAPPER=/opt/otel-handler", once="wrapper")
    elif wrapper.startswith("/opt/") and not any(wrapper.removeprefix("/opt/") in names for names in inside.values()):
        console.warn(f"AWS_LAMBDA_EXEC_WRAPPER is {wrapper}, and no attached layer has that file: the runtime will not start", once="wrapper")


def check_places(args: argparse.Namespace) -> None:
    """What will be written at the end must be writable before anything runs."""
    for name in ("json", "html"):
        where = getattr(args, name, None)
        if not where or str(where) == "-":
            continue
        if Path(where).is_dir():
            raise UsageError(f"--{name} {where} is a folder")
        home = Path(where).absolute().parent
        if not home.is_dir() or not os.access(home, os.W_OK):
            raise UsageError(f"--{name} {where} cannot be written", why=f"{home} is not a folder that you may write to")


def _event(path: Path) -> bytes:
    _json(path)
    return path.read_bytes()


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as exc:
        raise UsageError(f"cannot read {path}", why=exc.strerror or str(exc)) from exc
    except ValueError as exc:
        raise UsageError(f"{path} is not JSON", why=str(exc)) from exc


def _between(low: int, high: int, kind: type[T]) -> Callable[[str], T]:
    """An option's type: a number of `kind` in a range."""

    def read(text: str) -> T:
        try:
            number = kind(text)
        except ValueError:
            number = kind(low - 1)
        if not low <= number <= high:  # also false for nan
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return number

    return read
