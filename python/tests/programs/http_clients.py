"""What functions do with HTTP clients, a case each: `handler(name)` runs one and tells its result or its error as text."""

import os
import pickle
import sys
import threading
import traceback
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import requests
import urllib3

WEB = "http://127.0.0.1:" + os.environ["WEB"]
PORT = int(os.environ["WEB"])
ABSENT = "http://127.0.0.1:1/x"  # refused
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def handler(event, context):
    try:
        return {"result": CASES[event]()}
    except Exception as exc:  # noqa: BLE001 - the case's outcome
        frames = [f.name for f in traceback.extract_tb(exc.__traceback__) if sys.version_info >= (3, 11) or "otel_lambda" not in f.filename]
        return {"error": f"{type(exc).__module__}.{type(exc).__qualname__}: {exc}".replace(os.environ["WEB"], "PORT"), "frames": frames}


class Session(requests.Session):
    """As users subclass it."""

    def send(self, request, **kwargs):
        return super().send(request, **kwargs)


class Adapter(requests.adapters.HTTPAdapter):
    def send(self, request, **kwargs):
        return super().send(request, **kwargs)


@case
def requests_get():
    return requests.get(WEB + "/ok?a=1#f").text


@case
def requests_post():
    answer = requests.post(WEB + "/ok", json={"a": 1}, headers={"x": "y"})
    return answer.text, dict(answer.request.headers)


@case
def requests_unknown_method():
    return requests.request("foo", WEB + "/ok").status_code


@case
def requests_404():
    return requests.get(WEB + "/status/404").status_code


@case
def requests_500():
    return requests.get(WEB + "/status/500").status_code


@case
def requests_raise_for_status():
    requests.get(WEB + "/status/503").raise_for_status()


@case
def requests_redirect():
    answer = requests.get(WEB + "/redirect")
    return answer.url.replace(WEB, ""), [dict(a.request.headers) for a in (*answer.history, answer)]


@case
def requests_redirect_loop():
    session = requests.Session()
    session.max_redirects = 3
    return session.get(WEB + "/loop").status_code


@case
def requests_refused():
    return requests.get(ABSENT).status_code


@case
def requests_timeout():
    return requests.get(WEB + "/hang", timeout=0.2).status_code


@case
def requests_hung_up():
    return requests.get(WEB + "/drop").status_code


@case
def requests_no_scheme():
    return requests.get("nothing").status_code


@case
def requests_other_scheme():
    return requests.get("foo://nothing").status_code


@case
def requests_not_prepared():
    return requests.Session().send(requests.Request("GET", WEB + "/ok")).status_code


@case
def requests_no_headers():
    prepared = requests.Session().prepare_request(requests.Request("GET", WEB + "/ok"))
    prepared.headers = requests.structures.CaseInsensitiveDict()
    return requests.Session().send(prepared).status_code


@case
def requests_credentials():
    return requests.get(WEB.replace("//", "//me:SECRET@") + "/ok?sig=SECRET").status_code


@case
def requests_stream():
    with requests.get(WEB + "/stream", stream=True) as answer:
        return b"".join(answer.iter_content(3)).decode()


@case
def requests_generator_body():
    return requests.post(WEB + "/chunks", data=iter([b"ab", b"cd"])).status_code


@case
def requests_own_traceparent():
    return requests.get(WEB + "/ok", headers={"traceparent": "mine"}).request.headers["traceparent"]


@case
def requests_hooks():
    seen = []
    requests.get(WEB + "/ok", hooks={"response": lambda answer, *_, **__: seen.append(answer.status_code)})
    return seen


@case
def requests_hook_raises():
    def hook(*_, **__):
        raise KeyError("from the hook")

    return requests.get(WEB + "/ok", hooks={"response": hook}).status_code


@case
def requests_subclass():
    session = Session()
    session.mount("http://", Adapter(max_retries=1))
    return session.get(WEB + "/ok").status_code


class Strange(requests.adapters.BaseAdapter):
    """Answers with what is no response."""

    def send(self, request, **kwargs):
        return type("Answer", (), {"history": [], "is_redirect": False, "raw": None, "headers": {}, "elapsed": None, "content": b""})()

    def close(self):
        pass


@case
def requests_strange_adapter():
    session = requests.Session()
    session.mount("strange://", Strange())
    return session.get("strange://x/", allow_redirects=False).content


@case
def requests_pickled():
    return pickle.loads(pickle.dumps(requests.Session())).get(WEB + "/ok").status_code, pickle.loads(pickle.dumps(requests.Session.send)).__qualname__


@case
def requests_excluded():
    return requests.get(WEB + "/ok?excluded=requests").status_code


@case
def urllib3_get():
    return urllib3.PoolManager().request("get", WEB + "/ok?a=1").status


@case
def urllib3_fields():
    own = {"x": "1"}
    return urllib3.PoolManager().request("POST", WEB + "/ok", fields={"a": "b"}, headers=own).status, own


@case
def urllib3_404():
    return urllib3.PoolManager().request("GET", WEB + "/status/404").status


@case
def urllib3_redirect():
    return urllib3.PoolManager().request("GET", WEB + "/redirect").status


@case
def urllib3_redirect_of_a_pool():
    return urllib3.HTTPConnectionPool("127.0.0.1", PORT).urlopen("GET", "/redirect").status


@case
def urllib3_redirect_loop():
    return urllib3.PoolManager().request("GET", WEB + "/loop", retries=2).status


@case
def urllib3_refused():
    return urllib3.PoolManager().request("GET", ABSENT, retries=urllib3.Retry(2, backoff_factor=0)).status


@case
def urllib3_timeout():
    return urllib3.PoolManager().request("GET", WEB + "/hang", timeout=0.2, retries=1).status


@case
def urllib3_retries():
    return urllib3.PoolManager().request("GET", WEB + "/status/503", retries=urllib3.Retry(2, status_forcelist=[503])).status


@case
def urllib3_stream():
    return b"".join(urllib3.PoolManager().request("GET", WEB + "/stream", preload_content=False).stream(3)).decode()


@case
def urllib3_pool():
    pool = urllib3.HTTPConnectionPool("127.0.0.1", PORT, headers={"own": "default"})
    return pool.urlopen(method="GET", url="/ok").status, pool.headers


@case
def urllib3_pool_given_headers():
    own = urllib3.HTTPConnectionPool("127.0.0.1", PORT, headers=None)
    return urllib3.connection_from_url(WEB).urlopen("PUT", "/ok?x=2", b"1", {"own": "1"}).status, own.headers


@case
def urllib3_foreign_host():
    return urllib3.HTTPConnectionPool("127.0.0.1", PORT).urlopen("GET", "relative").status


@case
def urllib3_proxy():
    return urllib3.ProxyManager(WEB).request("GET", "http://example.test/ok?sig=SECRET").status


@case
def urllib3_ipv6():
    return urllib3.PoolManager().request("GET", "http://[::1]:1/x", retries=False).status


@case
def urllib_get():
    return urllib.request.urlopen(WEB + "/ok?a=1").read().decode()


@case
def urllib_post():
    request = urllib.request.Request(WEB + "/ok", data=b"1", headers={"x": "y"})
    return urllib.request.urlopen(request).status, sorted(request.headers.items())


@case
def urllib_data_of_open():
    return urllib.request.urlopen(urllib.request.Request(WEB + "/ok"), b"data").status


@case
def urllib_404():
    return urllib.request.urlopen(WEB + "/status/404").status


@case
def urllib_redirect():
    return urllib.request.urlopen(WEB + "/redirect").status


@case
def urllib_redirect_loop():
    return urllib.request.urlopen(WEB + "/loop").status


@case
def urllib_refused():
    return urllib.request.urlopen(ABSENT).status


@case
def urllib_timeout():
    return urllib.request.urlopen(WEB + "/hang", timeout=0.2).status


@case
def urllib_file():
    return urllib.request.urlopen("file:///dev/null").read().decode()


@case
def urllib_data():
    return urllib.request.urlopen("data:text/plain,hi").read().decode()


@case
def urllib_nothing():
    return urllib.request.urlopen("nothing").status


@case
def urllib_proxy():
    return urllib.request.build_opener(urllib.request.ProxyHandler({"http": WEB})).open("http://example.test/ok").status


@case
def thread():
    out = []
    work = threading.Thread(target=lambda: out.append(requests.get(WEB + "/ok").status_code))
    work.start()
    work.join()
    return out


@case
def timer():
    out = []
    work = threading.Timer(0, lambda: out.append(requests.get(WEB + "/ok").status_code))
    work.start()
    work.join()
    return out


@case
def thread_subclass():
    class Own(threading.Thread):
        def run(self):
            self.out = requests.get(WEB + "/ok").status_code

    work = Own()
    work.start()
    work.join()
    return work.out, sorted(k for k in vars(work) if "otel" in k)


@case
def thread_raises():
    seen = []
    before, threading.excepthook = threading.excepthook, lambda args: seen.extend(traceback.format_tb(args.exc_traceback))
    try:
        work = threading.Thread(target=lambda: 1 / 0)
        work.start()
        work.join()
    finally:
        threading.excepthook = before
    return seen


@case
def executor():
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda url: requests.get(url).status_code, [WEB + "/ok"] * 2))
        return [*found, pool.submit(requests.get, WEB + "/ok").result().status_code]


@case
def executor_raises():
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(lambda: 1 / 0)
        return traceback.format_tb(future.exception().__traceback__)
