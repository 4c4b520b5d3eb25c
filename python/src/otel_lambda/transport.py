"""
One HTTP POST at a time over a kept connection, never longer than it is allowed.

Plain HTTP, which is what the collector beside the function speaks, goes over the interpreter's own `_socket`: http.client
(with email and ssl) and socket cost ten times as much to import as everything here. https takes http.client.
"""

import errno
import os
from time import monotonic


class Failed(Exception):
    """The POST was not accepted; the text says why."""


class Refused(Failed):
    """The other side answered with a status that is not success: it is there, and this body was not wanted."""


class _Stale(Exception):
    """The kept connection ended before it answered anything."""


class Transport:
    """POSTs to one address."""

    def __init__(self, url, headers, compress):
        """`url` with scheme; `headers` go with every request; `compress` the bodies with gzip."""
        self.url = url
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        self._secure = scheme == "https"
        self._authority = authority.rpartition("@")[2]
        host, colon, port = self._authority.rpartition(":")
        if not colon or not port.isdigit():
            host, port = self._authority, "443" if self._secure else "80"
        self._host, self._port, self._path = host.strip("[]"), int(port), slash + path or "/"
        self._headers, self._compress = dict(headers), compress
        self._connection = None
        self._owner = 0

    def post(self, body, seconds, extra=None):
        """Deliver `body` within `seconds`, or raise Failed; `extra` are headers of this request only."""
        if self._compress:
            import gzip

            body = gzip.compress(body, 1)
        deadline = monotonic() + seconds
        if self._owner != os.getpid():
            self._connection, self._owner = None, os.getpid()  # after a fork the parent's connection is not ours
        try:
            headers = {**self._headers, **extra} if extra else self._headers
            status = self._post_tls(body, headers, deadline) if self._secure else self._post_plain(body, headers, deadline)
        except OSError as exc:
            self.close()
            raise Failed(_reason(exc, seconds)) from exc
        if not 200 <= status < 300:
            raise Refused(f"HTTP status {status}")

    def close(self):
        """Forget the kept connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _post_plain(self, body, headers, deadline):
        lines = [f"POST {self._path} HTTP/1.1", f"Host: {self._authority}", "Content-Type: application/x-protobuf", f"Content-Length: {len(body)}"]
        lines += ["Content-Encoding: gzip"] if self._compress else []
        lines += [f"{key}: {value}" for key, value in headers.items()]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body
        if self._connection is not None and _ended(self._connection):
            self.close()
        kept = self._connection is not None
        try:
            return self._exchange(data, deadline)
        except _Stale:
            self.close()
            if not kept:
                raise ConnectionResetError(errno.ECONNRESET, "closed without an answer") from None
            # Ended while the sandbox was frozen. Not one byte came back, so it was not taken: once more, on a new connection.
            try:
                return self._exchange(data, deadline)
            except _Stale:
                raise ConnectionResetError(errno.ECONNRESET, "closed without an answer") from None

    def _exchange(self, data, deadline):
        connection = self._connection
        if connection is None:
            connection = self._connection = _connect(self._host, self._port, deadline)
        answer = b""
        try:
            connection.settimeout(_left(deadline))
            connection.sendall(data)
            while b"\r\n\r\n" not in answer:
                connection.settimeout(_left(deadline))
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
        self._drain(connection, head.lower(), rest, deadline)
        return int(parts[1])

    def _drain(self, connection, head, rest, deadline):
        """Read the answer's body away, so that the connection can be kept; else close it. The status is known, so nothing here is an error."""
        length = None
        for line in head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key == b"content-length" and value.strip().isdigit():
                length = int(value)
            if key == b"connection" and b"close" in value:
                length = None
                break
        if length is None or length > 1 << 20 or head.startswith(b"http/1.0"):
            self.close()
            return
        try:
            while len(rest) < length:
                connection.settimeout(_left(deadline))
                more = connection.recv(65536)
                if not more:
                    break
                rest += more
        except OSError:
            rest = b""
        if len(rest) != length:
            self.close()

    def _post_tls(self, body, headers, deadline):
        import http.client
        import ssl

        headers = {"Content-Type": "application/x-protobuf", **headers}
        if self._compress:
            headers["Content-Encoding"] = "gzip"
        if self._connection is not None and _tls_ended(self._connection):
            self.close()
        kept = self._connection is not None
        for again in (False, True):
            try:
                connection = self._connection
                if connection is None:
                    trust = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE") or os.environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE") or None
                    if trust and not os.path.isfile(trust):
                        raise Failed(f"OTEL_EXPORTER_OTLP_CERTIFICATE names {trust}, which is no file")
                    context = ssl.create_default_context(cafile=trust)
                    connection = self._connection = http.client.HTTPSConnection(self._host, self._port, timeout=_left(deadline), context=context)
                elif connection.sock is not None:
                    connection.sock.settimeout(_left(deadline))
                connection.request("POST", self._path, body, headers)
                answer = connection.getresponse()
                answer.read()
                return answer.status
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.close()
                if again or not kept:
                    raise
            except http.client.HTTPException as exc:
                raise ConnectionError(f"the answer is not HTTP: {type(exc).__name__}") from exc
        raise ConnectionError("not reached")


def _connect(host, port, deadline):
    import _socket

    if host == "localhost":
        addresses = [(_socket.AF_INET, ("127.0.0.1", port)), (_socket.AF_INET6, ("::1", port))]  # no look-up
    else:
        addresses = [(entry[0], entry[4]) for entry in _socket.getaddrinfo(host, port, 0, _socket.SOCK_STREAM)]
    failure = None
    for family, address in addresses:
        connection = None
        try:
            connection = _socket.socket(family, _socket.SOCK_STREAM)
            connection.settimeout(_left(deadline))
            connection.connect(address)
            connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            return connection
        except OSError as exc:
            if connection is not None:
                connection.close()
            failure = failure or exc
    raise failure or OSError(f"no address for {host}")


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


def _left(deadline):
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _reason(exc, seconds):
    if isinstance(exc, TimeoutError):
        return f"no answer within {seconds:.1f} s"
    return (exc.strerror or str(exc) or type(exc).__name__).lower()
