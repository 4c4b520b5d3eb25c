"""No span carries the credentials that URLs carry."""

from __future__ import annotations

import pytest
from sandbox import attributes, receiving

FETCH = """
    import urllib.request

    def handler(event, context):
        try:
            return urllib.request.urlopen(event["url"].replace("PORT", "{port}")).status
        except Exception as exc:
            return repr(exc)
"""


def test_a_presigned_url_of_an_http_client(start, receiver, python):
    query = "X-Amz-Algorithm=A&X-Amz-Credential=SECRET%2F1&X-Amz-Date=D&X-Amz-Security-Token=SECRET%3D&X-Amz-Signature=SECRET"
    with receiving() as there:
        there.answer = lambda _: 200
        function = start(python, FETCH.format(port=there.port).replace('["url"])', '["url"], data=b"x")'))
        function.invoke({"url": f"http://127.0.0.1:PORT/b/k?{query}&x=1"})
        function.invoke({"url": "http://name:SECRET@127.0.0.1:PORT/"})
    urls = [attributes(s)["url.full"] for s in receiver.spans() if s.kind == 3]
    port = there.port
    kept = "X-Amz-Algorithm=A&X-Amz-Credential=REDACTED&X-Amz-Date=D&X-Amz-Security-Token=REDACTED&X-Amz-Signature=REDACTED&x=1"
    assert urls == [f"http://127.0.0.1:{port}/b/k?{kept}", f"http://REDACTED:REDACTED@127.0.0.1:{port}/"]
    assert all(b"SECRET" not in body for _, body in receiver.requests)


TEXTS = {
    "https://h/p?AWSAccessKeyId=SECRET&Signature=SECRET%3D&Expires=1": "https://h/p?AWSAccessKeyId=REDACTED&Signature=REDACTED&Expires=1",
    "https://h/p?sig=SECRET#top": "https://h/p?sig=REDACTED#top",
    "https://h/p?a=1&X-Goog-Signature=SECRET": "https://h/p?a=1&X-Goog-Signature=REDACTED",
    "https://h/p?x-amz-security-token=SECRET": "https://h/p?x-amz-security-token=REDACTED",
    "/p?X-Amz-Credential=SECRET (Caused by x)": "/p?X-Amz-Credential=REDACTED (Caused by x)",
    "https://h/?next=https%3A%2F%2Fi%2F%3Fa%3D1%26X-Amz-Signature%3DSECRET%26b%3D2&c=3": (
        "https://h/?next=https%3A%2F%2Fi%2F%3Fa%3D1%26X-Amz-Signature%3DREDACTED%26b%3D2&c=3"
    ),
    "postgresql://me:SEC@RET@db:5432/x": "postgresql://REDACTED:REDACTED@db:5432/x",
    "https://SECRET@h/": "https://REDACTED@h/",
    "https://h/@me?signal=1&design=2&mail=a@b": "https://h/@me?signal=1&design=2&mail=a@b",
    "select '?' where sig = 1": "select '?' where sig = 1",
    "": "",
}

SPANS = """
    from opentelemetry import trace
    tracer = trace.get_tracer("mine")

    def handler(texts, context):
        for text in texts:
            with tracer.start_as_current_span("work", attributes={"any": text, "list": [text]}) as span:
                span.add_event("seen", {"text": text})
                span.set_status(trace.StatusCode.ERROR, text)
        with tracer.start_as_current_span("query", attributes={"url.query": "sig=SECRET&b=1", "other": "sig=1"}):
            raise OSError("GET https://h/?sig=SECRET failed")
"""


def test_every_text_of_a_span(start, receiver, version):
    function = start(version, SPANS)
    function.invoke(list(TEXTS))
    spans = receiver.spans()
    work = [s for s in spans if s.name == "work"]
    for span, clean in zip(work, TEXTS.values(), strict=True):
        assert attributes(span) == {"any": clean, "list": [clean]}
        assert attributes(span.events[0]) == {"text": clean}
        assert span.status.message == clean
    (query,) = [s for s in spans if s.name == "query"]
    assert attributes(query) == {"url.query": "sig=REDACTED&b=1", "other": "sig=1"}
    (invocation,) = [s for s in spans if s.kind == 2]
    assert attributes(invocation.events[0])["exception.message"] == "GET https://h/?sig=REDACTED failed"
    assert invocation.status.message == "GET https://h/?sig=REDACTED failed"
    trace = attributes(invocation.events[0])["exception.stacktrace"]
    assert "OSError: GET https://h/?sig=REDACTED failed" in trace
    assert "SECRET" not in trace  # nor in the source line that it quotes


@pytest.mark.parametrize("endpoint", ["http://me:SECRET@127.0.0.1:1", "http://127.0.0.1:1/?sig=SECRET"])
def test_the_layers_own_lines(start, receiver, python, endpoint):
    function = start(python, "def handler(e, c): pass", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=endpoint)
    function.invoke({})
    (line,) = function.said()
    assert "REDACTED" in line
    assert "SECRET" not in line
