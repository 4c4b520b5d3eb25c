"""Deploying a sample with the real `sam deploy`, and proving by the resources that it is there."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import console, process, toolchain
from ..errors import LayersError
from ..project import Project
from . import artefacts, proof
from .client import Access, environment, in_words
from .template import Template

LAYERS = ".layers"  # beside the template, ignored by git: where the template's ContentUri finds the built zips


@dataclass(frozen=True)
class Order:
    """What to deploy where."""

    sample: Path
    template: Template
    stack: str
    region: str
    layers: Mapping[str, Path]  # file name in .layers -> built zip
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Resource:
    """One resource of a stack."""

    name: str  # the logical id
    kind: str
    id: str  # the physical id


@dataclass(frozen=True)
class Deployment:
    """A stack that was found to be there."""

    stack: str
    region: str
    resources: tuple[Resource, ...]
    outputs: Mapping[str, str]


def stage(order: Order) -> None:
    """Copy the built layers to where the template names them, so that plain `sam deploy` finds them too."""
    home = order.sample / LAYERS
    home.mkdir(exist_ok=True)
    for name, built in order.layers.items():
        part = home / f".{name}.part"
        shutil.copyfile(built, part)
        part.replace(home / name)


def deploy(project: Project, access: Access, order: Order) -> Deployment:
    """Stage, run `sam deploy`, upload data/, and prove that everything that the template declares is there."""
    if not access.local:
        with in_words(f"asking whose credentials these are, in {order.region}"):
            account = access.sts(order.region).get_caller_identity()["Account"]
        console.step(f"deploying to account {account}")
    stage(order)
    sam = toolchain.packages(project, "sam") / "bin" / "sam"
    given = {k: v for k, v in order.parameters.items() if k in order.template.parameters}
    command = [str(sam), "deploy", "--stack-name", order.stack, "--region", order.region, "--template-file", str(order.template.path)]
    command += ["--s3-prefix", order.stack, "--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    command += ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]
    command += ["--s3-bucket", artefacts.local_bucket(access, order.region)] if access.local else ["--resolve-s3"]
    command += ["--parameter-overrides", *(f"{k}={v}" for k, v in given.items())] if given else []
    console.step(f"deploying {order.sample.name} as stack {order.stack} to {'the embedded AWS' if access.local else 'AWS'}, {order.region}")
    env = environment(access, order.region, toolchain.environment(project, PYTHONPYCACHEPREFIX=str(project.cache / "pycache")))
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # sam's start is mostly compiling; the byte code is kept in .cache
    if access.local:
        env["SAM_CLI_POLL_DELAY"] = "0.1"
    process.run(command, cwd=order.sample, env=env, capture=access.local, error=LayersError)
    deployed = describe(access, order.stack, order.region)
    proof.resources_are_there(access, order, deployed)
    artefacts.upload_data(access, order.sample / "data", deployed)
    return deployed


def describe(access: Access, stack: str, region: str) -> Deployment:
    """The stack as it is; LayersError when it is not there or did not finish."""
    cloudformation = access.cloudformation(region)
    with in_words(f"looking at stack {stack} in {region}"):
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        parts = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    if found["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise LayersError(f"stack {stack} is {found['StackStatus']}", why=found.get("StackStatusReason", ""), remedy="./run.sh delete")
    return Deployment(
        stack=stack,
        region=region,
        resources=tuple(Resource(p["LogicalResourceId"], p["ResourceType"], p.get("PhysicalResourceId", "")) for p in parts),
        outputs={o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])},
    )
