"""requests: a span for each `Session.send`, which all of its functions go through; redirects are part of it."""

import requests

from . import HIDDEN, replace
from .http import Excluded, begin


def attach():
    """Wrap `Session.send`."""
    excluded = Excluded("REQUESTS")

    def wrap(original):
        def send(self, request, **kwargs):
            call = begin("requests", excluded, _describe, request)
            with call or HIDDEN:
                response = original(self, request, **kwargs)
                if call is not None:
                    call.answered(_read, response)
            return response

        return send

    replace(requests.Session, "send", wrap)


def _read(call, response):
    call.status(getattr(response, "status_code", None), getattr(getattr(response, "raw", None), "version", None))
    for hop in (response, *response.history) if response.history else ():
        call.restore(hop.request.headers)  # a redirect's request began as a copy


def _describe(request):
    if not isinstance(request, requests.PreparedRequest):
        return None  # requests refuses it
    agent = (request.headers or {}).get("User-Agent")
    if isinstance(agent, bytes):
        agent = agent.decode("latin-1")
    return request.method or "GET", request.url, request.headers, {"user_agent.original": agent} if agent else {}
