"""
What the runtime client loads as the handler: starts telemetry, resolves the user's handler as the client itself does, wraps it.

The file must be called bootstrap.py: the runtime client drops leading frames of files of that name, so the stack trace of a function's error is the
same with the layer as without. Whatever fails in the layer, the user's handler runs untouched.
"""

import os
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def __getattr__(name):
    """The handler, resolved when the client asks for it: an error raised while a module is imported would be reported as that of our import."""
    if name != "handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    target = os.environ.get("ORIG_HANDLER", "")
    os.environ["_HANDLER"] = target
    telemetry = _start()
    wrapped = _wrap(_resolve(target), telemetry)
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
    if not _takes_two(user):
        # The call fails in the caller's frame, which would be ours.
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
            _finish(telemetry, invocation, None, exc)
            raise
        _finish(telemetry, invocation, result, None)
        return result

    return handler


def _takes_two(user):
    """Whether a plain function can be called with two arguments; of other callables it is not asked."""
    code = getattr(user, "__code__", None)
    if type(user).__name__ != "function" or code is None:
        return True
    required = code.co_argcount - len(user.__defaults__ or ())
    enough = code.co_argcount >= 2 or code.co_flags & 0x04  # it takes *args
    return bool(required <= 2 and enough and code.co_kwonlyargcount <= len(user.__kwdefaults__ or ()))


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
