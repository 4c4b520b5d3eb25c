"""
Compare the catalogue with AWS as the newest botocore knows it: regions with Lambda, runtimes, architectures, limits.

That botocore is fetched anew and stays beside the locked one. Exit code 9 when somebody must change layers.toml.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, astuple

from ... import console
from ...aws import drift
from ...errors import Behind
from ...project import Project
from .. import emit, json_option


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `drift`."""
    json_option(parser)


def run(project: Project, args: argparse.Namespace) -> None:
    """Compare, and tell; Behind when they differ."""
    offer = drift.newest(project)
    differences, left_out = drift.compare(project.catalogue, offer), drift.left_out(project.catalogue, offer)
    for line in left_out:
        console.detail(f"not in the catalogue: {line}")
    version = offer["botocore"]
    text = f"the catalogue has all that botocore {version} knows of Lambda"
    if differences:
        text = console.table(("what", "name", "change", "what to do"), [astuple(d) for d in differences])
    emit(args, {"botocore": version, "differences": [asdict(d) for d in differences], "left_out": left_out}, text)
    if differences:
        raise Behind(f"layers.toml and botocore {version} differ in {len(differences)} facts", remedy="change layers.toml, run the tests, release")
