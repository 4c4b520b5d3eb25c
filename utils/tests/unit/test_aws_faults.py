"""Faults of regions: their spelling, and which request meets which."""

import json
import threading

import pytest
from otel_layers.aws.faults import Control, Fault, around, call_of, parse
from otel_layers.errors import UsageError

SIGNED = "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0"


def request(**environ):
    return {"PATH_INFO": "/2018-10-31/layers", "REQUEST_METHOD": "GET", "HTTP_AUTHORIZATION": SIGNED, **environ}


def answer(app, environ):
    said = []
    body = b"".join(app(environ, lambda status, headers: said.append((status, dict(headers)))))
    return said[0][0][:3], said[0][1], body


def behind(**faults):
    def fine(_environ, start):
        start("200 OK", [])
        return [b"fine"]

    return around(fine, Control(parse(faults)), {}, {"root": "/r"})


def test_spelling():
    assert parse({"a": "hang", "b": "throttle:3"}) == {"a": Fault("hang"), "b": Fault("throttle", 3)}


@pytest.mark.parametrize("wrong", ["", "hangs", "throttle", "throttle:x", "throttle:-1", "hang:3", "lose", "alter:no"])
def test_wrong_spelling(wrong):
    with pytest.raises(UsageError):
        parse({"a": wrong})


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({"HTTP_AUTHORIZATION": SIGNED}, "eu-west-1"),
        ({"QUERY_STRING": "X-Amz-Algorithm=A&X-Amz-Credential=AKID%2F20260101%2Fus-east-2%2Fs3%2Faws4_request&X-Amz-Date=1"}, "us-east-2"),
        ({}, ""),
        ({"HTTP_AUTHORIZATION": "Bearer x"}, ""),
    ],
)
def test_region_of_a_call(environ, region):
    assert call_of(environ).region == region


def test_only_the_faulty_region_refuses():
    app = behind(**{"eu-west-1": "refuse"})
    status, headers, body = answer(app, request())
    assert status == "403"
    assert headers["x-amzn-ErrorType"] == "UnrecognizedClientException"
    assert json.loads(body)["__type"] == "UnrecognizedClientException"
    assert answer(app, request(HTTP_AUTHORIZATION=SIGNED.replace("eu-west-1", "eu-west-2")))[2] == b"fine"


def test_a_throttle_is_used_up():
    app = behind(**{"eu-west-1": "throttle:2"})
    assert [answer(app, request())[0] for _ in range(4)] == ["429", "429", "200", "200"]


def publishing(published):
    """An app that takes publications and describes versions."""

    def app(environ, start):
        if environ["REQUEST_METHOD"] == "POST":
            published.append(environ["PATH_INFO"])
        start("200 OK", [])
        return [b'{"Content": {"CodeSha256": "right"}}']

    return app


def test_a_publication_whose_answer_is_lost_has_happened():
    published = []
    app = around(publishing(published), Control(parse({"eu-west-1": "lose:1"})), {}, {})
    version = {"PATH_INFO": "/2018-10-31/layers/a/versions"}
    assert b"right" in answer(app, request(**version))[2]  # a list of versions is not concerned
    with pytest.raises(ConnectionAbortedError):
        answer(app, request(**version, REQUEST_METHOD="POST"))
    assert b"right" in answer(app, request(**version, REQUEST_METHOD="POST"))[2]
    assert len(published) == 2


def test_a_version_is_described_with_another_hash():
    app = around(publishing([]), Control(parse({"eu-west-1": "alter:1"})), {}, {})
    version = {"PATH_INFO": "/2018-10-31/layers/a/versions/1"}
    first, second = (json.loads(answer(app, request(**version))[2])["Content"]["CodeSha256"] for _ in range(2))
    assert (first != "right", second) == (True, "right")


def test_requests_are_held_until_they_are_let_go():
    control = Control()
    control.replace(b'{"hold": 1}')
    app = around(lambda _environ, start: start("200 OK", []) or [b"fine"], control, {}, {})
    assert answer(app, request())[2] == b"fine"
    assert json.loads(answer(app, {"PATH_INFO": "/_embedded/faults", "REQUEST_METHOD": "GET"})[2])["hold"] == 0
    held = threading.Thread(target=answer, args=(app, request()), daemon=True)
    held.start()
    held.join(0.3)
    assert held.is_alive()
    control.replace(b"{}")
    held.join(10)
    assert not held.is_alive()


def test_the_control_end_changes_faults():
    control = Control()
    control.replace(b'{"faults": {"eu-west-1": "throttle:1"}, "latency": 0.5}')
    assert control.latency == 0.5
    assert control.take("eu-west-1", ["throttle"]) == "throttle"
    assert control.take("eu-west-1", ["throttle"]) == ""
    with pytest.raises(UsageError):
        control.replace(b'{"faults": {"eu-west-1": "explode"}}')


def test_every_call_is_remembered_also_one_that_meets_a_fault():
    app = behind(**{"eu-west-1": "refuse"})
    answer(app, request(REQUEST_METHOD="POST", QUERY_STRING="find=it"))
    seen = json.loads(answer(app, {"PATH_INFO": "/_embedded/calls", "REQUEST_METHOD": "GET"})[2])
    assert seen == [{"key": "AKID", "region": "eu-west-1", "service": "lambda", "method": "POST", "path": "/2018-10-31/layers", "query": "find=it"}]
