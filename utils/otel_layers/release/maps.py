"""The index in the words of infrastructure tools: files from which Terraform, CDK, SAM and CloudFormation take the ARNs."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any

from .index import Index, newest, pair
from .snippets import WRAPPER

PARAMETERS = "/opentelemetry-lambda"  # before /LAYER/ARCHITECTURE/latest


def files(index: Index) -> dict[PurePosixPath, str]:
    """The files' texts by their path in the release's folder."""
    entries = newest(index)
    if not entries:  # all of it was taken back
        return {}
    regions = sorted({region for entry in entries for region in entry["arns"]})
    made = {
        "terraform/main.tf": _terraform(entries),
        "terraform/arns.json": _json(_by_layer(entries)),
        "cdk/arns.json": _json(_by_layer(entries)),
        "cdk/index.ts": _CDK,
        "sam/mappings.yaml": _mappings(entries, regions),
        "sam/template.yaml": _sam(pair(index), regions),
        "ssm/template.yaml": _parameters(entries, regions),
    }
    return {PurePosixPath(name): text for name, text in made.items()}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _by_layer(entries: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, str]]]:
    """ARNs by layer, Lambda's architecture and region."""
    arns: dict[str, dict[str, dict[str, str]]] = {}
    for entry in entries:
        arns.setdefault(entry["layer"], {})[entry["architecture"]] = dict(sorted(entry["arns"].items()))
    return arns


def _wrapped(entries: list[dict[str, Any]]) -> list[str]:
    """The layers that the exec wrapper belongs to."""
    return list(dict.fromkeys(entry["layer"] for entry in entries if entry["language"] != "any"))


def _terraform(entries: list[dict[str, Any]]) -> str:
    names = ", ".join(dict.fromkeys(entry["layer"] for entry in entries))
    return f"""\
# ARNs of {names}, and the variables that go with them. In your configuration:
#
#   module "opentelemetry" {{
#     source       = "./terraform"
#     region       = "REGION"
#     architecture = "arm64"
#     layers       = ["LAYER", "LAYER"]
#   }}
#
#   resource "aws_lambda_function" "this" {{
#     layers = module.opentelemetry.arns
#     environment {{
#       variables = module.opentelemetry.environment
#     }}
#   }}

variable "region" {{
  description = "The function's region"
  type        = string
}}

variable "architecture" {{
  description = "The function's architecture, as Lambda spells it: x86_64 or arm64"
  type        = string
  default     = "x86_64"
}}

variable "layers" {{
  description = "The layers to attach, in this order"
  type        = list(string)
}}

locals {{
  published = jsondecode(file("${{path.module}}/arns.json"))
  wrapped   = {json.dumps(_wrapped(entries))}
  missing   = [for name in var.layers : name if !can(local.published[name][var.architecture][var.region])]
}}

output "arns" {{
  description = "The layer versions' ARNs"
  value       = [for name in var.layers : local.published[name][var.architecture][var.region]]

  precondition {{
    condition     = length(local.missing) == 0
    error_message = "Not published for ${{var.architecture}} in ${{var.region}}: ${{join(", ", local.missing)}}."
  }}
}}

output "environment" {{
  description = "Variables that the function needs with these layers"
  value       = length(setintersection(var.layers, local.wrapped)) > 0 ? {{ AWS_LAMBDA_EXEC_WRAPPER = "{WRAPPER}" }} : {{}}
}}
"""


_CDK = """\
// The ARNs of the published layers, for CDK code: layerArns({ layers: ["LAYER"], architecture: "arm64", region: this.region }).
import published from "./arns.json";

type Arns = Record<string, Record<string, Record<string, string>>>;

export interface Wanted {
  layers: string[];
  architecture: string; // as Lambda spells it: x86_64 or arm64
  region: string; // a name, not a token: the stack's env must name it
}

export function layerArns(wanted: Wanted): string[] {
  return wanted.layers.map((layer) => {
    const arn = (published as Arns)[layer]?.[wanted.architecture]?.[wanted.region];
    if (!arn) {
      throw new Error(`${layer} is not published for ${wanted.architecture} in ${wanted.region}`);
    }
    return arn;
  });
}
"""


def mapping_name(layer: str) -> str:
    """A layer's name as CloudFormation lets a mapping be called: OpentelemetryPython."""
    return "".join(part.capitalize() for part in re.split(r"[^0-9A-Za-z]+", layer))


def _mappings(entries: list[dict[str, Any]], regions: list[str]) -> str:
    """A Mappings section: a mapping per layer, a line per region and architecture; the keys are alphanumeric, as they must be."""
    lines = ["Mappings:"]
    for layer in dict.fromkeys(entry["layer"] for entry in entries):
        lines.append(f"  {mapping_name(layer)}:")
        for region in regions:
            arns = {e["arch"]: e["arns"][region] for e in entries if e["layer"] == layer and region in e["arns"]}
            lines += [f"    {region}:", *(f"      {arch}: {arn}" for arch, arn in arns.items())] if arns else []
    return "\n".join(lines) + "\n"


def _sam(entries: list[dict[str, Any]], regions: list[str]) -> str:
    runtime = next((e["runtimes"][-1] for e in entries if e["runtimes"]), "")
    variables = ["OTEL_EXPORTER_OTLP_ENDPOINT: !Ref Endpoint"]
    if _wrapped(entries):
        variables.insert(0, f"AWS_LAMBDA_EXEC_WRAPPER: {WRAPPER}")
    lines = [
        "# A function with the layers of its region: what is under Mappings is sam/mappings.yaml.",
        'AWSTemplateFormatVersion: "2010-09-09"',
        "Transform: AWS::Serverless-2016-10-31",
        "Parameters:",
        "  Endpoint:",
        "    Type: String",
        "    Description: Where telemetry goes, an OTLP endpoint",
        _mappings(entries, regions).rstrip(),
        "Resources:",
        "  Function:",
        "    Type: AWS::Serverless::Function",
        "    Properties:",
        "      CodeUri: .",
        "      Handler: app.handler",
        *([f"      Runtime: {runtime}"] if runtime else []),
        f"      Architectures: [{entries[0]['architecture']}]",
        "      Layers:",
        *(f"        - !FindInMap [{mapping_name(e['layer'])}, !Ref AWS::Region, {e['arch']}]" for e in entries),
        "      Environment:",
        "        Variables:",
        *(f"          {variable}" for variable in variables),
    ]
    return "\n".join(lines) + "\n"


def _parameters(entries: list[dict[str, Any]], regions: list[str]) -> str:
    """A CloudFormation template that keeps the newest ARNs of the region it is deployed in as SSM parameters."""
    complete = [region for region in regions if all(region in entry["arns"] for entry in entries)]
    without = [region for region in regions if region not in complete]
    lines = [
        f"# SSM parameters {PARAMETERS}/LAYER/ARCHITECTURE/latest of the region in which this is deployed:",
        "# aws cloudformation deploy --stack-name opentelemetry-lambda-parameters --template-file template.yaml --region REGION",
        *([f"# Not for {', '.join(without)}, which lack some of the layers."] if without else []),
        'AWSTemplateFormatVersion: "2010-09-09"',
        _mappings(entries, complete).rstrip(),
        "Resources:",
    ]
    for entry in entries:
        lines += [
            f"  {mapping_name(entry['layer'])}{entry['arch'].capitalize()}:",
            "    Type: AWS::SSM::Parameter",
            "    Properties:",
            f"      Name: {PARAMETERS}/{entry['layer']}/{entry['architecture']}/latest",
            "      Type: String",
            f"      Description: {entry['layer']} {entry['version']}",
            f"      Value: !FindInMap [{mapping_name(entry['layer'])}, !Ref AWS::Region, {entry['arch']}]",
        ]
    return "\n".join(lines) + "\n"
