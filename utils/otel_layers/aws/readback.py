"""Deployed functions read back from AWS, with their code and their layers' bytes: what runs locally is what the template says."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
import urllib.request
from pathlib import Path

from .. import archive
from ..errors import LayersError
from ..files import write_atomically
from ..function import Function
from ..project import Project
from .client import Access, direct, in_words
from .deployment import Deployment


def functions(project: Project, access: Access, deployed: Deployment) -> list[Function]:
    """The stack's functions, in the template's order, ready to run in the local Lambda."""
    names = [r.id for r in deployed.resources if r.kind == "AWS::Lambda::Function"]
    return [function(project, access, name, deployed.region) for name in names]


def function(project: Project, access: Access, name: str, region: str) -> Function:
    """One function: its configuration, its code unpacked and its layers' zips, both under .cache by their hashes."""
    lambda_ = access.lambda_(region)
    with in_words(f"reading back the function {name}"):
        found = lambda_.get_function(FunctionName=name)
    config = found["Configuration"]
    if config.get("PackageType", "Zip") != "Zip":
        raise LayersError(f"{name} is a container image", why="the local Lambda runs functions from zips")
    layers = []
    for layer in config.get("Layers", []):
        with in_words(f"reading back the layer {layer['Arn']}"):
            content = lambda_.get_layer_version_by_arn(Arn=layer["Arn"])["Content"]
        layers.append(_download(project, content["Location"], content["CodeSha256"], layer["Arn"]))
    arn = config["FunctionArn"].split(":")
    return Function(
        name=config["FunctionName"],
        runtime=config.get("Runtime", ""),
        handler=config.get("Handler", ""),
        code=_unpacked(project, _download(project, found["Code"]["Location"], config["CodeSha256"], name)),
        layers=tuple(layers),
        environment=config.get("Environment", {}).get("Variables", {}),
        memory_mb=config["MemorySize"],
        timeout_s=config["Timeout"],
        architecture=config.get("Architectures", ["x86_64"])[0],
        region=region,
        partition=arn[1],
        account=arn[4],
    )


def _download(project: Project, location: str, code_sha256: str, what: str) -> Path:
    """The zip at `location`, kept under its hash; LayersError when its bytes are not those of `code_sha256`."""
    digest = base64.b64decode(code_sha256).hex()
    path = project.cache / "aws" / "zips" / f"{digest}.zip"
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
        return path
    if "://localhost:" in location:
        os.environ.update(direct())
    try:
        with urllib.request.urlopen(location, timeout=60) as answer:  # noqa: S310 - AWS's own presigned address
            body = answer.read()
    except OSError as exc:
        raise LayersError(f"the code of {what} could not be downloaded", why=str(exc)) from exc
    if hashlib.sha256(body).hexdigest() != digest:
        raise LayersError(f"the code of {what} is not what AWS says it is", why=f"its hash is not {code_sha256}")
    write_atomically(path, body)
    return path


def _unpacked(project: Project, zipped: Path) -> Path:
    """The folder with what is in `zipped`, unpacked once."""
    folder = project.cache / "aws" / "code" / zipped.stem
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix="part-"))
        try:
            archive.unpack(zipped, part)
            part.chmod(0o755)
            part.rename(folder)
        except OSError:
            if not folder.is_dir():  # another command was faster
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder
