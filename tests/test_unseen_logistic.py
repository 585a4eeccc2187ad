"""What the two baselines share: the loss, the tenths, when to stop, and what surrounds a net."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from learned_worlds import outcomes_of, prompts_of
from pointsman.errors import InputError
from pointsman.estimate.unseen.logistic import (
    MOST_EPOCHS,
    _best_epoch,
    _held_out,
    frame,
    log_losses,
    towards_scores,
)


def test_the_loss_by_hand() -> None:
    """Logit 0 costs ln 2 whatever the score; ln 3 costs ln 4/3 if right and ln 4 if wrong; a gap costs nothing."""
    logits = np.array([[0.0, np.log(3.0)], [np.log(3.0), 0.0]])
    score = np.array([[0.25, 1.0], [0.0, np.nan]])
    np.testing.assert_allclose(log_losses(logits, score), [np.log(2.0) + np.log(4.0 / 3.0), np.log(4.0)])


def test_the_loss_agrees_with_scikit_learn() -> None:
    """On 0/1 scores it is scikit-learn's log loss."""
    rng = np.random.default_rng(0)
    logits, score = rng.normal(size=(50, 1)), rng.integers(0, 2, (50, 1)).astype(np.float64)
    chance = 1.0 / (1.0 + np.exp(-logits[:, 0]))
    assert log_losses(logits, score).mean() == pytest.approx(log_loss(score[:, 0], chance))


@given(st.floats(-30, 30), st.floats(0, 1))
def test_a_score_between_is_a_mixture(z: float, score: float) -> None:
    """A score of 0.3 costs what three rights and seven wrongs would cost in ten."""
    zero, one, between = log_losses(np.full((3, 1), z), np.array([[0.0], [1.0], [score]]))
    assert between == pytest.approx((1.0 - score) * zero + score * one, abs=1e-9)


def test_the_slope_is_the_slope() -> None:
    """Against finite differences of the mean over known cells; a gap has none, and all gaps no division by zero."""
    rng = np.random.default_rng(1)
    logits, score = rng.normal(size=(4, 3)), rng.random((4, 3))
    score[1, 2] = score[3, 0] = np.nan
    measured = np.zeros((4, 3))
    for cell in np.ndindex(4, 3):
        step = np.zeros((4, 3))
        step[cell] = 1e-6
        measured[cell] = (log_losses(logits + step, score) - log_losses(logits - step, score)).sum() / 2e-6 / 10
    np.testing.assert_allclose(towards_scores(logits, score), measured, atol=1e-8)
    assert not towards_scores(logits, np.full((4, 3), np.nan)).any()


@given(st.integers(0, 5_000))
def test_held_out_parts_are_disjoint_tenths(rows: int) -> None:
    """Too few rows hold none out, fewer than 200 each once, many a single tenth; some always stay to be fitted on."""
    parts = _held_out(rows, np.random.default_rng(0))
    together = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    assert len(set(together.tolist())) == len(together)
    assert (len(parts) == 0) == (rows < 8)
    if 8 <= rows < 200:
        assert len(together) == rows
    if rows >= 8:
        assert min(200, rows) <= len(together) <= max(rows // 10 + 1, 400)
        assert max(len(part) for part in parts) <= max(1, rows // 10 + 1)


def test_the_best_epoch_by_hand() -> None:
    """A clear gain at the second epoch is taken, a gain that one row alone makes is not, nor is a loss."""
    start = np.ones(4)
    assert _best_epoch(iter([start, start - 0.1, start - [0.3, 0.2, 0.3, 0.2], start])) == 2
    assert _best_epoch(iter([start, start - [4.0, -1.0, -1.0, -1.0]])) == 0
    assert _best_epoch(iter([start, start + 0.1])) == 0
    assert _best_epoch(iter([np.ones(1), np.zeros(1)])) == 0


def test_a_fit_that_only_gets_worse_is_stopped() -> None:
    """Nobody waits for all the epochs."""
    worse = iter([np.ones(4) + i for i in range(MOST_EPOCHS)])
    _best_epoch(worse)
    assert len(list(worse)) > MOST_EPOCHS // 2


def test_the_frame_by_hand() -> None:
    """Two vectors, 2 apart in one of two entries: centred, and scaled by √2 so that an entry's mean square is one."""
    around = frame(outcomes_of(np.array([[1.0], [0.0]])), prompts_of(np.array([[1.0, 5.0], [3.0, 5.0]])))
    expected = np.sqrt(2.0) * np.array([[-1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(around.design(np.array([[1.0, 5.0], [3.0, 5.0]], np.float32)), expected, rtol=1e-6)
    estimates = around.estimates(np.zeros((1, 1)))
    assert estimates.quality[0, 0] == pytest.approx(0.5)
    assert estimates.spread[0, 0] == pytest.approx(np.sqrt((0.25 + 0.25 / 3) / 3))
    assert estimates.cost_usd[0, 0] == pytest.approx(1.0)
    assert estimates.tokens[0, 0] == pytest.approx(15.0)


def test_what_cannot_be_learned_from_is_refused() -> None:
    """No rows, other prompts, a model without a score, vectors of another width."""
    prompts = prompts_of(np.eye(2))
    with pytest.raises(InputError, match="empty"):
        frame(outcomes_of(np.zeros((0, 1))), prompts_of(np.zeros((0, 2))))
    with pytest.raises(InputError, match="1 outcomes but 2 prompts"):
        frame(outcomes_of(np.ones((1, 1))), prompts)
    with pytest.raises(InputError, match="no `score`"):
        frame(outcomes_of(np.array([[1.0, np.nan], [1.0, np.nan]])), prompts)
    with pytest.raises(InputError, match="3 dimensions"):
        frame(outcomes_of(np.ones((2, 1))), prompts).design(np.zeros((1, 3), np.float32))
