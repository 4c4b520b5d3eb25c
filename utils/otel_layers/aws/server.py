"""The embedded AWS as a process: `python -m otel_layers.aws.server`. Loopback only; its state is in memory and ends with it."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable
from typing import Any

# Read by moto when it is imported: a region that is newer than botocore is as good as any.
os.environ.setdefault("MOTO_ALLOW_NONEXISTENT_REGION", "true")
os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")
for _name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    os.environ[_name] = "embedded"  # moto's own clients; never the user's
for _name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
    os.environ.pop(_name, None)
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

from . import faults  # noqa: E402


def main(arguments: list[str]) -> int:
    """Serve until stdin ends (with --until-eof) or a signal comes; says its port as one line of JSON on stdout."""
    parser = argparse.ArgumentParser(prog="otel_layers.aws.server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--root", default="", help="told to who asks for the health, to tell servers apart")
    parser.add_argument("--faults", default="{}", help='JSON: {"faults": {REGION: KIND}, "latency": SECONDS}')
    parser.add_argument("--stacks", action="store_true", help="load CloudFormation now, not when it is first asked for")
    parser.add_argument("--until-eof", action="store_true", help="end when stdin ends: with the process that started it")
    args = parser.parse_args(arguments)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    from moto import backends
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import ThreadedWSGIServer

    from . import access_parts, lambda_parts

    class Handler(MotoRequestHandler):
        wbufsize = -1  # one write per response; unbuffered ones wait for each other's acknowledgement
        disable_nagle_algorithm = True

        def run_wsgi(self) -> None:
            """S3 uploads wait for this line, a second at most: it must not stay in the buffer."""
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.wfile.flush()
                del self.headers["Expect"]
            super().run_wsgi()

        def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """A connection that a fault closed is no news."""

    class Server(ThreadedWSGIServer):
        daemon_threads = True  # a hanging region's threads do not keep the process

    control = faults.Control()
    control.replace(args.faults.encode())
    # Asked for with every request: it looks at each of moto's folders.
    services = frozenset(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: services
    moto = DomainDispatcherApplication(create_backend_app)
    app = faults.around(lambda_parts.slim(_with_stacks(moto)), control, lambda_parts.PAGES, {"root": args.root})
    server = Server("127.0.0.1", args.port, app, handler=Handler)
    lambda_parts.install(f"http://localhost:{server.port}")
    access_parts.install()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os._exit(0))
    if args.until_eof:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    if args.stacks:
        threading.Thread(target=_stacks, daemon=True).start()
    print(json.dumps({"port": server.port, "pid": os.getpid()}), flush=True)
    os.dup2(2, 1)  # nobody reads stdout any more: what moto prints goes to the log
    server.serve_forever()
    return 0


def _with_stacks(moto: faults.App) -> faults.App:
    """`moto`, with CloudFormation's missing parts added before its first request."""

    def serve(environ: faults.Environ, start: faults.Start) -> Iterable[bytes]:
        if "/cloudformation/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            _stacks()
        return moto(environ, start)

    return serve


_loading = threading.Lock()


def _stacks() -> None:
    with _loading:
        if "otel_layers.aws.stack_parts" not in sys.modules:
            from . import stack_parts

            stack_parts.install()


def _end_with_stdin() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
