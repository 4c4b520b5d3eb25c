"""
The whole job without an AWS account: build the layers, deploy the sample with SAM to an embedded AWS, invoke it in the local Lambda,
publish every layer to every region, and print the trace, the costs and the ARN table. In a folder: build it, deploy its sample, invoke it.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ... import console
from ...aws import deployment, remote, sample, standing
from ...build import Built
from ...errors import FunctionFailed, UsageError
from ...function import Function
from ...local import otlp, waterfall
from ...project import Project
from ...release import notes
from ...release import receipt as receipts
from .. import deployed, emit, json_option, publishing
from ..session import session
from . import build, deploy, invoke

_FROZEN_S = 2.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of naming no verb."""
    parser.add_argument("--runtime", default="", help="the sample's runtime (default: the newest that this machine can run)")
    parser.add_argument("--to", choices=("local", "aws"), default="local", help="in a folder: the embedded AWS (default), or the real one")
    parser.add_argument("-r", "--region", default="", help="with --to aws: the region (default: the partition's home region)")
    parser.add_argument("-s", "--stack", default="", help="the stack's name (default: the sample's folder)")
    parser.add_argument("--endpoint", default="", help="with --to aws: where telemetry goes in the end, OTLP over HTTP")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report of the invocations as one HTML file")
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Do it, and print what came out."""
    invoke.check_places(args)
    folder, whole = sample.folder(project), project.folder in ("", "all")
    if args.to == "aws" and whole:
        raise UsageError("the whole job runs without AWS", remedy=f"./run.sh {folder} --to aws, and ./run.sh publish --to aws")
    console.step("building the layers")
    attached = tuple(layer for layer in project.layers() if layer.sample)
    built = build.build_all(project, attached if whole else tuple(sample.layers(project, folder).values()))
    if args.to == "aws":
        _in_aws(project, args)
        return
    with deployed.stack(project, args.stack, runtime=args.runtime) as place:
        result = _invoke(project, place)
        if not whole:
            invoke.conclude(argparse.Namespace(html=args.html, json=args.json), result)
            _same_number(result)
            return
        bare = _invoke_bare(project, place)
        receipt = _publish(project, place, built)
    result["bare"] = bare["invocations"]
    result["layers"] = [{"layer": b.layer.name, "arch": b.arch.name, "zippedBytes": b.facts.zipped_bytes} for b in built]
    if args.html:
        from ...local.report import write_html

        write_html(result, args.html)
    emit(args, result, "")
    if args.json != "-":
        ended = "" if standing.running(project) else ", which ended with this command"
        _print(result, bare, build.table(built), notes.arn_table(receipt), ended)
    bad = [i for i in [*result["invocations"], *bare["invocations"]] if i["status"] != "success"]
    if bad:
        raise FunctionFailed(f"{bad[0]['function']} did not succeed", why=str(bad[0]["error"]))
    _same_number(result)


def _in_aws(project: Project, args: argparse.Namespace) -> None:
    """Deploy the sample to the user's account and invoke it there: cold, then warm. Telemetry goes to the user's backend."""
    order = deploy.order(project, argparse.Namespace(**{**vars(args), "template": None, "layer_name": "", "arch": platform.machine()}))
    [(_, event), *_] = deployed.default_events(project)
    with standing.connect(project, "aws") as access:
        done = deployment.deploy(project, access, order)
        name = next(r.id for r in done.resources if r.kind == "AWS::Lambda::Function")
        console.step(f"invoking {name} in {done.region}, twice")
        answers = [remote.invoke(access, name, done.region, event) for _ in range(2)]
    rows = [
        (a.status, a.init_ms or "-", a.duration_ms or "-", a.billed_ms or "-", a.max_memory_mb or "-", a.response.decode(errors="replace")[:60])
        for a in answers
    ]
    result = [{**asdict(a), "response": a.response.decode(errors="replace")} for a in answers]
    emit(args, {"invocations": result}, console.table(("status", "init ms", "duration ms", "billed ms", "max MB", "response"), rows))
    if bad := [a for a in answers if a.status != "success"]:
        raise FunctionFailed(f"{name} did not succeed", why=bad[0].log, remedy=f"./run.sh {project.folder} delete --to aws removes the stack")


def _invoke(project: Project, place: deployed.Place) -> dict[str, Any]:
    """Cold, warm, and after a freeze; the queue's consumer after each."""
    [(_, event), *_] = deployed.default_events(project)
    name = place.functions[0].name
    console.step(f"invoking {name} in the local Lambda: cold, warm, after {_FROZEN_S:g} s frozen")
    with session(project, place.functions, aws_port=place.port) as (ours, finish):
        for number in range(3):
            if number == 2:
                ours.stay_frozen(_FROZEN_S)
            ours.invoke(name, event)
            place.drain(ours.invoke)
        return finish()


def _invoke_bare(project: Project, place: deployed.Place) -> dict[str, Any]:
    """The same function without the layers, for comparison: cold and warm."""
    [(_, event), *_] = deployed.default_events(project)
    name = place.functions[0].name
    console.step(f"the same without the layers: {name}, cold and warm")
    with session(project, [_without_layers(f) for f in place.functions], aws_port=place.port) as (ours, finish):
        for _ in range(2):
            ours.invoke(name, event)
        return finish()


def _without_layers(function: Function) -> Function:
    kept = {k: v for k, v in function.environment.items() if k != "AWS_LAMBDA_EXEC_WRAPPER"}
    return replace(function, layers=(), environment=kept)


def _publish(project: Project, place: deployed.Place, built: Sequence[Built]) -> receipts.Receipt:
    """Every layer that was built, to every region of the embedded AWS, public, read back."""
    plan = publishing.plan(project, [b.layer for b in built], to="local", arch=built[0].arch.name, region="all", public=True)
    console.step(f"publishing {' to '.join(plan.extent)} of the embedded AWS")
    account = publishing.caller(place.access, plan)
    done = publishing.publish(project, receipts.new(plan, account), receipts.default_path(project.dist, plan, account), place.access)
    publishing.check(done)
    return done.receipt


def _same_number(result: dict[str, Any]) -> None:
    """As many spans must have arrived as were sent, each once."""
    collector, backend = result["counts"]["collector"], result["counts"]["backend"]["spans"]
    sent = collector.get("received", {}).get("spans", 0)
    if not sent or backend["received"] != sent or backend["duplicated"]:
        raise FunctionFailed("not every span arrived once", why=invoke.accounts(result))


def _print(result: dict[str, Any], bare: dict[str, Any], sizes: str, arns: str, ended: str) -> None:
    spans = otlp.spans(result["resourceSpans"])
    story = otlp.traces(spans)[0]
    ids = {str(s.attributes.get("faas.invocation_id")) for s in story.spans}
    shown = [i for i in result["invocations"] if i["requestId"] in ids]
    print(f"{arns}\n\nThese ARNs are of the embedded AWS{ended}.\n\n{sizes}\n")
    waterfall.show(story.spans, shown, sys.stdout)
    print("\nCosts on this machine, one run (medians: ./run.sh bench)\n")
    name = result["invocations"][0]["function"]
    ours = [i for i in result["invocations"] if i["function"] == name]
    rows = [(what, *_cost(i)) for what, i in zip(("cold", "warm", f"after {_FROZEN_S:g} s frozen"), ours, strict=True)]
    rows += [(f"{what}, without layers", *_cost(i)) for what, i in zip(("cold", "warm"), bare["invocations"], strict=True)]
    print(console.table((name, "init ms", "duration ms", "of it after the response", "max MB"), rows))
    print(f"\n{invoke.accounts(result)}")


def _cost(invocation: dict[str, Any]) -> tuple[str, str, str, str]:
    init = invocation["initMs"]
    return (
        f"{init:.0f}" if init is not None else "-",
        f"{invocation['durationMs']:.1f}",
        f"{invocation['extensionMs']:.1f}",
        f"{invocation['maxMemoryMB']:.0f}",
    )
