"""The one typed boundary to AWS: clients with time-outs, for the real AWS or for an embedded one, and errors in words."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..errors import LayersError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

# What botocore calls it, and what a person can do about it.
_REMEDIES = {
    "NoCredentialsError": "aws configure, or set AWS_PROFILE; without an account use --to local",
    "PartialCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY both",
    "ProfileNotFound": "aws configure list-profiles; then set AWS_PROFILE",
    "ExpiredToken": "sign in again: aws sso login, or fresh credentials",
    "ExpiredTokenException": "sign in again: aws sso login, or fresh credentials",
    "UnauthorizedSSOTokenError": "aws sso login",
    "SSOTokenLoadError": "aws sso login",
    "InvalidClientTokenId": "check the credentials; an opt-in region must be enabled for the account",
    "UnrecognizedClientException": "check the credentials; an opt-in region must be enabled for the account",
    "AccessDenied": "the credentials lack the permission that the message names",
    "AccessDeniedException": "the credentials lack the permission that the message names",
}


@dataclass(frozen=True)
class Access:
    """Where AWS is: the real one with the user's credentials, or with `endpoint` an embedded one, which never sees them."""

    endpoint: str = ""
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    attempts: int = 1
    profile: str = ""  # of the user's configuration; '' for the one that the environment says

    @property
    def local(self) -> bool:
        """Whether it is an embedded AWS."""
        return bool(self.endpoint)

    @property
    def port(self) -> int | None:
        """The embedded AWS's port on loopback; None for the real AWS."""
        return int(self.endpoint.rpartition(":")[2]) if self.local else None

    def client(self, service: str, region: str) -> Any:
        """A client of any service; the services below have typed ones."""
        from botocore.config import Config

        config = Config(
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            retries={"total_max_attempts": self.attempts, "mode": "standard"},
        )
        with in_words(f"preparing to call {service}"), _making:
            return _session(self.endpoint, self.profile).create_client(service, region_name=region, endpoint_url=self.endpoint or None, config=config)

    def lambda_(self, region: str) -> LambdaClient:
        """Lambda."""
        return cast("LambdaClient", self.client("lambda", region))

    def cloudformation(self, region: str) -> CloudFormationClient:
        """CloudFormation."""
        return cast("CloudFormationClient", self.client("cloudformation", region))

    def s3(self, region: str) -> S3Client:
        """S3."""
        return cast("S3Client", self.client("s3", region))

    def sqs(self, region: str) -> SQSClient:
        """SQS."""
        return cast("SQSClient", self.client("sqs", region))

    def sts(self, region: str) -> STSClient:
        """STS."""
        return cast("STSClient", self.client("sts", region))


@functools.cache
def _session(endpoint: str, profile: str) -> Any:
    """One session for all clients of an AWS: its models are read once, which is most of a client's cost."""
    from botocore.session import Session

    if not endpoint:
        return Session(profile=profile or None)
    os.environ.update(direct())
    # No variable and no file of the user decides anything about an embedded AWS.
    session = Session(session_vars={name: (None, None, value, None) for name, value in _FIXED.items()})
    session.set_credentials("local", "local")
    return session


_making = threading.Lock()  # a session makes one client at a time
_FIXED = {
    "profile": None,
    "region": None,
    "config_file": os.devnull,
    "credentials_file": os.devnull,
    "ca_bundle": None,
    "ignore_configured_endpoint_urls": True,
}


def direct() -> dict[str, str]:
    """Variables that keep a proxy out of the way to loopback."""
    names = [*os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).split(","), "localhost", "127.0.0.1"]
    value = ",".join(dict.fromkeys(name for name in names if name))
    return {"NO_PROXY": value, "no_proxy": value}


def environment(access: Access, region: str, base: dict[str, str]) -> dict[str, str]:
    """`base` for a child process that calls AWS through its SDK: for an embedded one nothing of the user's credentials is left in it."""
    if not access.local:
        return {**base, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    clean = {name: value for name, value in base.items() if not name.startswith("AWS_")}
    return {
        **clean,
        **direct(),
        "AWS_ENDPOINT_URL": access.endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def in_words(doing: str) -> Iterator[None]:
    """Turn botocore's errors into one of ours: what was being done, AWS's words, and what to do."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        code, message = error_code(exc), exc.response.get("Error", {}).get("Message", "")
        raise LayersError(f"AWS refused: {doing}", why=f"{code}: {message}", remedy=_REMEDIES.get(code, "")) from exc
    except BotoCoreError as exc:
        name = type(exc).__name__
        kind = UsageError if name in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound") else LayersError
        raise kind(f"AWS was not reached: {doing}", why=str(exc), remedy=_REMEDIES.get(name, "")) from exc


def error_code(exc: Any) -> str:
    """The code of a ClientError: ResourceNotFoundException, ValidationError, ..."""
    return str(exc.response.get("Error", {}).get("Code", ""))
