"""
What the runtime client loads as the handler: starts telemetry, resolves the user's handler as the client itself does, wraps it.

The file must be called bootstrap.py: the runtime client drops leading frames of files of that name, so the stack trace of a function's error is the
same with the layer as without. Whatever fails in the layer, the user's handler runs untouched.
"""

import os
import sys

_OLD = sys.version_info < (3, 11)
_UNFINISHED = {
    "coroutine": "Lambda's Python runtime awaits nothing, so let a plain function call asyncio.run(...)",
    "generator": "Lambda's Python runtime does not stream, so return the whole response",
    "async_generator": "Lambda's Python runtime neither awaits nor streams, so return the whole response from a plain function",
}
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def __getattr__(name):
    """The handler, resolved when the client asks for it: an error raised while a module is imported would be reported as that of our import."""
    if name != "handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    target = os.environ.get("OTEL_LAMBDA_ORIG_HANDLER", os.environ.get("ORIG_HANDLER", ""))
    os.environ["_HANDLER"] = target
    telemetry = _start()
    wrapped = _wrap(_resolve(target), telemetry)
    if telemetry is not None and telemetry.snapshot is not None:
        telemetry.snapshot.initialised()
    globals()["handler"] = wrapped
    return wrapped


def _start():
    """The running telemetry, or None when it is switched off or fails to start (then one line says why)."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    path = list(sys.path)
    try:
        from . import telemetry

        return telemetry.start(_ROOT)
    except Exception as exc:  # noqa: BLE001 - never break the function
        sys.path[:] = path
        _complain("telemetry is off, because it failed to start", exc)
        return None


def _resolve(target):
    """The user's handler by the runtime client's own rules, with the runtime client's own errors."""
    runtime = sys.modules.get("awslambdaric.bootstrap")
    if runtime is None:
        from importlib import import_module

        module, _, attribute = target.rpartition(".")
        return getattr(import_module(module.replace("/", ".")), attribute)
    try:
        return runtime._get_handler(target)
    except AttributeError:
        # Raised by the user's module. The client, which is reading our attribute, would take it for a missing handler.
        fault = runtime.build_fault_result(sys.exc_info(), None)
        raise runtime.FaultException(fault["errorType"], fault["errorMessage"], fault["stackTrace"]) from None


def _wrap(user, telemetry):
    """The callable that the runtime client calls; `user` itself when there is no telemetry."""
    if telemetry is None or not callable(user):  # the latter fails when called, as it does without us
        return user
    if _OLD:
        # The traceback keeps our frame there, and a call that fails before the user's code begins would show nothing but it.
        from .arity import takes

        if not takes(user, 2):
            from .say import say

            say("the handler does not take (event, context): it runs, and fails, without telemetry")
            return user

    def handler(event, context):
        invocation = None
        try:
            invocation = telemetry.begin(event, context)
        except Exception as exc:  # noqa: BLE001 - never break the function
            _complain("this invocation has no span", exc)
        try:
            result = user(event, context)
        except BaseException as exc:
            if not _OLD:
                exc.__traceback__ = exc.__traceback__.tb_next  # without our frame, which `raise` does not add again
            _finish(telemetry, invocation, None, exc)
            raise
        if type(result).__name__ in _UNFINISHED:
            _explain(type(result).__name__)
        _finish(telemetry, invocation, result, None)
        return result

    return handler


def _explain(kind):
    """Say why a result of this kind fails: the runtime's own error names only its type."""
    try:
        from .say import say

        say(f"the handler returned a {kind}, so it was not run: {_UNFINISHED[kind]}", topic=kind)
    except Exception as exc:  # noqa: BLE001 - never break the function
        _complain("a line is missing", exc)


def _finish(telemetry, invocation, result, error):
    try:
        telemetry.finish(invocation, result, error)
    except Exception as exc:  # noqa: BLE001 - never break the function
        _complain("the invocation's telemetry is incomplete", exc)


def _complain(what, exc):
    try:
        from .say import cause, say

        say(f"{what}: {cause(exc)}. The function runs without it.", topic=what)
    except Exception:  # noqa: BLE001 - the layer may be damaged: no module of ours is sure to be there
        sys.stderr.write("otel: telemetry is off, because the layer is damaged. The function runs without it.\n")
