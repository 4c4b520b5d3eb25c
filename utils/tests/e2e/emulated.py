"""Runs inside namespaces of its own: AWS's emulator with the Collector at /opt, and a backend; prints what came of five invocations."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time

from otel_layers.local.backend import Backend

API = ("127.0.0.1", 8080)


def invoke(event: object) -> object:
    connection = http.client.HTTPConnection(*API, timeout=30)
    connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
    return json.loads(connection.getresponse().read())


def main() -> None:
    emulator, interpreter, folder, task = sys.argv[1:]
    with Backend() as backend:
        env = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{backend.http_port}",
            "LAMBDA_TASK_ROOT": task,
            "_HANDLER": "app.handler",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "20",
            "PYTHONPATH": folder,
        }
        addresses = ["--runtime-interface-emulator-address", "127.0.0.1:8080", "--runtime-api-address", "127.0.0.1:9001"]
        words = [emulator, *addresses, interpreter, f"{folder}/bootstrap.py", "app.handler"]
        with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            for _ in range(500):
                try:
                    http.client.HTTPConnection(*API, timeout=1).connect()
                    break
                except OSError:
                    time.sleep(0.02)
            answers = [invoke({"first": 1 + 10 * n, "spans": 10, "metrics": 1, "logs": 1}) for n in range(5)]
            arrived = backend.wait_for(50)
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=30)
        print(json.dumps({"answers": answers, "arrived": arrived, "counts": backend.counts(), "said": said}))


main()
