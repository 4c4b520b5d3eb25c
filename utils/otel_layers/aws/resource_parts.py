"""Resource types as CloudFormation makes them, where moto's differ or are missing: Lambda's, and the HTTP API's."""

from __future__ import annotations

import importlib
import json
from typing import Any

from . import more_resources

_NUMBERS = ("MemorySize", "Timeout")  # a parameter's value comes as text
# What UpdateFunctionConfiguration sets back when a template no longer says it.
_DEFAULTS: dict[str, Any] = {"Description": "", "MemorySize": 128, "Timeout": 3, "Environment": {"Variables": {}}, "Layers": []}


def install() -> None:
    """Change and complete moto's resource types in this process."""
    models: Any = importlib.import_module("moto.awslambda.models")
    _layers(models)
    _functions(models)
    _partition(importlib.import_module("moto.cloudformation.parsing"))
    more_resources.define()


def _partition(parsing: Any) -> None:
    """AWS::Partition of the stack's region: moto says aws everywhere."""
    original, partition = parsing.ResourceMap.__init__, importlib.import_module("moto.utilities.utils").get_partition

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        self._parsed_resources["AWS::Partition"] = partition(self._region_name)

    parsing.ResourceMap.__init__ = init


def _layers(models: Any) -> None:
    kind = models.LayerVersion

    def create(_cls: Any, /, name: str, given: dict[str, Any], account: str, region: str, **_: Any) -> Any:
        properties = given["Properties"]
        spec = {**properties, "LayerName": properties.get("LayerName", name)}
        return models.lambda_backends[account][region].publish_layer_version(spec)

    def delete(self: Any, account: str, region: str) -> None:
        models.lambda_backends[account][region].delete_layer_version(self.name, str(self.version))

    kind.create_from_cloudformation_json = classmethod(create)
    kind.physical_resource_id = property(lambda self: self.arn)
    kind.delete = delete


def _functions(models: Any) -> None:
    kind = models.LambdaFunction
    original = kind.create_from_cloudformation_json

    def create(_cls: Any, /, name: str, given: dict[str, Any], account: str, region: str, **more: Any) -> Any:
        properties = _spec(given["Properties"])
        if "ZipFile" in properties["Code"]:
            return original(name, given, account, region, **more)
        return models.lambda_backends[account][region].create_function({**properties, "FunctionName": name})

    def update(_cls: Any, /, original_resource: Any, new_resource_name: str, cloudformation_json: dict[str, Any], **_: Any) -> Any:
        del new_resource_name  # a function keeps its name
        properties = {**_DEFAULTS, **_spec(cloudformation_json["Properties"])}
        original_resource.update_configuration(properties)
        original_resource.architectures = properties.get("Architectures", ["x86_64"])
        original_resource.tags = properties.get("Tags", {})
        original_resource.update_function_code(properties["Code"])
        return original_resource

    kind.create_from_cloudformation_json = classmethod(create)
    kind.update_from_cloudformation_json = classmethod(update)


def _spec(properties: dict[str, Any]) -> dict[str, Any]:
    """A function's properties as CreateFunction takes them."""
    spec = json.loads(json.dumps(properties))
    spec.update({key: int(spec[key]) for key in _NUMBERS if key in spec})
    if isinstance(spec.get("Tags"), list):
        spec["Tags"] = {tag["Key"]: tag["Value"] for tag in spec["Tags"]}
    return dict(spec)
