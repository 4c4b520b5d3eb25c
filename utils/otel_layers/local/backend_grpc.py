"""OTLP over gRPC: the three services by the names in their official descriptors, messages decoded here so that bad ones are counted."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from .backend_faults import GARBAGE, Switch, status
from .backend_http import MAX_BODY
from .backend_store import Received, Store
from .forward import Forwarder
from .otlp_json import SIGNALS, Signal, Undecodable, decode

_CODES = {
    "400": grpc.StatusCode.INVALID_ARGUMENT,
    "401": grpc.StatusCode.UNAUTHENTICATED,
    "403": grpc.StatusCode.PERMISSION_DENIED,
    "404": grpc.StatusCode.UNIMPLEMENTED,
    "429": grpc.StatusCode.UNAVAILABLE,
    "500": grpc.StatusCode.INTERNAL,
    "503": grpc.StatusCode.UNAVAILABLE,
}


class GrpcServer:
    """A gRPC server on 127.0.0.1:`port`, behind a forwarder that can cut its connections."""

    def __init__(self, port: int, store: Store, faults: Switch) -> None:
        self._store, self._faults = store, faults
        self._pool = ThreadPoolExecutor(32, thread_name_prefix="otlp-grpc")
        # Without so_reuseport 0 a second server on the same port would silently take half of the connections.
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MAX_BODY)]
        self._server = grpc.server(self._pool, options=options)
        for signal in SIGNALS.values():
            _, service, method = signal.method.split("/")
            handler = grpc.unary_unary_rpc_method_handler(self._export(signal), lambda body: body, bytes)
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        behind = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        self._front = Forwarder(listener, ("127.0.0.1", behind))

    def stop(self) -> None:
        """Close the listening socket and every connection; requests that hang must have been let go."""
        self._front.close()
        self._server.stop(grace=None).wait()
        self._pool.shutdown(wait=True)

    def _export(self, signal: Signal) -> Callable[[bytes, Any], Any]:
        def export(body: bytes, context: Any) -> Any:
            ticket = self._faults.take()
            fault = ticket.fault
            port = int(context.peer().rpartition(":")[2])
            if fault.kind == "hanging":
                self._store.refuse("hanging")
                ticket.over.wait()
                context.abort(grpc.StatusCode.UNAVAILABLE, "was told to hang")
            with self._store.handling():
                if fault.kind in _CODES:
                    self._store.refuse(fault.kind)
                    self._fail(context, fault.kind, fault.seconds)
                if fault.kind in ("cut-connection", "garbage"):
                    self._store.refuse(fault.kind)
                    self._front.cut(port, GARBAGE if fault.kind == "garbage" else b"")
                    context.abort(grpc.StatusCode.UNAVAILABLE, "was told to end the connection")
                try:
                    message = decode(signal, "protobuf", body)
                except Undecodable as exc:
                    self._store.undecodable(str(exc))
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(exc))
                sent = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
                compression = sent.get("grpc-encoding", "")
                self._store.add(Received(signal.name, "grpc", "protobuf", compression, message, time.time_ns(), port, len(body)))
                ticket.hold()
                if ticket.cuts:
                    self._front.cut(port)
                return GARBAGE if fault.kind == "garbage-body" else signal.response().SerializeToString()

        return export

    @staticmethod
    def _fail(context: Any, kind: str, seconds: float) -> None:
        words = f"told to answer {kind}"
        if kind in ("429", "503") and seconds:  # OTLP: UNAVAILABLE with RetryInfo is how a server asks for patience
            details = status(grpc.StatusCode.UNAVAILABLE.value[0], words, seconds)
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
        context.abort(_CODES[kind], words)
