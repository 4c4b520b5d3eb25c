"""botocore (and so boto3): a span for each API call, its retries included; context in the X-Ray header and, through `payloads`, in messages."""

from botocore.client import BaseClient

from .. import tracing
from ..say import cause, say
from . import HIDDEN, Call, aws, payloads, replace, text

beneath = None  # gives what completes contrib's span of a call, since that is attached: see `sending`
_attached = False


def attach():
    """A span for each call, and context in what it sends."""
    global _attached
    if _attached:
        return
    _attached = True

    def wrap(original):
        def _make_api_call(self, operation_name, api_params):
            if beneath is None and _is_bedrock(self):
                _attach_contrib()
                if beneath is not None:
                    with HIDDEN:
                        return BaseClient._make_api_call(self, operation_name, api_params)
            call = _begin(self, operation_name, api_params) if beneath is None else beneath(self, operation_name, api_params)
            with call or HIDDEN:
                result = original(self, operation_name, api_params)
                if call is not None:
                    call.answered(result)
            return result

        return _make_api_call

    replace(BaseClient, "_make_api_call", wrap)
    carry(BaseClient)


def _is_bedrock(client):
    return getattr(client.meta.service_model, "service_name", "") == "bedrock-runtime"


def _attach_contrib():
    """Contrib's instrumentation, for the first call of a model: it says much of models, streams and tokens, and such a call takes long anyway."""
    from .. import instrumentations

    instrumentations.attach("botocore", "botocore:BotocoreInstrumentor")


def carry(client):
    """Have the class `client` send context along: in the parameters, when the function's own hooks have seen them, and in X-Ray's header."""
    bodies = payloads.asked()

    def wrap_parameters(original):
        def _emit_api_params(self, api_params, operation_model, context, *args, **kwargs):
            with HIDDEN:
                parameters = original(self, api_params, operation_model, context, *args, **kwargs)
            return _with_payload(parameters, operation_model, context, bodies)

        return _emit_api_params

    def wrap_parameters_async(original):
        async def _emit_api_params(self, api_params, operation_model, context, *args, **kwargs):
            with HIDDEN:
                parameters = await original(self, api_params, operation_model, context, *args, **kwargs)
            return _with_payload(parameters, operation_model, context, bodies)

        return _emit_api_params

    def wrap_request(original):
        def _make_request(self, operation_model, request_dict, *args, **kwargs):
            _add_header(request_dict)
            with HIDDEN:
                return original(self, operation_model, request_dict, *args, **kwargs)

        return _make_request

    waits = client.__module__.startswith("aiobotocore.")
    replace(client, "_emit_api_params", wrap_parameters_async if waits else wrap_parameters)
    replace(client, "_make_request", wrap_request)


def _with_payload(parameters, model, context, bodies):
    """Not for a URL that is only signed, which may be used much later."""
    try:
        if not (context or {}).get("is_presign_request") and not tracing.suppressed():
            return payloads.with_context(parameters, model, bodies)
    except Exception as exc:  # noqa: BLE001 - the message is sent as the user wrote it
        say(f"a message to AWS carries no trace context: {cause(exc)}", topic="payloads")
    return parameters


def _add_header(request_dict):
    """X-Ray's header, by which AWS's services carry the context on."""
    try:
        headers = request_dict["headers"]
        header = None if tracing.suppressed() else payloads.header(headers.get(payloads.XRAY))
        if header is not None:
            headers[payloads.XRAY] = header
    except Exception as exc:  # noqa: BLE001 - the request goes without it
        say(f"a call of AWS carries no trace header: {cause(exc)}", topic="xray header")


def _begin(client, operation, parameters):
    """The call's span as a context manager; None when it shall have none."""
    try:
        if tracing.suppressed():
            return None
        service = str(client.meta.service_model.service_id)
        kind, attributes = aws.request(client, service, operation, parameters)
        return ServiceCall(tracing.start(f"{service}.{operation}", kind, attributes, scope="otel_lambda.botocore"), service, operation)
    except Exception as exc:  # noqa: BLE001 - never break the function
        say(f"a call of AWS has no span: {cause(exc)}", topic="botocore")
        return None


class ServiceCall(Call):
    """A call of AWS under way."""

    __slots__ = ("_operation", "_service")

    def __init__(self, span, service, operation):
        """`service` is botocore's service id."""
        super().__init__(span)
        self._service, self._operation = service, operation

    def answered(self, result):
        """What came back."""
        self.guarded(aws.response, self.span, self._service, self._operation, result)

    def failed(self, exc):
        """By the code that the service sent, or the exception."""
        self.span.fail(aws.error(self.span, exc), text(exc), exc)
