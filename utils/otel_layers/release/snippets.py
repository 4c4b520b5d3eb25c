"""How layers are attached, in the words of each tool: texts with marks, filled in here and, by the same rule, on the ARN page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WRAPPER = "/opt/otel-handler"  # AWS_LAMBDA_EXEC_WRAPPER of every language layer


@dataclass(frozen=True)
class Snippet:
    """
    A text with marks.

    A line with @@ARN@@ or @@N@@ (its number, from 1) is repeated for each layer; a line with @@WRAPPER@@ or @@RUNTIME@@ is left out
    where there is none; @@REGION@@ and @@ARCHITECTURE@@ are always there.
    """

    key: str
    title: str
    language: str  # of the text, as Markdown calls it
    text: str


_CONSOLE = """\
1. Open the function in the console of @@REGION@@: Code, Layers, Add a layer, Specify an ARN.
   Layer @@N@@: @@ARN@@
2. Configuration, Environment variables, Edit:
   AWS_LAMBDA_EXEC_WRAPPER = @@WRAPPER@@
   OTEL_EXPORTER_OTLP_ENDPOINT = https://otlp.example.com
"""

_SAM = """\
# Deploy in @@REGION@@.
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: app.handler
      Runtime: @@RUNTIME@@
      Architectures: [@@ARCHITECTURE@@]
      Layers:
        - @@ARN@@
      Environment:
        Variables:
          AWS_LAMBDA_EXEC_WRAPPER: @@WRAPPER@@
          OTEL_EXPORTER_OTLP_ENDPOINT: https://otlp.example.com
"""

_TERRAFORM = """\
# The provider's region must be @@REGION@@.
resource "aws_lambda_function" "this" {
  function_name = "my-function"
  role          = aws_iam_role.this.arn
  filename      = "function.zip"
  handler       = "app.handler"
  runtime       = "@@RUNTIME@@"
  architectures = ["@@ARCHITECTURE@@"]
  layers = [
    "@@ARN@@",
  ]
  environment {
    variables = {
      AWS_LAMBDA_EXEC_WRAPPER     = "@@WRAPPER@@"
      OTEL_EXPORTER_OTLP_ENDPOINT = "https://otlp.example.com"
    }
  }
}
"""

_CDK = """\
// The stack's region must be @@REGION@@.
import * as lambda from "aws-cdk-lib/aws-lambda";

const layers = [
  lambda.LayerVersion.fromLayerVersionArn(this, "OpenTelemetry@@N@@", "@@ARN@@"),
];
new lambda.Function(this, "Function", {
  code: lambda.Code.fromAsset("function"),
  handler: "app.handler",
  runtime: new lambda.Runtime("@@RUNTIME@@"),
  architecture: lambda.Architecture.custom("@@ARCHITECTURE@@"),
  layers,
  environment: {
    AWS_LAMBDA_EXEC_WRAPPER: "@@WRAPPER@@",
    OTEL_EXPORTER_OTLP_ENDPOINT: "https://otlp.example.com",
  },
});
"""

_CLI = """\
# Sets all layers and variables of the function: add those that it has already.
# The function's architecture must be @@ARCHITECTURE@@.
aws lambda update-function-configuration \\
  --region @@REGION@@ \\
  --function-name my-function \\
  --layers \\
    @@ARN@@ \\
  --environment '{"Variables": {
    "AWS_LAMBDA_EXEC_WRAPPER": "@@WRAPPER@@",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://otlp.example.com"
  }}'
"""

SNIPPETS = (
    Snippet("console", "Console", "text", _CONSOLE),
    Snippet("sam", "SAM", "yaml", _SAM),
    Snippet("terraform", "Terraform", "hcl", _TERRAFORM),
    Snippet("cdk", "CDK", "typescript", _CDK),
    Snippet("cli", "AWS CLI", "shell", _CLI),
)


def fill(snippet: Snippet, *, region: str, architecture: str, arns: Sequence[str], runtime: str = "", wrapper: str = "") -> str:
    """`snippet` for these `arns`; `runtime` '' when any will do, `wrapper` '' when no language layer is attached."""
    known = {"@@REGION@@": region, "@@ARCHITECTURE@@": architecture, "@@RUNTIME@@": runtime, "@@WRAPPER@@": wrapper}
    lines = []
    for line in snippet.text.splitlines():
        if any(mark in line and not value for mark, value in known.items()):
            continue
        for mark, value in known.items():
            line = line.replace(mark, value)
        if "@@ARN@@" in line:
            lines += [line.replace("@@ARN@@", arn).replace("@@N@@", str(n)) for n, arn in enumerate(arns, 1)]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
