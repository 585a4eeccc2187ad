"""Traces and metrics as a collector receives them, from a loopback stub that decodes OpenTelemetry's own messages."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from made_finished import SERVED, finished, refused
from pointsman.errors import InputError
from pointsman.serve import traces
from pointsman.serve.finished import Hop
from pointsman.serve.redaction import Redactor
from pointsman.serve.spans import hop_times
from pointsman.serve.traces import Traces

MODEL = "openai/gpt-4o-mini"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector:
    """What a collector was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Any] = []
        self.metrics: dict[str, Any] = {}
        self.names: set[str] = set()

    def take(self, path: str, body: bytes) -> None:
        """One request."""
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.names |= {a.value.string_value for a in resource.resource.attributes if a.key == "service.name"}
                self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        elif path == "/v1/metrics":
            for found in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics |= {metric.name: metric for scope in found.scope_metrics for metric in scope.metrics}


@contextmanager
def listening(status: int = 200) -> Iterator[Collector]:
    collector = Collector()

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.take(self.path, body)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sent(*exchanges: Any, redact: Redactor | None = None) -> Collector:
    with listening() as collector:
        told = Traces(collector.url + "/", redact)
        for each in exchanges:
            told.add(each)
        assert told.close()
        assert told.dropped == 0
    return collector


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


def points(metric: Any) -> list[tuple[dict[str, Any], float]]:
    return [(attributes(point), point.sum) for point in metric.histogram.data_points]


def test_one_exchange_by_hand() -> None:
    """A fallback gives a span of the exchange and one a call below it, with the conventions' names and real times."""
    collector = sent(SERVED)
    failed, answered, root = sorted(collector.spans, key=lambda span: (span.kind == 2, span.start_time_unix_nano))
    assert collector.names == {"pointsman"}
    assert (root.name, failed.name, answered.name) == ("chat auto", "chat anthropic/claude", f"chat {MODEL}")
    assert (root.kind, failed.kind, answered.kind) == (2, 3, 3)  # server, client, client
    assert root.start_time_unix_nano == SERVED.at_ns
    assert root.end_time_unix_nano == SERVED.at_ns + 700_500_000
    assert failed.parent_span_id == answered.parent_span_id == root.span_id
    assert len({span.trace_id for span in collector.spans}) == 1
    assert failed.status.code == 2
    assert attributes(failed)["error.type"] == "overloaded"
    assert "gen_ai.usage.input_tokens" not in attributes(failed)
    said = attributes(answered)
    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.provider.name"] == "openai"
    assert said["gen_ai.request.model"] == said["gen_ai.response.model"] == MODEL
    assert said["gen_ai.usage.input_tokens"] == 30
    assert said["gen_ai.usage.output_tokens"] == 50
    assert said["gen_ai.usage.cache_read.input_tokens"] == 10
    said = attributes(root)
    assert said["gen_ai.request.model"] == "auto"
    assert said["gen_ai.response.model"] == MODEL
    assert said["pointsman.decision_id"] == "d-1"
    assert said["pointsman.cost_usd"] == 34_500 / 1e9
    assert said["http.response.status_code"] == 200
    assert said["pointsman.stage.relay_ms"] == 390.0


def test_metrics_follow_the_conventions() -> None:
    """Three histograms with the conventions' names and units, labelled by models of the configuration alone."""
    collector = sent(SERVED, finished(asked="made-up"), refused())
    assert {name: metric.unit for name, metric in collector.metrics.items()} == {
        "gen_ai.client.token.usage": "{token}",
        "gen_ai.client.operation.duration": "s",
        "gen_ai.server.time_to_first_token": "s",
    }
    tokens = {
        about["gen_ai.token.type"]: total for about, total in points(collector.metrics["gen_ai.client.token.usage"])
    }
    assert tokens == {"input": 60, "output": 100}
    durations = points(collector.metrics["gen_ai.client.operation.duration"])
    assert {about.get("gen_ai.request.model") for about, _ in durations} == {MODEL, None}
    assert {about.get("error.type") for about, _ in durations} == {"refused", None}
    [(_, first_token)] = points(collector.metrics["gen_ai.server.time_to_first_token"])
    assert first_token == pytest.approx(2 * 0.3104)


def test_a_client_s_own_trace_goes_on() -> None:
    """`traceparent` is continued; one that says not to be sampled is obeyed; a malformed one begins a new trace."""
    unsampled = PARENT[:-2] + "00"
    collector = sent(*(finished(parent=parent, hops=()) for parent in (PARENT, unsampled, "nonsense")))
    assert len(collector.spans) == 2
    assert collector.spans[0].trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert collector.spans[0].parent_span_id.hex() == "b7ad6b7169203331"
    assert collector.spans[1].parent_span_id == b""


def test_errors_are_marked() -> None:
    """An exchange that failed is an error of its kind; a refusal of the client's own making is none."""
    collector = sent(finished(outcome="upstream_failed", status=504, reason="upstream_timeout", hops=()), refused())
    failed, declined = collector.spans
    assert failed.status.code == 2
    assert attributes(failed)["error.type"] == "upstream_timeout"
    assert declined.status.code == 0
    assert "gen_ai.response.model" not in attributes(declined)


def test_a_key_given_as_a_model_is_hidden() -> None:
    """What a client names is cut, and cleared of secrets, known ones and others."""
    for secret in ("known-secret", "sk-proj-abcdefgh12345678"):
        collector = sent(finished(asked=f"{secret} " + "x" * 500), redact=Redactor(["known-secret"]))
        assert secret not in str(collector.spans)
        assert len(attributes(collector.spans[-1])["gen_ai.request.model"]) <= 128


hops = st.lists(st.builds(Hop, st.just("a/b"), st.just("e"), st.none(), st.just(0), st.floats(0, 100)), max_size=4)


@given(hops=hops, decide=st.floats(0, 1), pause=st.floats(0, 5))
@settings(max_examples=100)
def test_calls_follow_each_other_within_the_exchange(hops: list[Hop], decide: float, pause: float) -> None:
    """No call begins before the decision or ends after the exchange, and none begins before the one before it."""
    total = decide + sum(hop.seconds for hop in hops) + pause
    one = finished(hops=tuple(hops), total_s=total, stages_s={"decide": decide})
    times = hop_times(one)
    assert [hop for hop, _, _ in times] == hops
    slack_ns = 8  # seconds are floats
    for _, begin, end in times:
        assert int(decide * 1e9) - slack_ns <= begin - one.at_ns
        assert begin <= end
        assert end - one.at_ns <= int(total * 1e9) + slack_ns
    begins = [begin for _, begin, _ in times]
    assert begins == sorted(begins)


def test_a_full_queue_drops_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the thread can't keep up with is dropped and counted; the event loop never waits."""
    monkeypatch.setattr(traces, "QUEUE_LIMIT", 0)
    with listening() as collector:
        told = Traces(collector.url)
        told.add(SERVED)
        assert told.dropped == 1
        assert told.close()


def test_an_exchange_that_makes_no_span_spares_the_others() -> None:
    """Something unforeseen in one exchange is counted, and the next is sent."""
    with listening() as collector:
        told = Traces(collector.url)
        told.add(finished(total_s="soon"))
        told.add(SERVED)
        assert told.close()
    assert told.dropped == 1
    assert any(attributes(span).get("pointsman.decision_id") == "d-1" for span in collector.spans)


def test_a_collector_that_is_away_hurts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding costs nothing and closing comes to an end when nobody answers."""
    monkeypatch.setattr("pointsman.serve.traces_kit.SEND_TIMEOUT_S", 0.2)
    told = Traces("http://127.0.0.1:9")
    told.add(SERVED)
    assert told.close()


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages, a configured collector is an error that names what to install."""
    monkeypatch.delitem(sys.modules, "pointsman.serve.traces_kit", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(InputError, match=r"pointsman\[otel\]"):
        Traces("http://127.0.0.1:9")
