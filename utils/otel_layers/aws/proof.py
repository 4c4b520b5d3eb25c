"""Whether a deployment is what its template says: `sam deploy` may say success and have made nothing, so the resources themselves are asked."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import LayersError
from .client import Access, in_words

if TYPE_CHECKING:
    from .deployment import Deployment, Order

# How each type is asked for itself by its physical id; a wrong id makes the call fail.
_ASK: dict[str, tuple[str, Callable[[Access, str, str], object]]] = {
    "AWS::Lambda::Function": ("function", lambda a, r, i: a.lambda_(r).get_function(FunctionName=i)),
    "AWS::Lambda::LayerVersion": ("layer version", lambda a, r, i: a.lambda_(r).get_layer_version_by_arn(Arn=i)),
    "AWS::Lambda::EventSourceMapping": ("event source mapping", lambda a, r, i: a.lambda_(r).get_event_source_mapping(UUID=i)),
    "AWS::SQS::Queue": ("queue", lambda a, r, i: a.sqs(r).get_queue_attributes(QueueUrl=i, AttributeNames=["QueueArn"])),
    "AWS::S3::Bucket": ("bucket", lambda a, r, i: a.s3(r).head_bucket(Bucket=i)),
    "AWS::DynamoDB::Table": ("table", lambda a, r, i: a.client("dynamodb", r).describe_table(TableName=i)),
    "AWS::IAM::Role": ("role", lambda a, r, i: a.client("iam", r).get_role(RoleName=i)),
    "AWS::ApiGatewayV2::Api": ("HTTP API", lambda a, r, i: a.client("apigatewayv2", r).get_api(ApiId=i)),
}


def resources_are_there(access: Access, order: Order, deployed: Deployment) -> None:
    """Ask for every declared resource; LayersError names what is missing or has other bytes than were built."""
    names = [r.name for r in deployed.resources]
    # SAM adds a hash to a layer's logical id.
    lost = [name for name, kind in order.template.resources.items() if not any(n == name or ("Layer" in kind and n.startswith(name)) for n in names)]
    if lost:
        raise LayersError(f"stack {order.stack} lacks {', '.join(lost)}", why="sam deploy ended well, but they are not in the stack")
    for resource in deployed.resources:
        if resource.kind in _ASK:
            kind, ask = _ASK[resource.kind]
            with in_words(f"asking for the {kind} {resource.name} ({resource.id})"):
                ask(access, order.region, resource.id)
    _layers_are_ours(access, order, deployed)


def _layers_are_ours(access: Access, order: Order, deployed: Deployment) -> None:
    """The layers of the template's functions have the bytes of the built zips."""
    built = {base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode(): path for path in order.layers.values()}
    lambda_ = access.lambda_(order.region)
    for resource in deployed.resources:
        if resource.kind == "AWS::Lambda::LayerVersion" and built:
            with in_words(f"reading back the layer {resource.name}"):
                digest = lambda_.get_layer_version_by_arn(Arn=resource.id)["Content"].get("CodeSha256", "")
            if digest not in built:
                raise LayersError(f"{resource.id} has other bytes than the built layers", why=f"its CodeSha256 is {digest}")
