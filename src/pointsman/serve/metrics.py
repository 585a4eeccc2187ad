"""Prometheus metrics of the gateway, right over any number of workers. Every name is in `docs/telemetry.md`.

Takes `Finished` exchanges and, every second or so, where funds, prices and endpoints stand. Labels are bounded by the
configuration: models, endpoints, funds and fixed words; never a key, a user, a session or what a client wrote.

With several workers, `PROMETHEUS_MULTIPROC_DIR` names a folder that they share; it has to be set before this module is
imported (`serve.metrics_folder` empties it first), and any worker then renders the sums over all. Without it there is
one process, and nothing is written to disk.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.values import ValueClass

from pointsman.ledger.entries import Balance
from pointsman.pool.cards import Usage
from pointsman.serve.finished import OPERATION, Finished
from pointsman.serve.metrics_folder import FOLDER_VARIABLE
from pointsman.serve.metrics_gathered import GatheredCounter, GatheredHistogram

CONTENT_TYPE = CONTENT_TYPE_LATEST
NANO = 1e9
KEY_FUND = "key:"  # how the funds of virtual keys begin; they are unbounded in number

# From 0.1 ms to 1 s: what the gateway itself takes.
FINE_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
STAGE_S = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0)
# As OpenTelemetry advises for these three.
DURATION_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_TOKEN_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
TOKENS = tuple(float(4**power) for power in range(14))

EndpointState = Literal["open", "probing", "closed"]
STATE_VALUE: dict[EndpointState, float] = {"open": 1.0, "probing": 0.5, "closed": 0.0}
Mirrored = Literal["served", "failed", "refused", "dropped"]
PARTS = ("cached", "cache_write", "reasoning")

# Else every counter had a second series with its time of birth, in a single process only.
disable_created_metrics()  # type: ignore[no-untyped-call]

Metric = TypeVar("Metric", GatheredCounter, GatheredHistogram)


@dataclass(frozen=True, slots=True)
class Condition:
    """How the gateway stands, besides its exchanges; told every second or so.

    Attributes:
        balances: of all funds; those of virtual keys are left out of the metrics.
        holds_open: over all workers, as the ledger knows.
        prices: by fund, quality per unit.
        endpoints: state by name, as this worker sees it.
        snapshot_at_s: when the snapshot in use was made, Unix seconds.
        journal_waiting, journal_dropped, journal_failures, traces_dropped: of this worker; all but the first since its
            start.
    """

    balances: Iterable[Balance] = ()
    holds_open: int = 0
    prices: Mapping[str, float] | None = None
    endpoints: Mapping[str, EndpointState] | None = None
    snapshot_at_s: float = 0.0
    journal_waiting: int = 0
    journal_dropped: int = 0
    journal_failures: int = 0
    traces_dropped: int = 0


class _Children(Generic[Metric]):
    """The children of a metric by their labels; the library's own `labels()` costs several times this look-up."""

    __slots__ = ("_known", "_metric")

    def __init__(self, metric: Metric) -> None:
        self._metric: Metric = metric
        self._known: dict[tuple[object, ...], Metric] = {}

    def note(self, value: float, *labels: object) -> None:
        """Gathers a value for the child with these labels."""
        child = self._known.get(labels)
        if child is None:
            child = self._known[labels] = self._metric.labels(*labels) if labels else self._metric
        child.note(value)

    def settle(self) -> None:
        """Hands on what all children have gathered."""
        for child in self._known.values():
            child.settle()


class _Gauges:
    """The children of a gauge; one that isn't told of any more becomes NaN, since workers can't take one back."""

    __slots__ = ("_gauge", "_shown")

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._shown: set[tuple[str, ...]] = set()

    def show(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Sets all children at once."""
        for labels in self._shown - values.keys():
            self._gauge.labels(*labels).set(math.nan)
        for labels, value in values.items():
            self._gauge.labels(*labels).set(value)
        self._shown |= values.keys()


class Metrics:
    """All metrics of one worker. `observe` takes microseconds, `render` milliseconds; it may run in a thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._settles: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._before = Condition()
        self._declare_exchanges()
        self._declare_money()
        self._declare_condition()

    def _declare_exchanges(self) -> None:
        operation = ("gen_ai_operation_name", "gen_ai_request_model")
        self._requests = self._counter("pointsman_requests", "Exchanges.", "shape", "model", "outcome", "status")
        self._decisions = self._counter("pointsman_decisions", "Decisions and refusals, by why.", "reason")
        self._calls = self._counter("pointsman_upstream_calls", "Calls to upstreams.", "endpoint", "model")
        self._faults = self._counter("pointsman_upstream_faults", "Of them, failed ones.", "endpoint", "kind")
        self._overhead = self._histogram("pointsman_overhead_seconds", "What the gateway itself took.", FINE_S)
        self._stages = self._histogram("pointsman_stage_seconds", "Time in each stage.", STAGE_S, "stage")
        self._duration = self._histogram(
            "gen_ai_client_operation_duration_seconds", "Whole exchanges.", DURATION_S, *operation
        )
        self._first_token = self._histogram(
            "gen_ai_server_time_to_first_token_seconds", "To the first token.", FIRST_TOKEN_S, *operation
        )
        self._usage = self._histogram(
            "gen_ai_client_token_usage", "Tokens of an exchange.", TOKENS, *operation, "gen_ai_token_type"
        )

    def _declare_money(self) -> None:
        self._tokens = self._counter("pointsman_tokens", "Tokens; parts are in their totals too.", "model", "kind")
        self._cost = self._counter("pointsman_cost_usd", "US dollars booked.", "model")
        self._overruns = self._counter("pointsman_overruns", "Exchanges that cost more than was held for them.")
        self._overrun_usd = self._counter("pointsman_overrun_usd", "US dollars booked beyond the holds.")
        texts = {
            "amount": "What the fund may spend in its window.",
            "remaining": "What can still be held.",
            "held": "Held for queries in flight.",
            "spent": "Spent in the window in force.",
            "overrun": "Of it, beyond the holds.",
        }
        self._funds = {
            part: self._gauges(f"pointsman_fund_{part}", text, "fund", "unit") for part, text in texts.items()
        }
        self._prices = self._gauges("pointsman_fund_price", "What a unit of the fund is worth now, in quality.", "fund")

    def _declare_condition(self) -> None:
        self._holds = self._gauge("pointsman_holds_open", "Holds that nobody has ended yet, of all workers.")
        self._endpoints = Gauge(
            "pointsman_endpoint_state",
            "1 up, 0.5 being probed, 0 closed, as the worst worker sees it.",
            ["endpoint"],
            registry=self._registry,
            multiprocess_mode="livemin",
        )
        self._snapshot = Gauge(
            "pointsman_snapshot_timestamp_seconds",
            "When the oldest snapshot in use was made.",
            registry=self._registry,
            multiprocess_mode="livemin",
        )
        self._journal_waiting = Gauge(
            "pointsman_journal_waiting", "Rows to be written.", registry=self._registry, multiprocess_mode="livesum"
        )
        self._journal_dropped = self._counter("pointsman_journal_dropped", "Rows that the journal had to drop.")
        self._journal_failures = self._counter("pointsman_journal_failures", "Failed reads and writes of the journal.")
        self._traces_dropped = self._counter("pointsman_traces_dropped", "Exchanges that no span was made of.")
        self._alarms = self._counter("pointsman_alarms", "Alarms of the drift watch.", "kind", "model")
        self._active = self._gauges(
            "pointsman_alarms_active", "Of them, those that nobody has answered.", "kind", "model"
        )
        self._reloads = self._counter("pointsman_reloads", "Reloads of the configuration.", "result")
        self._shadow = self._counter("pointsman_shadow_queries", "Queries for models in the shadow.", "model", "result")
        self._shadow_cost = self._counter("pointsman_shadow_cost_usd", "US dollars booked for them.", "model")

    def _counter(self, name: str, text: str, *labels: str) -> _Children[GatheredCounter]:
        return self._settled(_Children(GatheredCounter(name, text, labels, registry=self._registry)))

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> _Children[GatheredHistogram]:
        return self._settled(_Children(GatheredHistogram(name, text, labels, buckets=buckets, registry=self._registry)))

    def _settled(self, children: _Children[Metric]) -> _Children[Metric]:
        self._settles.append(children.settle)
        return children

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self._registry, multiprocess_mode="mostrecent")

    def _gauges(self, name: str, text: str, *labels: str) -> _Gauges:
        return _Gauges(self._gauge(name, text, *labels))

    # --- exchanges -------------------------------------------------------------------------------------------------

    def observe(self, finished: Finished) -> None:
        """Counts an exchange that has ended."""
        with self._lock:
            self._observe(finished)

    def _observe(self, finished: Finished) -> None:
        model = finished.model or ""
        operation = OPERATION[finished.shape]
        self._requests.note(1, finished.shape, model, finished.outcome, finished.status)
        self._decisions.note(1, finished.reason)
        self._overhead.note(finished.overhead_s)
        self._duration.note(finished.total_s, operation, model)
        first_token_s = finished.first_token_s
        if first_token_s is not None:
            self._first_token.note(first_token_s, operation, model)
        for stage, seconds in finished.stages_s.items():
            self._stages.note(seconds, stage)
        self._observe_hops(finished)
        if finished.usage is not None:
            self._observe_tokens(finished.usage, operation, model)

    def _observe_hops(self, finished: Finished) -> None:
        for hop in finished.hops:
            self._calls.note(1, hop.endpoint, hop.model)
            self._cost.note(hop.cost_nano / NANO, hop.model)
            if hop.fault is not None:
                self._faults.note(1, hop.endpoint, hop.fault)
        if finished.overrun_nano:
            self._overruns.note(1)
            self._overrun_usd.note(finished.overrun_nano / NANO)

    def _observe_tokens(self, usage: Usage, operation: str, model: str) -> None:
        self._usage.note(usage.input_tokens, operation, model, "input")
        self._usage.note(usage.output_tokens, operation, model, "output")
        self._tokens.note(usage.input_tokens, model, "input")
        self._tokens.note(usage.output_tokens, model, "output")
        parts = (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens)
        for kind, count in zip(PARTS, parts, strict=True):
            if count:
                self._tokens.note(count, model, kind)

    def alarmed(self, kind: str, model: str) -> None:
        """Counts an alarm of the drift watch."""
        with self._lock:
            self._alarms.note(1, kind, model)

    def show_alarms(self, active: Mapping[tuple[str, str], int]) -> None:
        """How many alarms are active, by kind and model; for the worker that watches."""
        self._active.show({labels: float(count) for labels, count in active.items()})

    def reloaded(self, *, done: bool) -> None:
        """Counts a reload of the configuration, or a refused one."""
        with self._lock:
            self._reloads.note(1, "done" if done else "refused")

    def mirrored(self, model: str, result: Mirrored, cost_nano: int = 0) -> None:
        """Counts a query that was mirrored to a model in the shadow, or was to be."""
        with self._lock:
            self._shadow.note(1, model, result)
            self._shadow_cost.note(cost_nano / NANO, model)

    # --- the rest --------------------------------------------------------------------------------------------------

    def settle(self, condition: Condition | None = None) -> None:
        """Hands on what was gathered, so that all workers can render it, and sets the gauges; call it every second."""
        if condition is not None:
            self._show(condition)
        with self._lock:
            for settle in self._settles:
                settle()

    def render(self) -> bytes:
        """What `/metrics` answers, over all workers; of the others, as they have last settled."""
        self.settle()
        folder = os.environ.get(FOLDER_VARIABLE)
        if folder is None or not shared():
            return generate_latest(self._registry)
        _forget_dead(Path(folder))
        over_all = CollectorRegistry()
        MultiProcessCollector(over_all, folder)  # type: ignore[no-untyped-call]
        return generate_latest(over_all)

    def _show(self, now: Condition) -> None:
        funds = [balance for balance in now.balances if not balance.fund.startswith(KEY_FUND)]
        for part, gauges in self._funds.items():
            gauges.show({(b.fund, b.unit): getattr(b, part) / (NANO if b.unit == "usd" else 1) for b in funds})
        prices = now.prices or {}
        self._prices.show({(fund,): price for fund, price in prices.items() if not fund.startswith(KEY_FUND)})
        self._holds.set(now.holds_open)
        for endpoint, state in (now.endpoints or {}).items():
            self._endpoints.labels(endpoint).set(STATE_VALUE[state])
        self._snapshot.set(now.snapshot_at_s)
        self._journal_waiting.set(now.journal_waiting)
        with self._lock:
            self._journal_dropped.note(max(0, now.journal_dropped - self._before.journal_dropped))
            self._journal_failures.note(max(0, now.journal_failures - self._before.journal_failures))
            self._traces_dropped.note(max(0, now.traces_dropped - self._before.traces_dropped))
        self._before = now


def shared() -> bool:
    """Whether workers share their metrics in a folder; settled when the library was imported."""
    return bool(getattr(ValueClass, "_multiprocess", False))


def _forget_dead(folder: Path) -> None:
    """Takes what workers that are gone said of their own state out; their counts stay, as a counter never goes down."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if not _alive(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
