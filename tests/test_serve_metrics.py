"""Metrics: what is counted of an exchange, and that several workers add up."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from made_finished import SERVED, finished, refused
from pointsman.ledger.entries import Balance
from pointsman.pool.cards import Usage
from pointsman.serve.finished import STAGES, Hop
from pointsman.serve.metrics import FINE_S, Condition, Metrics
from pointsman.serve.metrics_folder import prepare_folder

ROOT = Path(__file__).parent.parent
MODEL = "openai/gpt-4o-mini"


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels, as Prometheus reads them."""
    families = text_string_to_metric_families(text.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def value(text: bytes, name: str, **labels: str) -> float | None:
    return samples(text).get((name, tuple(sorted(labels.items()))))


def observed(*exchanges: Any) -> bytes:
    metrics = Metrics()
    for each in exchanges:
        metrics.observe(each)
    return metrics.render()


def test_one_exchange_by_hand() -> None:
    """A fallback that was served: one request, two calls, one fault, its money, tokens and times."""
    text = observed(SERVED)
    said = {
        ("pointsman_requests_total", "shape=chat", f"model={MODEL}", "outcome=served", "status=200"): 1,
        ("pointsman_decisions_total", "reason=best"): 1,
        ("pointsman_upstream_calls_total", f"endpoint={MODEL}@1", f"model={MODEL}"): 1,
        ("pointsman_upstream_calls_total", "endpoint=anthropic/claude@1", "model=anthropic/claude"): 1,
        ("pointsman_upstream_faults_total", "endpoint=anthropic/claude@1", "kind=overloaded"): 1,
        ("pointsman_cost_usd_total", f"model={MODEL}"): 34_500 / 1e9,
        ("pointsman_tokens_total", f"model={MODEL}", "kind=input"): 30,
        ("pointsman_tokens_total", f"model={MODEL}", "kind=output"): 50,
        ("pointsman_tokens_total", f"model={MODEL}", "kind=cached"): 10,
        ("pointsman_overhead_seconds_bucket", "le=0.001"): 1,
        ("pointsman_overhead_seconds_bucket", "le=0.0005"): 0,
        ("pointsman_overhead_seconds_sum",): 0.0006,
        ("pointsman_overruns_total",): 0,
    }
    for (name, *labels), wanted in said.items():
        assert value(text, name, **dict(label.split("=", 1) for label in labels)) == pytest.approx(wanted), name
    for stage in STAGES:
        assert value(text, "pointsman_stage_seconds_count", stage=stage) == 1
    about = {"gen_ai_operation_name": "chat", "gen_ai_request_model": MODEL}
    assert value(text, "gen_ai_server_time_to_first_token_seconds_sum", **about) == pytest.approx(0.3104)
    assert value(text, "gen_ai_client_operation_duration_seconds_sum", **about) == pytest.approx(0.7005)
    assert value(text, "gen_ai_client_token_usage_sum", **about, gen_ai_token_type="output") == 50


def test_a_refusal_and_an_overrun() -> None:
    """A refusal is counted by its type and without a model; an overrun by number and money."""
    text = observed(refused(), finished(overrun_nano=2_000_000_000))
    labels = {"shape": "messages", "model": "", "outcome": "refused", "status": "429"}
    assert value(text, "pointsman_requests_total", **labels) == 1
    assert value(text, "pointsman_decisions_total", reason="budget_exceeded") == 1
    assert value(text, "pointsman_overruns_total") == 1
    assert value(text, "pointsman_overrun_usd_total") == 2.0


def test_what_a_client_wrote_becomes_no_label() -> None:
    """Names that clients make up, keys and decision ids appear nowhere: labels are bounded by the configuration."""
    text = observed(finished(asked="made-up-7", key_id="team-7", decision_id="d-7", parent="00-7"))
    for word in (b"made-up-7", b"team-7", b"d-7", b"00-7"):
        assert word not in text


@given(seconds=st.lists(st.floats(0, 10) | st.sampled_from(FINE_S), max_size=40), settle_every=st.integers(1, 7))
@settings(max_examples=30, deadline=None)
def test_histograms_are_those_of_their_values(seconds: list[float], settle_every: int) -> None:
    """However the handing on falls between them, buckets, sum and count are those of the values, bounds included."""
    metrics = Metrics()
    for number, overhead_s in enumerate(seconds):
        metrics.observe(finished(overhead_s=overhead_s))
        if number % settle_every == 0:
            metrics.settle()
    found = samples(metrics.render())
    for bound in FINE_S:
        below = sum(each <= bound for each in seconds)
        assert found["pointsman_overhead_seconds_bucket", (("le", str(bound)),)] == below
    assert found["pointsman_overhead_seconds_count", ()] == len(seconds)
    assert found["pointsman_overhead_seconds_sum", ()] == pytest.approx(sum(seconds))


def balance(name: str, unit: Any = "usd", amount: int = 5_000_000_000) -> Balance:
    return Balance(name, unit, amount, 1_000_000_000, 2_000_000_000, 2_000_000_000, 0, None)


def test_where_funds_prices_and_endpoints_stand() -> None:
    """Money in dollars, the rest as it is; a fund that is gone shows as not a number; keys' funds stay out."""
    metrics = Metrics()
    before = Condition(
        [balance("all"), balance("tpm", "tokens", 7), balance("key:team-7:budget")],
        holds_open=3,
        prices={"all": 0.25, "key:team-7:budget": 1.0},
        endpoints={"a@1": "open", "a@2": "closed", "a@3": "probing"},
        snapshot_at_s=123.0,
        journal_waiting=4,
        journal_dropped=5,
        journal_failures=6,
        traces_dropped=7,
    )
    metrics.settle(before)
    metrics.settle(before)
    text = metrics.render()
    assert value(text, "pointsman_fund_amount", fund="all", unit="usd") == 5.0
    assert value(text, "pointsman_fund_held", fund="all", unit="usd") == 1.0
    assert value(text, "pointsman_fund_spent", fund="all", unit="usd") == 2.0
    assert value(text, "pointsman_fund_remaining", fund="all", unit="usd") == 2.0
    assert value(text, "pointsman_fund_amount", fund="tpm", unit="tokens") == 7
    assert value(text, "pointsman_fund_price", fund="all") == 0.25
    assert value(text, "pointsman_holds_open") == 3
    assert [value(text, "pointsman_endpoint_state", endpoint=f"a@{n}") for n in (1, 2, 3)] == [1.0, 0.0, 0.5]
    assert value(text, "pointsman_snapshot_timestamp_seconds") == 123.0
    assert value(text, "pointsman_journal_waiting") == 4
    assert value(text, "pointsman_journal_dropped_total") == 5
    assert value(text, "pointsman_journal_failures_total") == 6
    assert value(text, "pointsman_traces_dropped_total") == 7
    assert b"team-7" not in text
    metrics.settle(Condition())
    gone = value(metrics.render(), "pointsman_fund_amount", fund="tpm", unit="tokens")
    assert gone is not None
    assert math.isnan(gone)


def test_reloads_are_counted() -> None:
    """Reloads that were done and those that were refused."""
    metrics = Metrics()
    metrics.reloaded(done=True)
    metrics.reloaded(done=False)
    metrics.reloaded(done=False)
    assert value(metrics.render(), "pointsman_reloads_total", result="done") == 1
    assert value(metrics.render(), "pointsman_reloads_total", result="refused") == 2


def test_rendering_in_a_thread_loses_no_count() -> None:
    """Pages are rendered beside the event loop: everything is counted exactly once all the same."""
    metrics, stop = Metrics(), threading.Event()

    def render() -> None:
        while not stop.is_set():
            metrics.render()

    thread = threading.Thread(target=render)
    thread.start()
    for number in range(3_000):
        metrics.observe(
            finished(model=f"a/{number % 7}", usage=Usage(1, 1), hops=(Hop("a/b", f"e{number % 5}", None, 0, 0),))
        )
    stop.set()
    thread.join()
    found = samples(metrics.render())
    assert sum(value for (name, _), value in found.items() if name == "pointsman_requests_total") == 3_000
    assert sum(value for (name, _), value in found.items() if name == "pointsman_upstream_calls_total") == 3_000


WORKER = """
import sys; sys.path.insert(0, "tests")
from made_finished import SERVED
from pointsman.serve.metrics import Condition, Metrics, shared
metrics = Metrics()
assert shared()
for _ in range(int(sys.argv[1])):
    metrics.observe(SERVED)
metrics.settle(Condition(holds_open=int(sys.argv[1]), endpoints={"a@1": sys.argv[2]}, journal_waiting=2))
print("settled", flush=True)
sys.stdin.readline()
sys.stdout.buffer.write(metrics.render())
"""


def worker(folder: Path, count: int, state: str) -> subprocess.Popen[bytes]:
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", WORKER, str(count), state]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, cwd=ROOT)


def test_complaint_25_metrics_are_right_with_more_than_one_worker(tmp_path: Path) -> None:
    """Any worker shows the sums over all; what a killed one had counted stays, what it said of its own state goes."""
    folder = tmp_path / "metrics"
    prepare_folder(folder)
    (folder / "counter_1.db").write_bytes(b"left over")
    prepare_folder(folder)
    first, second = worker(folder, 30, "closed"), worker(folder, 12, "open")
    for each in (first, second):
        assert each.stdout is not None
        assert each.stdout.readline() == b"settled\n"
    text, _ = second.communicate(b"go\n")
    labels = {"shape": "chat", "model": MODEL, "outcome": "served", "status": "200"}
    assert value(text, "pointsman_requests_total", **labels) == 42
    assert value(text, "pointsman_overhead_seconds_count") == 42
    assert value(text, "pointsman_cost_usd_total", model=MODEL) == pytest.approx(42 * 34_500 / 1e9)
    assert value(text, "pointsman_holds_open") in (30, 12)
    assert value(text, "pointsman_endpoint_state", endpoint="a@1") == 0.0
    assert value(text, "pointsman_journal_waiting") == 4
    first.kill()
    first.communicate()
    third = worker(folder, 1, "open")
    text, _ = third.communicate(b"go\n")
    text = text.removeprefix(b"settled\n")
    assert value(text, "pointsman_requests_total", **labels) == 43
    assert value(text, "pointsman_endpoint_state", endpoint="a@1") == 1.0
    assert value(text, "pointsman_journal_waiting") == 2


def test_every_metric_is_documented() -> None:
    """Each name that is rendered stands in `docs/telemetry.md`."""
    page = (ROOT / "docs" / "telemetry.md").read_text()
    metrics = Metrics()
    metrics.observe(SERVED)
    metrics.settle(Condition([balance("all")], prices={"all": 1.0}, endpoints={"a": "open"}))
    for family in text_string_to_metric_families(metrics.render().decode()):
        assert f"`{family.name}" in page, family.name
