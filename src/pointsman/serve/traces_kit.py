"""OpenTelemetry's own kit, set up and used: spans after the fact and three histograms, sent over OTLP/HTTP.

Importing this needs the extra `otel`; `serve.traces` does so when a collector is configured. For one thread.
"""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pointsman.serve.finished import OPERATION, Finished
from pointsman.serve.spans import Attributes, exchange_attributes, hop_attributes, hop_times, ns, provider_name

SEND_TIMEOUT_S = 5.0
METRICS_EVERY_S = 15.0
SPANS_LIMIT = 8_192
TOKEN_BOUNDS = [float(4**power) for power in range(14)]
DURATION_BOUNDS = [0.01 * 2**power for power in range(14)]
FIRST_TOKEN_BOUNDS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]


class Kit:
    """The kit's own tracer and instruments, used from one thread."""

    def __init__(self, otlp: str) -> None:
        resource = Resource.create({"service.name": "pointsman"})
        self._spans = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(f"{otlp}/v1/traces", timeout=SEND_TIMEOUT_S)
        self._spans.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=SPANS_LIMIT))
        self._tracer = self._spans.get_tracer("pointsman")
        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(f"{otlp}/v1/metrics", timeout=SEND_TIMEOUT_S), METRICS_EVERY_S * 1e3
        )
        self._metrics = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._propagator = TraceContextTextMapPropagator()
        meter = self._metrics.get_meter("pointsman")
        self._usage = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", "Tokens used", explicit_bucket_boundaries_advisory=TOKEN_BOUNDS
        )
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", "Duration", explicit_bucket_boundaries_advisory=DURATION_BOUNDS
        )
        self._first_token = meter.create_histogram(
            "gen_ai.server.time_to_first_token",
            "s",
            "Time to the first token",
            explicit_bucket_boundaries_advisory=FIRST_TOKEN_BOUNDS,
        )

    def send(self, finished: Finished, asked: str) -> None:
        """Spans and metrics of one exchange."""
        parent: Context | None = None
        if finished.parent:
            parent = self._propagator.extract({"traceparent": finished.parent})
        root = self._tracer.start_span(
            f"{OPERATION[finished.shape]} {asked}",
            parent,
            SpanKind.SERVER,
            exchange_attributes(finished, asked),
            start_time=finished.at_ns,
        )
        if finished.outcome == "upstream_failed" or finished.status >= 500:
            _fail(root, finished.reason)
        under = set_span_in_context(root)
        for hop, begin_ns, end_ns in hop_times(finished):
            span = self._tracer.start_span(
                f"{OPERATION[finished.shape]} {hop.model}",
                under,
                SpanKind.CLIENT,
                hop_attributes(finished, hop),
                start_time=begin_ns,
            )
            if hop.fault is not None:
                _fail(span, hop.fault)
            span.end(end_ns)
        root.end(finished.at_ns + ns(finished.total_s))
        self._measure(finished)

    def _measure(self, finished: Finished) -> None:
        """The three metrics; their attributes are bounded by the configuration."""
        about: Attributes = {"gen_ai.operation.name": OPERATION[finished.shape]}
        if finished.model is not None:
            about |= {
                "gen_ai.provider.name": provider_name(finished.provider),
                "gen_ai.request.model": finished.model,
                "gen_ai.response.model": finished.model,
            }
        failed: Attributes = {} if finished.outcome == "served" else {"error.type": finished.outcome}
        self._duration.record(finished.total_s, about | failed)
        first_token_s = finished.first_token_s
        if first_token_s is not None:
            self._first_token.record(first_token_s, about)
        if finished.usage is not None:
            self._usage.record(finished.usage.input_tokens, about | {"gen_ai.token.type": "input"})
            self._usage.record(finished.usage.output_tokens, about | {"gen_ai.token.type": "output"})

    def close(self) -> None:
        """Sends what is left and ends the kit's threads."""
        self._spans.shutdown()
        self._metrics.shutdown(SEND_TIMEOUT_S * 1e3)


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))
