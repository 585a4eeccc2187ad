"""The TF-IDF ridge: the ridge it says it is, on the cells that are known, in the ranges an estimate must keep."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from pointsman.errors import InputError
from pointsman.estimate import text_model
from pointsman.estimate.text_model import TextModel, fit_text_model
from pointsman.evaluate.simulated import simulate
from pointsman.records import Floats, Outcomes, Prompts


def as_prompts(outcomes: Outcomes) -> Prompts:
    """The prompts of `outcomes`, with vectors that nobody reads."""
    return Prompts(outcomes.texts, np.zeros((len(outcomes), 1), np.float32), outcomes.input_tokens)


def fit(history: Outcomes, seed: int = 0) -> TextModel:
    """A text model fitted on `history`."""
    return fit_text_model(history, as_prompts(history), seed=seed)


@pytest.fixture(scope="module", autouse=True)
def few_terms() -> Iterator[None]:
    """The model with 200 terms in place of 3,072: the same code in a hundredth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_model, "MAX_TERMS", 200)
        yield


@pytest.fixture(scope="module")
def workload() -> Outcomes:
    """2,500 simulated queries."""
    return simulate(2500, seed=3)


@pytest.fixture(scope="module")
def fitted(workload: Outcomes) -> TextModel:
    """The model of the first 1,500."""
    return fit(workload.take(np.arange(1500)))


# --- by hand, and against others -------------------------------------------------------------------------------


def test_ridge_by_hand() -> None:
    """Two points (0, 0) and (1, 1) with penalty 1/2: slope .5 / (.5 + .5) = 1/2, intercept 1/2 - 1/4."""
    rows = scipy.sparse.csr_array(np.array([[0.0, 1.0], [1.0, 1.0]]))
    weights = text_model._ridge(rows, text_model._gram(rows), np.array([[0.0], [1.0]]), 0.5)
    assert weights[:, 0] == pytest.approx([0.5, 0.25], abs=1e-5)


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.8])
def test_ridge_is_the_ridge_of_the_known_cells(missing: float) -> None:
    """Column by column the weights are scikit-learn's on the rows that the column has."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 30)) * (rng.random((120, 30)) < 0.3)
    outputs = features @ rng.normal(size=(30, 4)) + 3 + rng.normal(size=(120, 4))
    outputs[rng.random(outputs.shape) < missing] = np.nan
    rows = scipy.sparse.csr_array(np.column_stack([features, np.ones(120)]))
    found = text_model._ridge(rows, text_model._gram(rows), outputs, 2.0)
    for column in range(4):
        known = np.isfinite(outputs[:, column])
        oracle = Ridge(alpha=2.0).fit(features[known], outputs[known, column])
        assert found[:-1, column] == pytest.approx(oracle.coef_, abs=1e-4)
        assert found[-1, column] == pytest.approx(oracle.intercept_, abs=1e-4)


def test_spread_is_residual_times_root_leverage(fitted: TextModel, workload: Outcomes) -> None:
    """Spread is the held-out residual times sqrt(x' (X'X + penalty)^-1 x), worked out densely here."""
    rows = fitted.features.rows(as_prompts(workload.take(np.arange(1500, 1520)))).toarray()
    leverage = np.einsum("qp,pr,qr->q", rows, fitted.inverse.astype(float), rows)
    spread = fitted.estimate(as_prompts(workload.take(np.arange(1500, 1520)))).spread
    assert spread == pytest.approx(np.sqrt(leverage)[:, None] * fitted.residual, rel=1e-3)


def test_inverse_is_the_inverse() -> None:
    """The inverse behind the spread, times the penalised Gram matrix, is the identity."""
    rng = np.random.default_rng(1)
    rows = scipy.sparse.csr_array(np.column_stack([rng.normal(size=(50, 8)), np.ones(50)]))
    gram = text_model._gram(rows)
    product = text_model._inverse(gram, 3.0) @ (gram + np.diag([3.0] * 8 + [1e-6]))
    assert product == pytest.approx(np.eye(9), abs=1e-4)


# --- what it learns ----------------------------------------------------------------------------------------------


def test_learns_from_text(fitted: TextModel, workload: Outcomes) -> None:
    """On queries it hasn't seen, a right answer is ranked above a wrong one for every model, better than chance."""
    test = workload.take(np.arange(1500, 2500))
    quality = fitted.estimate(as_prompts(test)).quality
    found = [roc_auc_score(test.score[:, m] > 0.5, quality[:, m]) for m in range(len(test.models))]
    assert min(found) > 0.6
    assert np.mean(found) > 0.64


def test_cost_and_tokens_follow_known_lengths(workload: Outcomes) -> None:
    """Where cost is a rate times input tokens and every answer has 30, both are recovered to a hundredth."""
    past = workload.take(np.arange(600))
    cost = past.input_tokens[:, None] * np.array([1e-6] * 12)
    history = replace(past, cost_usd=cost, output_tokens=np.full_like(cost, 30.0))
    found = fit(history).estimate(as_prompts(history))
    assert found.cost_usd == pytest.approx(cost, rel=0.01, abs=1e-6)
    assert found.tokens == pytest.approx(past.input_tokens[:, None] + np.full_like(cost, 30.0), rel=0.01)


def test_held_out_residual_is_about_the_error_on_new_rows(fitted: TextModel, workload: Outcomes) -> None:
    """The residual behind the spread is what the root mean square error on new queries turns out to be."""
    test = workload.take(np.arange(1500, 2500))
    error = np.sqrt(((test.score - fitted.estimate(as_prompts(test)).quality) ** 2).mean(axis=0))
    assert fitted.residual == pytest.approx(error, rel=0.15)


# --- missing cells -----------------------------------------------------------------------------------------------


def test_missing_is_not_zero(workload: Outcomes) -> None:
    """A model that is always right where it was asked is expected to be right, though half its cells are missing."""
    past = workload.take(np.arange(600))
    asked = np.random.default_rng(0).random(len(past)) < 0.5
    score, cost = past.score.copy(), past.cost_usd.copy()
    score[:, 0] = np.where(asked, 1.0, np.nan)
    cost[:, 0] = np.where(asked, 2e-5, np.nan)
    found = fit(replace(past, score=score, cost_usd=cost)).estimate(as_prompts(past))
    assert found.quality[:, 0].min() > 0.98
    assert found.cost_usd[:, 0] == pytest.approx(2e-5, rel=0.02)


def test_gaps_touch_their_own_model_only(workload: Outcomes, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the penalty given, hiding cells of one model leaves the estimates of the others as they were."""
    monkeypatch.setattr(text_model, "PENALTIES", (1.0,))
    history = workload.take(np.arange(400))
    score = history.score.copy()
    score[np.random.default_rng(0).random(400) < 0.4, 2] = np.nan
    whole = fit(history).estimate(as_prompts(history))
    gaps = fit(replace(history, score=score)).estimate(as_prompts(history))
    others = np.arange(12) != 2
    assert gaps.quality[:, others] == pytest.approx(whole.quality[:, others], abs=1e-4)
    assert np.abs(gaps.quality[:, 2] - whole.quality[:, 2]).max() > 0.01
    assert (gaps.spread[:, 2] > whole.spread[:, 2]).mean() > 0.9


def test_unrecorded_answers(workload: Outcomes) -> None:
    """A model without answer lengths gets the others' mean; with none recorded, tokens are the input's."""
    history = workload.take(np.arange(300))
    lengths = np.full(history.score.shape, 50.0)
    lengths[:, 1], lengths[7] = np.nan, np.nan
    assert fit(replace(history, output_tokens=lengths)).estimate(as_prompts(history)).tokens == pytest.approx(
        np.repeat(history.input_tokens[:, None] + 50, 12, axis=1), rel=0.01
    )
    nothing = np.full(history.score.shape, np.nan)
    assert fit(replace(history, output_tokens=nothing)).estimate(as_prompts(history)).tokens == pytest.approx(
        np.repeat(history.input_tokens[:, None], 12, axis=1)
    )


def test_one_known_cell_is_enough(workload: Outcomes) -> None:
    """Twelve rows of which a model has one: its score there is what's expected, near enough, of everything."""
    history = workload.take(np.arange(12)).only(np.array([0, 1]))
    score = history.score.copy()
    score[:, 0] = np.nan
    for row in range(12):
        score[:, 0], score[row, 0] = np.nan, 1.0
        found = fit(replace(history, score=score)).estimate(as_prompts(history))
        assert found.quality[:, 0].min() > 0.9
        assert np.isfinite(found.spread).all()


# --- ranges and the rest --------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.text(max_size=200), min_size=1, max_size=5),
    tokens=st.integers(0, 10**7),
)
def test_estimates_keep_their_ranges(fitted: TextModel, texts: list[str], tokens: int) -> None:
    """Whatever is asked: quality in [0, 1], cost at least zero, tokens at least the input's, a finite spread."""
    prompts = Prompts(texts, np.zeros((len(texts), 1), np.float32), np.full(len(texts), float(tokens)))
    found = fitted.estimate(prompts)
    for array in (found.quality, found.cost_usd, found.tokens, found.spread):
        assert array.shape == (len(texts), 12)
        assert np.isfinite(array).all()
        assert array.min() >= 0
    assert found.quality.max() <= 1
    assert found.tokens.min() >= tokens


def test_same_seed_same_model_and_it_pickles(workload: Outcomes) -> None:
    """Two fits with one seed agree to the last bit, also after a trip through a pickle."""
    history = workload.take(np.arange(200))
    first, second = fit(history, seed=5), pickle.loads(pickle.dumps(fit(history, seed=5)))
    one, two = first.estimate(as_prompts(history)), second.estimate(as_prompts(history))
    assert np.array_equal(one.quality, two.quality)
    assert np.array_equal(one.spread, two.spread)
    assert first.name == "tf-idf ridge"
    assert first.models == history.models


def test_long_texts_are_read_at_both_ends(fitted: TextModel) -> None:
    """What stands in the middle of a very long text changes nothing; what stands at its end does."""

    def quality(middle: str, end: str) -> Floats:
        text = f"{'Compute 3 + 4. ' * 400}{middle}{'Summarise this report. ' * 200}{end}"
        return fitted.estimate(Prompts([text], np.zeros((1, 1), np.float32), np.array([5000.0]))).quality

    assert np.array_equal(quality("SELECT orders FROM x; ", ""), quality("Translate into French: ", ""))
    assert not np.array_equal(quality("", "SELECT orders FROM x; " * 20), quality("", "Translate into French: " * 20))


# --- refusals --------------------------------------------------------------------------------------------------------


def test_refuses_too_little(workload: Outcomes) -> None:
    """No rows, nine rows and rows that don't match the prompts are one clear error each."""
    with pytest.raises(InputError, match="empty"):
        fit(workload.take(np.arange(0)))
    with pytest.raises(InputError, match="too few"):
        fit(workload.take(np.arange(9)))
    with pytest.raises(InputError, match="prompts"):
        fit_text_model(workload, as_prompts(workload.take(np.arange(50))))


def test_refuses_a_model_without_outcomes(workload: Outcomes) -> None:
    """A model without a single score is named."""
    score = workload.score.copy()
    score[:, 4] = np.nan
    with pytest.raises(InputError, match="simulated/maths-small"):
        fit(replace(workload, score=score))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_refuses_bad_token_counts(workload: Outcomes, bad: float) -> None:
    """A token count that isn't a number of at least zero is named with its row."""
    tokens = workload.input_tokens.copy()
    tokens[17] = bad
    with pytest.raises(InputError, match="row 17"):
        fit(replace(workload, input_tokens=tokens))


def test_refuses_texts_without_a_shared_word(workload: Outcomes) -> None:
    """Texts that have nothing in common can't be learned from, and the error says so."""
    history = workload.take(np.arange(20))
    with pytest.raises(InputError, match="no word"):
        fit(replace(history, texts=[f"w{i}" for i in range(20)]))
