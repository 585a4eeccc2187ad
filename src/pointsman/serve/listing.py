"""The pool as it is known now: each model's duty, how it is known, what is expected of it and what it has done.

Takes settings and looks into the state folder beside a running gateway, or without one; changes nothing there.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import orjson

from pointsman.errors import InputError
from pointsman.pool.billing import unit_costs
from pointsman.pool.cards import Duty
from pointsman.pool.duties import Given, read_given, with_duties
from pointsman.pool.settings import Settings
from pointsman.serve.build import believed
from pointsman.serve.drift.forgetting import forgotten
from pointsman.serve.fitting import Learned, history_name, newest_learned
from pointsman.serve.journal_file import ModelTally
from pointsman.serve.keys import SHADOW
from pointsman.serve.knowing import How
from pointsman.serve.recorder import ONBOARDING

JOURNAL = "decisions.sqlite"
RECENT = 5_000  # latest exchanges that shares are of
MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Listed:
    """One model.

    Attributes:
        id: `provider/model`.
        duty: what it may do now.
        why: who said so, where it isn't the configuration.
        known_by: "fitted" on its own outcomes, "placed" beside the fitted ones, or "declared".
        outcomes: scored ones that this rests on.
        input_usd, output_usd: today's rates, US dollars per million tokens, for short prompts.
        quality, spread: expected of typical queries, and its standard error.
        answered, scored: answers of known length so far, and exchanges with feedback.
        share: of the latest exchanges that a client was served by; None where there are none.
    """

    id: str
    duty: Duty
    why: str
    known_by: str
    outcomes: int
    input_usd: float
    output_usd: float
    quality: float
    spread: float
    answered: int
    scored: int
    share: float | None


def listed(settings: Settings, day: date) -> list[Listed]:
    """Every model of the configuration, in its order.

    Args:
        settings: as read; duties given since are laid over them.
        day: of the rates, UTC.

    Raises:
        InputError: duties or decisions that can't be read.
    """
    tallies, served = _journal(settings.state / JOURNAL)
    return told_of(settings, day, read_given(settings.state), newest_learned(settings), tallies, served)


def told_of(
    settings: Settings,
    day: date,
    given: Mapping[str, Given],
    learned: Learned | None,
    tallies: Mapping[str, ModelTally],
    served: Counter[str],
) -> list[Listed]:
    """The same from what is known already.

    Args:
        given: duties given since the configuration was written.
        learned: the fit in force.
        tallies: what answers added up to, by model.
        served: how many of the latest exchanges a client was served by each.

    Raises:
        InputError: what is forgotten can't be read.
    """
    settings = with_duties(settings, {model: one.duty for model, one in given.items()})
    since = forgotten(settings.state)
    expected = believed(settings, learned, tallies, day, since)
    quality, spread = expected.quality.mean(axis=0), expected.spread.mean(axis=0)
    costs = unit_costs(settings.models, day)
    known = _known_by(learned, since)
    found = []
    for i, model in enumerate(settings.models):
        how, outcomes = known.get(history_name(model), ("declared", 0))
        tally = tallies.get(model.id, ModelTally(model.id))
        found.append(
            Listed(
                model.id,
                model.duty,
                given[model.id].why if model.id in given else "",
                how,
                outcomes,
                float(costs.input[i]) * MILLION,
                float(costs.output[i]) * MILLION,
                float(quality[i]),
                float(spread[i]),
                tally.answered,
                tally.scored,
                served[model.id] / served.total() if served else None,
            )
        )
    return found


def _known_by(learned: Learned | None, since: Mapping[str, float]) -> Mapping[str, tuple[How, int]]:
    """How models are known by a fit, but for those whose outcomes in it are forgotten by now."""
    if learned is None:
        return {}
    fresh = {name: learned.since.get(name, 0.0) >= since.get(name, 0.0) for name in learned.known_by}
    return {name: how for name, how in learned.known_by.items() if fresh[name]}


def _journal(path: Path) -> tuple[Mapping[str, ModelTally], Counter[str]]:
    """Tallies by model, and how many of the latest exchanges each has served; nothing where there is no journal."""
    if not path.is_file():
        return {}, Counter()
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            tallies = {row[0]: ModelTally(*row) for row in db.execute("select * from tallies")}
            rows = db.execute("select body from exchanges order by number desc limit ?", (RECENT,))
            return tallies, Counter(model for (body,) in rows if (model := _served_by(body)) is not None)
    except sqlite3.Error as error:
        raise InputError(
            f"decisions can't be read: {error}", place=str(path), remedy="try again, or give another configuration"
        ) from None


def _served_by(body: bytes) -> str | None:
    """Who served a client; None for what was mirrored, probed or not served."""
    kept = orjson.loads(body)
    if kept["outcome"] != "served" or kept["key_id"] == SHADOW or kept["key_id"].startswith(ONBOARDING):
        return None
    model: str | None = kept["model"]
    return model
