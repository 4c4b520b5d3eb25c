"""A template that cannot be deployed is refused in words before anything is called."""

import pytest
from otel_layers.aws import sample, template
from otel_layers.errors import UsageError

GOOD = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Runtime: { Type: String }
Resources:
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: .layers/collector.zip
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Layers: [!Ref Layer, !If [A, !GetAtt B.Arn, !Ref AWS::NoValue]]
"""


def written(folder, text):
    path = folder / "template.yaml"
    path.write_text(text)
    return path


def test_what_a_template_declares(tmp_path):
    read = template.load(written(tmp_path, GOOD))
    assert read.resources == {"Layer": "AWS::Serverless::LayerVersion", "Function": "AWS::Serverless::Function"}
    assert read.parameters == ("Runtime",)
    assert read.layers == (".layers/collector.zip",)


def test_a_list_of_transforms(tmp_path):
    text = GOOD.replace("Transform: AWS::Serverless-2016-10-31", "Transform: [AWS::Include, AWS::Serverless-2016-10-31]")
    assert template.load(written(tmp_path, text)).parameters == ("Runtime",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("  Runtime: {", "  Runtime: [{"), "line 4, column 1"),
        (GOOD.replace("Resources:", "\tResources:"), "line 4"),
        ("Resources: {A: {Type: AWS::SQS::Queue}}", "no line 'Transform: AWS::Serverless-2016-10-31'"),
        ("just text", "must be a mapping, and is str"),
        ("", "must be a mapping, and is nothing"),
        ("Transform: AWS::Serverless-2016-10-31\nResources: [1]", "Resources must be a mapping, and is list"),
        ("Transform: AWS::Serverless-2016-10-31\nResources: {}", "declares no resource"),
        ("Transform: AWS::Serverless-2016-10-31\nResources: {A: {Properties: {}}}", "Resources: A has no Type"),
        ("Transform: AWS::Serverless-2016-10-31\nResources: {A: 1}", "Resources: A must be a mapping"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, said):
    with pytest.raises(UsageError) as caught:
        template.load(written(tmp_path, text))
    assert said in "\n".join(caught.value.lines())


def test_a_template_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="there is no template"):
        template.load(tmp_path / "template.yaml")


def test_a_template_that_is_not_text(tmp_path):
    (tmp_path / "template.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError):
        template.load(tmp_path / "template.yaml")


@pytest.mark.parametrize("name", ["", "1shop", "a_b", "a" * 129, "shop!"])
def test_names_that_no_stack_can_have(name):
    with pytest.raises(UsageError):
        sample.stack_name(name)


@pytest.mark.parametrize("name", ["a b", "a.b", "a" * 141, "arn:aws"])
def test_names_that_no_layer_can_have(name):
    with pytest.raises(UsageError):
        sample.layer_name(name)


def test_names_that_a_layer_can_have():
    assert [sample.layer_name(n) for n in ("", "a-B_9")] == ["", "a-B_9"]
