"""A web server and AWS for functions under test: what arrived, and answers by path. AWS is moto, behind a proxy that takes down each request."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from otel_layers import toolchain
from parts import PROJECT
from sandbox import Quiet, serving


@dataclass
class Arrived:
    """One request as the server saw it; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A server that is running, and what arrived since `arrived` was emptied."""

    port: int = 0
    arrived: list[Arrived] = field(default_factory=list)


class _Noting(Quiet):
    state: Server

    def note(self) -> Arrived:
        """Take down this request."""
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = b"".join(iter(self._chunk, b"")) if chunked else self.body()
        arrived = Arrived(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        self.state.arrived.append(arrived)
        return arrived

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline(), 16)
        return self.rfile.read(size + 2)[:-2]

    def answer(self) -> None:
        """To any method."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        """http.server looks for `do_` and the method."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)


class _Web(_Noting):
    def answer(self) -> None:
        path = self.note().path.partition("?")[0]
        if "://" in path:  # sent to a proxy
            path = "/" + path.partition("://")[2].partition("/")[2]
        if path.startswith("/status/"):
            self.reply(int(path[8:]), b"x")
        elif path in ("/redirect", "/loop"):
            self.reply(302, b"", {"Location": "/ok" if path == "/redirect" else "/loop"})
        elif path == "/hang":
            threading.Event().wait(1)  # longer than the client does
            self.close_connection = True
        elif path == "/drop":
            self.close_connection = True
        elif path == "/stream":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nabc\r\n" * 3 + b"0\r\n\r\n")
        else:
            self.reply(200, b"ok")


@contextmanager
def web() -> Iterator[Server]:
    """A web server."""
    state = Server()
    with serving(type("Web", (_Web,), {"state": state})) as state.port:
        yield state


_MODEL = {
    "output": {"message": {"role": "assistant", "content": [{"text": "a"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
    "metrics": {"latencyMs": 1},
}


@contextmanager
def aws() -> Iterator[Server]:
    """AWS's services. Lambda's functions and Bedrock's models, which moto cannot run, answer at once; one function fails twice before."""
    toolchain.use(PROJECT, "aws")
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()  # its state is this process's
    state, failures = Server(), []

    class Proxy(_Noting):
        def answer(self) -> None:
            arrived = self.note()
            if arrived.path.endswith("/invocations"):
                self.reply(200, b'"done"', {"x-amzn-requestid": "r"})
            elif arrived.path.startswith("/model/"):
                self.reply(200, json.dumps(_MODEL).encode(), {"Content-Type": "application/json", "x-amzn-requestid": "r"})
            elif arrived.path.endswith("/flaky"):
                failures.append(arrived)
                self.reply(503 if len(failures) % 3 else 200, b"{}", {"x-amzn-requestid": "r"})
            else:
                self.pass_on(arrived)

        def pass_on(self, arrived: Arrived) -> None:
            connection = http.client.HTTPConnection(host, port)
            connection.request(arrived.method, arrived.path, arrived.body, dict(self.headers.items()))
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for key, text in answer.getheaders():
                if key.lower() not in ("transfer-encoding", "connection", "content-length", "server", "date"):
                    self.send_header(key, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if arrived.method != "HEAD":
                self.wfile.write(body)
            connection.close()

    Proxy.state = state
    try:
        with serving(Proxy) as state.port:
            yield state
    finally:
        moto.stop()
