"""Invoking in AWS: boto3's real call against a server that answers as Lambda's Invoke does (Lambda itself cannot run here)."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from otel_layers.aws import remote
from otel_layers.aws.client import Access
from otel_layers.errors import LayersError

LOG = (
    "START RequestId: 1\nhello REPORT nothing\nREPORT RequestId: 1\tDuration: 12.34 ms\tBilled Duration: 613 ms\t"
    "Memory Size: 128 MB\tMax Memory Used: 61 MB\tInit Duration: 600.10 ms\t\n"
)


class Lambda(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        event = self.rfile.read(int(self.headers["Content-Length"]))
        name = self.path.split("/")[3]
        status = 404 if name == "absent" else 200
        body = b'{"Message": "Function not found"}' if status == 404 else event
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "the-id")
        if self.headers["X-Amz-Log-Type"] == "Tail":
            self.send_header("X-Amz-Log-Result", base64.b64encode(LOG.encode()).decode())
        if name == "failing":
            self.send_header("X-Amz-Function-Error", "Unhandled")
        if status == 404:
            self.send_header("x-amzn-ErrorType", "ResourceNotFoundException")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def access() -> Iterator[Access]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Lambda) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Access(f"http://localhost:{server.server_port}")
        server.shutdown()


def test_an_answer_with_its_figures(access: Access) -> None:
    got = remote.invoke(access, "it", "us-east-1", b'{"n": 1}')
    assert (got.status, got.request_id, got.response) == ("success", "the-id", b'{"n": 1}')
    assert (got.duration_ms, got.billed_ms, got.init_ms, got.max_memory_mb) == (12.34, 613, 600.1, 61)


def test_a_function_that_fails_and_one_that_is_not_there(access: Access) -> None:
    assert remote.invoke(access, "failing", "us-east-1", b"{}").status == "error"
    with pytest.raises(LayersError) as error:
        remote.invoke(access, "absent", "us-east-1", b"{}")
    assert "ResourceNotFoundException" in error.value.why
