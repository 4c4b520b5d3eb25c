"""
Hold receipts against AWS, any time later: every layer version is there, once, with the receipt's bytes, description and permission. Writes nothing.

With another account's credentials it sees what that account's users would: each ARN can be looked up, and has the right bytes.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from ... import console
from ...errors import UsageError
from ...project import Project
from ...release import published
from ...release import receipt as receipts
from ...release.outcome import Result
from .. import emit, publishing, recorded
from . import publish


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `verify`."""
    parser.add_argument("receipts", nargs="*", metavar="RECEIPT", help="default: the newest in dist/receipts")
    parser.add_argument("--bytes", action="store_true", help="fetch every zip and hash it here, instead of believing the hash that AWS tells")
    publish.account_options(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Verify one receipt after the other; RegionsFailed at the end when a required region is not as it should be."""
    found = recorded.named(project, args.receipts)
    done = [_verify(project, args, path, receipt) for path, receipt in found]
    text = [recorded.as_text(receipt.plan, results, "verified") for (_, receipt), (_, results) in zip(found, done, strict=True)]
    body: list[dict[str, Any]] = [
        {"receipt": str(path), "caller": caller, "results": [vars(result) for result in results]}
        for (path, _), (caller, results) in zip(found, done, strict=True)
    ]
    emit(args, body, "\n\n".join(text))
    for (path, receipt), (_, results) in zip(found, done, strict=True):
        resume = publishing.resume_command(project, receipt.plan, path)
        recorded.check(receipt.plan, results, "verified", f"what is missing is brought by {resume}; for the rest see docs/releasing.md")


def _verify(project: Project, args: argparse.Namespace, path: Path, receipt: receipts.Receipt) -> tuple[str, list[Result]]:
    """Whose credentials they were, and how each layer stands in each region."""
    plan = receipt.plan
    for name, reason in receipt.yanked.items():
        console.warn(f"{name} was taken back: {reason}")
    with recorded.connect(project, plan, path) as access:
        caller = publishing.caller(access, plan, args.account)
        own = caller == receipt.account
        if not own and not plan.public:
            raise UsageError(
                f"the credentials are of account {caller}; {path.name} is of private layers of {receipt.account}",
                why="only their own account can see them",
                remedy="that account's credentials",
            )
        who = "their own account" if own else f"the account {caller}, to which they are another's"
        console.step(f"verifying {' in '.join(plan.extent)} as {who}")
        step = partial(published.check, receipt=receipt, own=own, whole=args.bytes)
        limit = args.region_timeout or publishing.time_for(plan)
        return caller, recorded.carry_out(plan, step, access, limit, "verified", lambda _: None)
