"""The backend with real clients: http.client and grpcio's generated stubs."""

import gzip
import http.client
import json
import socket
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from otel_layers.errors import UsageError
from otel_layers.local.backend import HEALTHY, KINDS, Backend, Fault, fault

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def backend():
    with Backend() as running:
        yield running


def spans(*ids, trace=1, name="work"):
    request = ExportTraceServiceRequest()
    rs = request.resource_spans.add()
    attribute = rs.resource.attributes.add(key="service.name")
    attribute.value.string_value = "shop"
    scope = rs.scope_spans.add()
    for number in ids:
        ids = {"trace_id": trace.to_bytes(16, "big"), "span_id": number.to_bytes(8, "big")}
        scope.spans.add(**ids, name=name, kind=2, start_time_unix_nano=10**18, end_time_unix_nano=10**18 + 5)
    return request


def logs(*bodies):
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for body in bodies:
        scope.log_records.add(time_unix_nano=7, severity_number=9).body.string_value = body
    return request


def metrics(*points):
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="calls", unit="1")
    metric.sum.aggregation_temporality = 1
    for route, value, at in points:
        point = metric.sum.data_points.add(as_int=value, time_unix_nano=at)
        point.attributes.add(key="route").value.string_value = route
    return request


def post(backend, body, headers=PROTOBUF, path="/v1/traces", connection=None):
    """(status, headers, body) of one request; on a connection of its own unless one is given."""
    own = connection or http.client.HTTPConnection("127.0.0.1", backend.http_port, timeout=20)
    try:
        own.request("POST", path, body, headers)
        answer = own.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        if connection is None:
            own.close()


def channel(backend, **options):
    own = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]  # else channels share a connection, and its end
    return grpc.insecure_channel(f"127.0.0.1:{backend.grpc_port}", options=own, **options)


def test_http_protobuf_is_stored_as_received(backend):
    request = spans(1, 2)
    status, headers, body = post(backend, request.SerializeToString())
    assert (status, headers["Content-Type"], body) == (200, "application/x-protobuf", b"")
    assert ExportTraceServiceResponse.FromString(body) == ExportTraceServiceResponse()
    (got,) = backend.requests()
    assert got.message == request
    assert (got.signal, got.protocol, got.encoding, got.compression) == ("spans", "http", "protobuf", "")
    assert got.peer_port not in (0, backend.http_port)
    assert got.wire_bytes == len(request.SerializeToString())
    assert got.arrived_ns > 10**18


@pytest.mark.parametrize(("encoding", "squeeze"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_http_compressed(backend, encoding, squeeze):
    request = spans(*range(1, 101))
    body = squeeze(request.SerializeToString())
    assert post(backend, body, PROTOBUF | {"Content-Encoding": encoding})[0] == 200
    (got,) = backend.requests()
    assert got.message == request
    assert (got.compression, got.wire_bytes) == (encoding, len(body))


def test_http_chunked_body(backend):
    request = spans(1, 2, 3)
    body = request.SerializeToString()
    connection = http.client.HTTPConnection("127.0.0.1", backend.http_port, timeout=20)
    connection.request("POST", "/v1/traces", iter([body[:7], body[7:]]), PROTOBUF, encode_chunked=True)
    assert connection.getresponse().read() == b""
    # The connection stays usable: the body was read to its very end.
    assert post(backend, spans(4).SerializeToString(), connection=connection)[0] == 200
    connection.close()
    assert [r.message for r in backend.requests()] == [request, spans(4)]


def test_http_json_has_hex_ids_numbers_for_enums_and_strings_for_64_bits(backend):
    body = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                "scopeSpans": [
                    {
                        "scope": {"name": "s", "version": "1"},
                        "spans": [
                            {
                                "traceId": "5b8efff798038103d269b633813fc60c",
                                "spanId": "eee19b7ec3c1b174",
                                "parentSpanId": "eee19b7ec3c1b173",
                                "name": "GET /",
                                "kind": 2,
                                "startTimeUnixNano": "1544712660000000000",
                                "endTimeUnixNano": "1544712661000000000",
                                "attributes": [
                                    {"key": "traceId", "value": {"stringValue": "not an id"}},
                                    {"key": "http.response.status_code", "value": {"intValue": "200"}},
                                    {"key": "blob", "value": {"bytesValue": "AAEC"}},
                                ],
                                "links": [{"traceId": "5b8efff798038103d269b633813fc60d", "spanId": "eee19b7ec3c1b175"}],
                                "status": {"code": 2, "message": "bad"},
                            }
                        ],
                    }
                ],
            }
        ]
    }
    status, headers, answer = post(backend, json.dumps({**body, "aNewField": 1}).encode(), JSON)
    assert (status, headers["Content-Type"], json.loads(answer)) == (200, "application/json", {})
    assert backend.otlp_json() == {**body, "resourceMetrics": [], "resourceLogs": []}
    (span,) = backend.requests()[0].message.resource_spans[0].scope_spans[0].spans
    assert span.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    (decoded,) = backend.spans()
    assert (decoded.parent_id, decoded.kind, decoded.status, decoded.service) == ("eee19b7ec3c1b173", "SERVER", "ERROR", "shop")
    assert decoded.attributes == {"traceId": "not an id", "http.response.status_code": 200, "blob": b"\0\1\2"}


def test_all_three_signals_over_both_protocols(backend):
    post(backend, spans(1).SerializeToString())
    post(backend, logs("a").SerializeToString(), path="/v1/logs")
    post(backend, metrics(("/", 1, 5)).SerializeToString(), path="/v1/metrics")
    with channel(backend) as to:
        TraceServiceStub(to).Export(spans(2), timeout=20)
        LogsServiceStub(to).Export(logs("b"), timeout=20)
        MetricsServiceStub(to).Export(metrics(("/", 1, 6)), timeout=20, compression=grpc.Compression.Gzip)
    counts = backend.counts()
    assert counts["spans"] == counts["logs"] == counts["metrics"] == {"received": 2, "unique": 2, "duplicated": 0}
    assert (counts["requests"], counts["refused"], counts["undecodable"]) == (6, {}, 0)
    assert [(r.signal, r.protocol) for r in backend.requests()] == [(s, p) for p in ("http", "grpc") for s in ("spans", "logs", "metrics")]
    assert backend.requests()[4].message == logs("b")
    got = backend.otlp_json()
    assert [len(got[key]) for key in ("resourceSpans", "resourceLogs", "resourceMetrics")] == [2, 2, 2]
    assert got["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["sum"]["aggregationTemporality"] == 1


def test_duplicates_are_counted(backend):
    for request in (spans(1, 2), spans(2, 3), spans(2, trace=9)):
        post(backend, request.SerializeToString())
    for request in (logs("a", "b", "a"), logs("a")):
        post(backend, request.SerializeToString(), path="/v1/logs")
    for request in (metrics(("/", 1, 5), ("/x", 1, 5)), metrics(("/", 1, 5), ("/", 2, 6))):
        post(backend, request.SerializeToString(), path="/v1/metrics")
    counts = backend.counts()
    assert counts["spans"] == {"received": 5, "unique": 4, "duplicated": 1}
    assert counts["logs"] == {"received": 4, "unique": 2, "duplicated": 2}
    assert counts["metrics"] == {"received": 4, "unique": 3, "duplicated": 1}
    backend.clear()
    assert backend.counts()["spans"] == {"received": 0, "unique": 0, "duplicated": 0}
    assert backend.requests() == ()


NO_SPAN_ID = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "5b8efff798038103d269b633813fc60c", "name": "x"}]}]}]}
BASE64_ID = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "W47/95gDgQPSabYzgT/GDA==", "spanId": "7uGbfsPBsXQ="}]}]}]}


@pytest.mark.parametrize(
    ("body", "headers", "path", "code", "cause"),
    [
        (b"\xff\xff", PROTOBUF, "/v1/traces", 400, "not OTLP spans as protobuf"),
        (b"[]", JSON, "/v1/traces", 400, "not OTLP spans as json"),
        (b"{", JSON, "/v1/logs", 400, "not OTLP logs as json"),
        (b"\xff{", JSON, "/v1/logs", 400, "not OTLP logs as json"),
        (b"[" * 100_000, JSON, "/v1/traces", 400, "not OTLP spans as json"),
        (json.dumps(NO_SPAN_ID).encode(), JSON, "/v1/traces", 400, "span 'x' has trace id"),
        (json.dumps(BASE64_ID).encode(), JSON, "/v1/traces", 400, "not OTLP spans as json"),
        (spans(0).SerializeToString(), PROTOBUF, "/v1/traces", 400, "span 'work' has trace id"),
        (b"nope", PROTOBUF | {"Content-Encoding": "gzip"}, "/v1/traces", 400, "not gzip"),
        (gzip.compress(b"x" * 100, mtime=0)[:-9], PROTOBUF | {"Content-Encoding": "gzip"}, "/v1/traces", 400, "gzip ends early"),
        (gzip.compress(bytes(65 << 20), mtime=0), PROTOBUF | {"Content-Encoding": "gzip"}, "/v1/traces", 413, "when inflated"),
        (b"", PROTOBUF | {"Content-Encoding": "br"}, "/v1/traces", 415, "content encoding 'br'"),
        (b"", {"Content-Type": "text/plain"}, "/v1/traces", 415, "content type 'text/plain'"),
        (b"", PROTOBUF, "/v1/trace", 404, "/v1/trace is not an OTLP path"),
    ],
    ids=range(14),  # the bodies are no names
)
def test_what_is_not_otlp_is_refused_and_counted(backend, body, headers, path, code, cause):
    status, answered, answer = post(backend, body, headers, path)
    assert status == code
    assert answered["Content-Type"] == (headers["Content-Type"] if headers["Content-Type"] != "text/plain" else "application/x-protobuf")
    assert cause.encode() in answer
    assert cause in backend.causes()[0]
    assert (backend.counts()["undecodable"], backend.counts()["requests"]) == (1, 0)
    assert post(backend, spans(1).SerializeToString())[0] == 200


def test_grpc_refuses_what_is_not_otlp(backend):
    with channel(backend) as to:
        export = to.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        with pytest.raises(grpc.RpcError) as refused:
            export(b"\xff\xff", timeout=20)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert export(spans(1).SerializeToString(), timeout=20) == b""
    assert backend.counts()["undecodable"] == 1
    assert backend.counts()["spans"]["received"] == 1


def test_other_methods_and_broken_requests_do_not_disturb(backend):
    connection = http.client.HTTPConnection("127.0.0.1", backend.http_port, timeout=20)
    connection.request("GET", "/v1/traces")
    assert connection.getresponse().status == 405
    connection.close()
    for raw in (
        b"\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: 100\r\n\r\nshort",
        b"POST /v1/traces HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        with socket.create_connection(("127.0.0.1", backend.http_port), timeout=20) as sock:
            sock.sendall(raw)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
    assert post(backend, spans(1).SerializeToString())[0] == 200


def test_a_kept_connection_serves_many_requests_in_few_segments(backend):
    connection = http.client.HTTPConnection("127.0.0.1", backend.http_port, timeout=20)
    for number in range(1, 201):
        assert post(backend, spans(number).SerializeToString(), connection=connection)[0] == 200
    connection.close()
    assert len({r.peer_port for r in backend.requests()}) == 1
    assert backend.counts()["spans"]["received"] == 200
    # Head and body of an answer arrive in one piece: two small writes would wait for a delayed acknowledgement.
    body = spans(1).SerializeToString()
    with socket.create_connection(("127.0.0.1", backend.http_port), timeout=20) as sock:
        sock.sendall(b"POST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert sock.recv(65536).endswith(b"}")


def test_many_clients_at_once_lose_nothing(backend):
    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", backend.http_port, timeout=60)
        for batch in range(10):
            first = 1 + number * 1000 + batch * 10
            assert post(backend, spans(*range(first, first + 10)).SerializeToString(), connection=connection)[0] == 200
        connection.close()

    def rpc(number):
        with channel(backend) as to:
            for batch in range(10):
                first = 1 + number * 1000 + batch * 10
                TraceServiceStub(to).Export(spans(*range(first, first + 10)), timeout=60)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda n: (client if n % 2 else rpc)(n), range(12)))
    assert backend.wait_quiet(0.01)
    assert backend.counts()["spans"] == {"received": 1200, "unique": 1200, "duplicated": 0}


def test_down_refuses_connections_and_comes_back_on_the_same_ports(backend):
    kept = http.client.HTTPConnection("127.0.0.1", backend.http_port, timeout=20)
    assert post(backend, spans(1).SerializeToString(), connection=kept)[0] == 200
    for _ in range(2):
        backend.fault = fault("down")
        with pytest.raises(OSError):  # noqa: PT011 - reset or closed, both are a dead connection
            post(backend, b"", connection=kept)
        for port in (backend.http_port, backend.grpc_port):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=20)
        backend.fault = HEALTHY
        assert post(backend, spans(2).SerializeToString())[0] == 200
        with channel(backend) as to:
            TraceServiceStub(to).Export(spans(3), timeout=20, wait_for_ready=True)
    assert backend.counts()["spans"] == {"received": 5, "unique": 3, "duplicated": 2}


def test_nobody_else_gets_the_ports_while_down():
    with Backend(fault("down")) as backend, socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", backend.http_port))


def test_hanging_never_answers_and_lets_go_at_the_end(backend):
    backend.fault = fault("hanging")
    with socket.create_connection(("127.0.0.1", backend.http_port), timeout=0.3) as sock:
        sock.sendall(b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(TimeoutError):
            sock.recv(1)
        with channel(backend) as to:
            call = TraceServiceStub(to).Export.future(spans(1), timeout=60)
            assert backend.wait_for(0)
            with pytest.raises(grpc.FutureTimeoutError):
                call.result(timeout=0.3)
            assert backend.counts()["refused"] == {"hanging": 2}
            assert backend.wait_quiet(0.01), "a request that hangs is nobody's work"
            backend.fault = HEALTHY
            assert call.exception(timeout=20).code() == grpc.StatusCode.UNAVAILABLE
        sock.settimeout(20)
        assert sock.recv(1) == b""
    assert backend.requests() == ()


def ended(sock):
    """Whether the other side has ended the connection; one that was never accepted is reset."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_closing_ends_hanging_requests_and_every_thread():
    before = threading.active_count()
    with Backend(fault("hanging")) as backend:
        port = backend.http_port
        sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        sock.sendall(b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")
        idle = socket.create_connection(("127.0.0.1", port), timeout=20)
        while not backend.counts()["refused"]:
            backend.wait_quiet(0.01)
    assert ended(sock)
    assert ended(idle)
    sock.close()
    idle.close()
    for thread in threading.enumerate():
        if thread.name.startswith("otlp-"):
            thread.join(20)
    assert threading.active_count() <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=20)


def test_slow_stores_at_once_and_answers_when_it_is_over(backend):
    backend.fault = fault("slow:600")
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(post, backend, spans(1).SerializeToString())
        with channel(backend) as to:
            call = TraceServiceStub(to).Export.future(spans(2), timeout=60)
            assert backend.wait_for(2), "what is slow is the answer, not the store"
            assert not answer.done()
            assert not call.done()
            assert not backend.wait_quiet(0.01, timeout_s=0.05), "a request that is not answered yet is in work"
            backend.fault = HEALTHY
            assert answer.result(20)[0] == 200
            call.result(20)


@pytest.mark.parametrize(
    ("spec", "code", "grpc_code"),
    [("401", 401, grpc.StatusCode.UNAUTHENTICATED), ("429:7", 429, grpc.StatusCode.UNAVAILABLE), ("500", 500, grpc.StatusCode.INTERNAL)],
)
def test_refusals(backend, spec, code, grpc_code):
    backend.fault = fault(spec)
    status, headers, body = post(backend, spans(1).SerializeToString())
    assert status == code
    assert headers["Retry-After"] == ("7" if code == 429 else None)
    assert headers["WWW-Authenticate"] == ("Bearer" if code == 401 else None)
    assert f"told to answer {code}".encode() in body
    plain = json.loads(post(backend, b"{}", JSON)[2])
    assert plain["message"] == f"told to answer {code}"
    with channel(backend) as to:
        with pytest.raises(grpc.RpcError) as refused:
            TraceServiceStub(to).Export(spans(1), timeout=20)
        assert refused.value.code() == grpc_code
        details = dict(refused.value.trailing_metadata()).get("grpc-status-details-bin", b"")
        assert (b"google.rpc.RetryInfo" in details and Duration(seconds=7).SerializeToString() in details) == (code == 429)
    assert backend.counts()["refused"] == {str(code): 3}
    assert backend.requests() == ()
    backend.fault = HEALTHY
    assert post(backend, spans(1).SerializeToString())[0] == 200


def test_the_status_message_is_googles(backend):
    """Decoded by a message built from google.rpc.Status's published fields, not by our own encoder."""
    from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="status_test.proto", package="t", syntax="proto3", dependency=["google/protobuf/any.proto"])
    message = file.message_type.add(name="Status")
    message.field.add(name="code", number=1, type=5, label=1)
    message.field.add(name="message", number=2, type=9, label=1)
    message.field.add(name="details", number=3, type=11, label=3, type_name=".google.protobuf.Any")
    pool = descriptor_pool.DescriptorPool()
    any_file = descriptor_pb2.FileDescriptorProto()
    any_pb2.DESCRIPTOR.CopyToProto(any_file)
    pool.Add(any_file)
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Status"))
    backend.fault = Fault("429", 2.5)
    _, headers, body = post(backend, b"")
    got = kind.FromString(body)
    assert (got.code, got.message, headers["Retry-After"]) == (14, "told to answer 429", "3")
    assert got.details[0].type_url == "type.googleapis.com/google.rpc.RetryInfo"
    assert got.details[0].value[:2] == b"\x0a" + bytes([len(got.details[0].value) - 2])
    assert Duration.FromString(got.details[0].value[2:]) == Duration(seconds=2, nanos=500_000_000)


def test_fault_specs():
    assert fault("") == HEALTHY
    assert fault("slow") == Fault("slow", KINDS["slow"].seconds)
    assert fault("slow:0.5") == Fault("slow", 0.5)
    assert fault("backend-down") == Fault("down")
    for wrong in ("dwon", "slow:x", "401:3", "429:y"):
        with pytest.raises(UsageError):
            fault(wrong)


def test_waiting(backend):
    assert not backend.wait_for(1, timeout_s=0.01)
    with ThreadPoolExecutor(1) as pool:
        reached = pool.submit(backend.wait_for, 2, "spans", timeout_s=30)
        post(backend, spans(1).SerializeToString())
        post(backend, spans(2).SerializeToString())
        assert reached.result(30)
