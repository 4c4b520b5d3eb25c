"""
One HTTP POST at a time over a kept connection, never longer than it is allowed.

Plain HTTP, which is what the collector beside the function speaks, goes over the interpreter's own `_socket`: http.client
(with email and ssl) and socket cost ten times as much to import as everything here. https takes http.client.
"""

import errno
from time import monotonic

from .network import Failed, Line, Refused, address, connect, left, reason, trust


class _Stale(Exception):
    """The kept connection ended before it answered anything."""


def to(destination, lines):
    """What posts to `destination`; `lines` holds the connections of all signals."""
    origin = destination.url.split("/", 3)[:3]
    files = destination.certificate, destination.client_certificate, destination.client_key
    line = lines.setdefault((destination.protocol == "grpc", *origin, *files), Line())
    if destination.protocol == "grpc":
        from .rpc import Transport as Calls

        return Calls(destination, line)
    return Transport(destination, line)


class Transport:
    """POSTs to one address."""

    def __init__(self, destination, line):
        """To `destination` over `line`."""
        self.url, self.line = destination.url, line
        self._destination = destination
        self._secure, self._authority, self._host, self._port, self._path = address(destination.url)
        self._compress = destination.gzip
        kind = "application/json" if destination.protocol == "http/json" else "application/x-protobuf"
        self._headers = {"Content-Type": kind, **({"Content-Encoding": "gzip"} if self._compress else {}), **destination.headers}

    def post(self, body, seconds, extra=None):
        """Deliver `body` within `seconds` and give the answer's body, or raise Failed; `extra` are headers of this request only."""
        if self._compress:
            import gzip

            body = gzip.compress(body, 1)
        deadline = monotonic() + seconds
        self.line.own()
        try:
            headers = {**self._headers, **extra} if extra else self._headers
            status, answer = self._post_tls(body, headers, deadline) if self._secure else self._post_plain(body, headers, deadline)
        except OSError as exc:
            self.line.close()
            raise Failed(reason(exc, seconds)) from exc
        if not 200 <= status < 300:
            raise Refused(f"HTTP status {status}")
        return answer

    def _post_plain(self, body, headers, deadline):
        lines = [f"POST {self._path} HTTP/1.1", f"Host: {self._authority}", f"Content-Length: {len(body)}"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body
        if self.line.connection is not None and _ended(self.line.connection):
            self.line.close()
        kept = self.line.connection is not None
        try:
            return self._exchange(data, deadline)
        except _Stale:
            self.line.close()
            if not kept:
                raise ConnectionResetError(errno.ECONNRESET, "closed without an answer") from None
            # Ended while the sandbox was frozen. Not one byte came back, so it was not taken: once more, on a new connection.
            try:
                return self._exchange(data, deadline)
            except _Stale:
                raise ConnectionResetError(errno.ECONNRESET, "closed without an answer") from None

    def _exchange(self, data, deadline):
        connection = self.line.connection
        if connection is None:
            connection = self.line.connection = connect(self._host, self._port, deadline)
        answer = b""
        try:
            connection.settimeout(left(deadline))
            connection.sendall(data)
            while b"\r\n\r\n" not in answer:
                connection.settimeout(left(deadline))
                more = connection.recv(65536)
                if not more:
                    break
                answer += more
        except (ConnectionResetError, BrokenPipeError) as exc:
            if not answer:
                raise _Stale from exc
            raise
        if not answer:
            raise _Stale
        head, found, rest = answer.partition(b"\r\n\r\n")
        parts = head.split(b"\r\n")[0].split()
        if not found or len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
            raise ConnectionError("the answer is not HTTP")
        return int(parts[1]), self._drain(connection, head.lower(), rest, deadline)

    def _drain(self, connection, head, rest, deadline):
        """The answer's body, so that the connection can be kept; else close it. The status is known, so nothing here is an error."""
        length = None
        for line in head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key == b"content-length" and value.strip().isdigit():
                length = int(value)
            if key == b"connection" and b"close" in value:
                length = None
                break
        if length is None or length > 1 << 20 or head.startswith(b"http/1.0"):
            self.line.close()
            return b""
        try:
            while len(rest) < length:
                connection.settimeout(left(deadline))
                more = connection.recv(65536)
                if not more:
                    break
                rest += more
        except OSError:
            rest = b""
        if len(rest) != length:
            self.line.close()
            return b""
        return rest

    def _post_tls(self, body, headers, deadline):
        import http.client

        if self.line.connection is not None and _tls_ended(self.line.connection):
            self.line.close()
        kept = self.line.connection is not None
        for again in (False, True):
            try:
                connection = self.line.connection
                if connection is None:
                    context = trust(self._destination)
                    connection = self.line.connection = http.client.HTTPSConnection(self._host, self._port, timeout=left(deadline), context=context)
                elif connection.sock is not None:
                    connection.sock.settimeout(left(deadline))
                connection.request("POST", self._path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.line.close()
                if again or not kept:
                    raise
            except http.client.HTTPException as exc:
                raise ConnectionError(f"the answer is not HTTP: {type(exc).__name__}") from exc
        raise ConnectionError("not reached")


def _ended(connection):
    """Whether the other side has closed a kept connection (or sent what nobody asked for): then it is of no use."""
    import _socket

    connection.settimeout(0)
    try:
        connection.recv(1, _socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _tls_ended(connection):
    """The same for https, whose sockets cannot be peeked into."""
    import select

    if connection.sock is None:
        return True
    watch = select.poll()
    watch.register(connection.sock, select.POLLIN)
    return bool(watch.poll(0))
