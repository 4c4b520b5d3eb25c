"""Functions, a backend and execution environments for the length of one command; and all that happened as section 3's JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from typing import Any

from .. import console, local
from ..errors import UsageError
from ..function import Function
from ..local.backend import Backend, fault
from ..project import Project


class Session:
    """What `session` yields: invoke functions by name; each has one execution environment, frozen whenever it is idle."""

    def __init__(
        self, project: Project, functions: Sequence[Function], endpoints: local.Endpoints, stack: ExitStack, log: bool, mode: local.Mode
    ) -> None:
        self._project, self._endpoints, self._stack, self._log, self.mode = project, endpoints, stack, log, mode
        self.functions = {f.name: f for f in functions}
        self._environments: dict[str, local.ExecutionEnvironment] = {}
        self.invocations: list[dict[str, Any]] = []
        self.backend: Backend

    def invoke(self, name: str, event: bytes, *, trace_header: str | None = None, client_context: str | None = None) -> local.Invocation:
        """Invoke the function `name` and keep the record."""
        if name not in self.functions:
            raise UsageError(f"there is no function {name!r}", remedy=f"one of {', '.join(self.functions)}")
        done = self._environment(name).invoke(event, trace_header=trace_header, client_context=client_context)
        self.invocations.append(record(done))
        took = f"{done.duration_ms:.1f} ms" + (f", cold start {done.init_ms:.1f} ms" if done.init_ms is not None else "")
        console.detail(f"{name}: {done.status}, {took}" + (f": {(done.error or {}).get('errorMessage', '')}" if done.error else ""))
        return done

    def invoke_all(self, name: str, events: Sequence[bytes], **given: str | None) -> list[local.Invocation]:
        """Invoke the function `name` with each event, as many at once as the mode allows."""
        self._environment(name)
        pool = ThreadPoolExecutor(self.mode.concurrency, thread_name_prefix="invoke")
        try:
            running = [pool.submit(self.invoke, name, event, **given) for event in events]
            while wait(running, timeout=0.1).not_done:  # in slices: Ctrl-C between the check and the wait would be seen only at its end
                pass
            return [one.result() for one in running]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # what still runs then ends with its environment

    def stay_frozen(self, seconds: float) -> None:
        """Let `seconds` pass while every environment is frozen."""
        first, *_ = self._environments.values()
        first.stay_frozen(seconds)

    def freeze_now(self, name: str, seconds: float) -> bool:
        """Freeze the environment of the function `name` for `seconds`, whatever it does; False when nothing of it runs."""
        environment = self._environments.get(name)
        return bool(environment and environment.freeze_now(seconds))

    def shutdown(self) -> None:
        """End every environment as Lambda does when it is no longer needed."""
        for environment in self._environments.values():
            environment.shutdown()

    def platform(self) -> list[dict[str, Any]]:
        """The telemetry events of all environments, by time, each with its function."""
        events = [{**event, "function": name} for name, env in self._environments.items() for event in env.platform]
        return sorted(events, key=lambda e: str(e.get("time", "")))

    def logs(self) -> list[dict[str, Any]]:
        """The log lines of all environments, by time, each with its function."""
        lines = [{**line, "function": name} for name, env in self._environments.items() for line in env.logs]
        return sorted(lines, key=lambda e: str(e.get("time", "")))

    def isolation(self) -> list[str]:
        """What is real in the environments, as sentences."""
        return next((env.isolation.lines() for env in self._environments.values()), [])

    def _environment(self, name: str) -> local.ExecutionEnvironment:
        if name not in self._environments:
            log = (lambda source, text: _show(name, source, text)) if self._log else None
            context = local.environment(self._project, self.functions[name], self._endpoints, log=log, mode=self.mode)
            self._environments[name] = self._stack.enter_context(context)
        return self._environments[name]


@contextmanager
def session(
    project: Project,
    functions: Sequence[Function],
    *,
    aws_port: int | None = None,
    fault_spec: str = "",
    log: bool = False,
    mode: local.Mode | None = None,
) -> Iterator[tuple[Session, Callable[[], dict[str, Any]]]]:
    """
    A session, and a function that ends its environments and gives the whole result:
    {"invocations", "resourceSpans", "resourceLogs", "resourceMetrics", "platform", "logs", "counts", "isolation"}.
    """
    with ExitStack() as stack:
        backend = stack.enter_context(Backend(fault(fault_spec)))
        aws = ("127.0.0.1", aws_port) if aws_port else None
        endpoints = local.Endpoints(("127.0.0.1", backend.http_port), ("127.0.0.1", backend.grpc_port), aws, backend.watch, backend.froze)
        ours = Session(project, functions, endpoints, stack, log, mode or local.Mode())

        ours.backend = backend

        def finish() -> dict[str, Any]:
            ours.shutdown()
            backend.wait_quiet()
            return {
                "invocations": ours.invocations,
                **backend.otlp_json(),
                "platform": ours.platform(),
                "logs": ours.logs(),
                "counts": {"collector": accounting(ours.logs()), "backend": backend.counts()},
                "isolation": ours.isolation(),
            }

        yield ours, finish


def _show(name: str, source: str, text: str) -> None:
    """A log line; the runtime client separates the lines of a traceback by carriage returns."""
    first, *more = text.replace("\xa0", " ").split("\r")
    console.detail(f"{name}: {first}" if source == "function" else f"{name} {source}: {first}")
    for line in more:
        console.detail(f"    {line}")


def record(done: local.Invocation) -> dict[str, Any]:
    """An invocation as JSON; times in ms, and epoch ns where the name ends in Ns."""
    init = done.init
    return {
        "function": done.function,
        "requestId": done.request_id,
        "status": done.status,
        "response": _text(done.response),
        "error": done.error,
        "initMs": done.init_ms,
        "durationMs": done.duration_ms,
        "extensionMs": done.extension_ms,
        "extensionsMs": dict(done.extensions_ms),
        "billedMs": done.billed_ms,
        "maxMemoryMB": done.max_memory_mb,
        "frozenMs": done.frozen_ms,
        "startedNs": done.started_ns,
        "responseNs": done.response_ns,
        "endedNs": done.ended_ns,
        "phases": [{"name": p.name, "startNs": p.start_ns, "endNs": p.end_ns} for p in init.phases] if init else [],
    }


def as_asked(invocation: dict[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether the function did what it was asked to do: to succeed where nothing was said, else to return this or to raise that."""
    if "raises" in asked:
        return bool(invocation["status"] == "error" and (invocation["error"] or {}).get("errorMessage") == asked["raises"])
    return bool(invocation["status"] == "success" and ("returns" not in asked or invocation["response"] == asked["returns"]))


def _text(response: bytes | None) -> Any:
    """A response as JSON's value where it is JSON, else as text."""
    if response is None:
        return None
    try:
        return json.loads(response)
    except ValueError:
        return response.decode(errors="replace")


def accounting(logs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """What the Collector extensions said at their ends, added up: {"received"|"sent"|"dropped"|"resent": {signal: records}}."""
    total: dict[str, dict[str, int]] = {}
    for line in logs:
        if not str(line.get("source", "")).startswith("extension"):
            continue
        try:
            said = json.loads(line["text"])
        except ValueError:
            continue
        if not isinstance(said, dict) or said.get("msg") != "shutdown":
            continue
        for what in ("received", "sent", "dropped", "resent"):
            for signal, number in said.get(what, {}).items():
                total.setdefault(what, {})[signal] = total.get(what, {}).get(signal, 0) + int(number)
    return total
