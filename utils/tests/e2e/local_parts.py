"""Functions and layers for tests of the local Lambda, made of source text, and short ways to run them. Real runtime client, real processes."""

from __future__ import annotations

import json
import platform
import textwrap
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from otel_layers import build, toolchain
from otel_layers.catalog import architecture
from otel_layers.function import Function
from otel_layers.local import Endpoints, Invocation, environment, runtimes
from otel_layers.project import open_project

PROJECT = open_project()
HERE = architecture(platform.machine())


def runtime() -> str:
    """The newest managed Python runtime that this machine can run; skips without one."""
    found = [r.name for r in PROJECT.catalogue.runtimes.values() if r.language == "python" and r.version in toolchain.interpreters()]
    if not found:
        pytest.skip("this machine has no Python of a version in the catalogue")
    return found[-1]


def region() -> str:
    """A region of the catalogue."""
    return next(r.name for r in PROJECT.catalogue.regions.values() if r.required)


def function(folder: Path, source: str, **settings: Any) -> Function:
    """A function whose module app.py is `source`."""
    code = folder / "code"
    code.mkdir(exist_ok=True)
    (code / "app.py").write_text(textwrap.dedent(source))
    for path in (folder, code):
        path.chmod(0o755)
    if "runtime" not in settings:
        settings["runtime"] = runtime()
    given = {"name": "it", "handler": "app.handler", "region": region(), "architecture": HERE.aws, "timeout_s": 10, **settings}
    given["environment"] = {runtimes.QUIET: "1", **given.get("environment", {})}
    return Function(code=code, **given)


def layer(folder: Path, name: str, files: Mapping[str, str]) -> Path:
    """A layer's zip; a name that ends with * is executable, and @PYTHON@ in a text becomes the runtime's interpreter by name."""
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for entry, text in files.items():
            info = zipfile.ZipInfo(entry.rstrip("*"), (2024, 1, 1, 0, 0, 0))
            info.external_attr = (0o755 if entry.endswith("*") else 0o644) << 16
            archive.writestr(info, textwrap.dedent(text).lstrip().replace("@PYTHON@", runtime()))
    return path


def invoke(made: Function, *happenings: Any, **options: Any) -> list[Invocation]:
    """Invoke `made` once for every event in one environment."""
    with environment(PROJECT, made, Endpoints(), **options) as env:
        return [env.invoke(json.dumps(event).encode()) for event in happenings]


def result(invocation: Invocation) -> Any:
    """What the function returned; fails when it did not succeed."""
    assert invocation.status == "success", invocation
    assert invocation.response is not None
    return json.loads(invocation.response)


def texts(env: Any, source: str) -> list[str]:
    """The lines that `source` printed."""
    return [line["text"] for line in env.logs if line["source"] == source]


EXTENSION = """
    #!/usr/bin/env @PYTHON@
    # A whole extension: registers, subscribes where it is told to, prints every event that it gets.
    import http.client, http.server, json, os, sys, threading

    api = os.environ["AWS_LAMBDA_RUNTIME_API"]
    name = os.path.basename(sys.argv[0])

    def call(method, path, body=None, **headers):
        connection = http.client.HTTPConnection(api)
        connection.request(method, path, json.dumps(body) if body is not None else None, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer, answer.read()

    def say(kind, value):
        print(json.dumps([kind, value]), flush=True)

    events = os.environ.get("EXTENSION_EVENTS", "INVOKE,SHUTDOWN").split(",")
    features = {"Lambda_Extension_Name": name, "Lambda_Extension_Accept_Feature": "accountId"}
    answer, body = call("POST", "/2020-01-01/extension/register", {"events": events}, **features)
    identifier = answer.headers["Lambda-Extension-Identifier"]
    say("registered", json.loads(body))
    say("environment", sorted(os.environ))
    if os.environ.get("EXTENSION_TELEMETRY"):
        class Receiver(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_POST(self):
                for event in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
                    if event["type"] != "extension":
                        say("telemetry", event)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 4243), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        wish = {"schemaVersion": os.environ.get("EXTENSION_SCHEMA", "2022-12-13"), "types": ["platform", "function"],
                "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
                "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243/"}}
        answer, body = call("PUT", "/2022-07-01/telemetry", wish, Lambda_Extension_Identifier=identifier)
        say("subscribed", answer.status)
    if os.environ.get("EXTENSION_FAILS") == "init":
        call("POST", "/2020-01-01/extension/init/error", {"errorMessage": "no"}, Lambda_Extension_Identifier=identifier,
             Lambda_Extension_Function_Error_Type="Watcher.NoConfig")
        sys.exit(1)
    while True:
        answer, body = call("GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=identifier)
        event = json.loads(body)
        say("event", event)
        if os.environ.get("EXTENSION_FAILS") == event["eventType"]:
            os._exit(3)
        if event["eventType"] == "SHUTDOWN":
            break
        if os.environ.get("EXTENSION_HOLDS"):
            import time
            time.sleep(float(os.environ["EXTENSION_HOLDS"]))
"""


def said(env: Any, name: str, kind: str) -> list[Any]:
    """What the extension `name` said of `kind`."""
    pairs = [json.loads(text) for text in texts(env, f"extension:{name}") if text.startswith("[")]
    return [value for key, value in pairs if key == kind]


# Sends OTLP/JSON to the Collector, and nothing else: {"first": N, "spans": 2, "metrics": 1, "logs": 1}; ids count from `first`.
SENDER = """
    import json, urllib.request

    def post(signal, body):
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request("http://127.0.0.1:4318/v1/" + signal, json.dumps(body).encode(), head)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status

    def numbers(event, signal):
        return range(event["first"], event["first"] + event.get(signal, 0))

    def span(n):
        at = str(10**18 + n)
        ids = {"traceId": f"{event_id(n):032x}", "spanId": f"{n:016x}"}
        return {**ids, "name": f"span {n}", "kind": 1, "startTimeUnixNano": at, "endTimeUnixNano": at}

    def event_id(n):
        return n // 50 + 1

    def handler(event, context):
        answers = []
        if event.get("spans"):
            answers.append(post("traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span(n) for n in numbers(event, "spans")]}]}]}))
        if event.get("metrics"):
            points = [{"timeUnixNano": str(10**18 + n), "asInt": str(n)} for n in numbers(event, "metrics")]
            answers.append(post("metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "n", "gauge": {"dataPoints": points}}]}]}]}))
        if event.get("logs"):
            records = [{"timeUnixNano": str(10**18 + n), "body": {"stringValue": str(n)}} for n in numbers(event, "logs")]
            answers.append(post("logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}))
        return {"first": event["first"], "answers": answers}
"""


# A configuration of the Collector: all signals of the function and of the platform, through processors that hold data.
EVERYTHING = """
receivers: {telemetryapi: {}, otlp: {protocols: {http: {}}}}
processors: {batch: {}, decouple: {}}
exporters: {otlphttp: {endpoint: "${env:OTEL_EXPORTER_OTLP_ENDPOINT}", compression: none}}
service:
  pipelines:
    traces: {receivers: [otlp, telemetryapi], processors: [batch, decouple], exporters: [otlphttp]}
    metrics: {receivers: [otlp, telemetryapi], processors: [batch, decouple], exporters: [otlphttp]}
    logs: {receivers: [otlp, telemetryapi], processors: [batch, decouple], exporters: [otlphttp]}
"""


def destination(protocol: str) -> dict[str, str]:
    """The variables that make the Collector send to the local Lambda's backend by grpc or http/protobuf."""
    port = {"grpc": 14317, "http/protobuf": 14318}[protocol]
    return {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}


def built(folder: str) -> Path:
    """The layer of this folder, built from this source."""
    return build.build(PROJECT, next(layer for layer in PROJECT.catalogue.layers.values() if layer.folder == folder), HERE).zip


def collector() -> Path:
    """The Collector's layer, built from this source."""
    return build.build(PROJECT, PROJECT.catalogue.layers["opentelemetry-collector"], HERE).zip
