"""
What contrib's instrumentation of botocore lacks: context in messages, the present conventions' attributes, a trace header of its span.

The same code as the recorder tier's patch, run inside contrib's spans.
"""

from . import tracing
from .patches import aws, botocore, hide, replace
from .say import cause, say


def install(name):
    """
    Complete contrib's instrumentation called `name`, botocore or aiobotocore, before it is attached: ours run inside its spans.

    Its own injections are switched off: that of Lambda changes the payload, that of SNS the user's own dict. A contrib package without its tables of
    extensions keeps them.
    """
    from opentelemetry.instrumentation.botocore import extensions

    for table in ("_BOTOCORE_EXTENSIONS", "_AIOBOTOCORE_EXTENSIONS"):
        known = getattr(extensions, table, None)
        for service in ("sqs", "sns", "lambda"):
            if isinstance(known, dict) and service in known and not isinstance(known[service], _Loader):
                known[service] = _Loader(known[service])
    if name == "aiobotocore":
        _complete_async()
    else:
        botocore.attach()
        botocore.beneath = Completing


class _Loader:
    """A loader, as the tables have them, of contrib's extension with our kind of span and without its injection."""

    def __init__(self, load):
        """`load` is contrib's."""
        self._load, self._made = load, None  # made at the first call, because contrib imports its part only then

    def __call__(self):
        """The extension's class."""
        if self._made is None:

            class Extension(self._load()):
                def __init__(self, call):
                    super().__init__(call)
                    if aws.kind(str(call.service_id), call.operation) == tracing.PRODUCER:
                        from opentelemetry.trace import SpanKind

                        call.span_kind = SpanKind.PRODUCER

                def before_service_call(self, *_):
                    """Nothing: `payloads` does."""

            self._made = Extension
        return self._made


def _complete_async():
    from aiobotocore.client import AioBaseClient

    def wrap(original):
        async def _make_api_call(self, operation_name, api_params):
            with Completing(self, operation_name, api_params) as call:
                result = await original(self, operation_name, api_params)
                call.answered(result)
            return result

        return _make_api_call

    replace(AioBaseClient, "_make_api_call", wrap)
    botocore.carry(AioBaseClient)


class Completing:
    """Adds to the current span, which is contrib's, what our own span of the call would say."""

    def __init__(self, client, operation, parameters):
        """Of one call."""
        self._call = client, operation, parameters
        self._span = self._service = None

    def __enter__(self):
        """The request's attributes."""
        try:
            client, operation, parameters = self._call
            self._service = str(client.meta.service_model.service_id)
            if not tracing.suppressed():
                span = tracing.current()
                span.set_attributes(aws.request(client, self._service, operation, parameters)[1])
                if self._service == "SNS":
                    span.update_name(f"{self._service}.{operation}")
                self._span = span
        except Exception as exc:  # noqa: BLE001 - never break the function
            say(f"a call's span is incomplete: {cause(exc)}", topic="botocore span")
        return self

    def answered(self, result):
        """The response's attributes."""
        try:
            if self._span is not None:
                aws.response(self._span, self._service, self._call[1], result)
        except Exception as exc:  # noqa: BLE001 - never break the function
            say(f"a call's span is incomplete: {cause(exc)}", topic="botocore span")

    def __exit__(self, kind, exc, trace):
        """The error's type; the error passes."""
        if exc is None:
            return
        hide(exc, trace)
        try:
            if self._span is not None:
                self._span.set_attribute("error.type", aws.error(self._span, exc))
        except Exception as problem:  # noqa: BLE001 - never break the function
            say(f"a call's span is incomplete: {cause(problem)}", topic="botocore span")
