"""What an onboarding is judged by, from a configuration and its state folder: the pool, its money, its outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.embedder import Embedder
from pointsman.onboard.ground import Ground, Known, Money, answers_of, learn, make_ground
from pointsman.outcomes import read_several
from pointsman.pool.cards import Model
from pointsman.pool.probes.probe import Probe
from pointsman.pool.settings import FundRule, Settings
from pointsman.records import Outcomes
from pointsman.router import embed
from pointsman.serve.drift.forgetting import forgotten
from pointsman.serve.fitting import history_name, outcome_folders
from pointsman.serve.scheme import fund_table

DAY_S = 86_400.0
PERIOD_S = {"minute": 60.0, "hour": 3_600.0, "day": DAY_S, "week": 7 * DAY_S, "month": 30 * DAY_S, "year": 365 * DAY_S}


@dataclass(frozen=True)
class Past:
    """What is recorded.

    Attributes:
        outcomes: of all models, forgotten ones left out; None where nothing is recorded.
        known: the registry's other models, fitted; None where none has outcomes enough.
    """

    outcomes: Outcomes | None
    known: Known | None


def find_model(settings: Settings, name: str) -> Model:
    """The model to be onboarded.

    Raises:
        InputError: there is none of this id (with the nearest), or it is retired, or gives no text.
    """
    by_id = {model.id: model for model in settings.models}
    if name not in by_id:
        close = get_close_matches(name, by_id, n=1)
        known = ", ".join(list(by_id)[:8]) + (", …" if len(by_id) > 8 else "")
        hint = f"did you mean {close[0]!r}" if close else f"the models are {known}"
        raise InputError(
            f"the configuration has no model {name!r}",
            place=str(settings.path or "configuration"),
            remedy=f"{hint}; a new one goes under `models`, with `duty: waiting`",
        )
    found = by_id[name]
    if found.duty == "retired":
        remedy = "give it another duty first: `pointsman retire --back`, or `duty: waiting` in the configuration"
        raise InputError("the model is retired", place=f"model {name!r}", remedy=remedy)
    if "embeddings" in found.capabilities:
        raise InputError(
            "the model gives vectors, not answers", place=f"model {name!r}", remedy="name one that answers"
        )
    return found


def read_past(settings: Settings, newcomer: Model, embedder: Embedder, seed: int) -> Past:
    """The outcomes, and the fit of the other models among them.

    Raises:
        InputError: outcomes that can't be read.
    """
    folders = outcome_folders(settings)
    if not folders:
        return Past(None, None)
    outcomes = read_several(folders, since=forgotten(settings.state))
    names = {history_name(model) for model in settings.models if model.duty != "retired"} - {history_name(newcomer)}
    columns = np.array([i for i, name in enumerate(outcomes.models) if name in names], np.int64)
    return Past(outcomes, learn(outcomes.only(columns), embedder, seed) if len(columns) else None)


def lay_ground(
    settings: Settings, newcomer: Model, past: Past, probes: Sequence[Probe], embedder: Embedder, day: date, seed: int
) -> Ground:
    """The pool as it serves, and what its models made of the probes."""
    pool = [
        model
        for model in settings.models
        if model.duty == "serving" and model.id != newcomer.id and "embeddings" not in model.capabilities
    ]
    texts = [probe.prompt for probe in probes]
    answered = None if past.known is None or past.outcomes is None else answers_of(past.known, past.outcomes, texts)
    return make_ground(
        newcomer.id,
        pool,
        [history_name(model) for model in pool],
        past.known,
        answered,
        embed(texts, embedder),
        money_of(settings, [*pool, newcomer]),
        day,
        seed,
    )


def money_of(settings: Settings, models: Sequence[Model]) -> Money:
    """The funds that every query draws on, full, and the queries that a whole window of each has to serve."""
    rules = [rule for rule in settings.funds if not rule.keys and not rule.tags]
    table = fund_table(rules, models)
    expected = [settings.routing.expect_per_day * _window_s(rule) / DAY_S for rule in rules]
    return Money(table, table.budget, np.array(expected, np.float64))


def _window_s(rule: FundRule) -> float:
    if rule.window.kind == "rolling":
        return float(rule.window.length_s)
    return PERIOD_S[rule.window.every] if rule.window.kind == "calendar" else float(rule.pace_over_s)
