"""Everything that `pointsman.yaml` can say, as frozen values with their defaults. No I/O and no checks of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pointsman.pool.cards import Model
from pointsman.records import Unit

Scarcity = Literal["serve-cheapest", "decline", "queue"]


@dataclass(frozen=True, slots=True)
class WindowRule:
    """Over what time a fund's amount is meant.

    Attributes:
        kind: "none" (once and for all), "rolling" (the last `length_s` seconds, at any instant) or "calendar".
        length_s: of a rolling window.
        every: "minute", "hour", "day", "week", "month" or "year" of a calendar window.
        zone: the time zone of a calendar window, an IANA name.
    """

    kind: Literal["none", "rolling", "calendar"] = "none"
    length_s: int = 0
    every: str = ""
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class FundRule:
    """A fund of the file: how much, over what time, and what draws on it.

    A query on a model draws on it if it fits every list that isn't empty.

    Attributes:
        name: unique.
        amount: in whole `unit_amount`s: nano-dollars for usd, tokens, or requests.
        unit: "usd", "tokens" (input plus output) or "requests".
        window: over what time.
        models: ids with `*` as in a shell; matched when the file is read, so these are exact ids. Empty: every model.
        providers: the part before the slash. Empty: every provider.
        keys: ids of virtual keys. Empty: every key, and the master key.
        tags: the query has one of these tags. Empty: any query.
        pace_over_s: over what time money that has no window is to be spread.
    """

    name: str
    amount: int
    unit: Unit = "usd"
    window: WindowRule = WindowRule()
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pace_over_s: int = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that clients ask for in place of a model.

    Attributes:
        name: "auto" is always there.
        models: candidates, exact ids; empty means every model.
        trade_off: 0 is quality alone, 10 is the cheapest, None leaves it to the funds' prices.
        max_cost_nano: most that one query may be expected to cost, None for no limit.
        tags: every candidate must have them.
        scarcity: what to do when nothing is worth its price or can be paid.
        queue_s: how long "queue" waits for money.
    """

    name: str
    models: tuple[str, ...] = ()
    trade_off: float | None = None
    max_cost_nano: int | None = None
    tags: tuple[str, ...] = ()
    scarcity: Scarcity = "serve-cheapest"
    queue_s: float = 30.0


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The front: where it listens and what it puts up with."""

    host: str = "127.0.0.1"
    port: int = 8400
    workers: int = 1
    body_bytes: int = 20 * 1024 * 1024
    header_bytes: int = 64 * 1024
    connections: int = 2_048
    client_timeout_s: float = 60.0
    drain_s: float = 30.0


@dataclass(frozen=True, slots=True)
class RoutingSettings:
    """How decisions are made.

    Attributes:
        ceiling: how long an answer may get when money is held for it: "limit" (the request's own limit, and the
            quantile where it has none), "quantile" (the smaller of both) or "model" (the request's limit, and the
            model's own where it has none: nothing can then cost more than was held).
        quantile: of the answer length, in (0.5, 1).
        stay_margin: quality that another model must be better by before a conversation moves to it, besides the
            cost of reading the prompt again.
        batch: most queries that are decided at once.
        expect_per_day: queries expected a day before any has come.
        patience_s: how long a query waits for money that is only held, not spent, before it is refused.
        explore: the share of an alias's queries that go to a model drawn by chance, at most 0.2.
    """

    ceiling: Literal["limit", "quantile", "model"] = "limit"
    quantile: float = 0.95
    stay_margin: float = 0.02
    batch: int = 64
    expect_per_day: float = 10_000.0
    patience_s: float = 5.0
    explore: float = 0.0


@dataclass(frozen=True, slots=True)
class FailureSettings:
    """What to do when upstreams are slow or fail.

    Attributes:
        connect_s, first_token_s, between_tokens_s, total_s: limits of one call and, the last, of the whole exchange.
        retries: further calls to the same model after a failure that may pass.
        fallbacks: further models, the next best by score.
        backoff_s: the mean first pause before a retry; doubled each time, with jitter.
        cooldown_after: failures in a row that close an endpoint.
        cooldown_s: how long it stays closed before one query probes it.
        hedge_after_s: None, or after how long without a first token a second model is asked as well.
        crashed_holds: what becomes of money held by a gateway that died: "charge" books it as spent, since the
            upstream may have billed it; "release" gives it back.
        hold_s: a hold lives at most this long, if nobody ends it.
    """

    connect_s: float = 5.0
    first_token_s: float = 60.0
    between_tokens_s: float = 60.0
    total_s: float = 600.0
    retries: int = 1
    fallbacks: int = 2
    backoff_s: float = 0.2
    cooldown_after: int = 3
    cooldown_s: float = 30.0
    hedge_after_s: float | None = None
    crashed_holds: Literal["charge", "release"] = "charge"
    hold_s: float = 900.0


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """What is done about a world that changes; see docs/drift.md.

    Attributes:
        watch: whether estimates are held against what comes.
        reprobe_budget_nano: most that asking suspected models their probes again may cost a day, UTC; 0 for never.
        forget: whether outcomes of a model from before its scores changed stop to count in fits.
    """

    watch: bool = True
    reprobe_budget_nano: int = 0
    forget: bool = True


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """How estimates and prices follow what happens.

    Attributes:
        history: an outcome folder to begin with, None for none.
        store_prompts: whether prompts are kept, in the outcome folder of the state, to learn from.
        embedder: as for `estimate.embedders.load_embedder`.
        resolve_s: how often prices are solved again.
        refit_s: how often estimators are fitted again, if outcomes came in; 0 never.
        keep_s: how long stored outcomes are kept; 0 for ever.
        shadow_share: how much of the served chat traffic each model in the shadow gets too: one share for all of them,
            or shares by id (with `*`), 0 for those that fit none.
        shadow_budget_nano: most that this may cost a day, UTC.
        drift: what is done when estimates stop being true.
    """

    history: Path | None = None
    store_prompts: bool = False
    embedder: str = "wordllama"
    resolve_s: float = 5.0
    refit_s: float = 3_600.0
    keep_s: float = 0.0
    shadow_share: float | Mapping[str, float] = 0.05
    shadow_budget_nano: int = 1_000_000_000
    drift: DriftSettings = DriftSettings()


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """What is told to the outside.

    Attributes:
        log: "json" lines, "console" for people, or "off".
        level: "debug", "info", "warning" or "error".
        metrics: whether `/metrics` answers.
        metrics_public: whether it answers without a key.
        otlp: base address of an OpenTelemetry collector (HTTP), None for none.
        keep_decisions_s: how long decisions can be looked up.
    """

    log: Literal["json", "console", "off"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"
    metrics: bool = True
    metrics_public: bool = False
    otlp: str | None = None
    keep_decisions_s: float = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """The dashboard at `/ui`.

    Attributes:
        enabled: whether anything answers there.
        key: opens it to look at, without prompts and without a right to change anything; None for the master key alone.
        session_s: how long a sign-in lasts.
        notice: shown at the top of every page, "" for nothing.
    """

    enabled: bool = True
    key: str | None = field(default=None, repr=False)
    session_s: float = 12 * 3_600.0
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration, checked.

    Attributes:
        models: at least one, in the order of the file.
        funds: as they stand in the file; may be empty.
        aliases: by name, "auto" among them.
        state: the folder of ledger, keys, decisions and what was learned.
        master_key: opens everything; None is allowed on loopback alone.
        path: the file that this was read from, None where it was made in code.
    """

    models: tuple[Model, ...]
    funds: tuple[FundRule, ...] = ()
    aliases: tuple[Alias, ...] = (Alias("auto"),)
    state: Path = Path("pointsman-state")
    master_key: str | None = field(default=None, repr=False)
    server: ServerSettings = ServerSettings()
    routing: RoutingSettings = RoutingSettings()
    failure: FailureSettings = FailureSettings()
    learning: LearningSettings = LearningSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    dashboard: DashboardSettings = DashboardSettings()
    path: Path | None = None
