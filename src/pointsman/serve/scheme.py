"""Everything that a query's decision depends on, frozen: settings, estimators, prices, funds, today's rates.

A query takes the scheme in force and keeps it; `learn` and a reload make a new one and swap it in by one assignment.
Takes settings, what was learned and the keys' own funds; gives columns and masks over the models in their order.
It reads no file and no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np

from pointsman.decide.program import FundTable
from pointsman.decide.terms import trade_off_price
from pointsman.estimate.drift.mix import Mix
from pointsman.estimate.registered import Registered
from pointsman.ledger.entries import LedgerFund, Line
from pointsman.ledger.window import Window
from pointsman.pool.billing import UnitCosts, hold_nano, rates_at, unit_costs
from pointsman.pool.cards import Capability, Model, Rates, UpstreamKind
from pointsman.pool.settings import Alias, FundRule, Settings
from pointsman.records import UNITS, Estimates, Floats, Mask
from pointsman.router import Snapshot
from pointsman.serve.upstreams import adapters_of
from pointsman.serve.upstreams.adapter import Adapter

NANO = 1_000_000_000
IMAGE_TOKENS = 765  # what OpenAI counts for a 1,024 x 1,024 picture; others are near
FRAME_TOKENS = 8  # what a chat's own marks cost around short texts
CHARS_PER_TOKEN = 4.0
UNKNOWN_LENGTH = 1 << 40


def counted_tokens(input_chars: int, images: int) -> float:
    """Input tokens as they are counted before an upstream has: characters / 4, pictures, the frame of a chat."""
    return input_chars / CHARS_PER_TOKEN + images * IMAGE_TOKENS + FRAME_TOKENS


@dataclass(frozen=True, slots=True)
class Counting:
    """How the models' own token counts compare with ours, and how long their answers may get; arrays over M models.

    Attributes:
        ratio: real over counted input tokens, expected.
        most: the same, hardly ever exceeded; what holds are made with.
        ceiling: a high quantile of the answer length over its expectation.
    """

    ratio: Floats
    most: Floats
    ceiling: Floats


@dataclass(frozen=True)
class Scheme:
    """What is in force; see the module.

    Attributes:
        settings: as read.
        snapshot: embedder, estimators, fund table, prices; its models are those of `settings`, in their order.
        funds: the file's and the keys', in the order of the table's rows.
        counting: tokens.
        day: of the rates.
        typical: estimates of queries that stand for what comes; what the trade-off knob is scaled by.
        origin: where estimates come from, for people: "outcomes of 18 models", "priors alone".
        fit: fingerprint of the fit that they come from; "" where there is none.
        mix: the partition of the traffic that its mix is watched by; None where there is none.
        beliefs: the estimators' name in `serve.again.beliefs`; "" where they aren't kept.
    """

    settings: Settings
    snapshot: Snapshot
    funds: tuple[FundRule, ...]
    counting: Counting
    day: date
    typical: Estimates
    origin: str
    fit: str = ""
    mix: Mix | None = None
    beliefs: str = ""
    _masks: dict[object, Mask] = field(default_factory=dict, repr=False)
    _prices: dict[float, float] = field(default_factory=dict, repr=False)
    _drawn: dict[tuple[str, tuple[str, ...]], tuple[int, ...]] = field(default_factory=dict, repr=False)

    @property
    def models(self) -> tuple[Model, ...]:
        """Who may answer, in the order of all columns."""
        return self.settings.models

    @cached_property
    def column(self) -> dict[str, int]:
        """The column of a model's id."""
        return {model.id: i for i, model in enumerate(self.models)}

    @cached_property
    def known(self) -> Mask:
        """Models [M] that are estimated from recorded outcomes, and not by their prior alone."""
        estimator = self.snapshot.estimator
        known: Mask = (
            estimator.column >= 0 if isinstance(estimator, Registered) else np.ones(len(self.models), np.bool_)
        )
        return known

    @cached_property
    def serving(self) -> Mask:
        """Models [M] that are candidates of aliases and count in prices."""
        return np.array([model.duty == "serving" for model in self.models], np.bool_)

    @cached_property
    def shadowed(self) -> Mask:
        """Models [M] that traffic is mirrored to."""
        return np.array([model.duty == "shadow" for model in self.models], np.bool_)

    @cached_property
    def all_serve(self) -> bool:
        """Whether that is every model."""
        return bool(self.serving.all())

    @cached_property
    def aliases(self) -> dict[str, Alias]:
        """By every name that a client may use."""
        named = {alias.name: alias for alias in self.settings.aliases}
        return named | {f"pointsman/{name}": alias for name, alias in named.items()}

    @cached_property
    def adapters(self) -> Mapping[UpstreamKind, Adapter]:
        """How to speak with each kind of endpoint."""
        return adapters_of(self.models)

    @cached_property
    def rates(self) -> tuple[Rates, ...]:
        """Of each model, today."""
        return tuple(rates_at(model, self.day) for model in self.models)

    @cached_property
    def context(self) -> Floats:
        """Context windows in tokens [M]; infinite where not known."""
        return np.array([model.context_tokens or np.inf for model in self.models])

    @cached_property
    def least_context(self) -> float:
        """Of all context windows: what is shorter fits every model."""
        return float(self.context.min())

    @cached_property
    def most_ratio(self) -> float:
        """Of all expected token ratios."""
        return float(self.counting.ratio.max())

    @cached_property
    def longest(self) -> list[int]:
        """The most tokens that an answer of each model may have; a number beyond all answers where not known."""
        return [model.max_output_tokens or UNKNOWN_LENGTH for model in self.models]

    @cached_property
    def costs(self) -> UnitCosts:
        """Today's rates as floats, for estimates."""
        return unit_costs(self.models, self.day)

    def saved_usd(self, column: int, tokens: float) -> float:
        """What reading `tokens` of the prompt from a model's cache saves, in dollars."""
        gap = float(self.costs.input[column] - self.costs.cached[column])
        return max(0.0, gap) * tokens * float(self.counting.ratio[column])

    def trade_off_price(self, trade_off: float) -> float:
        """Quality per dollar at a setting of the knob, 0 to 10."""
        found = self._prices.get(trade_off)
        if found is None:
            found = self._prices[trade_off] = trade_off_price(trade_off, self._typical_of_serving)
        return found

    @cached_property
    def _typical_of_serving(self) -> Estimates:
        """What the knob is scaled by: models that don't serve stretch no range."""
        if self.all_serve or not self.serving.any():
            return self.typical
        all_, mine = self.typical, self.serving
        return Estimates(all_.quality[:, mine], all_.cost_usd[:, mine], all_.tokens[:, mine], all_.spread[:, mine])

    @cached_property
    def ledger_funds(self) -> tuple[LedgerFund, ...]:
        """The funds as the ledger keeps them."""
        return tuple(LedgerFund(rule.name, rule.amount, rule.unit, window_of(rule)) for rule in self.funds)

    @cached_property
    def _lines(self) -> tuple[tuple[tuple[int, str, str], ...], ...]:
        """For each model the funds that its queries may draw on: (row, name, unit)."""
        draws = self.snapshot.funds.draws
        return tuple(
            tuple((f, rule.name, rule.unit) for f, rule in enumerate(self.funds) if draws[f, i])
            for i in range(len(self.models))
        )

    def with_capability(self, needs: frozenset[Capability]) -> Mask:
        """Models [M] that have every capability in `needs`; embedding models serve embeddings and nothing else."""
        found = self._masks.get(needs)
        if found is None:
            found = np.array(
                [
                    needs <= model.capabilities and ("embeddings" in model.capabilities) == ("embeddings" in needs)
                    for model in self.models
                ],
                np.bool_,
            )
            self._masks[needs] = found
        return found

    def with_tags(self, tags: tuple[str, ...]) -> Mask:
        """Models [M] that have every tag."""
        key = ("tags", tags)
        if key not in self._masks:
            self._keep(key, [model.tags.issuperset(tags) for model in self.models])
        return self._masks[key]

    def matching(self, patterns: tuple[str, ...]) -> Mask:
        """Models [M] that match any pattern; no pattern matches all."""
        key = ("ids", patterns)
        if key not in self._masks:
            self._keep(
                key, [not patterns or any(fnmatchcase(model.id, each) for each in patterns) for model in self.models]
            )
        return self._masks[key]

    def drawn(self, key_id: str, tags: tuple[str, ...]) -> tuple[int, ...]:
        """Rows of the funds that a query with this key and these tags may draw on."""
        place = (key_id, tags)
        found = self._drawn.get(place)
        if found is None:
            found = tuple(f for f, rule in enumerate(self.funds) if _concerns(rule, key_id, tags))
            if len(self._drawn) > 10_000:
                self._drawn.clear()
            self._drawn[place] = found
        return found

    def lines(
        self, column: int, drawn: frozenset[int], input_tokens: int, output_tokens: int, *, cache_writes: bool
    ) -> tuple[Line, ...]:
        """What is held on each fund for a query on a model, at most these tokens long."""
        cost = -1
        found = []
        for f, name, unit in self._lines[column]:
            if f in drawn:
                if unit == "usd":
                    if cost < 0:
                        cost = hold_nano(self.rates[column], input_tokens, output_tokens, cache_writes=cache_writes)
                    found.append(Line(name, cost))
                else:
                    found.append(Line(name, 1 if unit == "requests" else input_tokens + output_tokens))
        return tuple(found)

    def payers(self, column: int, drawn: frozenset[int]) -> list[tuple[str, str]]:
        """Name and unit of each fund that a query on a model draws on."""
        return [(name, unit) for f, name, unit in self._lines[column] if f in drawn]

    def receipt(self, column: int, drawn: frozenset[int], cost_nano: int, tokens: int) -> tuple[Line, ...]:
        """What one answer really drew on each fund."""
        amount = {"usd": cost_nano, "tokens": tokens, "requests": 1}
        return tuple(Line(name, amount[unit]) for f, name, unit in self._lines[column] if f in drawn)

    def dollars(self, lines: Sequence[Line]) -> int:
        """The nano-dollars among lines, the same on every fund in dollars; 0 where there is none."""
        return max((line.amount for line in lines if line.fund in self._in_dollars), default=0)

    @cached_property
    def _in_dollars(self) -> frozenset[str]:
        return frozenset(rule.name for rule in self.funds if rule.unit == "usd")

    def kept(self, key: object, make: Callable[[], Mask]) -> Mask:
        """A mask [M] that depends on nothing but `key`, made once. What `make` raises is raised each time."""
        found = self._masks.get(key)
        if found is None:
            found = make()
            self._keep(key, found)
        return found

    def _keep(self, key: object, values: Sequence[bool] | Mask) -> None:
        if len(self._masks) > 10_000:  # patterns come from clients: put a limit on everything
            self._masks.clear()
        self._masks[key] = np.array(values, np.bool_)


def _concerns(rule: FundRule, key_id: str, tags: tuple[str, ...]) -> bool:
    return (not rule.keys or key_id in rule.keys) and (not rule.tags or any(tag in rule.tags for tag in tags))


def window_of(rule: FundRule) -> Window:
    """The ledger's window of a rule."""
    return Window(rule.window.kind, rule.window.length_s, rule.window.every, rule.window.zone)


def fund_table(rules: Sequence[FundRule], models: Sequence[Model]) -> FundTable:
    """The funds [F] against the models [M]: dollars, tokens or requests, whatever the ledger counts in."""
    draws = np.zeros((len(rules), len(models)), np.bool_)
    for f, rule in enumerate(rules):
        draws[f] = [
            (not rule.models or any(fnmatchcase(model.id, each) for each in rule.models))
            and (not rule.providers or model.provider in rule.providers)
            for model in models
        ]
    return FundTable(
        tuple(rule.name for rule in rules),
        np.array([in_units(rule.amount, rule.unit) for rule in rules], np.float64),
        np.array([UNITS.index(rule.unit) for rule in rules], np.int64),
        draws,
    )


def in_units(amount: int, unit: str) -> float:
    """A ledger's whole number in the unit of estimates: dollars for nano-dollars."""
    return amount / NANO if unit == "usd" else float(amount)
