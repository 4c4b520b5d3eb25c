"""What invoked the function, told from the event's shape, whatever it is: name, attributes, and where its trace context is."""

from . import messages

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")


class Trigger:
    """The facts of one invocation's event."""

    __slots__ = ("attributes", "batch", "carrier", "http", "name", "trigger")

    def __init__(self, trigger, name="", attributes=None, carrier=None, batch=None, http=""):
        """`name`: the span's, '' for the function's own. `carrier`: what a parent is read from. `http`: v1, v2, alb or websocket."""
        self.trigger, self.name, self.attributes = trigger, name, attributes or {}
        self.carrier, self.batch, self.http = carrier or {}, batch, http


def recognise(event):
    """The Trigger of `event`, of whatever type it is."""
    if not isinstance(event, dict):
        return Trigger("other")
    request = event.get("requestContext")
    if isinstance(request, dict):
        found = _http(event, request)
        if found is not None:
            return found
    records = event.get("Records")
    if isinstance(records, list) and records and isinstance(records[0], dict):
        return _records(records)
    if isinstance(event.get("detail-type"), str) and isinstance(event.get("source"), str):
        return _event_bridge(event)
    return Trigger("other", carrier=_strings(event))


def _http(event, request):
    v2 = event.get("version") == "2.0" and isinstance(event.get("routeKey"), str)
    if isinstance(request.get("elb"), dict):
        kind = "alb"
    elif request.get("connectionId") is not None:
        kind = "websocket"
    elif v2:
        kind = "v2"
    elif isinstance(event.get("resource"), str) and ("resourceId" in request or "httpMethod" in event):
        kind = "v1"
    else:
        return None
    headers = _headers(event)
    inner = request.get("http") if isinstance(request.get("http"), dict) else {}
    identity = request.get("identity") if isinstance(request.get("identity"), dict) else {}
    route = _route(event, request, kind)
    out = {}
    method = inner.get("method") if v2 else event.get("httpMethod")
    if isinstance(method, str) and method:
        out["http.request.method"] = method if method in _METHODS else "_OTHER"
        if method not in _METHODS:
            out["http.request.method_original"] = method
    forwarded = _first(headers.get("x-forwarded-for"))
    _put(out, "http.route", route if kind in ("v1", "v2") else None)
    _put(out, "url.path", event.get("rawPath") if v2 else request.get("path") or event.get("path"))
    _put(out, "url.query", event.get("rawQueryString") if v2 else _query(event, decoded=kind == "v1"))
    _put(out, "url.scheme", _first(headers.get("x-forwarded-proto")))
    _put(out, "server.address", _host(headers.get("host")) or request.get("domainName"))
    _put(out, "client.address", inner.get("sourceIp") or identity.get("sourceIp") or forwarded)
    _put(out, "user_agent.original", headers.get("user-agent") or inner.get("userAgent") or identity.get("userAgent"))
    protocol = inner.get("protocol") or request.get("protocol")
    if isinstance(protocol, str) and protocol.upper().startswith("HTTP/"):
        out["network.protocol.version"] = protocol[5:]
    return Trigger("http", route or "", out, carrier=headers, http=kind)


def _route(event, request, kind):
    """The route: low in cardinality, as the user wrote it; None where the trigger has none."""
    if kind == "v1":
        return event["resource"]
    if kind == "websocket":
        key = request.get("routeKey")
        return key if isinstance(key, str) else None
    if kind == "v2":
        path = event["routeKey"].partition(" ")[2]
        return path or None  # '$default', and every function URL
    return None


def _headers(event):
    """All headers, names in lower case, several values joined as HTTP joins them."""
    out = {}
    for source in (event.get("headers"), event.get("multiValueHeaders")):
        if not isinstance(source, dict):
            continue
        for key, value in source.items():
            if isinstance(value, list):
                value = ",".join(v for v in value if isinstance(v, str))
            if isinstance(key, str) and isinstance(value, str) and value:
                out[key.lower()] = value
    return out


def _query(event, decoded):
    """The query as it was sent; REST APIs hand it over decoded, load balancers as it came."""
    values = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    if not isinstance(values, dict) or not values:
        return None
    pairs = [(k, v) for k, several in values.items() for v in (several if isinstance(several, list) else [several]) if isinstance(v, str)]
    if decoded:
        from urllib.parse import urlencode

        return urlencode(pairs)
    return "&".join(f"{k}={v}" for k, v in pairs)


def _records(records):
    first = records[0]
    source = first.get("eventSource") or first.get("EventSource")
    if source == "aws:sqs":
        return Trigger("pubsub", batch=messages.sqs(records))
    if source == "aws:sns":
        return Trigger("pubsub", batch=messages.sns(records))
    if source == "aws:kinesis":
        return Trigger("pubsub")
    if source in ("aws:s3", "aws:dynamodb"):
        return Trigger("datasource")
    return Trigger("other")


def _event_bridge(event):
    timer = event["source"] in ("aws.events", "aws.scheduler")
    out = {}
    if timer:
        _put(out, "faas.time", event.get("time"))
    else:
        _put(out, "messaging.message.id", event.get("id"))
    return Trigger("timer" if timer else "pubsub", attributes=out, carrier=_strings(event.get("detail")))


def _strings(mapping):
    """The string values of a payload that may carry trace context, keys in lower case."""
    if not isinstance(mapping, dict):
        return {}
    wanted = ("traceparent", "tracestate", "baggage", "x-amzn-trace-id")
    return {k.lower(): v for k, v in mapping.items() if isinstance(k, str) and isinstance(v, str) and k.lower() in wanted}


def _first(value):
    return value.split(",")[0].strip() if isinstance(value, str) else None


def _host(value):
    if not isinstance(value, str):
        return None
    host, colon, port = value.rpartition(":")
    return host if colon and port.isdigit() else value


def _put(attributes, key, value):
    if isinstance(value, str) and value:
        attributes[key] = value
