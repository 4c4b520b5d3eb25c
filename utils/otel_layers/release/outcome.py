"""How one layer stands in one region, and what an error of AWS means for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from .plan import Target

Status = Literal["pending", "published", "completed", "reused", "unreachable", "refused", "failed", "removed", "verified"]

DONE: tuple[Status, ...] = ("published", "completed", "reused")
RECORDED = tuple(status for status in get_args(Status) if status != "verified")  # what a receipt keeps

# What a region answers to an account that it does not know.
_UNKNOWN_ACCOUNT = {"UnrecognizedClientException", "InvalidClientTokenId", "OptInRequired", "AuthFailure"}


@dataclass(frozen=True)
class Result:
    """
    One step of a plan.

    pending: not finished; published: by this publication; completed: its version was there, its permission was not; reused: all was there;
    unreachable: no answer (in time); refused: the region does not know the account; failed: anything else; removed: deleted on purpose;
    verified: as the receipt says, when it was looked at again.
    """

    name: str
    region: str
    status: Status
    arn: str = ""
    version: int = 0
    public: bool = False
    reason: str = ""


class Stopped(Exception):
    """The region's time is over, or the run was given up."""


class Wrong(Exception):
    """What is there, or what was answered, is not as it must be."""


def classify(exc: Exception, target: Target) -> tuple[Status, str]:
    """Status and reason of a step that `exc` ended: nobody there, an account that the region does not know, or a failure."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own name

    if isinstance(exc, Stopped):
        return "unreachable", "its time was over"
    if isinstance(exc, Wrong):
        return "failed", str(exc)
    if isinstance(exc, (ConnectionError, HTTPClientError)):
        return "unreachable", _first_line(exc)
    if isinstance(exc, ClientError):
        error = exc.response.get("Error", {})
        code, words = error.get("Code", ""), error.get("Message", "")
        if code in _UNKNOWN_ACCOUNT and target.opt_in:
            return "refused", f"{code}: the account has not enabled this opt-in region"
        return "failed", f"{code}: {words}".strip()
    return "failed", f"{type(exc).__name__}: {_first_line(exc)}"


def _first_line(exc: Exception) -> str:
    return (str(exc) or type(exc).__name__).splitlines()[0][:300]
