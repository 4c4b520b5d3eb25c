"""What moto's check of signatures and policies lacks, which a test switches on: it then knows callers as AWS does (POST /moto-api/reset-auth)."""

from __future__ import annotations

import importlib
from typing import Any

# What Lambda calls the answers that moto has for every service.
_NAMES = {
    "AccessDenied": "AccessDeniedException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}


def install() -> None:
    """Change moto's check in this process."""
    control = importlib.import_module("moto.iam.access_control")
    _sign_the_body_only(control)
    _one_permission_for_both(control)
    _refuse_as_lambda_does(importlib.import_module("moto.awslambda.responses"))


def _sign_the_body_only(control: Any) -> None:
    """Moto takes the query of a request without a body, and its headers when there is none, for its body: then no signature fits."""
    original = control.IAMRequestBase._create_aws_request

    def request(self: Any) -> Any:
        if not self._headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            self._data = b""
        return original(self)

    control.IAMRequestBase._create_aws_request = request


def _one_permission_for_both(control: Any) -> None:
    """A version is looked up by its ARN with the permission that a look-up by its name needs."""
    original = control.IAMRequestBase.check_action_permitted

    def check(self: Any, resource: str) -> None:
        self._action = self._action.replace("GetLayerVersionByArn", "GetLayerVersion")
        original(self, resource)

    control.IAMRequestBase.check_action_permitted = check


def _refuse_as_lambda_does(responses: Any) -> None:
    from werkzeug.exceptions import HTTPException

    from .lambda_parts import responses_error

    original = responses.LambdaResponse._authenticate_and_authorize_normal_action

    def check(self: Any, resource: str = "*") -> None:
        try:
            original(self, resource)
        except HTTPException as exc:
            said: Any = exc
            raise responses_error(said.message, _NAMES.get(said.error_type, said.error_type), 403) from exc

    responses.LambdaResponse._authenticate_and_authorize_normal_action = check
