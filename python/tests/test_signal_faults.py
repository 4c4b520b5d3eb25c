"""Metrics and logs when the backend, the sandbox, or the function's own code fails: nothing lost silently, nothing counted twice, nothing waits."""

from __future__ import annotations

import re
import signal
import threading
import time

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from otel_layers.local.backend import fault
from sandbox import receiving, value

COUNT = """
    import logging
    from opentelemetry import metrics
    count = metrics.get_meter("t").create_counter("count")
    def handler(event, context):
        count.add(1)
        logging.warning(event)
        return event
"""


def _counted(backend):
    """The sum of all deltas that arrived."""
    groups = [g for r in backend.requests() if r.signal == "metrics" for g in r.message.resource_metrics]
    return sum(p.as_int for g in groups for s in g.scope_metrics for m in s.metrics if m.name == "count" for p in m.sum.data_points)


def _logged(backend):
    groups = [g for r in backend.requests() if r.signal == "logs" for g in r.message.resource_logs]
    texts = [value(record.body) for g in groups for s in g.scope_logs for record in s.log_records]
    return [int(text) if text.isdigit() else text for text in texts]


@pytest.fixture
def count(start, backend, python):
    """The function that counts and logs each invocation, sending all signals to `backend`."""

    def begin(source=COUNT, **environment):
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{backend.http_port}", "OTEL_LOGS_EXPORTER": "otlp", **environment}
        return start(python, source, **variables)

    return begin


@pytest.mark.parametrize("kind", ["400", "429", "503", "down", "cut-connection", "garbage"])
@pytest.mark.parametrize("protocol", ["http/json", "grpc"])
def test_a_backend_that_fails_loses_one_invocation(count, backend, kind, protocol):
    port = backend.grpc_port if protocol == "grpc" else backend.http_port
    function = count(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    assert function.invoke(1).json == 1
    backend.fault = fault(kind)
    assert function.invoke(2).json == 2
    backend.fault = fault("")
    assert function.invoke(3).json == 3
    assert (_counted(backend), _logged(backend), backend.counts()["metrics"]["duplicated"]) == (2, [1, 3], 0)
    lines = function.said()
    assert [re.search(r"1 [a-z ]+ were not delivered", line)[0] for line in lines] == [
        f"1 {noun} were not delivered" for noun in ("spans", "log records", "data points")
    ]
    words = {"400": "INVALID_ARGUMENT: told to answer 400", "429": "UNAVAILABLE: told to answer 429", "503": "UNAVAILABLE: told to answer 503"}
    if kind.isdecimal():
        assert all((words[kind] if protocol == "grpc" else f"HTTP status {kind}") in line for line in lines)


def test_one_wait_for_all_signals_to_one_place(count, backend):
    backend.fault = fault("hanging")
    function = count(OTEL_EXPORTER_OTLP_TIMEOUT="200")
    assert function.invoke(1).json == 1
    assert len(function.said()) == 3
    backend.fault = fault("")
    assert backend.counts()["refused"] == {"hanging": 1}
    assert function.invoke(2).json == 2
    assert (_counted(backend), _logged(backend)) == (1, [2])


def test_a_place_that_hangs_leaves_time_for_another(count, backend, receiver):
    release = threading.Event()
    receiver.answer = lambda _: (release.wait(30), None)[1]
    function = count(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://127.0.0.1:{receiver.port}/v1/traces")
    try:
        assert function.invoke(1, seconds=2).json == 1  # a flush of at most 1.5 s
    finally:
        release.set()
    assert (_counted(backend), _logged(backend)) == (1, [1])
    (line,) = function.said()
    assert "1 spans were not delivered" in line


def test_with_little_time_everything_is_sent(count, backend):
    function = count()
    assert function.invoke(1, seconds=0.4).json == 1
    assert (_counted(backend), _logged(backend), len(backend.spans())) == (1, [1], 1)
    assert function.invoke(2).json == 2
    assert (_counted(backend), _logged(backend), len(backend.spans())) == (2, [1, 2], 2)
    assert function.said() == []


@pytest.mark.parametrize("kind", ["freeze-cut", "freeze-late", "cut-body"])
def test_frozen_between_sending_and_the_answer(count, backend, kind):
    """What was stored though no answer came is not sent again: a delta must not be counted twice."""
    function = count(OTEL_EXPORTER_OTLP_TIMEOUT="300")
    backend.fault = fault(kind)
    for n in range(3):
        assert function.invoke(n).json == n
        function.process.send_signal(signal.SIGSTOP)
        backend.froze()
        function.process.send_signal(signal.SIGCONT)
    backend.fault = fault("")
    assert function.invoke(3).json == 3
    counts = backend.counts()
    assert [counts[name]["duplicated"] for name in ("spans", "metrics", "logs")] == [0, 0, 0]
    assert _counted(backend) <= 4
    assert len(set(_logged(backend))) == len(_logged(backend))


def test_killed_and_frozen_anywhere(count, backend):
    """Stopped at random moments of the handler and of the flush: each delta arrives once."""
    function = count()
    stop = threading.Event()

    def freeze():
        while not stop.wait(0.003):
            function.process.send_signal(signal.SIGSTOP)
            time.sleep(0.002)
            function.process.send_signal(signal.SIGCONT)

    freezer = threading.Thread(target=freeze)
    freezer.start()
    try:
        assert [function.invoke(n).json for n in range(40)] == list(range(40))
    finally:
        stop.set()
        freezer.join()
    assert (_counted(backend), _logged(backend)) == (40, list(range(40)))


CALLBACKS = """
    import logging, os, time
    from opentelemetry import metrics
    meter = metrics.get_meter("t")
    count = meter.create_counter("count")
    mode = None
    def observe(options):
        logging.warning("observing")
        if mode == "raise":
            raise RuntimeError("mine")
        if mode == "exit":
            raise SystemExit(3)
        if mode == "nonsense":
            return 3
        while mode == "hang" and not os.path.exists("go"):
            time.sleep(0.01)
        return [metrics.Observation(1)]
    meter.create_observable_gauge("gauge", [observe])
    def handler(event, context):
        global mode
        mode = event
        count.add(1)
        return event
"""


@pytest.mark.parametrize("mode", ["raise", "nonsense", "exit"])
def test_a_callback_that_fails(count, backend, mode):
    function = count(CALLBACKS)
    assert [function.invoke(event).json for event in (None, mode, None)] == [None, mode, None]
    assert _counted(backend) == 3
    assert [text for text in _logged(backend) if text == "observing"] == ["observing"] * 3


def test_a_callback_that_hangs(count, backend, tmp_path):
    function = count(CALLBACKS)
    assert function.invoke("hang", seconds=1.4).json == "hang"
    assert function.invoke("hang", seconds=1.4).json == "hang"
    assert len(backend.spans()) == 2
    assert _counted(backend) == 0
    (line,) = function.said()
    assert "the callback of a metric takes longer" in line
    (tmp_path / "task/go").touch()
    end = time.monotonic() + 30
    while _counted(backend) < 3 and time.monotonic() < end:
        assert function.invoke(None).json is None
    total = _counted(backend)
    assert function.invoke(None).json is None
    assert _counted(backend) == total + 1  # each invocation once


def test_logging_while_we_send(count, backend):
    """A handler of the function's that logs, and logging from inside the layer's own sending: no record makes another for ever."""
    source = (
        COUNT
        + """
    from otel_lambda import transport
    post = transport.Transport.post
    def talkative(self, *args):
        logging.error("sending")
        return post(self, *args)
    transport.Transport.post = talkative
    class Loud(logging.Handler):
        def emit(self, record):
            if record.getMessage() != "heard":
                logging.error("heard")
    logging.getLogger().addHandler(Loud())
"""
    )
    function = count(source)
    assert [function.invoke(n).json for n in (1, 2)] == [1, 2]
    assert [text for text in _logged(backend) if text != "heard"] == [1, 2]
    assert function.log().count("sending") == 6
    assert _counted(backend) == 2


def test_a_child_process_sends_nothing_of_its_parents(count, backend):
    source = """
        import logging, os
        from opentelemetry import _logs, metrics, trace
        count = metrics.get_meter("t").create_counter("count")
        def handler(event, context):
            count.add(1)
            logging.warning("parent's")
            trace.get_tracer("t").start_span("parent's").end()
            child = os.fork()
            if not child:
                code = 1
                try:
                    logging.warning("child's")
                    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()):
                        provider.force_flush()
                    code = 0
                finally:
                    os._exit(code)
            return os.waitpid(child, 0)[1]
    """
    function = count(source)
    assert [function.invoke(0).json for _ in range(2)] == [0, 0]
    assert _counted(backend) == 2
    assert sorted(_logged(backend)) == ["child's"] * 2 + ["parent's"] * 2
    assert [backend.counts()[name]["duplicated"] for name in ("spans", "metrics", "logs")] == [0, 0, 0]
    assert len(backend.spans()) == 4


def test_threads(count, backend):
    source = """
        import logging, threading
        from opentelemetry import metrics
        count = metrics.get_meter("t").create_counter("count")
        def work():
            for n in range(500):
                count.add(1)
                if n % 5 == 0:
                    logging.warning(n)
        def handler(event, context):
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    """
    function = count(source, OTEL_BLRP_MAX_EXPORT_BATCH_SIZE="64")
    function.invoke(0)
    assert (_counted(backend), len(_logged(backend))) == (2000, 400)
    assert backend.counts()["logs"]["duplicated"] == 0
    assert max(sum(len(s.log_records) for g in r.message.resource_logs for s in g.scope_logs) for r in backend.requests() if r.signal == "logs") == 64
    assert function.said() == []


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_what_the_backend_rejects_is_counted(start, python, protocol):
    parts = {
        "/v1/traces": (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
        "/v1/logs": (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
        "/v1/metrics": (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
    }

    def reply(path):
        kind, field, name = parts[path]
        if protocol == "http/json":
            return b'{"partialSuccess": {"%s": "1", "errorMessage": "not this"}}' % name.encode()
        message = kind()
        setattr(message.partial_success, field, 1)
        message.partial_success.error_message = "not this"
        return message.SerializeToString()

    with receiving() as backend:
        backend.reply = reply
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{backend.port}", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        function = start(python, COUNT, OTEL_LOGS_EXPORTER="otlp", **environment)
        assert function.invoke(1).json == 1
    assert [line.partition(" were ")[0] for line in function.said()] == ["otel: 1 spans", "otel: 1 log records", "otel: 1 data points"]
    assert all("they were rejected: not this" in line for line in function.said())
