"""A SAM template as far as this project must understand it: what it declares, and what is wrong with it before anything is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError

SERVERLESS = "AWS::Serverless-2016-10-31"


@dataclass(frozen=True)
class Template:
    """A template: its file, its resources' types by logical id, its parameters, and the local files that it names."""

    path: Path
    resources: Mapping[str, str]
    parameters: tuple[str, ...]
    layers: tuple[str, ...]  # ContentUri of each layer that lies beside the template


def load(path: Path) -> Template:
    """Read the template at `path`; UsageError with the line for what is not YAML, and in words for what is no SAM template."""
    data = _mapping(_parse(path), path, "it")
    transforms = data.get("Transform") or []
    if SERVERLESS not in ([transforms] if isinstance(transforms, str) else transforms):
        raise UsageError(f"{path} is no SAM template", why=f"it has no line 'Transform: {SERVERLESS}'")
    resources = _mapping(data.get("Resources"), path, "Resources")
    if not resources:
        raise UsageError(f"{path} declares no resource")
    types, layers = {}, []
    for name, resource in resources.items():
        body = _mapping(resource, path, f"Resources: {name}")
        if not isinstance(body.get("Type"), str):
            raise UsageError(f"{path}: Resources: {name} has no Type")
        types[str(name)] = body["Type"]
        content = _mapping(body.get("Properties") or {}, path, f"Properties of {name}").get("ContentUri")
        if body["Type"] == "AWS::Serverless::LayerVersion" and isinstance(content, str):
            layers.append(content)
    parameters = _mapping(data.get("Parameters") or {}, path, "Parameters")
    return Template(path, types, tuple(map(str, parameters)), tuple(layers))


def _mapping(value: Any, path: Path, what: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{path} is no SAM template", why=f"{what} must be a mapping, and is {type(value).__name__.replace('NoneType', 'nothing')}")
    return value


def _parse(path: Path) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML with CloudFormation's short forms (!Ref, !Sub ...), whose meaning does not matter here."""

    Loader.add_multi_constructor("!", lambda _loader, suffix, node: {suffix: node.value})
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError as exc:
        raise UsageError(f"there is no template {path}", remedy="--template FILE, or run it in a sample's folder") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"cannot read the template {path}", why=str(exc)) from exc
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise UsageError(f"{path} is not valid YAML", why=f"{where}{exc.problem or exc.context}") from exc
    except yaml.YAMLError as exc:
        raise UsageError(f"{path} is not valid YAML", why=str(exc)) from exc
