"""`transfer`: a placement by hand, properties of any probes, and a simulated world whose chances are known."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learned_worlds import outcomes_of, prompts_of, scored, topical, with_gaps
from pointsman.errors import InputError
from pointsman.estimate.neighbours import fit_neighbours
from pointsman.estimate.unseen import transfer as module
from pointsman.estimate.unseen.likeness import DEFAULT, Scales, learn_scales
from pointsman.estimate.unseen.means import place_means
from pointsman.estimate.unseen.place import Probes
from pointsman.estimate.unseen.probing import pick_probes
from pointsman.estimate.unseen.transfer import Middle, Transfer, as_itself, fit_transfer, middle_of, transfer_from
from pointsman.records import Floats, Outcomes, Prompts, Vectors
from unseen_worlds import (
    NAN,
    LowRank,
    Straight,
    check_same,
    low_rank,
    made_outcomes,
    named,
    only_models,
    placings,
    probes_of,
    some_prompts,
    straight_space,
    with_blank_rows,
)


def with_scores(probes: Probes, column: int, gone: list[int]) -> Probes:
    """The probes with everything of one asked model at these rows missing."""
    tables = [table.copy() for table in (probes.asked.score, probes.asked.cost_usd, probes.asked.output_tokens)]
    for table in tables:
        table[gone, column] = NAN
    score, cost, length = tables
    return replace(probes, asked=replace(probes.asked, score=score, cost_usd=cost, output_tokens=length))


def take(probes: Probes, rows: list[int]) -> Probes:
    at = np.array(rows, np.int64)
    return Probes(probes.prompts.take(at), probes.asked.take(at), probes.known.take(at))


def flat_vectors(values: list[float]) -> Vectors:
    return np.array(values, np.float32)[:, None]


def one_known(mean: float) -> Transfer:
    """A space of a single known model, expected at ½ + the vector's only number."""
    return Transfer(
        ("k",), Straight(np.ones((1, 1))), np.array([mean]), DEFAULT, 0.0, Middle(np.zeros(1), 1.0), rows=100
    )


def test_one_known_model_by_hand() -> None:
    """One that scores ½ above a known model's 0 and ½ below its 1: level and a follow from precision and moment.

    What is left is +½ where s is −½ and −½ where s is +½, so the level stays and a is −½ / (½ + noise / common).
    """
    scales = replace(DEFAULT, own=0.0)
    space = replace(one_known(0.5), scales=scales)
    prompts = Prompts(["a", "b"], flat_vectors([0.0, 0.0]), np.array([5.0, 5.0]))
    asked = named(made_outcomes(np.array([[0.5], [0.5]]), np.ones((2, 1))), ("n",))
    placed = space.place(Probes(prompts, asked, named(made_outcomes(np.array([[0.0], [1.0]])), ("k",))))
    slope = -0.5 / (0.5 + scales.noise / scales.common)
    new = Prompts(["c", "d"], flat_vectors([0.25, -0.1]), np.array([5.0, 5.0]))
    found = placed.estimate(new)
    np.testing.assert_allclose(found.quality[:, 0], [0.5 + (1 + slope) * 0.25, 0.5 - (1 + slope) * 0.1], rtol=1e-6)
    level, common = 1 / (1 / scales.level + 2 / scales.noise), 1 / (1 / scales.common + 0.5 / scales.noise)
    np.testing.assert_allclose(found.spread[:, 0], np.sqrt(level + common * np.array([0.25, 0.1]) ** 2), rtol=1e-6)
    np.testing.assert_allclose(found.cost_usd, np.exp(new.vectors), rtol=1e-5)
    mean, low, high = placed.interval(new, 0.95)
    assert mean[0] == pytest.approx(0.5 + (1 + slope) * 0.075)
    assert high[0] - mean[0] == pytest.approx(1.959964 * np.sqrt(level + common * 0.075**2))
    assert mean[0] - low[0] == pytest.approx(high[0] - mean[0])


def test_an_own_talent_widens_single_prompts_and_means_over_one_kind() -> None:
    """Its variance is added to a prompt's, and to a mean's as far as the prompts lie off the middle: ¼ of it at ½."""
    space, prompts = one_known(0.5), Prompts(["a"], flat_vectors([0.0]), np.array([5.0]))
    asked = named(made_outcomes(np.array([[1.0]])), ("n",))
    probes = Probes(prompts, asked, named(made_outcomes(np.array([[1.0]])), ("k",)))
    without = replace(space, scales=replace(DEFAULT, own=0.0))
    own, plain = space.place(probes), without.place(probes)
    new = Prompts(["c", "d"], flat_vectors([0.2, 0.8]), np.array([5.0, 5.0]))
    added = own.estimate(new).spread ** 2 - plain.estimate(new).spread ** 2
    np.testing.assert_allclose(added, DEFAULT.own)
    # At a level of a tenth nothing is cut off at 0 or 1.
    halves = [(placed.interval(new, 0.1)[2] - placed.interval(new, 0.1)[1]) / 2 / 0.12566135 for placed in (own, plain)]
    assert halves[0] ** 2 - halves[1] ** 2 == pytest.approx(0.25 * DEFAULT.own, rel=1e-4)


def test_the_middle_of_four_vectors_by_hand() -> None:
    """Points at distance 1 and 2 about (1, 1) have a root mean square distance of √2.5."""
    middle = middle_of(prompts_of(np.array([[2.0, 1.0], [0.0, 1.0], [1.0, 3.0], [1.0, -1.0]])))
    np.testing.assert_allclose(middle.centre, [1.0, 1.0])
    assert middle.length == pytest.approx(np.sqrt(2.5))
    np.testing.assert_allclose(middle.centred(prompts_of(np.array([[2.0, 1.0]]))), [[1 / np.sqrt(2.5), 0.0]])
    assert middle_of(prompts_of(np.ones((3, 2)))).length == 1.0


def test_coefficients_of_oneself_by_hand() -> None:
    """Its level above the others' mean and the whole of its own deviations, √M in their unit."""
    np.testing.assert_allclose(as_itself(1, np.array([0.2, 0.6])), [0.2, 0.0, 0.0, np.sqrt(2)])


@settings(max_examples=40, deadline=None)
@given(placings(), st.integers(0, 6))
def test_estimates_are_sound(made: tuple[Transfer, Probes], rows: int) -> None:
    """Any probes give finite estimates: quality in [0, 1], spread above zero, costs of at least zero."""
    space, probes = made
    placed, prompts = space.place(probes), some_prompts(rows, 1)
    found = placed.estimate(prompts)
    assert placed.models == probes.asked.models
    for name in ("quality", "cost_usd", "tokens", "spread"):
        assert getattr(found, name).shape == (rows, len(placed.models))
        assert np.isfinite(getattr(found, name)).all()
    assert ((found.quality >= 0.0) & (found.quality <= 1.0)).all()
    assert (found.spread > 0.0).all()
    assert (found.cost_usd >= 0.0).all()
    assert (found.tokens >= prompts.input_tokens[:, None]).all()


@settings(max_examples=40, deadline=None)
@given(placings(), st.integers(0, 1000))
def test_columns_move_with_their_models(made: tuple[Transfer, Probes], seed: int) -> None:
    """The order of new models changes nothing but the order of columns, of intervals too."""
    space, probes = made
    order = np.random.default_rng(seed).permutation(len(probes.asked.models))
    prompts = some_prompts(4, 1)
    whole, moved = space.place(probes), space.place(only_models(probes, order.tolist()))
    one, other = whole.estimate(prompts), moved.estimate(prompts)
    for name in ("quality", "cost_usd", "tokens", "spread"):
        np.testing.assert_allclose(getattr(one, name)[:, order], getattr(other, name), rtol=1e-8, atol=1e-10)
    for first, second in zip(whole.interval(prompts), moved.interval(prompts), strict=True):
        np.testing.assert_allclose(first[order], second, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(placings(), st.data())
def test_probes_not_asked_are_probes_left_out(made: tuple[Transfer, Probes], data: st.DataObject) -> None:
    """Masking probes for a model places it as if they had not been there; a gap is never a zero."""
    space, probes = made
    gone = data.draw(st.lists(st.integers(1, max(1, len(probes) - 1)), unique=True, max_size=len(probes) - 1))
    kept = [row for row in range(len(probes)) if row not in gone]
    alone, prompts = only_models(probes, [0]), some_prompts(3, 1)
    masked, shorter = with_scores(alone, 0, gone), take(alone, kept)
    check_same(space.place(masked).estimate(prompts), space.place(shorter).estimate(prompts))
    longer = with_blank_rows(probes, [0])
    check_same(space.place(longer).estimate(prompts), space.place(probes).estimate(prompts))


@settings(max_examples=40, deadline=None)
@given(placings())
def test_more_probes_make_surer(made: tuple[Transfer, Probes]) -> None:
    """The spread on every prompt is at most what it was after the first half of the probes."""
    space, probes = made
    half = take(probes, list(range((len(probes) + 1) // 2)))
    prompts = some_prompts(5, 1)
    few, many = space.place(half).estimate(prompts).spread, space.place(probes).estimate(prompts).spread
    assert (many <= few + 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(placings(), st.floats(0.01, 0.98))
def test_intervals_widen_with_the_level(made: tuple[Transfer, Probes], level: float) -> None:
    """low ≤ mean ≤ high, within [0, 1], and a higher level reaches at least as far on both sides."""
    space, probes = made
    placed, prompts = space.place(probes), some_prompts(5, 1)
    mean, low, high = placed.interval(prompts, level)
    _, lower, higher = placed.interval(prompts, level + 0.01)
    assert ((lower <= low) & (low <= mean) & (mean <= high) & (high <= higher)).all()
    assert ((lower >= 0.0) & (higher <= 1.0)).all()
    np.testing.assert_allclose(mean, placed.estimate(prompts).quality.mean(axis=0))


def test_intervals_shrink_with_more_probes() -> None:
    """Each fourfold number of probes leaves a narrower interval, on average over models, and a clearly narrower one."""
    space = straight_space(4, 1)
    probes, prompts = probes_of(space, 256, 6, 2), some_prompts(50, 3)
    widths = []
    for n in (4, 16, 64, 256):
        _, low, high = space.place(take(probes, list(range(n)))).interval(prompts)
        widths.append(float((high - low).mean()))
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.5 * widths[0]


@settings(max_examples=30, deadline=None)
@given(placings())
def test_without_any_known_outcome_it_is_placed_less_surely(made: tuple[Transfer, Probes]) -> None:
    """If nobody knows what the known models made of the probes, their expectations serve, and the spread is wider
    than if they had scored just as expected.
    """
    space, probes = made
    expected = space.known.expect(probes.prompts)[0]
    told = replace(probes, known=replace(probes.known, score=expected))
    untold = replace(probes, known=replace(probes.known, score=np.full(expected.shape, NAN)))
    prompts = some_prompts(4, 1)
    sure, unsure = space.place(told).estimate(prompts), space.place(untold).estimate(prompts)
    assert np.isfinite(unsure.quality).all()
    assert (unsure.spread > sure.spread).all()


@settings(max_examples=40, deadline=None)
@given(placings(), st.data())
def test_a_known_model_stays_what_it_is(made: tuple[Transfer, Probes], data: st.DataObject) -> None:
    """Placed under a known model's name, whatever its probes, it is expected exactly as the known model is, and surely;
    a stranger beside it is placed as ever.
    """
    space, probes = made
    known = data.draw(st.sampled_from(range(len(space.models))))
    names = (space.models[known], *probes.asked.models[1:])
    placed, prompts = space.place(replace(probes, asked=named(probes.asked, names))), some_prompts(6, 1)
    found = placed.estimate(prompts)
    np.testing.assert_allclose(found.quality[:, 0], space.known.expect(prompts)[0][:, known], atol=1e-12)
    np.testing.assert_allclose(found.spread[:, 0], np.sqrt(DEFAULT.noise / space.rows))
    strangers = space.place(probes).estimate(prompts)
    np.testing.assert_array_equal(found.quality[:, 1:], strangers.quality[:, 1:])
    np.testing.assert_array_equal(found.spread[:, 1:], strangers.spread[:, 1:])


@pytest.mark.parametrize("rows", [1, 7, 8, 20])
def test_in_chunks_it_says_the_same(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of prompts is estimated in bounded memory, and just as at once."""
    space = straight_space(3, 4)
    placed, prompts = space.place(probes_of(space, 9, 2, 5)), some_prompts(rows, 6)
    whole = placed.estimate(prompts)
    monkeypatch.setattr(module, "CHUNK", 7)
    check_same(placed.estimate(prompts), whole)


def test_expectations_that_are_there_already_give_the_same() -> None:
    """`estimate_from` on the known models' expectations is `estimate` on the prompts."""
    space = straight_space(3, 5)
    placed, prompts = space.place(probes_of(space, 9, 2, 6)), some_prompts(5, 7)
    check_same(placed.estimate_from(*space.known.expect(prompts), prompts.input_tokens), placed.estimate(prompts))


def test_what_cannot_be_placed_is_refused() -> None:
    """Outcomes of other known models, a model without a cost, a level or prompts that mean nothing."""
    space = straight_space(3, 6)
    probes = probes_of(space, 5, 2, 7)
    with pytest.raises(InputError, match="give the outcomes of the history's models, in their order"):
        space.place(replace(probes, known=probes.known.only(np.array([1, 0, 2]))))
    free = replace(probes.asked, cost_usd=np.where(np.arange(2) == 1, NAN, probes.asked.cost_usd))
    with pytest.raises(InputError, match="'n1' has no cost on any of 5 probes"):
        space.place(replace(probes, asked=free))
    placed = space.place(probes)
    for level in (0.0, 1.0, -1.0, NAN):
        with pytest.raises(InputError, match=f"level {level} over 3 prompts"):
            placed.interval(some_prompts(3, 1), level)
    with pytest.raises(InputError, match="over 0 prompts"):
        placed.interval(some_prompts(0, 1))


# ---- fitted


@settings(max_examples=20, deadline=None)
@given(scored(), st.integers(0, 1000))
def test_any_history_makes_a_space(made: tuple[Outcomes, Prompts], seed: int) -> None:
    """However short and full of gaps a history is, a model can be placed in it, and the estimates are sound."""
    history, prompts = made
    space = fit_transfer(history, prompts, seed)
    probes = probes_of(space, 4, 2, seed, missing=0.4, known_missing=0.5)
    found = space.place(probes).estimate(prompts)
    assert np.isfinite(found.quality).all()
    assert ((found.quality >= 0.0) & (found.quality <= 1.0)).all()
    assert (found.spread > 0.0).all()


def test_the_same_seed_gives_the_same_space_and_survives_pickling() -> None:
    """A space is a matter of history and seed; another process places a model just so."""
    history, prompts = topical(250, 4, 1)
    one, two, other = (fit_transfer(with_gaps(history, 0.2, 2), prompts, seed) for seed in (3, 3, 4))
    assert one.scales == two.scales != other.scales
    assert one.correlation == two.correlation
    probes = probes_of(one, 12, 2, 5)
    probes = replace(probes, prompts=topical(12, 4, 1, of=1)[1])
    placed, sent = one.place(probes), pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(two)).place(probes)))
    check_same(placed.estimate(prompts), sent.estimate(prompts))


def test_a_space_on_a_fitted_estimator_needs_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """On PORT's neighbours only the likeness is learned: nothing is fitted, and known models keep its estimates."""

    def never(*_: object) -> None:
        raise AssertionError("fitted")

    history, prompts = topical(300, 5, 2)
    fitted = fit_neighbours(history, prompts, k=25)
    monkeypatch.setattr(module, "fit_known", never)
    space = transfer_from(history, prompts, fitted, seed=1)
    again = transfer_from(history, prompts, fitted, seed=1)
    assert (space.scales, space.correlation) == (again.scales, again.correlation)
    fresh, new = topical(60, 5, 2, of=1)
    twin = replace(
        named(fresh.only(np.array([3, 1])), ("twin of 3", history.models[1])), output_tokens=fresh.output_tokens[:, :2]
    )
    found = space.place(Probes(new, twin, fresh)).estimate(prompts)
    estimates = fitted.estimator.estimate(prompts)
    np.testing.assert_allclose(found.quality[:, 1], estimates.quality[:, 1], atol=1e-12)
    off = [float(((found.quality[:, 0] - estimates.quality[:, j]) ** 2).mean()) for j in range(5)]
    assert int(np.argmin(off)) == 3
    np.testing.assert_allclose(found.tokens, 15.0)
    np.testing.assert_allclose(found.cost_usd, [[4.0, 2.0]] * 300)


def test_a_long_history_is_learned_from_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a fitted estimator's held-out estimates a random part is looked at, never more rows than allowed."""
    history, prompts = topical(200, 3, 3)
    fitted = fit_neighbours(history, prompts, k=10)
    seen: list[int] = []

    def counted(score: Floats, expected: Floats, vectors: Floats, rng: np.random.Generator) -> Scales:
        seen.append(len(score))
        return learn_scales(score, expected, vectors, rng)

    monkeypatch.setattr(module, "learn_scales", counted)
    monkeypatch.setattr(module, "MOST_HELD", 50)
    space = transfer_from(history, prompts, fitted)
    assert seen == [50]
    np.testing.assert_allclose(space.means, history.score.mean(axis=0))
    assert space.rows == 200


def test_bad_histories_are_refused() -> None:
    """An empty history, and prompts that don't match, both when fitted and on an estimator."""
    history, prompts = topical(40, 2, 4)
    none, fitted = np.zeros(0, np.int64), fit_neighbours(history, prompts)
    with pytest.raises(InputError, match="the history is empty"):
        fit_transfer(history.take(none), prompts.take(none))
    with pytest.raises(InputError, match="40 outcomes but 39 prompts"):
        fit_transfer(history, prompts.take(np.arange(39)))
    with pytest.raises(InputError, match="40 outcomes but 39 prompts"):
        transfer_from(history, prompts.take(np.arange(39)), fitted)


def test_models_that_never_differ() -> None:
    """If every known model is always right, a new one is placed by its own answers, without an error."""
    rng = np.random.default_rng(5)
    prompts = prompts_of(rng.normal(size=(80, 5)))
    space = fit_transfer(outcomes_of(np.ones((80, 3))), prompts)
    asked = named(outcomes_of(np.zeros((10, 1))), ("n",))
    some = prompts.take(np.arange(10))
    found = space.place(Probes(some, asked, outcomes_of(np.ones((10, 3))))).estimate(prompts)
    assert np.isfinite(found.quality).all()
    assert (found.quality < 0.9).all()


# ---- a world whose chances are known


@cache
def world(seed: int) -> tuple[LowRank, Transfer]:
    """A hundred new models beside twelve known ones, 30 probes, 300 prompts to be foreseen."""
    made = low_rank(12, 100, (800, 30, 300), seed)
    return made, fit_transfer(made.history, made.prompts, seed)


@pytest.mark.parametrize("seed", [1, 4, 8])
def test_thirty_probes_beat_the_mean(seed: int) -> None:
    """Expected scores of 100 models of low rank have a squared error at least two fifths below that of their means
    over the probes, and each one's mean score is nearer too, on average.
    """
    made, space = world(seed)
    found = space.place(made.probes).estimate(made.test).quality
    means = place_means(made.probes).estimate(made.test).quality
    assert ((found - made.chance) ** 2).mean() < 0.6 * ((means - made.chance) ** 2).mean()
    truth = made.chance.mean(axis=0)
    assert ((found.mean(axis=0) - truth) ** 2).mean() < ((means[0] - truth) ** 2).mean()


@pytest.mark.parametrize("seed", [1, 4, 8])
def test_intervals_hold_as_often_as_they_say(seed: int) -> None:
    """Of 100 models' mean chances over the prompts, 80 to 99 lie within the interval of 90 %."""
    made, space = world(seed)
    _, low, high = space.place(made.probes).interval(made.test, 0.9)
    truth = made.chance.mean(axis=0)
    assert 80 <= ((low <= truth) & (truth <= high)).sum() <= 99
    assert (high - low).mean() < 0.4


def test_known_outcomes_that_are_missing_cost_something_and_not_everything() -> None:
    """Without the known models' scores on the probes placements are less sure, over four worlds a little worse than
    with them, and far better than the mean.
    """
    off = np.zeros(3)
    for seed in range(1, 5):
        made, space = world(seed)
        nothing = np.full(made.probes.known.score.shape, NAN)
        blind = replace(made.probes, known=replace(made.probes.known, score=nothing))
        told, untold = (space.place(probes).estimate(made.test) for probes in (made.probes, blind))
        mean = place_means(made.probes).estimate(made.test)
        off += [float(((each.quality - made.chance) ** 2).mean()) for each in (told, untold, mean)]
        assert untold.spread.mean() > told.spread.mean()
    assert off[0] < off[1] < 0.6 * off[2]


def test_picked_probes_place_better_than_the_first_ones() -> None:
    """Eight probes picked of thirty leave a smaller squared error than eight taken at random, over ten draws."""
    made, space = world(4)

    def off(rows: list[int]) -> float:
        quality = space.place(take(made.probes, rows)).estimate(made.test).quality
        return float(((quality - made.chance) ** 2).mean())

    rng = np.random.default_rng(0)
    random = [off(rng.permutation(30)[:8].tolist()) for _ in range(10)]
    picked = pick_probes(space, made.probes.prompts, made.probes.known, 8)
    assert off(picked.tolist()) < np.mean(random)
