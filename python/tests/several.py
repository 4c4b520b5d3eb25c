"""
Many functions, one after another, by one interpreter: a process that has the runtime client's libraries forks for each.

So a function costs some milliseconds more than its own start, and a hundred can be compared with and without the layer on every version.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import ARN, Receiver, receiving, runtime_api, variables

DRIVER = """
import os, sys
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], *os.environ["OTHER_PACKAGES"].split(), os.environ["LAYER_PYTHON"]]
sys.path.append(os.environ["RUNTIME_PACKAGES"])
import json, logging, http, runtime_client
wrapped = os.environ["LAYER_PYTHON"] != "/nonexistent"
sys.argv = ["client"]
for line in iter(sys.stdin.readline, ""):
    name, handler, environment = json.loads(line)
    pid = os.fork()
    if not pid:
        break
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
else:
    os._exit(0)
os.environ.update(environment)
os.environ["_HANDLER"] = handler
if wrapped:
    os.environ["ORIG_HANDLER"], os.environ["_HANDLER"] = handler, "otel_lambda.bootstrap.handler"
nothing = os.open(os.devnull, os.O_RDONLY)
os.dup2(nothing, 0)
for number, ending in ((1, "out"), (2, "err")):
    file = os.open(os.path.join(os.environ["OUTPUT"], name + "." + ending), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, number)
from awslambdaric.__main__ import main
main(["client", os.environ["_HANDLER"]])
"""
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d+)?(Z|\+0000)|(?<=\"Timestamp\":)\d{13}")


@dataclass(frozen=True)
class Case:
    """A function, what it is invoked with, and what it is expected to do with or without the layer."""

    source: str = ""
    events: Sequence[Any] = (1,)
    gives: Any = None  # the JSON value of the first response, the error's type behind "!", or the process's exit status in a tuple
    handler: str = ""  # {} is the module's name
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None  # error.type of the first invocation's span
    spans: int | None = None  # SERVER spans; one for each event unless said
    says: str = ""  # a part of the one line that the layer writes about it
    early: bool = False  # the call fails before the function's own code begins
    since: str = "3.10"  # the oldest version on which the layer leaves no trace
    framed: bool = False  # the interpreter's last words on stderr may show the layer's frames


@dataclass
class Seen:
    """What one function did."""

    outcomes: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)  # how, error headers, body
    out: str = ""
    err: str = ""
    exit: int | None = None  # None: it went on until the end
    spans: list[Any] = field(default_factory=list)

    def said(self) -> list[str]:
        """The layer's own lines."""
        return [line for line in self.err.splitlines() if line.startswith("otel:")]

    def comparable(self) -> dict[str, Any]:
        """All that must be the same with the layer and without it."""
        err = "".join(line for line in self.err.splitlines(keepends=True) if not line.startswith("otel:"))
        outcomes = [(how, headers, _same(body.decode(errors="surrogateescape"))) for how, headers, body in self.outcomes]
        return {"outcomes": outcomes, "out": _same(self.out), "err": _same(err), "exit": self.exit}


def _same(text: str) -> str:
    """Without what differs from run to run: addresses of objects, and times."""
    return _TIME.sub("TIME", _ADDRESS.sub("0xADDRESS", text))


def run(python: Path, packages: Sequence[Path], layer: Path | None, task: Path, cases: Mapping[str, Case], folder: Path) -> dict[str, Seen]:
    """What each function of `cases`, whose files are in `task`, does with the layer unpacked at `layer` or without one; output goes to `folder`."""
    folder.mkdir()
    with receiving() as receiver, _driver(python, packages, layer, task, folder, receiver) as one:
        return {name: one(name, case) for name, case in cases.items()}


def write(task: Path, cases: Mapping[str, Case]) -> None:
    """The files of `cases`: a module named like the case, and what else it has."""
    for name, case in cases.items():
        for path, text in {**({f"{name}.py": case.source} if case.source else {}), **case.files}.items():
            file = task / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


@contextmanager
def _driver(python: Path, packages: Sequence[Path], layer: Path | None, task: Path, folder: Path, receiver: Receiver) -> Iterator[Any]:
    news: queue.Queue[Any] = queue.Queue()  # a request for work (the queue it waits at), an outcome, or the exit status of the function

    def work() -> Any:
        mine: queue.Queue[Any] = queue.Queue()
        news.put(mine)
        return mine.get()

    def post(path: str, headers: Any, body: bytes) -> None:
        kept = {k: v for k, v in headers.items() if k.lower().startswith("lambda-runtime-function")}
        news.put((path.rpartition("/")[2] if "/invocation/" in path else "init", kept, body))

    with runtime_api(work, post) as port, (folder / "driver").open("wb") as log:
        environment = {
            **variables(port, layer, task, packages[0]),
            "OUTPUT": str(folder),
            "PYTHONHASHSEED": "0",  # the runtime client puts sets into what it sends
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}",
            "OTHER_PACKAGES": " ".join(map(str, packages[1:])),
        }
        process = subprocess.Popen(
            [str(python), "-B", "-c", DRIVER],
            cwd=task,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        pids: queue.Queue[int] = queue.Queue()

        def read(out: Any) -> None:
            for number, line in enumerate(out):
                (news if number % 2 else pids).put(int(line))

        thread = threading.Thread(target=read, args=(process.stdout,), daemon=True)
        thread.start()

        def one(name: str, case: Case) -> Seen:
            handler = case.handler.replace("{}", name) if case.handler else f"{name}.handler"
            process.stdin.write(json.dumps([name, handler, dict(case.environment)]).encode() + b"\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            receiver.requests.clear()
            pid, left, seen = pids.get(timeout=60), list(enumerate(case.events, 1)), Seen()
            while seen.exit is None:
                new = news.get(timeout=60)
                if isinstance(new, int):
                    seen.exit = new
                elif isinstance(new, tuple):
                    seen.outcomes.append(new)
                elif left:
                    new.put(_work(*left.pop(0)))
                else:
                    os.kill(pid, signal.SIGKILL)
                    new.put(None)
                    assert news.get(timeout=60) == -signal.SIGKILL
                    break
            seen.out, seen.err = ((folder / f"{name}.{end}").read_text(errors="surrogateescape") for end in ("out", "err"))
            seen.spans = receiver.spans()
            return seen

        try:
            yield one
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            thread.join()
            process.stdin.close()


def _work(number: int, event: Any) -> tuple[dict[str, str], bytes]:
    head = {
        "Lambda-Runtime-Aws-Request-Id": f"request-{number}",
        "Lambda-Runtime-Invoked-Function-Arn": f"{ARN}:live",
        "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 60) * 1000)),
        "Content-Type": "application/json",
    }
    return head, json.dumps(event).encode()
