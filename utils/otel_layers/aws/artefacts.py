"""The buckets of a deployment: SAM's uploads, a sample's data, and emptying them again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import console
from .client import Access, error_code, in_words

if TYPE_CHECKING:
    from .deployment import Deployment

_SAM_STACK = "aws-sam-cli-managed-default"  # where sam --resolve-s3 keeps its bucket
DATA_BUCKET = "DataBucket"  # the output that says where a sample's data/ goes


def local_bucket(access: Access, region: str) -> str:
    """The bucket for SAM's uploads in an embedded AWS, made when it is not there (SAM's own way takes ten seconds more)."""
    name = f"sam-uploads-{region}"
    with in_words(f"making the bucket {name}"):
        make_bucket(access, region, name)
    return name


def make_bucket(access: Access, region: str, name: str) -> None:
    """Make a bucket unless it is there; S3's home region is the one that must not be named as a constraint."""
    from botocore.exceptions import ClientError

    s3 = access.s3(region)
    try:
        s3.head_bucket(Bucket=name)
    except ClientError:
        try:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})  # type: ignore[typeddict-item]
        except ClientError as exc:
            if error_code(exc) not in ("InvalidLocationConstraint", "IllegalLocationConstraintException"):
                raise
            s3.create_bucket(Bucket=name)


def upload_data(access: Access, data: Path, deployed: Deployment) -> None:
    """Put the files of a sample's data/ into the bucket that the output DataBucket names."""
    bucket = deployed.outputs.get(DATA_BUCKET)
    if not bucket or not data.is_dir():
        return
    s3 = access.s3(deployed.region)
    for path in sorted(p for p in data.rglob("*") if p.is_file()):
        key = str(path.relative_to(data))
        console.detail(f"{path.name} -> s3://{bucket}/{key}")
        with in_words(f"uploading {key} to {bucket}"):
            s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def sam_bucket(access: Access, region: str) -> str:
    """The bucket that has SAM's uploads; '' when there is none."""
    from botocore.exceptions import ClientError

    try:
        if access.local:
            name = f"sam-uploads-{region}"
            access.s3(region).head_bucket(Bucket=name)
            return name
        stack = access.cloudformation(region).describe_stacks(StackName=_SAM_STACK)["Stacks"][0]
    except ClientError:
        return ""
    return next((o["OutputValue"] for o in stack.get("Outputs", []) if o["OutputKey"] == "SourceBucket"), "")


def empty(access: Access, region: str, bucket: str, prefix: str = "") -> int:
    """Delete every object (and version) under `prefix`; how many there were."""
    s3, number = access.s3(region), 0
    with in_words(f"emptying the bucket {bucket}"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            found: list[Any] = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if found:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": o["Key"], "VersionId": o["VersionId"]} for o in found]})
                number += len(found)
    return number
