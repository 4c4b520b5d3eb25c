"""An HTTP server that keeps what it is sent, and answers as the services do that exporters and authenticators talk to."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {
    "/token": {"access_token": "fresh", "token_type": "Bearer", "expires_in": 3600},
    "/TraceSegments": {"UnprocessedTraceSegments": []},
}


@dataclass(frozen=True)
class Request:
    """One request, its body plain; the names of headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Recorder:
    """Where it listens, and what came so far."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)

    def at(self, path: str) -> list[Request]:
        """What came for paths that begin with `path`."""
        return [one for one in self.requests if one.path.startswith(path)]


@contextmanager
def recorder(objects: Mapping[str, bytes] | None = None, calls: Mapping[str, object] | None = None) -> Iterator[Recorder]:
    """
    A server on loopback until the end of the block.

    `objects` is what a GET of a path answers, `calls` what a call of a JSON service of AWS does, by the last part of its X-Amz-Target.
    """
    kept = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            kept.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            # The JSON services of AWS answer an object; OTLP's backend and Prometheus nothing at all.
            target = str(self.headers.get("X-Amz-Target") or "").rpartition(".")[2]
            known = ANSWERS.get(self.path, (calls or {}).get(target, {}) if target else None)
            self.answer(b"" if known is None else json.dumps(known).encode())

        def do_GET(self) -> None:
            kept.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, b""))
            self.answer((objects or {}).get(self.path.partition("?")[0]))

        def answer(self, answer: bytes | None) -> None:
            self.send_response(200 if answer is not None else 404)
            answer = answer or b""
            self.send_header("Content-Type", "application/json" if answer else "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
