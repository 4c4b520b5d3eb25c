"""Callers that the embedded AWS knows with their policies, and what they called: `--to aws`, pointed at it, as from anybody's laptop."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import botocore.session
from faults.release_tree import command
from otel_layers.aws.client import Access
from otel_layers.aws.embedded import ask, calls
from otel_layers.aws.faults import Call
from otel_layers.project import Project

HOME = {"aws": "us-east-1", "aws-cn": "cn-north-1"}
ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Caller:
    """A user of an account with an access key."""

    account: str
    key: str
    secret: str


def enforce(port: int, *, on: bool = True) -> None:
    """Whether signatures and policies count from now on; without it everybody may do everything."""
    ask(port, "POST", "/moto-api/reset-auth", b"0" if on else b"inf")


def user(port: int, actions: Sequence[str], *, partition: str = "aws", account: str = ACCOUNT) -> Caller:
    """A new user of `account` in `partition` who may do `actions` and nothing else; only while nothing is enforced."""
    region = HOME[partition]
    iam = _session(port, "local", "local").create_client("iam", region_name=region, endpoint_url=f"http://localhost:{port}")
    if account != ACCOUNT:
        sts = Access(f"http://localhost:{port}").sts(region)
        lent = sts.assume_role(RoleArn=f"arn:{partition}:iam::{account}:role/any", RoleSessionName="any")["Credentials"]
        session = _session(port, lent["AccessKeyId"], lent["SecretAccessKey"])
        iam = session.create_client("iam", region_name=region, endpoint_url=f"http://localhost:{port}")
    name = f"user-{len(iam.list_users()['Users'])}"
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=policy)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return Caller(account, made["AccessKeyId"], made["SecretAccessKey"])


def _session(port: int, key: str, secret: str) -> botocore.session.Session:
    session = botocore.session.Session()
    session.set_credentials(key, secret)
    return session


def run_as(
    caller: Caller | None, project: Project, port: int, *arguments: str, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The copy's real ./run.sh with the caller's credentials (None: without any) and no other setting of this machine."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {"AWS_ENDPOINT_URL": f"http://localhost:{port}", "AWS_EC2_METADATA_DISABLED": "true"}
    env |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, **(extra or {})}
    if caller:
        env |= {"AWS_ACCESS_KEY_ID": caller.key, "AWS_SECRET_ACCESS_KEY": caller.secret}
    return subprocess.run(command(project, *arguments), cwd=project.root, env=env, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def recorded(port: int) -> Iterator[list[Call]]:
    """What was called inside the `with`, filled in at its end."""
    before, seen = len(calls(port)), list[Call]()
    yield seen
    seen += [call for call in calls(port)[before:] if call.service]


def writes(seen: Sequence[Call]) -> list[Call]:
    """The calls that change something, or would."""
    return [call for call in seen if call.method != "GET" and call.service != "sts"]


def actions(seen: Sequence[Call]) -> set[str]:
    """The names that an IAM policy has for the calls to Lambda and S3; asking who one is needs no permission."""
    assert {call.service for call in seen} <= {"lambda", "s3", "sts"}
    return {f"{call.service}:{_action(call)}" for call in seen if call.service != "sts"}


def _action(call: Call) -> str:
    if call.service == "s3":
        return {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[call.method]
    parts = call.path.strip("/").split("/")
    for name, (method, pattern, query) in _operations().items():
        same = (method, len(pattern), query) == (call.method, len(parts), _find(call.query))
        if same and all(a in ("{}", b) for a, b in zip(pattern, parts, strict=True)):
            return {"GetLayerVersionByArn": "GetLayerVersion"}.get(name, name)  # one permission for both
    raise LookupError(f"{call.method} {call.path}")


@cache
def _operations() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """How each operation is called, by Lambda's own model: the method, the path with {} for what is named in it, and its fixed query."""
    model = botocore.session.get_session().get_service_model("lambda")
    found = {}
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        found[name] = http["method"], tuple("{}" if part.startswith("{") else part for part in path.strip("/").split("/")), _find(query)
    return found


def _find(query: str) -> str:
    return next((part for part in query.split("&") if part.startswith("find=")), "")
