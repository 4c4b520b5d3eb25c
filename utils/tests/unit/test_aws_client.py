"""The boundary to AWS: an embedded one never sees the user's credentials, and errors are in words."""

import os

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from otel_layers.aws.client import Access, environment, in_words
from otel_layers.errors import LayersError, UsageError

MINE = {
    "AWS_ACCESS_KEY_ID": "AKIAMINE",
    "AWS_SECRET_ACCESS_KEY": "mine",
    "AWS_SESSION_TOKEN": "mine",
    "AWS_PROFILE": "not-there",
    "AWS_ENDPOINT_URL_LAMBDA": "http://elsewhere",
    "AWS_CA_BUNDLE": "/not/there",
}


def test_an_embedded_aws_gets_credentials_of_its_own(monkeypatch):
    for name, value in MINE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    monkeypatch.setenv("NO_PROXY", "a.example")
    client = Access("http://localhost:1").lambda_("eu-west-1")
    assert client.meta.endpoint_url == "http://localhost:1"
    assert client._request_signer._credentials.access_key == "local"
    assert os.environ["NO_PROXY"] == "a.example,localhost,127.0.0.1"


def test_children_get_nothing_of_the_users():
    child = environment(Access("http://localhost:1"), "eu-west-1", {**MINE, "PATH": "/bin"})
    assert {k: v for k, v in child.items() if "mine" in v.lower() or "elsewhere" in v or "not" in v} == {}
    assert child["AWS_ENDPOINT_URL"] == "http://localhost:1"
    assert child["AWS_CONFIG_FILE"] == os.devnull
    assert child["PATH"] == "/bin"


def test_children_keep_the_users_for_the_real_aws():
    child = environment(Access(), "eu-west-1", dict(MINE))
    assert child == {**MINE, "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}


def test_missing_credentials_say_what_to_do():
    with pytest.raises(UsageError) as caught, in_words("asking"):
        raise NoCredentialsError
    assert "--to local" in "\n".join(caught.value.lines())


def test_refusals_carry_awss_words():
    error = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized to perform lambda:GetFunction"}}
    with pytest.raises(LayersError) as caught, in_words("reading f"):
        raise ClientError(error, "GetFunction")
    assert "reading f" in caught.value.what
    assert "lambda:GetFunction" in caught.value.why
    assert "permission" in caught.value.remedy


def test_a_missing_profile_is_said(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    with pytest.raises(UsageError, match="not reached") as caught:
        Access().lambda_("eu-west-1")
    assert "not-there" in caught.value.why
