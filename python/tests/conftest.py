"""The built layer and the interpreters to try it with."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
import ssl
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from otel_layers import catalog, files, toolchain
from otel_layers.build import build
from otel_layers.local.backend import Backend
from parts import LAYER, PROJECT, ROOT, VERSIONS
from sandbox import Lambda, Receiver, receiving, running


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """
    A test that asks for `version` runs once for each runtime version; those that the machine lacks are skipped with the reason.

    One that is marked `tiers` runs with the recorder and with the SDK, and must see no difference.
    """
    if metafunc.definition.get_closest_marker("tiers") is not None:
        metafunc.fixturenames.append("tier")
        metafunc.parametrize("tier", ["auto", "sdk"])
    if "version" in metafunc.fixturenames:
        have = toolchain.interpreters()
        marks = {v: () if v in have else pytest.mark.skip(reason=f"no Python {v} on this machine") for v in VERSIONS}
        metafunc.parametrize("version", [pytest.param(v, marks=marks[v]) for v in VERSIONS])


@pytest.fixture(scope="session")
def layer() -> Iterator[Path]:
    """The layer of this machine's architecture, built by the recipe and unpacked as at /opt; each test run has its own."""
    built = build(PROJECT, LAYER, catalog.architecture("amd64" if _machine() == "x86_64" else "arm64"))
    with files.temporary(PROJECT, "python-layer") as folder:
        unpack(built.zip, folder)
        yield folder


def unpack(source: Path, folder: Path) -> None:
    """Unpack a zip with its modes, which zipfile leaves out."""
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            path = Path(archive.extract(info, folder))
            if not info.is_dir():
                path.chmod(info.external_attr >> 16 & 0o777)


def _machine() -> str:
    import platform

    return platform.machine()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A healthy OTLP receiver."""
    with receiving() as state:
        yield state


@pytest.fixture
def tier() -> str:
    """The value of OTEL_LAMBDA_TIER; '' leaves it unset."""
    return ""


@pytest.fixture
def start(layer: Path, receiver: Receiver, tmp_path: Path, tier: str) -> Iterator[Callable[..., Lambda]]:
    """Starts a function from source; its telemetry goes to `receiver`."""
    with ExitStack() as stack:

        def begin(
            version: str, source: str, *, handler: str = "app.handler", layer: Path | None = layer, wrapper: str = "otel-handler", **environment: str
        ) -> Lambda:
            task = tmp_path / "task"
            task.mkdir(exist_ok=True)
            if source:
                (task / "app.py").write_text(textwrap.dedent(source))
            env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}", **({"OTEL_LAMBDA_TIER": tier} if tier else {}), **environment}
            python = toolchain.interpreters()[version]
            packages = toolchain.target(PROJECT, ROOT / "requirements/runtime-python.txt", str(python), f"runtime-python{version}")
            process: AbstractContextManager[Any] = running(
                python, packages, layer, task, handler, {k: v for k, v in env.items() if v is not None}, wrapper
            )
            return stack.enter_context(process)

        yield begin


@pytest.fixture
def python() -> str:
    """One version, for tests where the version does not matter: the project's own, which every machine has."""
    import sys

    return f"3.{sys.version_info.minor}"


@pytest.fixture
def attached(layer: Path, tmp_path: Path) -> Path:
    """The layer beside a Collector, as in /opt; the test is the Collector."""
    opt = Path(shutil.copytree(layer, tmp_path / "opt"))
    (opt / "extensions").mkdir()
    (opt / "extensions/collector").touch()
    return opt


@pytest.fixture
def collector() -> Iterator[Receiver]:
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


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate of 127.0.0.1 (its key is beside it), and the server's context with it."""
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


@pytest.fixture
def backend() -> Iterator[Backend]:
    """The local Lambda's OTLP backend, over HTTP and gRPC."""
    with Backend() as running:
        yield running
