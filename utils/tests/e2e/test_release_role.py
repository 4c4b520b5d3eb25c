"""The role that the workflow publishes with: a sound template, and at an embedded AWS it becomes what the page says, in every partition."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from otel_layers.aws.client import Access
from otel_layers.aws.embedded import EmbeddedAws
from otel_layers.project import open_project

PROJECT = open_project()
TEMPLATE = PROJECT.root / ".github/aws/release-role.yaml"
PARTITIONS = PROJECT.catalogue.partitions
SUBJECT, AUDIENCE, REF = (f"token.actions.githubusercontent.com:{claim}" for claim in ("sub", "aud", "ref"))


@pytest.fixture(scope="module")
def access():
    with EmbeddedAws(PROJECT, stacks=True) as aws:
        yield Access(aws.endpoint)


def deployed(access: Access, region: str, name: str, **parameters: str) -> dict:
    """The role of a new stack."""
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    access.cloudformation(region).create_stack(StackName=name, TemplateBody=TEMPLATE.read_text(), Parameters=given, Capabilities=["CAPABILITY_IAM"])
    [output] = access.cloudformation(region).describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    iam = access.client("iam", region)
    role = iam.get_role(RoleName=output["OutputValue"].rpartition("/")[2])["Role"]
    assert role["Arn"] == output["OutputValue"]
    policy = ast.literal_eval(iam.get_role_policy(RoleName=role["RoleName"], PolicyName="publish")["PolicyDocument"])  # moto's spelling of it
    return {**role, "Statements": [statement for statement in policy["Statement"] if statement]}  # moto keeps AWS::NoValue in a list


def allowed(role: dict) -> dict[str, list[str]]:
    """The resources by action."""
    found: dict[str, list[str]] = {}
    for statement in role["Statements"]:
        assert statement["Effect"] == "Allow"
        actions, resources = ([value] if isinstance(value, str) else value for value in (statement["Action"], statement["Resource"]))
        for action in actions:
            found.setdefault(action, []).extend(resources)
    return found


def test_the_template_is_sound() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", "--include-checks", "I", "--", TEMPLATE], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("partition", PARTITIONS)
def test_only_the_repositorys_tags_in_the_environment_get_the_role(access, partition) -> None:
    role = deployed(access, PARTITIONS[partition], "role", Repository="somebody/layers")
    [statement] = role["AssumeRolePolicyDocument"]["Statement"]
    providers = access.client("iam", PARTITIONS[partition]).list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert statement["Principal"] == {"Federated": providers[0]["Arn"]}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"]["StringEquals"] == {SUBJECT: f"repo:somebody/layers:environment:release-{partition}", AUDIENCE: "sts.amazonaws.com"}
    assert statement["Condition"]["StringLikeIfExists"][REF] in ("refs/tags/layer-*", ["refs/tags/layer-*"])
    everything = [resource for resources in allowed(role).values() for resource in resources]
    assert all(resource == "*" or resource.startswith(f"arn:{partition}:lambda:*:") for resource in everything), everything


def test_the_permissions_are_those_of_the_page_and_no_other(access) -> None:
    page = (PROJECT.root / "docs/releasing.md").read_text()
    named = {name for sentence in re.findall(r"Needed permissions: [^.]+\.", page) for name in re.findall(r"`((?:lambda|s3):\w+)`", sentence)}
    region = PROJECT.catalogue.home_region.name
    role = deployed(access, region, "with-bucket", Repository="somebody/layers", Provider="exists", Bucket="zips-*")
    assert allowed(role).keys() == named
    assert {resource for action, resources in allowed(role).items() for resource in resources if action.startswith("s3:")} == {
        "arn:aws:s3:::zips-*/opentelemetry-lambda/*"
    }
    without = deployed(access, region, "without-bucket", Repository="somebody/layers", Provider="exists")
    assert allowed(without).keys() == {action for action in named if action.startswith("lambda:")}
    assert [action for action, resources in allowed(without).items() if "*" in resources] == ["lambda:ListLayers"]


def test_a_fork_names_its_environment_and_branch(access) -> None:
    more = {"Environment": "mine", "Refs": "refs/heads/main,refs/tags/layer-*", "Provider": "exists"}
    role = deployed(access, PROJECT.catalogue.home_region.name, "fork", Repository="me-1/layers-2", **more)
    [statement] = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"]["StringEquals"][SUBJECT] == "repo:me-1/layers-2:environment:mine"
    assert statement["Condition"]["StringLikeIfExists"][REF] == ["refs/heads/main", "refs/tags/layer-*"]
    assert statement["Principal"]["Federated"].endswith(":oidc-provider/token.actions.githubusercontent.com")
