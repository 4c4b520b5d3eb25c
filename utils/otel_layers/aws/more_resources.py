"""Resource types that moto's CloudFormation does not know, made by moto's own services: layer permissions, function URLs, HTTP APIs."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Properties = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a resource is made."""

    account: str
    region: str

    def backend(self, service: str) -> Any:
        """Moto's backend of `service` here."""
        return getattr(importlib.import_module(f"moto.{service}.models"), f"{service.removeprefix('aws')}_backends")[self.account][self.region]


@dataclass(frozen=True)
class Made:
    """A resource: its physical id, and its attributes for Fn::GetAtt."""

    id: str
    attributes: dict[str, str]


@dataclass(frozen=True)
class Kind:
    """How resources of one type are made, changed (without `change`: removed and made anew) and removed."""

    make: Callable[[Place, Properties], Made]
    remove: Callable[[Place, Properties, Made], None]
    change: Callable[[Place, Properties, Made], Made] | None = None


def _layer_permission(place: Place, given: Properties) -> Made:
    version = place.backend("awslambda").layers_versions_by_arn(given["LayerVersionArn"])
    if version is None:
        raise ValueError(f"there is no layer version {given['LayerVersionArn']}")
    statement, _ = version.policy.add_statement(json.dumps({k: v for k, v in given.items() if k != "LayerVersionArn"}))
    made = f"{given['LayerVersionArn']}#{statement['Sid']}"
    return Made(made, {"Id": made})


def _remove_layer_permission(place: Place, _given: Properties, made: Made) -> None:
    arn, _, sid = made.id.partition("#")
    if version := place.backend("awslambda").layers_versions_by_arn(arn):
        version.policy.del_statement(sid)


def _permission(place: Place, given: Properties) -> Made:
    statement, _ = place.backend("awslambda").get_function(given["FunctionName"]).policy.add_statement(json.dumps(given))
    return Made(f"{given['FunctionName'].rpartition(':')[2]}-{statement['Sid']}", {})


def _remove_permission(place: Place, given: Properties, made: Made) -> None:
    backend = place.backend("awslambda")
    name = given["FunctionName"].rpartition(":")[2]
    if any(f.function_name == name for f in backend.list_functions()):
        backend.get_function(name).policy.del_statement(made.id.removeprefix(f"{name}-"))


def _url(place: Place, given: Properties) -> Made:
    made = place.backend("awslambda").create_function_url_config(given["TargetFunctionArn"], given)
    return Made(made.function.function_arn, {"FunctionUrl": f"{made.url}/", "FunctionArn": made.function.function_arn})


def _http_api(place: Place, given: Properties) -> Made:
    texts = ("ApiKeySelectionExpression", "Description", "DisableSchemaValidation", "DisableExecuteApiEndpoint", "Version", "Name")
    api = place.backend("apigatewayv2").create_api(
        **{"".join(f"_{c.lower()}" if c.isupper() else c for c in name)[1:]: given.get(name, "") for name in texts},
        cors_configuration=given.get("CorsConfiguration"),
        protocol_type=given.get("ProtocolType", "HTTP"),
        route_selection_expression=given.get("RouteSelectionExpression", "${request.method} ${request.path}"),
        tags=given.get("Tags", {}),
    )
    made = Made(api.api_id, {"ApiId": api.api_id, "ApiEndpoint": f"https://{api.api_id}.execute-api.{place.region}.amazonaws.com"})
    return _routes(place, given, made)


def _routes(place: Place, given: Properties, made: Made) -> Made:
    """Also how an API is changed: it keeps its id, because its address is known outside of the stack."""
    if "Body" in given:
        place.backend("apigatewayv2").get_api(made.id).import_api(json.dumps(given["Body"]), False)
    return made


def _stage(place: Place, given: Properties) -> Made:
    config = {name[0].lower() + name[1:]: value for name, value in given.items() if name != "ApiId"}
    return Made(place.backend("apigatewayv2").create_stage(given["ApiId"], config).name, {})


def _remove_stage(place: Place, given: Properties, made: Made) -> None:
    if api := place.backend("apigatewayv2").apis.get(given["ApiId"]):
        api.delete_stage(made.id)


def _bucket_policy(place: Place, given: Properties) -> Made:
    # Loopback has no TLS, and moto reads a statement without its condition: "deny what is not TLS" would deny everything.
    kept = [s for s in given["PolicyDocument"]["Statement"] if "aws:SecureTransport" not in json.dumps(s.get("Condition", {}))]
    if kept:
        _buckets(place).put_bucket_policy(given["Bucket"], json.dumps({**given["PolicyDocument"], "Statement": kept}, default=str).encode())
    return Made(given["Bucket"], {})


def _remove_bucket_policy(place: Place, given: Properties, _made: Made) -> None:
    if given["Bucket"] in _buckets(place).buckets:
        _buckets(place).delete_bucket_policy(given["Bucket"])


def _buckets(place: Place) -> Any:
    return _of_partition(place, "s3")


def _of_partition(place: Place, service: str) -> Any:
    """The backend of a service whose resources are the partition's, not a region's."""
    return Place(place.account, importlib.import_module("moto.utilities.utils").get_partition(place.region)).backend(service)


def _identity_provider(place: Place, given: Properties) -> Made:
    clients, prints = given.get("ClientIdList", []), given.get("ThumbprintList", [])
    made = _of_partition(place, "iam").create_open_id_connect_provider(given["Url"], prints, clients, given.get("Tags", []))
    return Made(made.arn, {"Arn": made.arn})


KINDS = {
    "AWS::Lambda::Permission": Kind(_permission, _remove_permission),  # moto's has no id and is never removed
    "AWS::Lambda::LayerVersionPermission": Kind(_layer_permission, _remove_layer_permission),
    "AWS::S3::BucketPolicy": Kind(_bucket_policy, _remove_bucket_policy),
    "AWS::IAM::OIDCProvider": Kind(_identity_provider, lambda place, _, made: _of_partition(place, "iam").delete_open_id_connect_provider(made.id)),
    "AWS::Lambda::Url": Kind(_url, lambda *_: None),  # it goes with its function
    "AWS::ApiGatewayV2::Api": Kind(_http_api, lambda place, _, made: place.backend("apigatewayv2").delete_api(made.id), _routes),
    "AWS::ApiGatewayV2::Stage": Kind(_stage, _remove_stage),
}


def define() -> None:
    """Let moto's CloudFormation know them."""
    parsing: Any = importlib.import_module("moto.cloudformation.parsing")
    for name, kind in KINDS.items():
        model = _model(name, kind)
        parsing.get_model_list().append(model)
        parsing.get_model_map()[name] = model
        parsing.get_name_type_map()[name] = ""


def _model(name: str, kind: Kind) -> Any:
    """`kind` in the shape that moto's CloudFormation calls."""
    base: Any = importlib.import_module("moto.core.common_models").CloudFormationModel
    unknown: Any = importlib.import_module("moto.cloudformation.exceptions").UnformattedGetAttTemplateException

    class Model(base):  # type: ignore[misc]
        def __init__(self, place: Place, given: Properties) -> None:
            self.place, self.given, self.made = place, given, kind.make(place, given)

        physical_resource_id = property(lambda self: self.made.id)
        cloudformation_name_type = staticmethod(lambda: "")
        cloudformation_type = staticmethod(lambda: name)
        has_cfn_attr = classmethod(lambda _cls, attr: bool(attr))

        def get_cfn_attribute(self, attribute: str) -> str:
            if attribute not in self.made.attributes:
                raise unknown
            return self.made.attributes[attribute]

        @classmethod
        def create_from_cloudformation_json(cls, _name: str, given: Any, account: str, region: str, **_: Any) -> Any:
            return cls(Place(account, region), given["Properties"])

        @classmethod
        def update_from_cloudformation_json(cls, original_resource: Any, cloudformation_json: Any, **_: Any) -> Any:
            old, given = original_resource, cloudformation_json["Properties"]
            if kind.change:
                old.given, old.made = given, kind.change(old.place, given, old.made)
                return old
            kind.remove(old.place, old.given, old.made)
            return cls(old.place, given)

        def delete(self, _account: str, _region: str) -> None:
            kind.remove(self.place, self.given, self.made)

    return Model
