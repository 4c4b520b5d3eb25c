"""Puts the metrics SDK together: read when an invocation ends, never by a timer, which would stop with the sandbox and fire when it is thawed."""

import sys

from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics import export as sdk_export
from opentelemetry.sdk.metrics import view

from . import otlp_metrics
from .aside import Aside
from .forks import safe
from .say import cause, say
from .variables import one_of

_KEPT = 16  # collections; each is one body
_DELTA = {  # by OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE; the others are cumulative
    "delta": (sdk.Counter, sdk.ObservableCounter, sdk.Histogram),
    "cumulative": (),
    "lowmemory": (sdk.Counter, sdk.Histogram),
}


def provider(resource, delivery, destination, exporters):
    """The SDK's MeterProvider, whose metrics `delivery` sends to `destination` (otlp) or which are printed (console)."""
    filters = {"trace_based": sdk.TraceBasedExemplarFilter, "always_on": sdk.AlwaysOnExemplarFilter, "always_off": sdk.AlwaysOffExemplarFilter}
    reader = Reader(exporters)
    made = safe(sdk.MeterProvider, "_lock", "_meter_lock")(
        [reader], resource, filters[one_of("OTEL_METRICS_EXEMPLAR_FILTER", tuple(filters))](), shutdown_on_exit=False
    )
    exporter = delivery.signal(destination, lambda batch: b"".join(body for body, _ in batch), "data points", _KEPT, _KEPT)
    exporter.count = lambda batch: sum(points for _, points in batch)
    exporter.collect = Collector(reader, made).collect
    reader.exporter = exporter
    return made


class Reader(sdk_export.MetricReader):
    """Encodes what is collected at once: whatever happens to the process afterwards, no delta is in two requests."""

    exporter = None

    def __init__(self, exporters):
        """With the temporality and the histograms that were asked for."""
        delta = _DELTA[one_of("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", tuple(_DELTA))]
        kinds = one_of(
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", ("explicit_bucket_histogram", "base2_exponential_bucket_histogram")
        )
        aggregation = {sdk.Histogram: view.ExponentialBucketHistogramAggregation()} if kinds.startswith("base2") else None
        super().__init__(dict.fromkeys(delta, sdk_export.AggregationTemporality.DELTA), aggregation)
        self._exporters = exporters

    def _receive_metrics(self, metrics_data, **_):
        if "otlp" in self._exporters:
            body = otlp_metrics.request(metrics_data)
            if body:
                self.exporter.kept.append((body, otlp_metrics.points(metrics_data)))
        if "console" in self._exporters and metrics_data.resource_metrics:
            sdk_export.ConsoleMetricExporter(out=sys.stdout).export(metrics_data)

    def force_flush(self, timeout_millis=10_000):
        """Collect and send."""
        return self.exporter.force(timeout_millis / 1000)

    def shutdown(self, timeout_millis=30_000, **_):
        """Nothing of its own to end."""


class Collector:
    """Reads the metrics, for a limited time: the callbacks of observable instruments are the function's own code."""

    def __init__(self, reader, made):
        """`made` is the provider that `reader` reads."""
        self._reader, self._consumer = reader, getattr(made, "_measurement_consumer", None)
        self._aside = Aside("otel-metrics")

    def collect(self, seconds):
        """Collect within `seconds`. A callback that takes longer is left to itself: what it gives is sent by a later flush."""
        if getattr(self._consumer, "_async_instruments", None) == []:
            self._collect(seconds)
            return
        if not self._aside.run(self._collect, seconds, seconds):
            say(f"the callback of a metric takes longer than {seconds:.1f} s: the metrics are sent when it has ended", topic="callback")

    def _collect(self, seconds):
        try:
            self._reader.collect(seconds * 1000)
        except Exception as exc:  # noqa: BLE001 - never break the function
            say(f"the metrics were not collected: {cause(exc)}", topic="collect")
