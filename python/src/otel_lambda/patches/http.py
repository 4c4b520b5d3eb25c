"""One span for a request of an HTTP client: the stable HTTP conventions, context in the headers, one span where clients build upon each other."""

import os
from urllib.parse import urlsplit

from .. import tracing
from ..say import cause, say
from . import Call, qualified, text

_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"))
_PORTS = {"http": 80, "https": 443}
_VERSIONS = {9: "0.9", 10: "1.0", 11: "1.1", 20: "2", 30: "3"}


class Excluded:
    """The URLs of one library that the user wants no spans of."""

    def __init__(self, library):
        """`library`: as its variable spells it, in capitals."""
        env = os.environ
        patterns = env.get(f"OTEL_PYTHON_{library}_EXCLUDED_URLS", env.get("OTEL_PYTHON_EXCLUDED_URLS", ""))
        self._search = None
        if patterns:
            import re

            try:
                self._search = re.compile("|".join(p.strip() for p in patterns.split(","))).search
            except re.error as exc:
                say(f"OTEL_PYTHON_EXCLUDED_URLS or OTEL_PYTHON_{library}_EXCLUDED_URLS is no regular expression, so nothing is excluded: {exc}")

    def __call__(self, url):
        """Whether `url` is one of them."""
        return self._search is not None and self._search(url) is not None


class Request(Call):
    """A request under way; `headers` are what its context is written to, and taken out of again at the end."""

    __slots__ = ("_before", "headers")

    def __init__(self, span, headers):
        """`headers`: a dict or the like."""
        super().__init__(span)
        self.headers, self._before = headers, {}

    def __enter__(self):
        """Write the context into the headers."""
        super().__enter__()
        self.guarded(self._inject)
        return self

    def _inject(self):
        fields = {}
        tracing.inject(fields)
        self._before = {key: self.headers.get(key) for key in fields}
        self.headers.update(fields)

    def __exit__(self, kind, exc, trace):
        """Clean the headers, and end the span; the error passes."""
        self.guarded(self.restore, self.headers)
        super().__exit__(kind, exc, trace)

    def restore(self, headers):
        """Make `headers` what they were before the context was written to them, so that the function sees its request as it made it."""
        for key, value in self._before.items():
            if value is None:
                headers.pop(key, None)
            else:
                headers[key] = value

    def answered(self, read, response):
        """What came back; `read(self, response)` calls `status`. A function may have a client that answers with anything."""
        self.guarded(read, self, response)

    def status(self, code, version=None):
        """The status code, and the protocol as http.client numbers it; 4xx and 5xx are errors of a client."""
        if isinstance(code, int):
            self.span.set_attribute("http.response.status_code", int(code))
            if code >= 400:
                self.span.fail(str(int(code)))
        if version in _VERSIONS:
            self.span.set_attribute("network.protocol.version", _VERSIONS[version])

    def failed(self, exc):
        """The request ended with `exc`: one that brings an answer of the server with it, or none."""
        code = getattr(exc, "code", None)  # of urllib.error.HTTPError
        if isinstance(code, int):
            self.status(code, getattr(getattr(exc, "fp", None), "version", None))
            if code >= 400:
                return
        response = getattr(exc, "response", None)  # of requests' exceptions
        if response is not None:
            self.status(getattr(response, "status_code", None), getattr(getattr(response, "raw", None), "version", None))
        kind = type(exc)
        self.span.fail(qualified(kind), f"{kind.__qualname__}: {text(exc)}", exc)


def begin(library, excluded, describe, *arguments):
    """
    A `Request` to make current around the call, or None when it shall have no span. It never raises.

    `describe(*arguments)` gives the method, the URL, the headers to write to and further attributes, or None when the call is no HTTP request.
    """
    try:
        if tracing.suppressed(http=True):
            return None
        described = describe(*arguments)
        if described is None or excluded(described[1]):
            return None
        method, url, headers, attributes = described
        address = urlsplit(url)
        port = address.port or _PORTS.get(address.scheme)
        asked = method.strip().upper()
        known = asked in _METHODS
        found = {"http.request.method": asked if known else "_OTHER", "url.full": url, **attributes}
        if not known:
            found["http.request.method_original"] = asked
        if address.hostname:
            found["server.address"] = address.hostname
            if port:
                found["server.port"] = port
        return Request(tracing.start(asked if known else "HTTP", tracing.CLIENT, found, scope="otel_lambda." + library), headers)
    except Exception as exc:  # noqa: BLE001 - the library will say what is wrong with the request, if something is
        say(f"a request has no span: {cause(exc)}", topic="http request")
        return None


def read(call, response):
    """Of a response as http.client and urllib3 have it."""
    call.status(getattr(response, "status", None), getattr(response, "version", None))
