"""The steps that bring one layer to one region. Each reads before it writes, so that any of them may be interrupted and run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from . import calls
from .calls import Found, Place
from .outcome import Result, Wrong, classify
from .plan import Target
from .upload import Uploads


def bring(place: Place, target: Target, note: Callable[[Result], None], *, public: bool, uploads: Uploads) -> Result:
    """Have the place's item in its region: once, the right bytes, the right permission; `note` hears of a version before its permission is there."""
    known = Result(place.item.name, target.region, "pending")
    try:
        found = _present(place)
        if found:
            known = replace(known, arn=found.arn, version=found.number)
            uploads.tidy(place)
            is_public = calls.is_public(place, found.number)
            if is_public or not public:
                return replace(known, status="reused", public=is_public)
            calls.grant(place, found.number)
            return _read_back(place, public, replace(known, status="completed"))
        made, ours = _publish(place, uploads)
        known = replace(known, arn=made.arn, version=made.number)
        note(known)
        if public:
            calls.grant(place, made.number)
        return _read_back(place, public, replace(known, status="published" if ours else "completed"))
    except Exception as exc:  # noqa: BLE001 - whatever goes wrong in one region is that region's result, never the end of the others
        status, reason = classify(exc, target)
        return replace(known, status=status, reason=reason)


def look(place: Place, target: Target, _note: Callable[[Result], None]) -> Result:
    """Whether the item's name has other bytes in its region: then failed. Writes nothing; what else goes wrong is told when it matters."""
    known = Result(place.item.name, target.region, "pending")
    try:
        _present(place)
    except Wrong as exc:
        return replace(known, status="failed", reason=str(exc))
    except Exception as exc:  # noqa: BLE001 - the publication itself meets it again
        return replace(known, status="unreachable" if classify(exc, target)[0] == "unreachable" else "pending")
    return known


def _present(place: Place) -> Found | None:
    """The lowest version with the item's bytes, None when the name is free; other bytes under the name end the step."""
    versions = [calls.look(place, number) for number in calls.numbers(place)]
    for found in versions:
        if found.code_sha256 != place.item.code_sha256:
            why = "a published name never changes; publish under another version"
            raise Wrong(f"{found.arn} is there with other bytes (CodeSha256 {found.code_sha256}): {why}")
    return versions[0] if versions else None


def _publish(place: Place, uploads: Uploads) -> tuple[Found, bool]:
    """The version that is there after publishing, and whether it is ours."""
    with uploads.content(place) as content:
        made = calls.publish(place, content)
    if made.number > 1 and any(number < made.number for number in calls.numbers(place)):
        # Somebody published at the same moment. Nobody knows of our version yet: take it back, and use theirs if it is the same.
        calls.withdraw(place, made.number)
        if theirs := _present(place):
            return theirs, False
        raise Wrong(f"another publication of {place.item.name} came and went; run this one again")
    return made, True


def _read_back(place: Place, public: bool, result: Result) -> Result:
    """The result with what AWS says now, not with what was asked for."""
    found = calls.look(place, result.version)
    if found.code_sha256 != place.item.code_sha256:
        raise Wrong(f"{found.arn} reads back with other bytes: CodeSha256 {found.code_sha256}, sent {place.item.code_sha256}")
    is_public = calls.is_public(place, result.version)
    if public and not is_public:
        raise Wrong(f"{found.arn} is not public after the grant")
    return replace(result, arn=found.arn, public=is_public)
