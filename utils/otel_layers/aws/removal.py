"""Deleting a deployed sample so that nothing is left: stack, layer versions, buckets' objects, SAM's uploads, log groups."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .. import console
from ..errors import LayersError, NothingToDo
from . import artefacts
from .client import Access, error_code, in_words

_GONE = ("ResourceNotFoundException", "NoSuchEntity", "404", "NoSuchBucket", "NotFoundException")


@dataclass(frozen=True)
class Removed:
    """What is gone."""

    stack: str
    region: str
    resources: tuple[str, ...]  # logical ids
    uploads: int
    log_groups: tuple[str, ...]


def delete(access: Access, stack: str, region: str, *, limit: float = 900.0) -> Removed:
    """Delete the stack and everything around it, and make sure of it; NothingToDo when there is no such stack."""
    from botocore.exceptions import ClientError

    cloudformation = access.cloudformation(region)
    with in_words(f"looking for stack {stack} in {region}"):
        try:
            found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError as exc:
            if error_code(exc) == "ValidationError" and "does not exist" in str(exc):
                raise NothingToDo(f"there is no stack {stack} in {region}") from exc
            raise
        resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    console.step(f"deleting stack {stack} from {'the embedded AWS' if access.local else 'AWS'}, {region}")
    for resource in resources:
        if resource["ResourceType"] == "AWS::S3::Bucket" and resource.get("PhysicalResourceId"):
            # CloudFormation does not delete a bucket that has objects.
            artefacts.empty(access, region, resource["PhysicalResourceId"])
    with in_words(f"deleting stack {stack}"):
        cloudformation.delete_stack(StackName=found["StackId"])
        _wait(access, found["StackId"], region, limit)
    functions = [r["PhysicalResourceId"] for r in resources if r["ResourceType"] == "AWS::Lambda::Function" and r.get("PhysicalResourceId")]
    groups = _log_groups(access, region, functions)
    bucket = artefacts.sam_bucket(access, region)
    uploads = artefacts.empty(access, region, bucket, f"{stack}/") if bucket else 0
    if bucket and access.local and not access.s3(region).list_objects_v2(Bucket=bucket).get("KeyCount"):
        access.s3(region).delete_bucket(Bucket=bucket)
    _is_gone(access, region, [(r["ResourceType"], r.get("PhysicalResourceId", "")) for r in resources])
    return Removed(stack, region, tuple(r["LogicalResourceId"] for r in resources), uploads, groups)


def _wait(access: Access, stack_id: str, region: str, limit: float) -> None:
    from botocore.exceptions import ClientError

    cloudformation, end, pause = access.cloudformation(region), time.monotonic() + limit, 0.1
    while True:
        try:
            found = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
        except ClientError as exc:
            if error_code(exc) == "ValidationError":
                return
            raise
        if found["StackStatus"] == "DELETE_COMPLETE":
            return
        if found["StackStatus"].endswith("FAILED") or time.monotonic() > end:
            raise LayersError(f"stack {found['StackName']} is {found['StackStatus']}", why=found.get("StackStatusReason", ""))
        time.sleep(pause)
        pause = min(pause * 2, 5)


def _log_groups(access: Access, region: str, functions: list[str]) -> tuple[str, ...]:
    """Delete the functions' log groups, which Lambda makes outside of the stack; their names."""
    logs, gone = access.client("logs", region), []
    for function in functions:
        name = f"/aws/lambda/{function}"
        with in_words(f"deleting the log group {name}"):
            if any(g["logGroupName"] == name for g in logs.describe_log_groups(logGroupNamePrefix=name).get("logGroups", [])):
                logs.delete_log_group(logGroupName=name)
                gone.append(name)
    return tuple(gone)


def _is_gone(access: Access, region: str, resources: list[tuple[str, str]]) -> None:
    """Functions, layer versions and buckets of the stack are not there any more."""
    from botocore.exceptions import ClientError

    lambda_, s3 = access.lambda_(region), access.s3(region)
    for kind, name in resources:
        try:
            if kind == "AWS::Lambda::Function":
                lambda_.get_function(FunctionName=name)
            elif kind == "AWS::Lambda::LayerVersion":
                lambda_.get_layer_version_by_arn(Arn=name)
            elif kind == "AWS::S3::Bucket":
                s3.head_bucket(Bucket=name)
            else:
                continue
        except ClientError as exc:
            if error_code(exc) in _GONE:
                continue
            with in_words(f"looking whether {name} is gone"):
                raise
        raise LayersError(f"the stack is gone and {name} is still there", remedy="delete it by hand")
