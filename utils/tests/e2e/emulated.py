"""
Runs inside namespaces of its own: AWS's emulator with the Collector at /opt, and a backend; prints what came of the invocations.

Usage: emulated.py EMULATOR INTERPRETER RUNTIME TASK INVOCATIONS; as many at once as AWS_LAMBDA_MAX_CONCURRENCY says, which makes it emulate managed
instances. What the platform tells (there it has a Telemetry API) is the Collector's to deliver, when its configuration says so.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from otel_layers.local.backend import Backend

API = ("127.0.0.1", 8080)


def invoke(event: object) -> object:
    """What came of the event; once more as long as no worker of managed instances is free, as a caller of Lambda would."""
    while True:
        connection = http.client.HTTPConnection(*API, timeout=30)
        connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
        answer = json.loads(connection.getresponse().read())
        if not isinstance(answer, dict) or answer.get("errorType") != "Runtime.Unavailable":
            return answer
        time.sleep(0.01)


def main() -> None:
    emulator, interpreter, folder, task, count = sys.argv[1:]
    at_once = int(os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY", "1"))
    events = [{"first": 1 + 10 * n, "spans": 10, "metrics": 1, "logs": 1} for n in range(int(count))]
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
            with ThreadPoolExecutor(at_once) as pool:
                answers = list(pool.map(invoke, events))
            arrived = backend.wait_for(10 * len(events))
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=30)
        print(json.dumps({"answers": answers, "arrived": arrived, "counts": backend.counts(), "said": said, **backend.otlp_json()}))


main()
