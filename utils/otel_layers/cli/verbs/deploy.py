"""Deploy a sample with SAM, to the embedded AWS or to the real one, and check that what its template declares is there."""

from __future__ import annotations

import argparse
import platform
from dataclasses import asdict
from pathlib import Path

from ... import console
from ...aws import deployment, sample, standing, template
from ...catalog import architecture
from ...errors import UsageError
from ...project import Project
from .. import emit, json_option, publishing


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `deploy`."""
    where(parser)
    parser.add_argument("-t", "--template", type=Path, help="the SAM template (default: the sample's template.yaml)")
    parser.add_argument("-n", "--layer-name", default="", help="name of the language layer in the stack (default: made from the stack's name)")
    parser.add_argument("--arch", default=platform.machine(), help="architecture of functions and layers (default: this machine's)")
    parser.add_argument("--runtime", default="", help="the functions' runtime (default: the newest; to local the newest that this machine can run)")
    parser.add_argument("--endpoint", default="", help="where telemetry goes in the end, OTLP over HTTP (to local: the local Lambda's backend)")
    json_option(parser)


def where(parser: argparse.ArgumentParser) -> None:
    """The options that `deploy` and `delete` share."""
    parser.add_argument("--to", choices=("local", "aws"), default="local", help="the embedded AWS (default), or the real one with your credentials")
    parser.add_argument("-r", "--region", default="", help="the region (default: to AWS yours, else the home region)")
    parser.add_argument("-s", "--stack", default="", help="the stack's name (default: the sample's folder)")


def order(project: Project, args: argparse.Namespace) -> deployment.Order:
    """What the command line asks for, checked before anything is called."""
    name = sample.folder(project)
    stack, where_to = sample.stack_name(args.stack or Path(name).name), region(project, args)
    path = args.template.resolve() if args.template else project.root / name / "template.yaml"
    read = template.load(path)
    arch = architecture(args.arch)
    runtime = args.runtime or sample.runtime(project, name, local=args.to == "local")
    project.catalogue.runtime(runtime)
    wanted = {Path(content).name: path.parent / content for content in read.layers if Path(content).parent.name == deployment.LAYERS}
    built = sample.zips(project, name, arch) if wanted else {}
    if unknown := set(wanted) - set(built):
        raise UsageError(f"{path} wants {', '.join(sorted(unknown))} in {deployment.LAYERS}", why=f"built layers are called {', '.join(built)} there")
    values = {"Runtime": runtime, "Architecture": arch.aws, "LayerName": sample.layer_name(args.layer_name), "OtlpEndpoint": args.endpoint}
    for option, parameter in (("--layer-name", "LayerName"), ("--endpoint", "OtlpEndpoint")):
        if values[parameter] and parameter not in read.parameters:
            raise UsageError(f"{option} has no effect", why=f"{path} has no parameter {parameter}")
    return deployment.Order(
        sample=path.parent,
        template=read,
        stack=stack,
        region=where_to,
        layers={k: v for k, v in built.items() if k in wanted},
        parameters={k: v for k, v in values.items() if v},
    )


def region(project: Project, args: argparse.Namespace) -> str:
    """The region that is asked for, else for AWS the user's own (AWS_REGION), else the home region of the default partition."""
    return project.catalogue.region(args.region or publishing.default_region(project, args.to)).name


def run(project: Project, args: argparse.Namespace) -> None:
    """Deploy, and print what there is now."""
    wanted = order(project, args)
    stays = args.to == "aws" or standing.running(project) is not None
    with standing.connect(project, args.to, stacks=True) as access:
        done = deployment.deploy(project, access, wanted)
    rows = [(r.name, r.kind.removeprefix("AWS::"), r.id) for r in done.resources]
    text = console.table(("resource", "type", "id"), rows)
    if done.outputs:
        text += "\n\n" + console.table(("output", "value"), list(done.outputs.items()))
    if not stays:
        text += "\n\nThis AWS ended with the command. One that stays: ./run.sh aws start"
    emit(args, asdict(done), text)
