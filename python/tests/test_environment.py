"""The specified environment variables that need the SDK or only the logging module; a value that is wrong is one line."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from sandbox import attributes

NEST = """
    from opentelemetry import trace
    def handler(event, context):
        links = [trace.Link(trace.get_current_span().get_span_context(), {str(n): n for n in range(5)}) for _ in range(3)]
        with trace.get_tracer("t").start_as_current_span("inner", links=links, attributes={str(n): "x" * n for n in range(5)}) as span:
            for n in range(3):
                span.add_event(str(n), {str(k): k for k in range(5)})
        return span.get_span_context().trace_flags & 1
"""
SAMPLED, UNSAMPLED = (
    {"headers": {"traceparent": f"00-{'a' * 32}-{'b' * 16}-{flag}"}, "resource": "/", "requestContext": {"resourceId": "r"}} for flag in ("01", "00")
)


@pytest.mark.parametrize(
    ("sampler", "argument", "decisions", "line"),  # of a root, beneath a sampled parent, beneath one that is not
    [
        ("always_on", None, [1, 1, 1], None),
        ("always_off", None, [0, 0, 0], None),
        ("parentbased_always_on", None, [1, 1, 0], None),
        ("Parentbased_Always_Off ", None, [0, 1, 0], None),
        ("traceidratio", "0", [0, 0, 0], None),
        ("parentbased_traceidratio", "0.0", [0, 1, 0], None),
        ("traceidratio", None, [1, 1, 1], None),
        ("traceidratio", "2", [1, 1, 1], "OTEL_TRACES_SAMPLER_ARG is '2'"),
        ("traceidratio", "half", [1, 1, 1], "OTEL_TRACES_SAMPLER_ARG is 'half'"),
        ("jaeger_remote", None, [1, 1, 0], "OTEL_TRACES_SAMPLER is 'jaeger_remote'"),
    ],
)
def test_samplers(start, receiver, python, sampler, argument, decisions, line):
    function = start(python, NEST, OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=argument)
    assert [function.invoke(event).json for event in (None, SAMPLED, UNSAMPLED)] == decisions
    assert len(receiver.spans()) == 2 * sum(decisions)
    assert [line in said for said in function.said()] == [True] * (line is not None)


def test_limits(start, receiver, python):
    limits = {
        "OTEL_ATTRIBUTE_COUNT_LIMIT": "4",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "3",
        "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "2",
        "OTEL_SPAN_EVENT_COUNT_LIMIT": "1",
        "OTEL_SPAN_LINK_COUNT_LIMIT": "2",
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "2",
    }
    function = start(python, NEST, **limits)
    function.invoke(0)
    span = next(s for s in receiver.spans() if s.name == "inner")
    assert (len(span.attributes), span.dropped_attributes_count, len(span.events), span.dropped_events_count) == (3, 2, 1, 2)
    assert (len(span.links), span.dropped_links_count, len(span.links[0].attributes), len(span.events[0].attributes)) == (2, 1, 4, 2)
    assert max(len(v) for v in attributes(span).values()) == 2
    assert function.said() == []


def test_limits_that_are_none(start, receiver, python):
    names = ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")
    function = start(python, NEST, **dict.fromkeys(names, "many"))
    assert function.invoke(0).json == 1
    assert len(receiver.spans()) == 2
    assert sorted(line.split()[1] for line in function.said()) == sorted(names)
    quiet = start(python, NEST, OTEL_LOG_LEVEL="none", **dict.fromkeys(names, "many"))
    assert quiet.invoke(0).json == 1
    assert quiet.said() == []


def test_resource_detectors(start, receiver, python):
    function = start(python, NEST, OTEL_EXPERIMENTAL_RESOURCE_DETECTORS="process", OTEL_SERVICE_NAME="mine")
    function.invoke(0)
    found = attributes(receiver.all()[0][0])
    assert (found["service.name"], found["process.pid"], found["faas.name"]) == ("mine", function.process.pid, "demo")


LOG = """
    import logging
    log = logging.getLogger("mine")
    log.warning("at start")
    def handler(event, context):
        log.warning("said %s", event, extra={"key": "v"})
        return "opentelemetry" in __import__("sys").modules
"""


def test_ids_in_text_logs(start, receiver, version):
    function = start(version, LOG, OTEL_PYTHON_LOG_CORRELATION="true")
    assert function.invoke("hello").json is False
    span = receiver.spans()[0]
    first, second = (line for line in function.log().splitlines() if line.startswith("[WARNING]"))
    assert first.endswith("\t[trace_id=0 span_id=0 trace_sampled=False] at start")
    assert second.split("\t")[2:] == ["request-1", f"[trace_id={span.trace_id.hex()} span_id={span.span_id.hex()} trace_sampled=True] said hello"]
    own = start(version, LOG, OTEL_PYTHON_LOG_CORRELATION="true", OTEL_PYTHON_LOG_FORMAT="%(otelServiceName)s|%(otelTraceID)s|%(message)s")
    own.invoke("x")
    assert f"demo|{receiver.spans()[1].trace_id.hex()}|said x" in own.log().splitlines()


@pytest.mark.tiers
def test_ids_in_json_logs(start, receiver, python):
    plain, with_ids = (start(python, LOG, AWS_LAMBDA_LOG_FORMAT="JSON", OTEL_PYTHON_LOG_CORRELATION=text) for text in (None, "true"))
    before, after = ([json.loads(line) for line in f.log().splitlines() if line.startswith("{")] for f in (plain, with_ids) if f.invoke("x"))
    span = receiver.spans()[1]
    assert after[1].pop("trace_id") == span.trace_id.hex()
    assert after[1].pop("span_id") == span.span_id.hex()
    assert after[1].pop("trace_flags") == "01"
    for record in (*before, *after):
        record.pop("timestamp")
    assert before == after


class _Service(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self):
        self.calls = []

    def Export(self, request, context):  # noqa: N802 - the service's own name
        self.calls.append((dict(context.invocation_metadata()), request, context.time_remaining()))
        answer = trace_service_pb2.ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = 1
        answer.partial_success.error_message = "not this"
        return answer


@pytest.fixture
def secure(certificate):
    """A gRPC server that asks its clients for a certificate: port, service, certificate, key."""
    path, _ = certificate
    key = path.parent / "key.pem"
    serialization.load_pem_private_key(key.read_bytes(), None)
    server, service = grpc.server(ThreadPoolExecutor(2)), _Service()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(service, server)
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), path.read_bytes())], path.read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield port, service, path, key
    server.stop(None).wait()


def test_grpc_with_certificates(start, secure, version):
    port, service, path, key = secure
    trust = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(path), "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}
    mine = {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(path), "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": str(key)}
    function = start(version, NEST, OTEL_EXPORTER_OTLP_ENDPOINT=f"127.0.0.1:{port}", OTEL_EXPORTER_OTLP_HEADERS="Api-Key=s%20t", **trust, **mine)
    assert [function.invoke(0).json for _ in range(3)] == [1, 1, 1]
    metadata, request, remaining = service.calls[0]
    assert metadata["api-key"] == "s t"
    assert [s.name for r in request.resource_spans for scope in r.scope_spans for s in scope.spans] == ["inner", "demo"]
    assert 0 < remaining < 3
    assert len(service.calls) == 3
    (line,) = function.said()
    assert "1 spans were not delivered" in line
    assert "they were rejected: not this" in line
    unknown = start(version, NEST, OTEL_EXPORTER_OTLP_ENDPOINT=f"https://127.0.0.1:{port}", **trust)
    assert unknown.invoke(0).json == 1
    assert len(service.calls) == 3
    assert "2 spans were not delivered" in unknown.said()[0]


def test_a_server_that_is_not_grpc(start, python):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            for _ in range(2):
                connection, _ = listener.accept()
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
                connection.close()

        server = threading.Thread(target=answer, daemon=True)
        server.start()
        function = start(
            python, NEST, OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{listener.getsockname()[1]}"
        )
        assert [function.invoke(0).json for _ in range(2)] == [1, 1]
        server.join(30)
    (line,) = function.said()
    assert "2 spans were not delivered" in line
    assert "does not speak http/2" in line
