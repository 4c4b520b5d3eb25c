"""Addresses, connections, certificates and time: what speaking HTTP/1.1 and gRPC has in common."""

import os
from time import monotonic


class Failed(Exception):
    """The POST was not accepted; the text says why."""


class Refused(Failed):
    """The other side answered with a status that is not success: it is there, and this body was not wanted."""


class Line:
    """The kept connection to one place, which the signals that go there share."""

    __slots__ = ("connection", "owner")

    def __init__(self):
        self.connection, self.owner = None, 0

    def own(self):
        """After a fork the parent's connection is not ours."""
        if self.owner != os.getpid():
            self.connection, self.owner = None, os.getpid()

    def close(self):
        """Forget the connection."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


def address(url):
    """Whether it is secure, the authority, host, port and path of `url`."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    authority = authority.rpartition("@")[2]
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isdigit():
        host, port = authority, "443" if scheme == "https" else "80"
    return scheme == "https", authority, host.strip("[]"), int(port), slash + path or "/"


def trust(destination):
    """The TLS context with the destination's certificates; Failed when one of its files is none."""
    import ssl

    d = destination
    for name, path in (("CERTIFICATE", d.certificate), ("CLIENT_CERTIFICATE", d.client_certificate), ("CLIENT_KEY", d.client_key)):
        if path and not os.path.isfile(path):
            raise Failed(f"OTEL_EXPORTER_OTLP_{name} names {path}, which is no file")
    context = ssl.create_default_context(cafile=d.certificate or None)
    if d.client_certificate:
        context.load_cert_chain(d.client_certificate, d.client_key or None)
    return context


def connect(host, port, deadline):
    """A connected `_socket.socket`."""
    import _socket

    if host == "localhost":
        addresses = [(_socket.AF_INET, ("127.0.0.1", port)), (_socket.AF_INET6, ("::1", port))]  # no look-up
    else:
        known = host.encode() if host.isascii() else host  # a str makes the interpreter import its tables for international names
        addresses = [(entry[0], entry[4]) for entry in _socket.getaddrinfo(known, port, 0, _socket.SOCK_STREAM)]
    failure = None
    for family, place in addresses:
        connection = None
        try:
            connection = _socket.socket(family, _socket.SOCK_STREAM)
            connection.settimeout(left(deadline))
            connection.connect(place)
            connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            return connection
        except OSError as exc:
            if connection is not None:
                connection.close()
            failure = failure or exc
    raise failure or OSError(f"no address for {host}")


def left(deadline):
    """Seconds until `deadline`; TimeoutError when there are none."""
    seconds = deadline - monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def reason(exc, seconds):
    """Why a connection failed, in words."""
    if isinstance(exc, TimeoutError):
        return f"no answer within {seconds:.1f} s"
    return (exc.strerror or str(exc) or type(exc).__name__).lower()
