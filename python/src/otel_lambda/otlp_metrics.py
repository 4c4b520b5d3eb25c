"""Metrics of the OpenTelemetry SDK as the body of an OTLP request."""

from _struct import pack

from . import otlp
from .protobuf import double, fixed64, message, number, signed, text, varint


def request(data) -> bytes:
    """An ExportMetricsServiceRequest of a MetricsData; empty when there is no data point in it."""
    out = []
    for group in data.resource_metrics:
        scopes = {}
        for scope in group.scope_metrics:
            found = [_metric(metric) for metric in scope.metrics if metric.data.data_points]
            if found:
                scopes.setdefault(scope.scope, []).extend(found)
        if scopes:
            out.append(otlp.envelope(scopes, group.resource))
    return b"".join(out)  # the requests of several resources are one: repeated fields add up


def points(data) -> int:
    """How many data points are in a MetricsData."""
    return sum(len(m.data.data_points) for g in data.resource_metrics for s in g.scope_metrics for m in s.metrics)


def _metric(metric) -> bytes:
    data = metric.data
    kind = type(data).__name__
    field, encode = _KINDS[kind]
    body = b"".join(message(1, encode(point)) for point in data.data_points)
    if kind != "Gauge":
        body += number(2, int(data.aggregation_temporality))
    if kind == "Sum":
        body += number(3, int(data.is_monotonic))
    return text(1, metric.name) + text(2, metric.description) + text(3, metric.unit) + message(field, body)


def _times(point) -> bytes:
    return fixed64(2, point.start_time_unix_nano or 0) + fixed64(3, point.time_unix_nano or 0)


def _value(as_int, as_double, value) -> bytes:
    """A member of a oneof, written also when it is 0."""
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return varint(as_int << 3 | 1) + pack("<q", value)
    return double(as_double, value)


def _number_point(point) -> bytes:
    return otlp.attributes(7, point.attributes) + _times(point) + _value(6, 4, point.value) + _exemplars(5, point)


def _histogram_point(point) -> bytes:
    counts, bounds = point.bucket_counts, point.explicit_bounds
    out = [otlp.attributes(9, point.attributes), _times(point), fixed64(4, point.count), double(5, point.sum)]
    out.append(message(6, pack(f"<{len(counts)}Q", *counts)) if counts else b"")
    out.append(message(7, pack(f"<{len(bounds)}d", *bounds)) if bounds else b"")
    out.append(_exemplars(8, point))
    if point.count:
        out.append(double(11, point.min) + double(12, point.max))
    return b"".join(out)


def _exponential_point(point) -> bytes:
    out = [otlp.attributes(1, point.attributes), _times(point), fixed64(4, point.count), double(5, point.sum), signed(6, point.scale)]
    out.append(fixed64(7, point.zero_count))
    for field, buckets in ((8, point.positive), (9, point.negative)):
        counts = b"".join(varint(count) for count in buckets.bucket_counts)
        out.append(message(field, signed(1, buckets.offset) + (message(2, counts) if counts else b"")))
    out += [number(10, point.flags), _exemplars(11, point)]
    if point.count:
        out.append(double(12, point.min) + double(13, point.max))
    return b"".join(out)


def _exemplars(field, point) -> bytes:
    out = []
    for one in point.exemplars or ():
        body = otlp.attributes(7, one.filtered_attributes) + fixed64(2, one.time_unix_nano) + _value(6, 3, one.value)
        if one.span_id:
            body += message(4, one.span_id.to_bytes(8, "big"))
        if one.trace_id:
            body += message(5, one.trace_id.to_bytes(16, "big"))
        out.append(message(field, body))
    return b"".join(out)


_KINDS = {
    "Gauge": (5, _number_point),
    "Sum": (7, _number_point),
    "Histogram": (9, _histogram_point),
    "ExponentialHistogram": (10, _exponential_point),
}
