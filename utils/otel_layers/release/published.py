"""The steps for versions that were published before: is one still as its receipt says, and away with one."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from . import calls
from .calls import Found, Place
from .outcome import DONE, Result, Wrong, classify
from .plan import Target
from .receipt import Receipt

_BLOCK = 1 << 20


def check(place: Place, target: Target, _note: Callable[[Result], None], *, receipt: Receipt, own: bool, whole: bool) -> Result:
    """
    Whether the place's item stands in its region as `receipt` says: then verified. Writes nothing.

    `own`: the caller is the account that published, and sees policy and neighbours; another account sees what the policy lets it.
    `whole`: fetch the zip and hash it too, instead of believing the hash that AWS tells.
    """
    item = place.item
    recorded = receipt.results.get((target.region, item.name), Result(item.name, target.region, "pending"))
    if recorded.status not in (*DONE, "removed"):
        return recorded
    try:
        for wrong in _differences(place, receipt, recorded, own, whole):
            return replace(recorded, status="failed", reason=wrong)
    except Exception as exc:  # noqa: BLE001 - whatever goes wrong in one region is that region's result
        status, reason = classify(exc, target)
        return replace(recorded, status=status, reason=reason)
    return replace(recorded, status="verified", reason="")


def _differences(place: Place, receipt: Receipt, recorded: Result, own: bool, whole: bool) -> Iterator[str]:
    item = place.item
    if recorded.status == "removed":
        if own and calls.numbers(place):
            yield "it was removed, says the receipt, and is there"
        return
    found = calls.look(place, recorded.version) if own else calls.look_by_arn(place, recorded.arn)
    said: tuple[tuple[str, object, object], ...] = (
        ("ARN", found.arn, recorded.arn),
        ("CodeSha256", found.code_sha256, item.code_sha256),
        ("description", found.description, item.description),
        ("licence", found.license, item.license),
        ("runtimes", sorted(found.runtimes), sorted(item.runtimes)),
        ("architectures", found.architectures, (item.architecture,)),
    )
    yield from (f"{recorded.arn}: its {what} is {now!r}, not {then!r}" for what, now, then in said if now != then)
    if own:
        if others := [number for number in calls.numbers(place) if number != recorded.version]:
            yield f"{recorded.arn}: there are further versions under its name: {', '.join(map(str, others))}"
        public = receipt.plan.public or recorded.public  # a private plan may have found what was public already
        if calls.is_public(place, recorded.version) != public:
            yield f"{recorded.arn}: it is {'not public' if public else 'public'}"
    if whole:
        digest = fetch(place, found)
        if digest != item.sha256:
            yield f"{recorded.arn}: its zip has SHA-256 {digest}, not {item.sha256}"


def remove(place: Place, target: Target, _note: Callable[[Result], None]) -> Result:
    """Delete every version of the place's item in its region, if all have the item's bytes: others' are left alone."""
    known = Result(place.item.name, target.region, "pending")
    try:
        versions = [calls.look(place, number) for number in calls.numbers(place)]
        for found in versions:
            if found.code_sha256 != place.item.code_sha256:
                return replace(known, status="failed", reason=f"{found.arn} has other bytes (CodeSha256 {found.code_sha256}) and was left")
        for found in versions:
            calls.withdraw(place, found.number)
    except Exception as exc:  # noqa: BLE001 - as above
        status, reason = classify(exc, target)
        return replace(known, status=status, reason=reason)
    return replace(known, status="removed")


def fetch(place: Place, found: Found, to: Path | None = None) -> str:
    """The SHA-256 (hex) of a version's zip, fetched within the region's time and written to the file `to`; Wrong when its place does not give it."""
    import urllib3
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import HTTPClientError
    from botocore.httpsession import URLLib3Session
    from botocore.utils import get_environ_proxies

    digest = hashlib.sha256()
    session = URLLib3Session(timeout=math.ceil(place.clock.left()), proxies=get_environ_proxies(found.location))
    try:
        answer = session.send(AWSRequest("GET", found.location, stream_output=True).prepare())
        if answer.status_code != 200:
            raise Wrong(f"{found.arn}: its zip cannot be fetched: HTTP {answer.status_code}")
        with (to or Path(os.devnull)).open("wb") as out:
            while block := answer.raw.read(_BLOCK):
                place.clock.left()
                digest.update(block)
                out.write(block)
    except urllib3.exceptions.HTTPError as exc:
        raise HTTPClientError(error=exc) from exc
    finally:
        session.close()
    return digest.hexdigest()
