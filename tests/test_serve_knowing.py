"""How models come to be known: fitted, placed beside the fitted ones, or left to declarations; requests for fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_serving import model, settings_of
from pointsman.estimate.embedders import load_embedder
from pointsman.evaluate.simulated import simulate
from pointsman.outcomes import OutcomeLog, OutcomeRow, write
from pointsman.pool.settings import LearningSettings
from pointsman.records import Outcomes
from pointsman.router import embed
from pointsman.serve.drift.forgetting import forget
from pointsman.serve.fitting import fingerprint_of, fit_learned, load_learned, newest_learned
from pointsman.serve.knowing import AMPLE, LEAST_SCORED, Knowledge, apportioned, know, usable
from pointsman.serve.refitting import Requests, request_refit

HISTORY, PROBES = 90, 25


def made(columns: Sequence[int], newcomer: int) -> tuple[Outcomes, Outcomes]:
    """Simulated outcomes of some models, of which the newcomer was asked the first prompts; and what it would do."""
    whole = simulate(HISTORY + 300, seed=4).only(np.array([*columns, newcomer]))
    past = whole.take(np.arange(HISTORY))
    tables = {name: getattr(past, name).copy() for name in ("score", "cost_usd", "output_tokens")}
    for table in tables.values():
        table[PROBES:, -1] = np.nan
    return replace(past, **tables), whole.take(np.arange(HISTORY, HISTORY + 300))


@pytest.fixture(scope="module")
def placed() -> tuple[Knowledge, Outcomes, Outcomes]:
    """Three models with ample records and a fourth of a few probes; with the outcomes, and what comes."""
    past, to_come = made((0, 2, 5), 8)
    found = know(past, load_embedder("wordllama"))
    assert found is not None
    return found, past, to_come


@pytest.mark.parametrize(
    ("recorded", "fitted", "beside"),
    [
        ([17_000, 17_000, 64], [0, 1], [2]),  # a newcomer beside long histories
        ([64, 60, 40], [0, 1, 2], []),  # a pool that is known by the suite alone
        ([17_000, 64, 0], [0, 1], []),  # one known model: nobody to be alike
        ([17_000, 20, 5], [0], []),  # and too little of the others
        ([400, 300, 199, 1], [0, 1], [2, 3]),  # up to a half of the longest
        ([17_000, 16_000, AMPLE, AMPLE - 1], [0, 1, 2], [3]),  # what is ample is ample
        ([29, 29, 3], [], []),
        ([], [], []),
    ],
)
def test_who_is_fitted_and_who_is_placed(recorded: list[int], fitted: list[int], beside: list[int]) -> None:
    """Ample records are fitted, others placed beside two such models or more; by hand."""
    found = apportioned(np.array(recorded, np.int64))
    assert ([int(i) for i in found[0]], [int(i) for i in found[1]]) == (fitted, beside)


@given(st.lists(st.integers(0, 5_000), max_size=8))
def test_every_model_is_at_most_one_of_both(recorded: list[int]) -> None:
    """Whatever is recorded: no model is both, fitted ones have enough, and one with more is never known less well."""
    fitted, beside = (set(found.tolist()) for found in apportioned(np.array(recorded, np.int64)))
    assert not fitted & beside
    assert all(recorded[i] >= LEAST_SCORED for i in fitted)
    assert all(recorded[i] >= recorded[j] for i in fitted for j in beside)
    rest = set(range(len(recorded))) - fitted - beside
    assert all(recorded[i] < LEAST_SCORED for i in rest)
    assert not beside or len(fitted) >= 2


def test_a_newcomer_is_placed_beside_the_others(placed: tuple[Knowledge, Outcomes, Outcomes]) -> None:
    """Its column comes last, and everything has it: estimates, held-out ones, answers; it is said how it is known."""
    known, past, _ = placed
    assert known.estimator.models == past.models
    assert [known.known_by[name] for name in past.models] == [("fitted", HISTORY)] * 3 + [("placed", PROBES)]
    assert known.held_out.quality.shape == known.answers.shape == (HISTORY, 4)
    assert np.isfinite(known.held_out.cost_usd).all()
    assert np.isfinite(known.answers[:, 3]).sum() == np.isfinite(past.output_tokens[:, 3]).sum()


def test_placing_beats_its_mean_on_what_comes(placed: tuple[Knowledge, Outcomes, Outcomes]) -> None:
    """On prompts that nobody has seen, the placed model's estimates err less than the mean of its probes does."""
    known, past, to_come = placed
    prompts = embed(to_come.texts, load_embedder("wordllama"), to_come.input_tokens)
    found = known.estimator.estimate(prompts)
    truth = to_come.score[:, 3]
    mean = np.nanmean(past.score[:, 3])
    assert ((found.quality[:, 3] - truth) ** 2).mean() < ((mean - truth) ** 2).mean()
    assert (found.spread[:, 3] > found.spread[:, :3].mean()).mean() > 0.9  # and it is less sure of them
    assert ((found.quality[:, 3] >= 0) & (found.quality[:, 3] <= 1)).all()


def test_probes_of_its_own_and_costs_elsewhere(placed: tuple[Knowledge, Outcomes, Outcomes]) -> None:
    """Prompts that the others never answered do; a model none of whose scored answers has a cost is left out."""
    _, past, _ = placed
    score, cost = past.score.copy(), past.cost_usd.copy()
    score[:PROBES, :3] = np.nan
    score[:PROBES, 2], cost[:PROBES, 2] = past.score[:PROBES, 2], np.nan  # scored here, and costed elsewhere alone
    score[PROBES:, 2] = np.nan
    found = know(replace(past, score=score, cost_usd=cost), load_embedder("wordllama"))
    assert found is not None
    names = past.models
    assert found.estimator.models == (names[0], names[1], names[3])
    assert found.known_by[names[3]] == ("placed", PROBES)
    assert len(found.held_out) == HISTORY - PROBES


def test_what_can_be_learned_from_is_counted() -> None:
    """Scores and costs are both needed."""
    whole = simulate(10, seed=1).only(np.array([0, 1]))
    score, cost = whole.score.copy(), whole.cost_usd.copy()
    score[:4, 0], cost[:, 1] = np.nan, np.nan
    assert usable(replace(whole, score=score, cost_usd=cost)).tolist() == [6, 0]


# From the disk


def rows_of(outcomes: Outcomes, column: int, name: str, dataset: str, rows: int, at_s: float) -> list[OutcomeRow]:
    """Outcomes of one model as an onboarding stores them."""
    return [
        OutcomeRow(
            outcomes.prompt_ids[j],
            outcomes.texts[j],
            dataset,
            name,
            score=float(outcomes.score[j, column]),
            cost_usd=float(outcomes.cost_usd[j, column]),
            input_tokens=float(outcomes.input_tokens[j]),
            output_tokens=float(outcomes.output_tokens[j, column]),
            at_s=at_s,
        )
        for j in range(rows)
    ]


def test_what_is_forgotten_is_not_learned_from(tmp_path: Path) -> None:
    """A model's outcomes from before an alarm make no fit any more, and the fit is known to be another one."""
    past, _ = made((0, 2), 8)
    write(past, tmp_path / "past")
    models = [model(name) for name in past.models]
    settings = settings_of(*models, state=tmp_path / "state", learning=LearningSettings(history=tmp_path / "past"))
    OutcomeLog(settings.state / "outcomes").append(rows_of(past, 2, past.models[2], "probe:logic", 12, at_s=2_000.0))
    before = fingerprint_of(settings)
    forget(settings.state, past.models[2], 1_000.0)
    after = fingerprint_of(settings)
    assert before is not None
    assert after not in {before, None}
    found = fit_learned(settings, "print")
    assert found is not None
    assert found.known_by[past.models[2]] == ("placed", 12)  # those without a time are left out
    kept = load_learned(settings, "print")
    assert kept is not None
    assert kept.known_by == found.known_by
    assert newest_learned(settings) is not None


def test_requests_for_a_fit(tmp_path: Path) -> None:
    """A request stands until it is taken; an onboarding that ends is one, once; what was there at the start isn't."""
    (tmp_path / "onboarding" / "old").mkdir(parents=True)
    (tmp_path / "onboarding" / "old" / "profile.json").write_text("{}")
    requests = Requests(tmp_path)
    assert not requests.due()
    request_refit(tmp_path)
    request_refit(tmp_path)
    assert requests.due()
    assert requests.due()
    requests.taken()
    assert not requests.due()
    (tmp_path / "onboarding" / "new").mkdir()
    (tmp_path / "onboarding" / "new" / "profile.json").write_text("{}")
    assert requests.due()
    requests.taken()
    assert not requests.due()
