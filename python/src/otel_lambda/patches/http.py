"""One span for a request of an HTTP client: the stable HTTP conventions, context in the headers, one span where clients build upon each other."""

import os
from urllib.parse import urlsplit

from .. import tracing
from ..say import cause, say
from . import hide, qualified, text

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


class Request:
    """
    A request under way, as a context manager: its span is current inside, and it ends with an error when the block raises.

    `headers` are what the context is written to, or None; `restore` takes it out of them again.
    """

    __slots__ = ("_before", "_quiet", "_use", "headers", "span")

    def __init__(self, span, headers):
        """`span` is running."""
        self.span, self.headers, self._before = span, headers, {}
        self._use = tracing.use(span)

    def __enter__(self):
        """Make the span current, and write its context into the headers."""
        self._use.__enter__()
        self._quiet = tracing.suppress()  # of what is current now
        self._quiet.__enter__()
        if self.headers is not None:
            try:
                fields = {}
                tracing.inject(fields)
                self._before = {key: self.headers.get(key) for key in fields}
                self.headers.update(fields)
            except Exception as exc:  # noqa: BLE001 - the request goes as the user made it
                say(f"a request carries no trace context: {cause(exc)}", topic="http headers")
        return self

    def __exit__(self, kind, exc, trace):
        """End the span; the error passes."""
        try:
            self._quiet.__exit__(None, None, None)
            self._use.__exit__(None, None, None)
            if exc is not None:
                hide(exc, trace)
                self.failed(exc)
            if self._before:
                self.restore(self.headers)
        except Exception as problem:  # noqa: BLE001 - never break the function
            say(f"a request's span is incomplete: {cause(problem)}", topic="http span")
        finally:
            self.span.end()

    def restore(self, headers):
        """Make `headers` what they were before the context was written to them, so that the function sees its request as it made it."""
        for key, value in self._before.items():
            if value is None:
                headers.pop(key, None)
            else:
                headers[key] = value

    def answered(self, read, response):
        """What came back; `read(self, response)` calls `status`. It never raises: a function may have a client that answers with anything."""
        try:
            read(self, response)
        except Exception as exc:  # noqa: BLE001 - never break the function
            say(f"a request's span is incomplete: {cause(exc)}", topic="http span")

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
