"""What the notes tell users to type, typed: the AWS CLI's command and the template of parameters, at an embedded AWS that has the layers."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from faults.release_tree import write_layer
from otel_layers.aws.client import Access, environment
from otel_layers.aws.embedded import EmbeddedAws
from otel_layers.cli import publishing
from otel_layers.project import open_project
from otel_layers.release import index, maps
from otel_layers.release import receipt as receipts
from otel_layers.release.snippets import SNIPPETS, fill

PROJECT = open_project()
REGION = PROJECT.catalogue.home_region.name
LAYERS = [next(la for la in PROJECT.catalogue.layers.values() if la.role == role) for role in ("collector", "language")]


@pytest.fixture(scope="module")
def access():
    with EmbeddedAws(PROJECT) as aws:
        yield Access(aws.endpoint)


@pytest.fixture(scope="module")
def published(access, tmp_path_factory):
    """The index of two published layers."""
    made = replace(PROJECT, root=tmp_path_factory.mktemp("attach"))
    for layer in LAYERS:
        write_layer(made, layer.name, "amd64")
    plan = publishing.plan(made, LAYERS, to="local", region=REGION, public=True)
    done = publishing.publish(made, receipts.new(plan, publishing.caller(access, plan)), made.root / "receipt.json", access)
    return index.make([done.receipt], PROJECT.catalogue.name)


def test_the_command_for_the_aws_cli_attaches_both_layers(access, published, tmp_path):
    client, shown = access.lambda_(REGION), index.example(published)
    role = access.client("iam", REGION).create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = {"ZipFile": (PROJECT.root / "LICENSE").read_bytes()}
    client.create_function(FunctionName="my-function", Runtime=shown["runtime"], Role=role, Handler="app.handler", Code=code)
    script = fill(next(s for s in SNIPPETS if s.key == "cli"), **shown)
    env = environment(access, REGION, {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)})
    done = subprocess.run(["bash", "-euc", script], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = client.get_function_configuration(FunctionName="my-function")
    assert [layer["Arn"] for layer in found["Layers"]] == shown["arns"]
    assert found["Environment"]["Variables"]["AWS_LAMBDA_EXEC_WRAPPER"] == shown["wrapper"]
    assert json.loads(done.stdout)["FunctionName"] == "my-function"


def test_the_template_of_parameters_keeps_the_newest_arns(access, published):
    text = next(text for path, text in maps.files(published).items() if path.as_posix() == "ssm/template.yaml")
    access.cloudformation(REGION).create_stack(StackName="parameters", TemplateBody=text)
    parameters = access.client("ssm", REGION)
    for entry in index.newest(published):
        name = f"{maps.PARAMETERS}/{entry['layer']}/{entry['architecture']}/latest"
        assert parameters.get_parameter(Name=name)["Parameter"]["Value"] == entry["arns"][REGION]
