"""SnapStart: what is in the snapshot is sent before it, and every environment that is restored from it is one of its own."""

from __future__ import annotations

import pytest
from sandbox import attributes

# Two environments of one snapshot: the process forks where it is restored, before any other hook, with all that it has in memory, random numbers too.
TWICE = """
    import os, random, time
    import snapshot_restore_py as api
    {more}
    FIRST = os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
    def twice():
        state = random.getstate()
        os.fork()
        random.setstate(state)
        time.time_ns  # the clock of both has gone on
    api._after_restore_registry.insert(0, (twice, (), {{}}))
    def handler(event, context):
        {inside}
        time.sleep(0.2)  # so that the other one takes the next event
        return os.getpid()
"""
API = "from opentelemetry import trace\n    tracer = trace.get_tracer('t')\n    tracer.start_span('at import').end()"
SNAP = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


@pytest.mark.parametrize("api", [False, True], ids=["recorder", "sdk"])
def test_two_environments_of_one_snapshot_share_nothing(start, receiver, version, api):
    more, inside = (API, "tracer.start_span('inside').end()") if api else ("", "pass")
    function = start(version, TWICE.format(more=more, inside=inside), **SNAP)
    pids = [function.invoke(n).json for n in range(6)]
    assert len(set(pids)) == 2, "both were invoked"
    assert function.said() == []
    found = [(attributes(resource)["faas.instance"], span) for resource, _, span in receiver.all()]
    invocations = [(instance, span) for instance, span in found if span.kind == 2]
    assert len({instance for instance, _ in invocations}) == 2
    assert "2026/01/01/[7]abc" not in {instance for instance, _ in invocations}, "the name of the environment that was the snapshot"
    assert len({span.trace_id for _, span in invocations}) == 6
    assert len({span.span_id for _, span in found}) == len(found)
    assert {attributes(span)["faas.coldstart"] for _, span in invocations} == {False}
    if api:
        assert [span.name for _, span in found].count("at import") == 1
        assert found[0][0] == "2026/01/01/[7]abc"
        assert receiver.connections >= 3, "no connection of the snapshot is used after it"


def test_a_runtime_without_hooks(start, receiver, python, tmp_path):
    """The first invocation shows the restore, and the end of the module's import is where spans are sent; the client's own hooks are hidden here."""
    source = f"""
    {API}
    def handler(event, context):
        return trace.get_tracer_provider().resource.attributes["faas.instance"]
    """
    hidden = tmp_path / "task/snapshot_restore_py.py"
    hidden.parent.mkdir()
    hidden.write_text("get_before_snapshot = get_after_restore = list\n")
    function = start(python, source, **SNAP)
    inside = [function.invoke(n).json for n in range(2)]
    assert function.said() == []
    early, *invocations = receiver.all()
    assert early[2].name == "at import"
    assert attributes(early[0])["faas.instance"] == "2026/01/01/[7]abc"
    assert {attributes(resource)["faas.instance"] for resource, _, _ in invocations} == set(inside)
    assert len(set(inside)) == 1
    assert inside[0] != "2026/01/01/[7]abc"
    assert len(receiver.requests) == 3


def test_a_log_stream_that_changes_is_the_name(start, receiver, python):
    source = """
    import os
    def handler(event, context):
        os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] = "another"
    """
    function = start(python, source, **SNAP)
    function.invoke(1)
    function.invoke(2)
    names = [attributes(resource)["faas.instance"] for resource, _, _ in receiver.all()]
    assert len(names[0]) == 32
    assert names[1] == "another"


def test_the_users_own_instance_stays(start, receiver, python):
    function = start(python, "def handler(e, c):\n    return 1", OTEL_RESOURCE_ATTRIBUTES="faas.instance=mine", **SNAP)
    function.invoke(1)
    assert [attributes(resource)["faas.instance"] for resource, _, _ in receiver.all()] == ["mine"]


def test_what_goes_wrong_around_the_snapshot_is_a_line(start, receiver, python):
    source = """
    from otel_lambda.export import Delivery
    def no(*_):
        raise OSError("ours")
    Delivery.hang_up = no
    def handler(event, context):
        return 5
    """
    function = start(python, source, **SNAP)
    assert function.invoke(1).json == 5
    first, second = function.said()
    assert "what ended before the snapshot may be missing or repeated: OSError: ours" in first
    assert "faas.instance is that of the snapshot: OSError: ours" in second
    assert len(receiver.spans()) == 1
