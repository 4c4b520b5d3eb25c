"""An invocation's span, on every Python version that the machine has."""

from __future__ import annotations

import pytest
from sandbox import ARN, attributes

pytestmark = pytest.mark.tiers

ECHO = """
    def handler(event, context):
        return {"got": event}
"""


def test_a_span_with_resource(start, receiver, version):
    function = start(version, ECHO)
    assert function.invoke({"n": 1}).json == {"got": {"n": 1}}
    assert function.invoke([2]).json == {"got": [2]}
    assert function.said() == []
    cold, warm = receiver.all()
    resource = attributes(cold[0])
    assert resource.pop("telemetry.sdk.version")
    assert resource.pop("process.runtime.version").startswith(version)
    assert resource == {
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": "us-east-1",
        "faas.name": "demo",
        "faas.version": "7",
        "faas.instance": "2026/01/01/[7]abc",
        "faas.max_memory": 134217728,
        "aws.log.group.names": ["/aws/lambda/demo"],
        "service.name": "demo",
        "process.runtime.name": "cpython",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
    }
    span = cold[2]
    assert (span.name, span.kind, span.parent_span_id, span.status.code) == ("demo", 2, b"", 0)
    assert len(span.trace_id) == 16
    assert len(span.span_id) == 8
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    assert attributes(span) == {
        "faas.coldstart": True,
        "faas.trigger": "other",
        "faas.invocation_id": "request-1",
        "aws.lambda.invoked_arn": ARN + ":live",
        "cloud.resource_id": ARN,
        "cloud.account.id": "123456789012",
    }
    assert attributes(warm[2])["faas.coldstart"] is False
    assert attributes(warm[2])["faas.invocation_id"] == "request-2"
    assert span.trace_id != warm[2].trace_id
