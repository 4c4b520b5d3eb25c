"""
OTLP over gRPC: one unary call at a time on a kept HTTP/2 connection, with the package h2, which is imported for the first call.

A unary call is a POST whose body has five bytes in front (compressed or not, length) and whose outcome stands in the trailers.
"""

from time import monotonic

from . import huffman
from .network import Failed, Refused, address, connect, left, reason, trust

_SERVICE = "/opentelemetry.proto.collector.{0}.v1.{1}Service/Export"
_NAMES = (  # noqa: SIM905 - reads better
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION "
    "ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
).split()


class _Stale(Exception):
    """The connection ended before anything of the answer came."""


class _Session:
    """A connection: the socket, and the state of HTTP/2 on it."""

    __slots__ = ("protocol", "socket")

    def close(self):
        """Close the socket."""
        self.socket.close()


class _Answer:
    """What has come of one call's answer."""

    __slots__ = ("body", "done", "headers", "refused")

    def __init__(self):
        self.headers, self.body, self.done, self.refused = {}, b"", False, False


class Transport:
    """Calls the Export method of one signal's service."""

    def __init__(self, destination, line):
        """To `destination` over `line`."""
        self.url, self.line, self._destination = destination.url, line, destination
        self._secure, self._authority, self._host, self._port, _ = address(destination.url)
        signal = destination.signal.removesuffix("s") if destination.signal == "traces" else destination.signal
        self._path = _SERVICE.format(signal, signal.capitalize())
        self._metadata = {key.lower(): value for key, value in destination.headers.items()}

    def post(self, body, seconds, extra=None):
        """Deliver `body` within `seconds` and give the answer's message, or raise Failed; `extra` is metadata of this call only."""
        compressed = self._destination.gzip
        if compressed:
            import gzip

            body = gzip.compress(body, 1)
        frame = bytes((compressed,)) + len(body).to_bytes(4, "big") + body
        deadline = monotonic() + seconds
        with huffman.place():
            from h2.exceptions import ProtocolError

        self.line.own()
        try:
            answer = self._again(frame, {**self._metadata, **(extra or {})}, deadline)
        except (OSError, ProtocolError) as exc:
            self.line.close()
            raise Failed(reason(exc, seconds) if isinstance(exc, OSError) else f"the other side does not speak HTTP/2: {type(exc).__name__}") from exc
        return _outcome(answer)

    def _again(self, frame, metadata, deadline):
        """The answer; a kept connection that ended before it answered is replaced once."""
        session = self.line.connection
        if session is not None and _ended(session):
            self.line.close()
        kept = self.line.connection is not None
        for _ in range(2 if kept else 1):
            try:
                return self._call(frame, metadata, deadline)
            except _Stale:
                self.line.close()
        raise ConnectionError("closed without an answer")

    def _call(self, frame, metadata, deadline):
        if self.line.connection is None:
            self.line.connection = self._open(deadline)
        session = self.line.connection
        protocol = session.protocol
        stream, sent, answer = protocol.get_next_available_stream_id(), 0, _Answer()
        protocol.send_headers(stream, self._headers(metadata, deadline))
        while not answer.done:
            while sent < len(frame) and not answer.done:
                room = min(protocol.local_flow_control_window(stream), protocol.max_outbound_frame_size, len(frame) - sent)
                if room <= 0:
                    break  # until the other side makes room
                protocol.send_data(stream, frame[sent : sent + room], end_stream=sent + room == len(frame))
                sent += room
            _exchange(session, stream, answer, deadline)
        return answer

    def _headers(self, metadata, deadline):
        fields = [
            (":method", "POST"),
            (":scheme", "https" if self._secure else "http"),
            (":path", self._path),
            (":authority", self._authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "otel-lambda-python"),
            ("grpc-timeout", f"{int(left(deadline) * 1000) + 1}m"),
        ]
        if self._destination.gzip:
            fields.append(("grpc-encoding", "gzip"))
        return fields + list(metadata.items())

    def _open(self, deadline):
        with huffman.place():
            from h2.config import H2Configuration
            from h2.connection import H2Connection

        session = _Session()
        session.socket = connect(self._host, self._port, deadline)
        try:
            if self._secure:
                session.socket = self._encrypted(session.socket, deadline)
            session.protocol = H2Connection(H2Configuration(client_side=True, header_encoding=None))
            session.protocol.initiate_connection()
        except BaseException:
            session.close()
            raise
        return session

    def _encrypted(self, plain, deadline):
        import socket

        context = trust(self._destination)
        context.set_alpn_protocols(["h2"])
        plain.settimeout(left(deadline))
        with socket.socket(fileno=plain.detach()) as raw:
            secure = context.wrap_socket(raw, server_hostname=self._host)
        if secure.selected_alpn_protocol() != "h2":
            secure.close()
            raise ConnectionError("the other side does not speak HTTP/2")
        return secure


def _exchange(session, stream, answer, deadline):
    """Send what is to be sent, wait for something, and take in what has come."""
    try:
        session.socket.settimeout(left(deadline))
        session.socket.sendall(session.protocol.data_to_send())
        data = session.socket.recv(65536)
    except (ConnectionResetError, BrokenPipeError) as exc:
        if not answer.headers:
            raise _Stale from exc
        raise
    if not data:
        if not answer.headers:
            raise _Stale
        raise ConnectionError("closed within the answer")
    if data.startswith(b"HTTP/1"):  # no frame begins so, and h2 would wait for the rest of one
        raise ConnectionError("the other side does not speak HTTP/2")
    for event in session.protocol.receive_data(data):
        kind = type(event).__name__
        if kind == "ConnectionTerminated":
            if event.last_stream_id is not None and event.last_stream_id < stream:
                raise _Stale  # it says that it did not take the call
        elif getattr(event, "stream_id", None) != stream:
            continue
        elif kind in ("ResponseReceived", "TrailersReceived"):
            answer.headers.update(event.headers)
        elif kind == "DataReceived":
            answer.body += event.data
            session.protocol.acknowledge_received_data(event.flow_controlled_length, stream)
        elif kind == "StreamEnded":
            answer.done = True
        elif kind == "StreamReset":
            answer.done = answer.refused = True


def _outcome(answer):
    """The answer's message; Refused when the call did not succeed."""
    found = {key.decode("latin-1"): value.decode("latin-1") for key, value in answer.headers.items()}
    status, http = found.get("grpc-status", ""), found.get(":status", "")
    if status == "0":
        return answer.body[5:]
    if not status:
        raise Refused(f"HTTP status {http}" if http not in ("", "200") else "the call was reset" if answer.refused else "the answer is not gRPC")
    name = _NAMES[int(status)] if status.isdigit() and int(status) < len(_NAMES) else status
    why = found.get("grpc-message", "")
    if "%" in why:
        from urllib.parse import unquote

        why = unquote(why)
    raise Refused(f"gRPC status {name}" + (f": {why[:200]}" if why else ""))


def _ended(session):
    """Whether the other side has closed a kept connection, or is about to; what else it sent meanwhile is taken in."""
    from h2.exceptions import ProtocolError

    session.socket.settimeout(0)
    try:
        while True:
            data = session.socket.recv(65536)
            if not data:
                return True
            if any(type(event).__name__ == "ConnectionTerminated" for event in session.protocol.receive_data(data)):
                return True
    except (OSError, ProtocolError) as exc:
        # With TLS "nothing there" has an error of its own.
        return not isinstance(exc, BlockingIOError) and type(exc).__name__ != "SSLWantReadError"
