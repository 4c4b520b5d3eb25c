"""urllib.request: a span for each `OpenerDirector.open` of an http or https URL; redirects are part of it."""

from urllib.request import OpenerDirector, Request

from . import HIDDEN, replace
from .http import Excluded, begin, read


class _Headers:
    """A Request's headers under the spelling that `add_header` gives them."""

    def __init__(self, request):
        self.request, self._headers = request, request.headers

    def get(self, key):
        return self._headers.get(key.capitalize())

    def update(self, fields):
        self._headers.update({key.capitalize(): value for key, value in fields.items()})

    def pop(self, key, default):
        return self._headers.pop(key.capitalize(), default)

    def __setitem__(self, key, value):
        self._headers[key.capitalize()] = value


def attach():
    """Wrap `OpenerDirector.open`, which `urlopen` and `urlretrieve` go through."""
    excluded = Excluded("URLLIB")

    def wrap(original):
        def open(self, fullurl, data=None, *args, **kwargs):  # noqa: A001 - its name
            call = begin("urllib", excluded, _describe, fullurl, data)
            with call or HIDDEN:
                response = original(self, fullurl if call is None else call.headers.request, data, *args, **kwargs)
                if call is not None:
                    call.answered(read, response)
            return response

        return open

    replace(OpenerDirector, "open", wrap)


def _describe(url, data):
    request = url
    if isinstance(url, str):
        if not url[:8].lower().startswith(("http://", "https://")):
            return None  # a file, data, or nothing that `open` would take
        request = Request(url, data)  # noqa: S310 - of http and https only
    elif not isinstance(url, Request) or url.type not in ("http", "https"):
        return None
    method = request.get_method() if data is None or hasattr(request, "method") else "POST"
    return method, request.full_url, _Headers(request), {}
