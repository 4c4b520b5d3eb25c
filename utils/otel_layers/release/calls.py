"""The calls of Lambda's layer API that publishing needs, each within its region's time."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .outcome import Stopped
from .plan import Item

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

T = TypeVar("T")

STATEMENT = "anyone"  # fixed, so that a second grant is recognised
_ACTION = "lambda:GetLayerVersion"
_THROTTLED = {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded", "ThrottledException"}


@dataclass(frozen=True)
class Clock:
    """The time that a region has, and the word that stops its work before the next call."""

    deadline: float  # time.monotonic()
    given_up: threading.Event

    def left(self) -> float:
        """Seconds that are left; Stopped when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0 or self.given_up.is_set():
            raise Stopped
        return left

    def wait(self, seconds: float) -> None:
        """Sleep, unless the time is over before."""
        self.given_up.wait(min(seconds, self.left()))
        self.left()


@dataclass(frozen=True)
class Place:
    """One layer's name in one region, and the client to call there."""

    client: LambdaClient
    item: Item
    clock: Clock


@dataclass(frozen=True)
class Found:
    """A version as AWS describes it."""

    number: int
    arn: str
    code_sha256: str
    description: str = ""
    license: str = ""
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    location: str = ""  # where its zip can be fetched for some minutes


def call(clock: Clock, function: Callable[..., T], **parameters: Any) -> T:
    """`function`, again after a wait with jitter when AWS throttles it: then, and only then, it is sure that nothing was done."""
    from botocore.exceptions import ClientError

    attempt = 0
    while True:
        clock.left()
        try:
            return function(**parameters)
        except ClientError as exc:
            if _code(exc) not in _THROTTLED and exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != 429:
                raise
        # Not a secret: jitter keeps the regions from coming back at the same moment.
        clock.wait(random.uniform(0.1, min(2.0, 0.3 * 2**attempt)))  # noqa: S311
        attempt += 1


def _code(exc: Exception) -> str:
    from botocore.exceptions import ClientError

    return str(exc.response.get("Error", {}).get("Code", "")) if isinstance(exc, ClientError) else ""


def numbers(place: Place) -> list[int]:
    """The version numbers under the item's name, lowest first."""
    found: list[int] = []
    marker: dict[str, str] = {}
    while True:
        try:
            page = call(place.clock, place.client.list_layer_versions, LayerName=place.item.name, **marker)
        except Exception as exc:
            if _code(exc) == "ResourceNotFoundException":
                return []
            raise
        found += [version["Version"] for version in page["LayerVersions"]]
        if not page.get("NextMarker"):
            return sorted(found)
        marker = {"Marker": page["NextMarker"]}


def look(place: Place, number: int) -> Found:
    """The version `number`. Only this call tells the hash: the list does not."""
    return _found(call(place.clock, place.client.get_layer_version, LayerName=place.item.name, VersionNumber=number))


def look_by_arn(place: Place, arn: str) -> Found:
    """The version `arn`, which may be another account's: then its policy decides whether we are told."""
    return _found(call(place.clock, place.client.get_layer_version_by_arn, Arn=arn))


def _found(reply: Mapping[str, Any]) -> Found:
    return Found(
        reply["Version"],
        reply["LayerVersionArn"],
        reply["Content"]["CodeSha256"],
        description=reply.get("Description", ""),
        license=reply.get("LicenseInfo", ""),
        runtimes=tuple(reply.get("CompatibleRuntimes", ())),
        architectures=tuple(reply.get("CompatibleArchitectures", ())),
        location=reply["Content"].get("Location", ""),
    )


def publish(place: Place, content: Mapping[str, Any]) -> Found:
    """A new version of `content` (ZipFile, or S3Bucket and S3Key). Tried again only after a throttle: a lost answer may have been a yes."""
    item = place.item
    optional: dict[str, Any] = {"CompatibleRuntimes": list(item.runtimes)} if item.runtimes else {}
    reply = call(
        place.clock,
        place.client.publish_layer_version,
        LayerName=item.name,
        Description=item.description,
        Content=content,
        CompatibleArchitectures=[item.architecture],
        LicenseInfo=item.license,
        **optional,
    )
    return _found(reply)


def withdraw(place: Place, number: int) -> None:
    """Delete a version: one that this process made a moment ago and that nobody knows of, or one that shall be deleted in spite of its users."""
    call(place.clock, place.client.delete_layer_version, LayerName=place.item.name, VersionNumber=number)


def grant(place: Place, number: int) -> None:
    """Let everyone use the version."""
    try:
        call(
            place.clock,
            place.client.add_layer_version_permission,
            LayerName=place.item.name,
            VersionNumber=number,
            StatementId=STATEMENT,
            Principal="*",
            Action=_ACTION,
        )
    except Exception as exc:
        if _code(exc) != "ResourceConflictException":  # granted by somebody else at the same moment; the read-back decides
            raise


def is_public(place: Place, number: int) -> bool:
    """Whether the version's policy lets everyone use it, without a condition."""
    try:
        reply = call(place.clock, place.client.get_layer_version_policy, LayerName=place.item.name, VersionNumber=number)
    except Exception as exc:
        if _code(exc) == "ResourceNotFoundException":  # AWS's answer when nothing was ever granted
            return False
        raise
    statements = json.loads(reply["Policy"]).get("Statement", [])
    return any(_opens(s) for s in (statements if isinstance(statements, list) else [statements]))


def _opens(statement: dict[str, Any]) -> bool:
    action = statement.get("Action")
    actions = action if isinstance(action, list) else [action]
    everyone = statement.get("Principal") in ("*", {"AWS": "*"})
    return statement.get("Effect") == "Allow" and everyone and _ACTION in actions and not statement.get("Condition")
