"""urllib3: a span for each `HTTPConnectionPool.urlopen`, its retries included; a redirect that a PoolManager follows is a request of its own."""

from urllib3.connectionpool import HTTPConnectionPool

from . import HIDDEN, replace
from .http import Excluded, begin, read


def attach():
    """Wrap `HTTPConnectionPool.urlopen`, which the pool of TLS connections inherits."""
    excluded = Excluded("URLLIB3")

    def wrap(original):
        def urlopen(self, method, url, body=None, headers=None, *args, **kwargs):
            call = begin("urllib3", excluded, _describe, self, method, url, headers)
            with call or HIDDEN:
                response = original(self, method, url, body, headers if call is None else call.headers, *args, **kwargs)
                if call is not None:
                    call.answered(read, response)
            return response

        return urlopen

    replace(HTTPConnectionPool, "urlopen", wrap)


def _describe(pool, method, url, headers):
    sent = pool.headers if headers is None else headers
    return method, _full(pool, url), {} if sent is None else sent.copy() if hasattr(sent, "copy") else dict(sent), {}


def _full(pool, url):
    """The URL with its host; the pool of a proxy gets it so."""
    if "://" in url:
        return url
    host = f"[{pool.host}]" if ":" in pool.host and not pool.host.startswith("[") else pool.host
    default = {"http": 80, "https": 443}.get(pool.scheme)
    port = f":{pool.port}" if pool.port and pool.port != default else ""
    return f"{pool.scheme}://{host}{port}{url if url.startswith('/') else '/' + url}"
