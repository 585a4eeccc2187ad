"""Which prompts to ask first: by hand, against brute force, and as properties of any candidates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.estimate.unseen.likeness import DEFAULT, design, foreseen_design, regress
from pointsman.estimate.unseen.probing import SINGLE_WEIGHT, _wanted, greedy, pick_probes
from pointsman.estimate.unseen.transfer import Transfer
from pointsman.records import Floats, Ints, Outcomes, Prompts
from unseen_worlds import NAN, made_outcomes, named, probes_of, some_prompts, straight_space


def candidates(space: Transfer, count: int, seed: int, missing: float = 0.0) -> tuple[Prompts, Outcomes]:
    made = probes_of(space, count, 1, seed, known_missing=missing)
    return made.prompts, made.known


@st.composite
def choices(draw: st.DrawFn) -> tuple[Transfer, Prompts, Outcomes]:
    """Any small space and any few candidates, with anything from no cell missing to all."""
    space = straight_space(draw(st.integers(1, 4)), draw(st.integers(0, 10_000)))
    missing = draw(st.sampled_from([0.0, 0.4, 1.0]))
    return space, *candidates(space, draw(st.integers(1, 15)), draw(st.integers(0, 10_000)), missing)


def left_unsure(regressors: Floats, rows: list[int] | Ints, wanted: Floats, prior: Floats, noise: float) -> float:
    """tr(wanted · covariance) after these rows, from the precision matrix."""
    asked = regressors[np.array(rows, np.int64)]
    return float(np.trace(wanted @ np.linalg.inv(np.diag(1 / prior) + asked.T @ asked / noise)))


def test_three_candidates_by_hand() -> None:
    """Rows (1, 0), (0, 2), (1, 1) on a unit prior and noise take off ½, ⅘ and ⅔; then ½ and 1.04 / 2.2."""
    rows = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    assert greedy(rows, np.eye(2), np.ones(2), np.ones(3), 3).tolist() == [1, 0, 2]
    # If only the second coefficient matters, the sum tells of it after the second row, and the first row never does.
    assert greedy(rows, np.diag([0.0, 1.0]), np.ones(2), np.ones(3), 2).tolist() == [1, 2]


@pytest.mark.parametrize("seed", range(10))
def test_each_pick_is_the_best_next_one_of_all(seed: int) -> None:
    """No other candidate, tried out by inverting the precision matrix, would leave less uncertainty."""
    rng = np.random.default_rng(seed)
    count, width = 12, int(rng.integers(2, 6))
    regressors, root = rng.normal(size=(count, width)), rng.normal(size=(width, width))
    prior, noise, wanted = rng.uniform(0.1, 2.0, width), float(rng.uniform(0.1, 1.0)), root @ root.T
    picked = greedy(regressors, wanted, prior, np.full(count, noise), 6).tolist()
    for step in range(6):
        others = [row for row in range(count) if row not in picked[:step]]
        tried = [left_unsure(regressors, [*picked[:step], row], wanted, prior, noise) for row in others]
        assert others[int(np.argmin(tried))] == picked[step]


def test_what_is_wanted_by_hand() -> None:
    """The form is the variance of the mean score plus 0.3 of the mean variance on single prompts."""
    foreseen = np.array([[0.2, 0.0], [0.0, -0.4]])
    covariance = np.diag([0.5, 0.3, 0.2, 0.1, 0.4, 0.6])
    whole = design(foreseen, foreseen)
    mean, single = whole.mean(axis=0), np.mean([row @ covariance @ row for row in whole])
    expected = mean @ covariance @ mean + SINGLE_WEIGHT * single
    assert np.trace(_wanted(foreseen) @ covariance) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(choices(), st.data())
def test_fewer_probes_are_a_prefix_and_none_comes_twice(
    made: tuple[Transfer, Prompts, Outcomes], data: st.DataObject
) -> None:
    """All candidates in order of importance; asking for fewer gives the first of them, and again the same."""
    space, prompts, known = made
    everything = pick_probes(space, prompts, known, len(prompts))
    assert sorted(everything.tolist()) == list(range(len(prompts)))
    n = data.draw(st.integers(1, len(prompts)))
    np.testing.assert_array_equal(pick_probes(space, prompts, known, n), everything[:n])


@settings(max_examples=40, deadline=None)
@given(choices(), st.integers(0, 1000))
def test_the_order_of_candidates_doesnt_matter(made: tuple[Transfer, Prompts, Outcomes], seed: int) -> None:
    """Shuffled candidates leave as little unsure: picks move with their prompts (equal ones may change places)."""
    space, prompts, known = made
    order = np.random.default_rng(seed).permutation(len(prompts))
    n = (len(prompts) + 1) // 2
    one = pick_probes(space, prompts, known, n)
    other = order[pick_probes(space, prompts.take(order), known.take(order), n)]
    foreseen = space.known.expect(prompts)[0] - space.means
    observed = known.score - space.means
    x = design(np.where(np.isfinite(observed), observed, foreseen), foreseen)
    about = (_wanted(foreseen), space.scales.of_coefficients(len(space.models)), space.scales.noise)
    assert left_unsure(x, one, *about) == pytest.approx(left_unsure(x, other, *about), rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_picked_probes_leave_less_unsure_than_random_ones(seed: int) -> None:
    """After 12 picked of 200 a model's expected scores are surer than after any of 20 random draws of 12."""
    space = straight_space(6, seed)
    prompts, known = candidates(space, 200, seed)
    expected = space.known.expect(prompts)[0]
    new = foreseen_design(expected - space.means)

    def spread(rows: Ints) -> float:
        placed = regress(np.ones((len(rows), 1)), known.score[rows], expected[rows], space.means, space.scales)
        single = ((new @ placed.covariance[0]) * new).sum(axis=1).mean()
        return float(new.mean(axis=0) @ placed.covariance[0] @ new.mean(axis=0) + SINGLE_WEIGHT * single)

    rng = np.random.default_rng(seed)
    random = [spread(rng.permutation(200)[:12]) for _ in range(20)]
    assert spread(pick_probes(space, prompts, known, 12)) < min(random)


def test_prompts_on_which_known_models_disagree_come_first() -> None:
    """If it is only open which models the new one is like, a prompt that all failed or all solved says nothing: the
    first ten of 100 are among the half on which they split.
    """
    space = straight_space(6, 0)
    space = replace(space, scales=replace(DEFAULT, level=1e-6, common=1e-6, expected=1e-6))
    split = np.random.default_rng(1).permuted(np.tile([1.0, 1.0, 1.0, 0.0, 0.0, 0.0], (50, 1)), axis=1)
    known = named(made_outcomes(np.vstack([np.ones((25, 6)), np.zeros((25, 6)), split])), space.models)
    assert (pick_probes(space, some_prompts(100, 2), known, 10) >= 50).all()


def test_bad_requests_are_refused() -> None:
    """None, more than there are, or outcomes of another shape."""
    space = straight_space(3, 0)
    prompts, known = candidates(space, 8, 1)
    for n in (0, 9):
        with pytest.raises(InputError, match=f"pick_probes: {n} of 8 candidates"):
            pick_probes(space, prompts, known, n)
    with pytest.raises(InputError, match="with the outcomes of the space's models"):
        pick_probes(space, prompts, known.only(np.array([0, 1])), 2)
    with pytest.raises(InputError, match="outcomes of 7 prompts on 3 models"):
        pick_probes(space, prompts, known.take(np.arange(7)), 2)


def test_outcomes_of_other_models_are_refused() -> None:
    """Outcomes of the space's models in another order aren't taken for theirs."""
    space = straight_space(3, 0)
    prompts, known = candidates(space, 8, 1)
    with pytest.raises(InputError):
        pick_probes(space, prompts, known.only(np.array([2, 1, 0])), 2)


def test_a_candidate_that_the_known_models_answered_is_preferred() -> None:
    """Of two prompts alike, the one whose known outcomes are there (as expected) tells more, as `regress` has it."""
    space = straight_space(3, 0)
    one = some_prompts(1, 2)
    prompts, expected = one.take(np.zeros(2, np.int64)), space.known.expect(one)[0]
    known = named(made_outcomes(np.vstack([np.full((1, 3), NAN), expected])), space.models)
    variance = [
        np.trace(regress(np.ones((1, 1)), known.score[[i]], expected, space.means, DEFAULT).covariance[0])
        for i in (0, 1)
    ]
    assert variance[1] < variance[0]
    assert pick_probes(replace(space, scales=DEFAULT), prompts, known, 1).tolist() == [1]
