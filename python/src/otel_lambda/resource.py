"""The resource: who sends this telemetry, from Lambda's own variables; what the user sets wins."""

import os
import sys

from .variables import pairs

SDK_VERSION = "1.45.1"  # of requirements.txt, which a test compares


class Resource:
    """Attributes that go with every request."""

    __slots__ = ("attributes", "copies", "schema_url")

    def __init__(self, attributes):
        """A dict."""
        self.attributes, self.copies, self.schema_url = attributes, [], ""

    def change(self, key, value):
        """Another value from now on, also in the SDK's copies, which all its providers share and which have no way to be changed."""
        self.attributes[key] = value
        for copy in self.copies:
            copy.attributes._dict[key] = value


def build():
    """The Resource of this execution environment, without the SDK's detectors."""
    env = os.environ
    found = {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": SDK_VERSION,
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION"),
        "faas.name": env.get("AWS_LAMBDA_FUNCTION_NAME"),
        "faas.version": env.get("AWS_LAMBDA_FUNCTION_VERSION"),
        "faas.instance": env.get("AWS_LAMBDA_LOG_STREAM_NAME"),
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": ".".join(map(str, sys.version_info[:3])),
    }
    memory = env.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    if memory.isascii() and memory.isdigit():
        found["faas.max_memory"] = int(memory) * 1024 * 1024
    if env.get("AWS_LAMBDA_LOG_GROUP_NAME"):
        found["aws.log.group.names"] = (env["AWS_LAMBDA_LOG_GROUP_NAME"],)
    found.update(pairs(env.get("OTEL_RESOURCE_ATTRIBUTES", "")))
    name = env.get("OTEL_SERVICE_NAME", "").strip() or found.get("service.name") or env.get("AWS_LAMBDA_FUNCTION_NAME")
    found["service.name"] = name or "unknown_service:python"
    return Resource({key: value for key, value in found.items() if value})
