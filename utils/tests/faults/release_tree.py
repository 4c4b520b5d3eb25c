"""A copy of this project's tree with small real zips in dist/, so that the real ./run.sh publishes from it; and what an embedded AWS holds."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from otel_layers import archive
from otel_layers.aws.client import Access
from otel_layers.project import Project, find_root, open_project

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

VERSION = "0.4.0"
RELEASED = ("opentelemetry-collector", "opentelemetry-python")  # what most tests publish


def write_layer(project: Project, name: str, arch: str, *, version: str = VERSION, files: Mapping[str, bytes] | None = None) -> Path:
    """A zip of the catalogue's layer `name` in dist/ with the facts that belong to it."""
    layer = project.catalogue.layer(name)
    path = project.dist / layer.zip_name(arch)
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as out:
        for entry, body in (files or {"bin/data": os.urandom(2000)}).items():
            out.writestr(entry, body)
    write_facts(path, layer=name, arch=arch, version=version, runtimes=list(layer.runtimes))
    return path


def write_facts(path: Path, **changed: object) -> None:
    """The facts of the zip `path`, as it is now, with some values `changed`."""
    facts_path = path.with_suffix(".json")
    facts = json.loads(facts_path.read_text()) if facts_path.exists() else {"source_revision": "a" * 40}
    facts_path.write_text(json.dumps({**facts, **asdict(archive.measure(path)), **changed}))


def write_bill(project: Project, layer: str, *purls: str, arch: str = "amd64") -> Path:
    """A sound document of the zip of `layer` in dist/."""
    zipped = project.dist / project.catalogue.layer(layer).zip_name(arch)
    own = {"type": "application", "name": layer, "version": "0.4.0", "purl": f"pkg:generic/{layer}@0.4.0?arch={arch}"}
    own |= {"bom-ref": own["purl"], "hashes": [{"alg": "SHA-256", "content": archive.measure(zipped).sha256}]}
    inside = [{"type": "library", "bom-ref": p, "purl": p, "name": p.split("/")[-1].split("@")[0], "version": p.split("@")[-1]} for p in purls]
    body = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": own}, "components": inside}
    text = json.dumps({**body, "dependencies": [{"ref": own["bom-ref"], "dependsOn": list(purls)}]})
    path = zipped.with_suffix(".cdx.json")
    path.write_text(text)
    return path


def copy_tree(root: Path) -> Project:
    """What run.sh needs, in `root`; the tools are this tree's own."""
    source = find_root()
    root.mkdir()
    for name in ("run.sh", "layers.toml"):
        shutil.copy2(source / name, root / name)
    for name in ("requirements", "utils/otel_layers"):
        shutil.copytree(source / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / ".venv").symlink_to(source / ".venv")
    return open_project(root=root)


def command(project: Project, *arguments: str) -> list[str]:
    """A command line of the copy."""
    return [str(project.root / "run.sh"), *arguments]


def run(project: Project, *arguments: str, timeout: float = 120, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the copy's real ./run.sh, with the variables `env` added."""
    whole = {**os.environ, **(env or {})}
    return subprocess.run(command(project, *arguments), cwd=project.root, env=whole, capture_output=True, text=True, timeout=timeout, check=False)


def held(access: Access, region: str, name: str) -> dict[int, tuple[str, bool]]:
    """What `region` holds under `name`: by version number its hash, and whether everyone may use it (asked with plain calls of the SDK)."""
    return held_by(_client(access, region), name)


def held_by(client: LambdaClient, name: str) -> dict[int, tuple[str, bool]]:
    """The same, of the account and region that `client` is of."""
    found = {}
    for version in client.list_layer_versions(LayerName=name)["LayerVersions"]:
        number = version["Version"]
        code = client.get_layer_version(LayerName=name, VersionNumber=number)["Content"]["CodeSha256"]
        try:
            policy = json.loads(client.get_layer_version_policy(LayerName=name, VersionNumber=number)["Policy"])["Statement"]
        except client.exceptions.ResourceNotFoundException:
            policy = []
        found[number] = (code, [s["Principal"] for s in policy] == ["*"])
    return found


@functools.cache
def _client(access: Access, region: str) -> LambdaClient:
    return access.lambda_(region)
