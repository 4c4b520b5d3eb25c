"""AWS::Serverless-2016-10-31 for the embedded AWS: a template as it was sent becomes plain CloudFormation, by AWS's own translator."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

SERVERLESS = "AWS::Serverless-2016-10-31"
_lock = threading.Lock()  # the translator keeps the region in a class attribute


class NotTranslated(Exception):
    """The translator refused the template; its message is what CloudFormation would say."""


def expand(template: Mapping[str, Any], parameters: Mapping[str, str], region: str, policies: Callable[[], dict[str, str]]) -> dict[str, Any]:
    """
    `template` with its Serverless resources translated for `region`; unchanged when it does not ask for the transform.

    `policies` gives the ARNs of AWS's managed policies by name, and is called only when one is named.
    """
    asked = template.get("Transform", [])
    transforms = [asked] if isinstance(asked, str) else list(asked)
    if SERVERLESS not in transforms:
        return dict(template)

    from boto3.session import Session
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.arn_generator import ArnGenerator
    from samtranslator.translator.translator import Translator

    # The translator works on its argument, and on plain JSON types only.
    fragment = json.loads(json.dumps(template))
    with _lock:
        ArnGenerator.BOTO_SESSION_REGION_NAME = region
        translator = Translator(None, Parser(), boto_session=Session(region_name=region))
        try:
            done = translator.translate(fragment, parameter_values=dict(parameters), get_managed_policy_map=policies)
        except InvalidDocumentException as exc:
            raise NotTranslated("; ".join(str(getattr(cause, "message", cause)) for cause in exc.causes)) from exc
    plain: dict[str, Any] = json.loads(json.dumps(done))
    rest = [name for name in transforms if name != SERVERLESS]
    if rest:
        plain["Transform"] = rest
    else:
        plain.pop("Transform", None)
    return plain
