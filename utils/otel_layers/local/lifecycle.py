"""The life of an execution environment: init, invoke, freeze, shutdown, and what happens when something goes wrong."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..function import Function
from . import events, extensions_api, faults, invoking, layers, logs, managed, model, runtime_api, telemetry_api, variables
from .forward import Forwarder, reachable
from .generation import Current, Generation, refusal
from .http_server import Request, Response, Server
from .model import INIT_LIMIT_S, MAX_PAYLOAD, Endpoints, Init, Invocation, Isolation, Mode, stamp
from .runtimes import Runtime
from .sandbox import Exit, Spec, open_sandbox
from .telemetry_api import Telemetry

_PORTS = {"api": 9001, "backend_http": 14318, "backend_grpc": 14317, "aws": 4566}


class ExecutionEnvironment:
    """One environment of a function. Use `environment(...)`, which makes it and ends it."""

    def __init__(
        self,
        function: Function,
        runtime: Runtime,
        opt: Path | None,
        endpoints: Endpoints,
        base: Path,
        *,
        freeze: bool,
        tmp_mb: int,
        log: Callable[[str, str], None] | None,
        mode: Mode,
    ) -> None:
        self.function, self.made, self.opt, self.mode = function, runtime, opt, mode
        self.platform: list[dict[str, Any]] = []
        self.inits: list[Init] = []
        self._logs = logs.Logs(log)
        self._pipes: list[logs.Pipe] = []
        self._external = layers.extensions(opt)
        self._generation: Generation | None = None
        self._new_init: Init | None = None  # done, and not yet part of an invocation
        self._tried = False
        self._frozen_at = 0
        self._one = threading.Lock()
        self._freezing = threading.Lock()
        forwards = {
            name: address
            for name in ("backend_http", "backend_grpc", "aws")
            if (address := getattr(endpoints, name)) and (endpoints.watch or reachable(address))
        }
        self._sandbox = open_sandbox(self._spec(base, tuple(forwards), tmp_mb, freeze=freeze), self._on_exit)
        listeners = self._sandbox.sockets
        port = listeners[0].getsockname()[1]
        self._places = variables.INSIDE if self._sandbox.namespaces else variables.plain(function.code, runtime, opt, port)
        self._server = Server(listeners[0], self._handle, "api")
        self._forwarders, self._unwatch = self._forward(listeners[1:], forwards, endpoints)
        self._froze = endpoints.froze
        self._added = variables.added(endpoints, self._places)
        self._variables = variables.runtime(
            function,
            runtime,
            self._places,
            self._added,
            variables.log_stream(stamp(time.monotonic_ns())),
            mode,
        )

    @property
    def isolation(self) -> Isolation:
        """What is real here and what is not."""
        return self._sandbox.isolation

    @property
    def logs(self) -> list[dict[str, str]]:
        """Every line that the function and the extensions printed: time, source, text."""
        return self._logs.lines

    def init(self) -> Init:
        """Start the extensions and the runtime; the result is also the first invocation's. Again only after the environment has ended."""
        with self._one:
            return self._init()

    def invoke(self, event: bytes, *, trace_header: str | None = None, client_context: str | None = None) -> Invocation:
        """Invoke the function with `event` (JSON) and wait until the environment is idle, and frozen, again."""
        if len(event) > MAX_PAYLOAD:
            raise UsageError(f"the event has {len(event):,} bytes", why=f"Lambda accepts {MAX_PAYLOAD:,}")
        if self.mode.managed:
            return self._invoke_beside_others(lambda: invoking.current(self.function, event, trace_header, client_context))
        with self._one:
            if not self._generation and not self._tried:
                self._init()
            frozen_ms = (time.monotonic_ns() - self._frozen_at) / 1e6 if self._frozen_at else 0.0
            init, self._new_init = self._new_init, None
            restore_ms = self._restore()
            self._thaw()
            current = invoking.current(self.function, event, trace_header, client_context)
            if not self._generation:
                init = self._initialise(current.deadline_at, suppressed=True)
            return self._run(current, init, frozen_ms, restore_ms)

    def stay_frozen(self, seconds: float) -> None:
        """Let wall time pass between two invocations (on managed instances nothing is frozen meanwhile)."""
        time.sleep(seconds)

    def freeze_now(self, seconds: float) -> bool:
        """Freeze at this instant, whatever runs, and thaw after `seconds`; False when nothing runs. For another thread than the invoking one."""
        with self._freezing:
            if not self._generation or self._sandbox.frozen:
                return False
            self._sandbox.freeze()
            try:
                self._froze()
                time.sleep(seconds)
            finally:
                self._sandbox.thaw()
            return True

    def kill_now(self, program: str) -> None:
        """SIGKILL to `program` (runtime, or extension:NAME) at this instant; where all is frozen it dies at the thaw. From any thread."""
        self._sandbox.signal(program, signal.SIGKILL)

    def shutdown(self) -> None:
        """End the environment as Lambda does when it is no longer needed."""
        with self._one:
            self._end("spindown")

    def close(self) -> None:
        """Kill and remove everything that is still there."""
        if self._generation:
            self._generation.close()
            self._generation.telemetry.close()
        while self._unwatch:
            self._unwatch.pop()()
        for forwarder in self._forwarders:  # before the sandbox, which closes the sockets that they listen on
            forwarder.close()
        self._sandbox.close()
        self._server.close()
        for pipe in self._pipes:
            pipe.join()

    def _spec(self, base: Path, forwards: tuple[str, ...], tmp_mb: int, *, freeze: bool) -> Spec:
        base.mkdir(parents=True, exist_ok=True)
        binds = [(self.function.code.resolve(), "/var/task"), (self.made.folder.resolve(), "/var/runtime"), (self.made.prefix.resolve(), "/var/lang")]
        if self.opt:
            binds.append((self.opt.resolve(), "/opt"))
        binds += [(path.resolve(), str(path)) for path in self.made.libraries]
        readable = os.geteuid() != 0 or all(_readable(path) for path, _ in binds)
        return Spec(
            binds=tuple((str(path), inside) for path, inside in binds),
            hidden=tuple(f"/var/lang/{p}" for p in self.made.hidden),
            ports=(_PORTS["api"], *(_PORTS[name] for name in forwards)),
            memory_mb=self.function.memory_mb,
            tmp_mb=tmp_mb,
            base=base,
            readable=readable,
            freeze=freeze,
        )

    def _forward(
        self, listeners: list[socket.socket], forwards: dict[str, tuple[str, int]], endpoints: Endpoints
    ) -> tuple[list[Forwarder], list[Callable[[], None]]]:
        made, unwatch = [], []
        for listener, (name, address) in zip(listeners, forwards.items(), strict=False):
            made.append(Forwarder(listener, address, partial(self._sandbox.connect, _PORTS[name])))
            if endpoints.watch and name != "aws":
                unwatch.append(endpoints.watch(made[-1].gate))
        return made, unwatch

    def _handle(self, request: Request) -> Response:
        generation = self._generation
        if not generation:
            return refusal(403, "InvalidStateTransition", "the environment is not being initialised")
        if request.path.startswith(runtime_api.PREFIX):
            return runtime_api.handle(request, generation)
        if request.path.startswith(extensions_api.PREFIX):
            return extensions_api.handle(request, generation)
        if request.path == telemetry_api.PATH and request.method == "PUT":
            extension = extensions_api.caller(request, generation)
            if isinstance(extension, Response):
                return extension
            return generation.telemetry.subscribe(extension.name, bool(extension.ready_at), request)
        return refusal(404, "NotFound", f"{request.method} {request.path} is not an API of Lambda")

    def _on_exit(self, ended: Exit) -> None:
        if self._generation:
            self._generation.on_exit(ended)

    def _on_line(self, source: str, text: str, at: int) -> None:
        self._logs.add(source, text, at)
        if self._generation:
            kind = source.partition(":")[0]
            structured = kind == "function" and self._variables.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
            self._generation.telemetry.emit(kind, logs.parsed(text) if structured else text, at=at)

    def _start(self, name: str, argv: list[str], env: dict[str, str], cwd: str) -> int:
        pipe = logs.Pipe("function" if name == "runtime" else name, self._on_line)
        self._pipes.append(pipe)
        try:
            return self._sandbox.start(name, argv, env, cwd, pipe.write_end)[1]
        finally:
            pipe.written()

    def _init(self) -> Init:
        if self._generation:
            raise UsageError("the environment is initialised already")
        self._tried = True
        until = time.monotonic_ns() + int(INIT_LIMIT_S * 1e9)
        init = self._initialise(until, suppressed=False)
        self._new_init = init if self.mode.init_type == "on-demand" or init.error else None  # else it is nobody's cold start
        self._freeze()
        if self.mode.init_type == "snap-start":
            for forwarder in self._forwarders:
                forwarder.cut_all()
        return init

    def _restore(self) -> float | None:
        """Go on from the snapshot of snap-start, once: how long the runtime took, in ms. After an error no generation is left."""
        generation = self._generation
        if not generation or generation.runtime.restore != "waiting":
            return None
        began = time.monotonic_ns()
        events.restore_start(generation.telemetry, self.function, self.made, began)
        self._thaw()
        with generation.changed:
            generation.runtime.restore = "restored"
            generation.changed.notify_all()
            until = began + int(INIT_LIMIT_S * 1e9)
            done = generation.wait(lambda: generation.runtime.restore == "done" or bool(generation.runtime.error) or generation.broken(), until)
            ended = time.monotonic_ns()
            error = faults.init_error(generation, out_of_memory=False, timed_out=not done)
        if not done:
            error = {"errorType": faults.INIT_TIMEOUT, "errorMessage": "the restore did not end in time"}
        self._drain()
        events.restore_done(generation.telemetry, (ended - began) / 1e6, error, ended)
        if error:
            self._end("timeout" if not done else "failure")
        return (ended - began) / 1e6

    def _initialise(self, until: int, *, suppressed: bool) -> Init:
        """One init, until CLOCK_MONOTONIC `until`; after a failed one no generation is left."""
        phase = "invoke" if suppressed else "init"
        schemas = telemetry_api.SCHEMAS[-1:] if self.mode.managed else telemetry_api.SCHEMAS
        telemetry = Telemetry(self.platform, self._sandbox.connect, offered=self.mode.telemetry, schemas=schemas)
        generation = self._generation = Generation(self.function, telemetry, self._external, managed=self.mode.managed)
        began = time.monotonic_ns()
        kills = self._sandbox.memory_kills()
        events.init_start(telemetry, self.function, self.made, self.mode.variable, phase, began)
        inherited = variables.extension(self._variables, self._added)
        for name, extension in generation.extensions.items():
            extension.started_at = self._start(f"extension:{name}", [f"{self._places.opt}/extensions/{name}"], inherited, "/")
        with generation.changed:  # as on Lambda, the runtime starts when every external extension has registered
            generation.wait(lambda: bool(generation.crashed()) or all(e.identifier for e in generation.extensions.values() if e.external), until)
        if not generation.crashed() and time.monotonic_ns() < until:
            cwd = str(self._places.task)
            generation.runtime.started_at = self._start("runtime", [f"{self._places.runtime}/bootstrap"], self._variables, cwd)
        with generation.changed:
            generation.wait(generation.initialised, until)
            ended = time.monotonic_ns()
            error = faults.init_error(generation, out_of_memory=self._sandbox.memory_kills() > kills, timed_out=ended >= until)
        ended = max([e.ready_at for e in generation.extensions.values()] + [generation.runtime.ready_at]) if not error else ended
        self._drain()
        events.init_runtime_done(telemetry, self.mode.variable, phase, error, generation.runtime.ready_at or ended)
        events.init_report(telemetry, self.mode.variable, phase, (ended - began) / 1e6, error, ended)
        init = Init(invoking.phases(generation, ended), (ended - began) / 1e6, error, suppressed)
        self.inits.append(init)
        if error:
            self._end("timeout" if error["errorType"] == faults.INIT_TIMEOUT else "failure")
        return init

    def _run(self, current: Current, init: Init | None, frozen_ms: float, restore_ms: float | None) -> Invocation:
        generation = self._generation
        if not generation:  # the suppressed init inside this invocation failed
            assert init  # noqa: S101 - it was made by the caller
            return self._failed_init(current, init, frozen_ms)
        kills = self._sandbox.memory_kills()

        def out_of_memory() -> bool:
            return self._sandbox.memory_kills() > kills

        events.start(generation.telemetry, self.function, current)
        with generation.changed:
            generation.in_flight = {current.request_id: current}
            generation.tell("INVOKE", invoking.event(self.function, current))
            generation.wait(lambda: bool(current.response_at) or generation.broken(), current.deadline_at)
            generation.wait(lambda: bool(current.runtime_done_at) or generation.broken(), current.deadline_at)
            ended = current.runtime_done_at or time.monotonic_ns()
        self._drain()
        status, error = faults.invocation(generation, current, self.function, out_of_memory=out_of_memory)
        events.runtime_done(generation.telemetry, current, status, error, ended)
        if not generation.broken() and status != "timeout":
            with generation.changed:
                late = not generation.wait(lambda: generation.idle() or generation.broken(), current.deadline_at)
            status, error = faults.invocation(generation, current, self.function, out_of_memory=out_of_memory, late=late)
        clean = generation.idle()
        ended = max(current.runtime_done_at, *(e.next_at for e in generation.extensions.values()), 0) if clean else time.monotonic_ns()
        if status == "timeout":
            self._on_line("function", f"{stamp(ended)} {current.request_id} Task timed out after {self.function.timeout_s:.2f} seconds", ended)
        self._drain()
        held, peak = invoking.held(generation, current, ended), self._sandbox.peak_mb()
        invocation = invoking.outcome(self.function, current, init, frozen_ms, status, error, ended, peak, held=held)
        figures = {"durationMs": invocation.duration_ms, "billedDurationMs": invocation.billed_ms, "maxMemoryUsedMB": invocation.max_memory_mb}
        if invocation.init_ms is not None:
            figures["initDurationMs"] = invocation.init_ms
        if restore_ms is not None:
            figures["restoreDurationMs"] = round(restore_ms, 3)
        events.report(generation.telemetry, self.function, current, status, error, figures, ended)
        if clean:
            self._freeze()
        else:
            self._end("timeout" if status == "timeout" else "failure")
        return invocation

    def _invoke_beside_others(self, begin: Callable[[], Current]) -> Invocation:
        with self._one:
            init = None if self._generation else self._initialise(time.monotonic_ns() + int(INIT_LIMIT_S * 1e9), suppressed=False)
            generation = self._generation
            if not generation:
                assert init  # noqa: S101 - made just now, and failed
                return self._failed_init(begin(), init, 0.0)
        kills = self._sandbox.memory_kills()
        done = managed.run(
            generation,
            self.function,
            begin,
            out_of_memory=lambda: self._sandbox.memory_kills() > kills,
            peak_mb=self._sandbox.peak_mb,
            line=self._on_line,
        )
        if generation.broken():
            with self._one:
                if self._generation is generation:
                    with generation.changed:  # each of the others reports its own end first
                        generation.wait(lambda: not generation.in_flight, time.monotonic_ns() + 10**9)
                    self._end("failure")
        return done

    def _failed_init(self, current: Current, init: Init, frozen_ms: float) -> Invocation:
        status, error = faults.failed_init(init, current, self.function)
        ended = time.monotonic_ns()
        if status == "timeout":
            self._logs.add("function", f"{stamp(ended)} {current.request_id} {error['errorMessage'].partition('Error: ')[2]}", ended)
        return invoking.outcome(self.function, current, init, frozen_ms, status, error, ended, self._sandbox.peak_mb())

    def _drain(self) -> None:
        for pipe in self._pipes:
            pipe.drain()

    def _freeze(self) -> None:
        if self._generation and not self.mode.managed:
            self._drain()
            self._generation.telemetry.pause(True)
            with self._freezing:
                self._sandbox.freeze()
            self._frozen_at = time.monotonic_ns()
            self._froze()

    def _thaw(self) -> None:
        self._frozen_at = 0
        if self._generation:
            with self._freezing:
                self._sandbox.thaw()
            self._generation.telemetry.pause(False)

    def _end(self, reason: str) -> None:
        """End the processes with SHUTDOWN's `reason` and Lambda's budgets; the sandbox stays for the next init."""
        generation = self._generation
        if not generation:
            return
        self._thaw()
        external = [e for e in generation.extensions.values() if e.external and e.identifier and not e.exit]
        budget = 2.0 if external else 0.5 if generation.extensions else 0.0
        until = time.monotonic_ns() + int(budget * 1e9)
        if not generation.runtime.exit and (budget or reason != "spindown"):
            self._sandbox.signal("runtime", signal.SIGTERM if reason == "spindown" else signal.SIGKILL)
            grace = min(until, time.monotonic_ns() + (600 if self.mode.managed else 300) * 10**6) if external else until
            with generation.changed:
                generation.wait(lambda: bool(generation.runtime.exit or not generation.runtime.started_at), grace)
            if not generation.runtime.exit:
                self._sandbox.signal("runtime", signal.SIGKILL)
        self._drain()
        generation.telemetry.flush(0.1 if external else 0)
        with generation.changed:
            told = generation.tell("SHUTDOWN", {"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": model.deadline_ms(until)})
            generation.wait(lambda: all(e.exit for e in told), until)
        with self._freezing:
            self._sandbox.clear()
        self._froze()
        generation.close()
        generation.telemetry.close()
        for pipe in self._pipes:
            pipe.join()
        self._pipes.clear()
        self._generation = None


def _readable(path: Path) -> bool:
    """Whether another user than the owner can read the folder and what is directly in it (deeper: as it is packed on Lambda)."""
    if path.stat().st_mode & 0o005 != 0o005:
        return False
    return all(p.is_symlink() or p.stat().st_mode & 0o004 for p in path.iterdir())
