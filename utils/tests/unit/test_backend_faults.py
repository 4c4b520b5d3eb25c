"""Every kind of fault, over HTTP and gRPC: what the client sees, and what the backend has."""

import http.client
import re
import socket
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from otel_layers.errors import UsageError
from otel_layers.local.backend import HEALTHY, Backend, Fault, fault
from otel_layers.local.backend_faults import KINDS, Switch
from otel_layers.local.forward import Forwarder

from .test_backend import channel, post, spans


@pytest.fixture
def backend():
    with Backend() as made:
        yield made


def seen_over_http(backend):
    """The status, or the error's name."""
    try:
        return post(backend, spans(1).SerializeToString())[0]
    except (OSError, http.client.HTTPException) as exc:
        return type(exc).__name__


def seen_over_grpc(backend):
    with channel(backend) as to:
        try:
            TraceServiceStub(to).Export(spans(2), timeout=20)
        except grpc.RpcError as exc:
            return exc.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("kind", "over_http", "over_grpc", "stored"),
    [
        ("400", 400, "INVALID_ARGUMENT", False),
        ("403", 403, "PERMISSION_DENIED", False),
        ("404", 404, "UNIMPLEMENTED", False),
        ("503", 503, "UNAVAILABLE", False),
        ("503:3", 503, "UNAVAILABLE", False),
        ("cut-connection", "RemoteDisconnected", "UNAVAILABLE", False),
        ("cut-body", "IncompleteRead", "UNAVAILABLE", True),
        ("garbage", "BadStatusLine", "UNKNOWN", False),
        ("garbage-body", 200, "INTERNAL", True),
    ],
)
def test_what_a_client_sees(backend, kind, over_http, over_grpc, stored):
    backend.fault = fault(kind)
    assert seen_over_http(backend) == over_http
    got = seen_over_grpc(backend)
    assert got.name == over_grpc
    assert backend.counts()["spans"]["unique"] == (2 if stored else 0)
    assert backend.counts()["refused"] == ({} if stored else {kind.partition(":")[0]: 2})
    backend.fault = HEALTHY
    assert (seen_over_http(backend), seen_over_grpc(backend)) == (200, grpc.StatusCode.OK)


def test_a_retry_after_for_503_only_when_asked_for(backend):
    for spec, wanted in (("503", None), ("503:3", "3")):
        backend.fault = fault(spec)
        assert post(backend, spans(1).SerializeToString())[1]["Retry-After"] == wanted


@pytest.mark.parametrize(("kind", "over_http", "over_grpc"), [("freeze-late", 200, "OK"), ("freeze-cut", "RemoteDisconnected", "UNAVAILABLE")])
def test_the_answer_waits_for_the_freeze(backend, kind, over_http, over_grpc):
    from concurrent.futures import ThreadPoolExecutor

    backend.fault = fault(kind)
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(seen_over_http, backend), pool.submit(seen_over_grpc, backend)]
        assert backend.wait_for(2)
        assert not any(answer.done() for answer in answers)
        backend.froze()
        assert answers[0].result(20) == over_http
        assert answers[1].result(20).name == over_grpc


def test_a_connection_hangs_and_goes_on_later(backend):
    backend.fault = fault("hanging-connect")
    for port in (backend.http_port, backend.grpc_port):
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", port), timeout=0.3)
    backend.fault = fault("down")
    for port in (backend.http_port, backend.grpc_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=20)
    backend.fault = HEALTHY
    assert (seen_over_http(backend), seen_over_grpc(backend)) == (200, grpc.StatusCode.OK)


def test_a_forwarders_port_does_as_the_backends(backend):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    listener = socket.create_server(("127.0.0.1", port))
    forwarder = Forwarder(listener, ("127.0.0.1", backend.http_port))
    unwatch = backend.watch(forwarder.gate)
    for _ in range(2):
        backend.fault = fault("down")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=20)
        backend.fault = fault("hanging-connect")
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", port), timeout=0.3)
        backend.fault = HEALTHY
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", "/v1/traces", spans(1).SerializeToString(), {"Content-Type": "application/x-protobuf"})
        assert connection.getresponse().status == 200
        connection.close()
    unwatch()
    forwarder.close()
    backend.fault = fault("down")


@pytest.mark.parametrize("kind", [k for k, what in KINDS.items() if what.heals and k not in ("hanging", "slow", "freeze-late", "freeze-cut")])
def test_it_heals_after_so_many_requests(backend, kind):
    backend.fault = fault(f"{kind},heal=2")
    first = [seen_over_http(backend), seen_over_grpc(backend)]
    assert (first != [200, grpc.StatusCode.OK]) or kind == "garbage-body"
    assert [seen_over_http(backend), seen_over_grpc(backend)] == [200, grpc.StatusCode.OK]


def test_a_healed_request_and_one_that_hangs_are_told_apart():
    switch = Switch()
    switch.set(fault("hanging,heal=1"))
    first, second = switch.take(), switch.take()
    assert (first.fault.kind, second.fault) == ("hanging", HEALTHY)
    assert not first.over.is_set()
    switch.set(HEALTHY)
    assert first.over.is_set()


def test_specs():
    assert fault("429:2,heal=3") == Fault("429", 2.0, 3)
    assert fault("503") == Fault("503", 0.0)
    for wrong in ("down,heal=2", "hanging-connect,heal=1", "500,heal=0", "500,heal", "500,later=2", ",heal=2", "slow:-1", "slow:nan", "400:2"):
        with pytest.raises(UsageError):
            fault(wrong)


def test_the_page_lists_every_kind_and_what_it_does():
    page = (Path(__file__).parents[3] / "docs/local-lambda.md").read_text()
    rows = re.findall(r"^\| `([a-z0-9][a-z0-9-]*)(:SECONDS)?` \| ([^|]+) \| ([^|]*) \|$", page, re.MULTILINE)
    wanted = [(name, ":SECONDS" if kind.seconds is not None else "", kind.words, "yes" if kind.heals else "no") for name, kind in KINDS.items()]
    assert [(name, seconds, words, heals.strip()) for name, seconds, words, heals in rows] == wanted
