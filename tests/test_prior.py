"""What is believed of a model before it answered, and after."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.estimate.prior import DECLARED_SPREAD, TIER_QUALITY, TIER_SPREAD, Prior, Tally, declared_prior
from pointsman.records import Prompts


def prompts(queries: int) -> Prompts:
    return Prompts(["text"] * queries, np.zeros((queries, 2), np.float32), np.arange(queries, dtype=np.float64))


def single(quality: float = 0.5, spread: float = 0.25, tokens: float = 100.0) -> Prior:
    return Prior(("m",), np.array([quality]), np.array([spread]), np.array([tokens]))


def test_the_same_for_every_prompt() -> None:
    """Quality, spread and length repeat, tokens add the prompt's own, and money is unknown, not zero."""
    found = single().estimate(prompts(3))
    assert found.quality.tolist() == [[0.5]] * 3
    assert found.spread.tolist() == [[0.25]] * 3
    assert found.tokens.tolist() == [[100.0], [101.0], [102.0]]
    assert np.isnan(found.cost_usd).all()


def test_four_outcomes_meet_a_belief_worth_four() -> None:
    """0.5 ± 0.25 is worth 0.25 / 0.0625 = 4 outcomes: four perfect ones move it to 0.75; five long answers halve in."""
    after = single().updated([Tally("m", 4, 4.0, 5, 1_500.0)])
    assert after.quality.tolist() == [0.75]
    assert after.output_tokens.tolist() == [200.0]
    assert after.spread[0] == pytest.approx(np.sqrt(0.75 * 0.25 / 8))


def test_tallies_of_others_and_empty_ones_change_nothing() -> None:
    """What isn't in the prior is passed over."""
    after = single().updated([Tally("other", 4, 4.0, 5, 1_500.0), Tally("m")])
    assert after.quality.tolist() == [0.5]
    assert after.output_tokens.tolist() == [100.0]
    assert after.spread.tolist() == [0.25]


scores = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(scores, scores, st.floats(0.01, 0.99), st.floats(0.05, 0.3))
def test_two_updates_are_one(first: list[float], second: list[float], quality: float, spread: float) -> None:
    """Answers may be told in any parts."""

    def tally(given: list[float]) -> Tally:
        return Tally("m", len(given), min(sum(given), len(given)), len(given), 100.0 * sum(given))

    begun = single(quality, spread)
    parts = begun.updated([tally(first)]).updated([tally(second)])
    whole = begun.updated([tally(first + second)])
    assert parts.quality[0] == pytest.approx(whole.quality[0])
    assert parts.spread[0] == pytest.approx(whole.spread[0])
    assert parts.output_tokens[0] == pytest.approx(whole.output_tokens[0])


def test_many_outcomes_overrule_any_belief() -> None:
    """After a thousand answers the mean is theirs and the spread a standard error."""
    after = single(0.9, 0.1, 50.0).updated([Tally("m", 1_000, 300.0, 1_000, 800_000.0)])
    assert after.quality[0] == pytest.approx(0.3, abs=0.01)
    assert after.spread[0] == pytest.approx(np.sqrt(0.3 * 0.7 / 1_000), rel=0.05)
    assert after.output_tokens[0] == pytest.approx(800.0, rel=0.01)


def test_declared_then_tier_then_recorded_then_the_mean() -> None:
    """Each model takes the first that is known; the last one knows nothing and is taken for an average model."""
    found = declared_prior(
        ["a", "b", "c", "d"],
        quality=[0.9, None, None, None],
        tier=["small", "large", None, None],
        output_tokens=[100.0, None, None, None],
        known_quality=np.array([0.2, 0.2, 0.4, np.nan]),
        known_output_tokens=np.array([np.nan, np.nan, 300.0, np.nan]),
    )
    large = TIER_QUALITY["large"]
    assert found.quality.tolist() == pytest.approx([0.9, large, 0.4, (0.9 + large + 0.4) / 3])
    assert found.output_tokens.tolist() == [100.0, 200.0, 300.0, 200.0]
    assert found.spread.tolist() == [DECLARED_SPREAD, TIER_SPREAD, TIER_SPREAD, TIER_SPREAD]


def test_a_pool_that_nobody_knows_anything_of() -> None:
    """All models are medium ones then, alike."""
    found = declared_prior(["a", "b"], quality=[None] * 2, tier=[None] * 2, output_tokens=[None] * 2)
    assert found.quality.tolist() == [TIER_QUALITY["medium"]] * 2
    assert found.output_tokens.tolist() == [400.0, 400.0]


def test_tiers_rise() -> None:
    """A higher tier is never believed to be worse."""
    assert list(TIER_QUALITY.values()) == sorted(TIER_QUALITY.values())


@pytest.mark.parametrize(
    ("quality", "tier", "length", "what"),
    [
        (1.5, None, None, "quality is 1.5"),
        (None, "huge", None, "'huge' is unknown"),
        (None, None, 0.0, "output_tokens"),
    ],
)
def test_what_cannot_be_is_refused(quality: float | None, tier: str | None, length: float | None, what: str) -> None:
    """With the model's name."""
    with pytest.raises(InputError, match=what):
        declared_prior(["a"], quality=[quality], tier=[tier], output_tokens=[length])


@pytest.mark.parametrize("sums", [(1, 2.0, 0, 0.0), (-1, 0.0, 0, 0.0), (0, 0.0, 1, -5.0), (0, 0.0, 1, float("nan"))])
def test_sums_that_no_answers_have_are_refused(sums: tuple[int, float, int, float]) -> None:
    """Scores beyond one an answer, negative counts and lengths."""
    with pytest.raises(InputError, match="tally of 'm'"):
        Tally("m", *sums)


def test_a_prior_of_other_models_is_refused() -> None:
    """One number a model."""
    with pytest.raises(InputError, match="spread"):
        Prior(("a", "b"), np.zeros(2), np.zeros(1), np.ones(2))
