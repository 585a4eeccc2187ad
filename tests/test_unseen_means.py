"""A new model's plain means: by hand, against pandas, and as properties of any probes."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from pointsman.errors import InputError
from pointsman.estimate.unseen.means import group_means, place_means
from pointsman.estimate.unseen.place import Probes
from unseen_worlds import (
    NAN,
    check_same,
    check_sound,
    made_outcomes,
    made_probes,
    only_models,
    probe_sets,
    some_prompts,
    with_blank_rows,
)


def test_three_answers_by_hand() -> None:
    """Scores of 1, 0 and ½ (and one missing) make ½ ± √((1/6 + ¼/4) / 4); lengths count where they're known."""
    asked = made_outcomes(np.array([[1.0], [0.0], [NAN], [0.5]]), np.array([[3.0], [NAN], [NAN], [1.0]]))
    asked = replace(asked, output_tokens=np.array([[100.0], [NAN], [NAN], [20.0]]))
    probes = Probes(some_prompts(4, 0), asked, made_outcomes(np.ones((4, 1))))
    found = place_means(probes).estimate(some_prompts(2, 1))
    np.testing.assert_allclose(found.quality, 0.5)
    np.testing.assert_allclose(found.spread, np.sqrt((1 / 6 + 0.25 / 4) / 4))
    np.testing.assert_allclose(found.cost_usd, 2.0)
    np.testing.assert_allclose(found.tokens, ((3 + 100) + 4 + (6 + 20)) / 3)  # the second answer: its input alone


def test_group_means_agree_with_pandas() -> None:
    """Means over groups are those of a grouped table that skips missing cells, whatever the groups are stored as."""
    rng = np.random.default_rng(3)
    score = rng.random((60, 4))
    score[rng.random(score.shape) < 0.3] = NAN
    group = np.concatenate([np.arange(6), rng.integers(0, 6, 54)])
    score[:6] = rng.random((6, 4))  # so that no group is empty
    dense = (group == np.arange(6)[:, None]).astype(np.float64)
    expected = pd.DataFrame(score).groupby(group).mean().to_numpy()
    count = pd.DataFrame(score).groupby(group).count().to_numpy()
    variance = pd.DataFrame(score).groupby(group).var(ddof=0).to_numpy()
    for groups in (dense, csr_array(dense)):
        mean, spread = group_means(groups, score)
        np.testing.assert_allclose(mean, expected, atol=1e-12)
        np.testing.assert_allclose(spread, np.sqrt((variance + 0.25 / (count + 1)) / (count + 1)), atol=1e-12)


def test_an_empty_group_falls_back_on_all_rows() -> None:
    """Where a model has no score in a group, its mean over everything stands in; with none at all there is no mean."""
    score = np.array([[0.2, NAN, NAN], [0.6, 0.9, NAN]])
    mean, spread = group_means(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), score)
    np.testing.assert_allclose(mean, [[0.2, 0.9, NAN], [0.6, 0.9, NAN], [0.4, 0.9, NAN]])
    assert spread[2, 0] == pytest.approx(np.sqrt((0.04 + 0.25 / 3) / 3))
    assert spread[0, 2] == 0.5


@settings(max_examples=50, deadline=None)
@given(probe_sets(), st.integers(0, 5))
def test_estimates_are_sound_and_the_same_for_every_prompt(probes: Probes, rows: int) -> None:
    """Any probes give finite estimates within bounds, the same in every row."""
    found = place_means(probes).estimate(some_prompts(rows, 1))
    check_sound(found, rows, len(probes.asked.models))
    assert (found.quality == found.quality[:1]).all()


@settings(max_examples=50, deadline=None)
@given(probe_sets(), st.integers(0, 1000))
def test_a_model_is_placed_alike_in_any_company(probes: Probes, seed: int) -> None:
    """Other models, and the order of models, change nothing: columns move with their models."""
    order = np.random.default_rng(seed).permutation(len(probes.asked.models)).tolist()
    whole, moved = (place_means(one).estimate(some_prompts(3, 1)) for one in (probes, only_models(probes, order)))
    assert place_means(only_models(probes, order)).models == tuple(probes.asked.models[i] for i in order)
    np.testing.assert_allclose(whole.quality[:, order], moved.quality, atol=1e-12)
    np.testing.assert_allclose(whole.spread[:, order], moved.spread, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(probe_sets())
def test_a_probe_that_nobody_was_asked_changes_nothing(probes: Probes) -> None:
    """A missing cell is left out; it never counts as a zero."""
    longer = with_blank_rows(probes, [0])
    prompts = some_prompts(2, 1)
    check_same(place_means(longer).estimate(prompts), place_means(probes).estimate(prompts))


def test_more_answers_make_surer_and_equal_ones_never_certain() -> None:
    """The spread falls with the number of answers, and stays above zero when all are right."""
    spreads = [group_means(np.ones((1, n)), np.ones((n, 1)))[1][0, 0] for n in (1, 4, 100)]
    assert spreads == sorted(spreads, reverse=True)
    np.testing.assert_allclose(spreads, [0.25, 0.1, 0.5 / 101])


def test_a_model_without_a_cost_is_refused_by_name() -> None:
    """Nothing is assumed about money: a model whose answers have no recorded cost isn't placed."""
    probes = made_probes(4, 2, 0)
    cost = probes.asked.cost_usd.copy()
    cost[:, 1] = NAN
    with pytest.raises(InputError, match=r"'m1' has no cost on any of 4 probes"):
        place_means(replace(probes, asked=replace(probes.asked, cost_usd=cost)))


def test_survives_pickling() -> None:
    """A placed model can be sent to another process."""
    placed, prompts = place_means(made_probes(6, 2, 0)), some_prompts(3, 1)
    check_same(pickle.loads(pickle.dumps(placed)).estimate(prompts), placed.estimate(prompts))
