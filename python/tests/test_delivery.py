"""What the layer tells the Collector beside it, and export over https."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
import ssl
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from sandbox import attributes, receiving

ECHO = "def handler(event, context):\n    return [event]"
MARK = "x-otel-lambda-invocation-end"
MANY = """
    from opentelemetry import trace
    tracer = trace.get_tracer("t")
    def handler(event, context):
        for n in range(event):
            tracer.start_span(str(n)).end()
        if event == 3:
            trace.get_tracer_provider().force_flush()
"""


@pytest.fixture
def attached(layer, tmp_path):
    """The layer beside a Collector, as in /opt; the test is the Collector."""
    opt = Path(shutil.copytree(layer, tmp_path / "opt"))
    (opt / "extensions").mkdir()
    (opt / "extensions/collector").touch()
    return opt


@pytest.fixture
def collector():
    """A receiver at the Collector's own port, which only one test at a time can have."""
    with ExitStack() as stack:
        end = time.monotonic() + 30
        while True:
            try:
                yield stack.enter_context(receiving(4318))
                return
            except OSError as exc:
                if time.monotonic() > end:
                    pytest.skip(f"port 4318 of this machine is not free: {exc}")
                time.sleep(0.2)


def _marks(receiver):
    return [{k.lower(): v for k, v in headers.items()}.get(MARK) for headers, _ in receiver.requests]


def test_the_last_export_of_an_invocation_says_so(start, attached, collector, python):
    function = start(python, MANY, layer=attached, OTEL_BSP_MAX_QUEUE_SIZE="100", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10")
    marks = []
    for event, headers in ((0, {}), (3, {}), (25, {}), (250, {}), (0, {"Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd"})):
        function.invoke(event, headers=headers)
        marks.append(_marks(collector))
        collector.requests.clear()
    assert marks == [
        ["request-1"],
        [None, "request-2"],  # the user's own flush, and ours
        [None, None, "request-3"],
        [*[None] * 25, "request-4"],  # the queue was full meanwhile
        ["8476a536-e9f4-11e8-9739-2dfe598c3fcd"],
    ]
    assert function.said() == []


def test_an_unsampled_invocation_sends_nothing(start, attached, collector, python):
    function = start(python, ECHO, layer=attached, OTEL_TRACES_SAMPLER="always_off")
    assert function.invoke(1).json == [1]
    assert collector.requests == []


def test_the_mark_is_for_the_attached_collector_only(start, receiver, attached, collector, layer, python):
    backend = f"http://127.0.0.1:{receiver.port}"
    for beside, environment in (
        (layer, {}),  # a backend, and no Collector
        (attached, {"OPENTELEMETRY_COLLECTOR_CONFIG_FILE": "/var/task/c.yaml"}),  # a Collector, and a backend nevertheless
        (layer, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}),  # somebody else's at that port
    ):
        start(python, ECHO, layer=beside, **{"OTEL_EXPORTER_OTLP_ENDPOINT": backend, **environment}).invoke(1)
    assert (_marks(receiver), _marks(collector)) == ([None, None], [None])
    collector.requests.clear()
    file = {"OPENTELEMETRY_COLLECTOR_CONFIG_FILE": "/var/task/c.yaml"}
    start(python, ECHO, layer=attached, OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:4318", **file).invoke(1)
    assert _marks(collector) == ["request-1"]


def test_a_request_id_cannot_add_headers(start, attached, collector, python):
    source = "def handler(event, context):\n    context.aws_request_id = 'a'"
    source += "\nimport awslambdaric.lambda_context as c\nc.LambdaContext.aws_request_id = property(lambda s: 'a\\r\\nX-Other: b', lambda s, v: None)"
    function = start(python, source, layer=attached)
    assert function.invoke(1).error is None
    assert _marks(collector) == [None]
    assert all("X-Other" not in headers for headers, _ in collector.requests)


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate of 127.0.0.1, and the server's context with it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "otlp")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return path, context


def test_https_with_a_certificate_of_ones_own(start, certificate, version):
    path, context = certificate
    with receiving(tls=context) as backend:
        endpoint = f"https://127.0.0.1:{backend.port}"
        function = start(
            version, ECHO, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE=str(path), OTEL_EXPORTER_OTLP_HEADERS="api-key=k"
        )
        assert [function.invoke(n).json for n in range(3)] == [[0], [1], [2]]
        assert backend.connections == 1
        backend.hang_up()  # frozen for long
        assert function.invoke(3).json == [3]
    assert [attributes(s)["faas.invocation_id"] for s in backend.spans()] == [f"request-{n}" for n in range(1, 5)]
    assert {headers["api-key"] for headers, _ in backend.requests} == {"k"}
    assert backend.connections == 2
    assert function.said() == []


@pytest.mark.parametrize(("trust", "why"), [(None, "certificate verify failed"), ("/no/such.pem", "/no/such.pem")])
def test_https_that_is_not_trusted(start, certificate, python, trust, why):
    environment = {"OTEL_EXPORTER_OTLP_CERTIFICATE": trust} if trust else {}
    with receiving(tls=certificate[1]) as backend:
        function = start(python, ECHO, OTEL_EXPORTER_OTLP_ENDPOINT=f"https://127.0.0.1:{backend.port}", **environment)
        assert [function.invoke(n).json for n in range(3)] == [[0], [1], [2]]
    (line,) = function.said()
    assert "1 spans were not delivered" in line
    assert why in line
    assert backend.requests == []
