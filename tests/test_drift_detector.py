"""The drift watch's sequential test: ranks, bets, the e-detector, and what it says of a change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pointsman.errors import InputError
from pointsman.estimate.drift.bets import CELLS, share_bets, shift_bets
from pointsman.estimate.drift.change import changed_mean, changed_shares
from pointsman.estimate.drift.detector import begin_again, new_detectors, ranks, watch
from pointsman.estimate.drift.mix import fit_mix
from pointsman.estimate.drift.streams import KINDS, RECENT, STREAMS_PER_QUERY, THRESHOLD, Ring, Streams
from pointsman.records import Floats, Ints

ONE = np.zeros(1, np.int64)


def two_bets() -> Floats:
    """Bet 0: ranks below a half are 1.5 times as likely; bet 1: those above."""
    low = np.where(np.arange(CELLS) < CELLS // 2, 1.5, 0.5)
    return np.stack([low, 2.0 - low])


def fed(bins: list[int], lots: list[float], bets: Floats, width: int = 3) -> list[float]:
    """Evidence after each value of one stream."""
    detectors = new_detectors(1, width, len(bets))
    return [
        float(watch(detectors, ONE, np.array([b]), np.array([u]), bets)[0]) for b, u in zip(bins, lots, strict=True)
    ]


def test_by_hand() -> None:
    """Three values of bins 1, 0, 0 with lots of a half rank .5, .25, 1/3; evidence is .5·Σ(1 + R)·bet, written out."""
    # The first ranks 0.5: not below a half, so bet 0 has (1+0)*.5, bet 1 has (1+0)*1.5.
    # The second is below the first: (0 + .5*1)/2 = .25: (1+.5)*1.5 = 2.25 and (1+1.5)*.5 = 1.25.
    # The third ties with the second: (0 + .5*2)/3: (1+2.25)*1.5 = 4.875 and (1+1.25)*.5 = 1.125.
    assert fed([1, 0, 0], [0.5, 0.5, 0.5], two_bets()) == pytest.approx([1.0, 1.75, 3.0])


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 0.999)), min_size=1, max_size=25))
def test_against_brute_force(values: list[tuple[int, float]]) -> None:
    """Evidence is the sum over all beginnings of the product of bets since, each rank counted out anew."""
    bins, lots = [b for b, _ in values], [u for _, u in values]
    bets = shift_bets()
    factors = []
    for n in range(len(bins)):
        below = sum(other < bins[n] for other in bins[: n + 1])
        ties = sum(other == bins[n] for other in bins[: n + 1])
        cell = min(int((below + lots[n] * ties) / (n + 1) * CELLS), CELLS - 1)
        factors.append(bets[:, cell])
    expected = np.mean([sum(np.prod([f[k] for f in factors[j:]]) for j in range(len(bins))) for k in range(len(bets))])
    assert fed(bins, lots, bets, width=5)[-1] == pytest.approx(float(expected))


@pytest.mark.parametrize("bets", [shift_bets(), share_bets()], ids=["shifts", "shares"])
def test_bets_are_fair(bets: Floats) -> None:
    """Every bet is at least zero and 1 on average, exactly: nobody wins where ranks are uniform."""
    assert (bets > 0).all()
    np.testing.assert_allclose(bets.mean(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("law", ["coin", "heavy", "constant"])
def test_ranks_are_uniform_whatever_the_law(law: str) -> None:
    """Of independent values of one law, ranks are uniform and independent of those before (Kolmogorov, Spearman)."""
    rng = np.random.default_rng(1)
    streams, steps = 400, 30
    counts, seen = np.zeros((streams, 50), np.int64), np.zeros(streams, np.int64)
    found = []
    for _ in range(steps):
        bins = {
            "coin": rng.integers(0, 2, streams),
            "heavy": np.clip(25 + 3 * rng.standard_cauchy(streams), 0, 49).astype(np.int64),
            "constant": np.full(streams, 7),
        }[law]
        found.append(ranks(counts, seen, bins, rng.random(streams)))
        counts[np.arange(streams), bins] += 1
        seen += 1
    table = np.array(found)
    assert stats.kstest(table.ravel(), "uniform").pvalue > 1e-3
    assert stats.spearmanr(table[:-1].ravel(), table[1:].ravel()).pvalue > 1e-3


@pytest.mark.parametrize("bets", [shift_bets(), share_bets()], ids=["shifts", "shares"])
def test_evidence_minus_time_is_a_martingale(bets: Floats) -> None:
    """Where nothing changes, the mean of the e-detector after n values is n, over many streams.

    Of bets that win a hundredfold once in a thousand times a mean says nothing: only bounded ones are looked at.
    """
    rng, bets = np.random.default_rng(2), bets[bets.max(axis=1) < 5.0]
    streams, steps = 20_000, 12
    detectors = new_detectors(streams, 9, len(bets))
    for n in range(1, steps + 1):
        evidence = watch(detectors, np.arange(streams), rng.integers(0, 9, streams), rng.random(streams), bets)
        spread = evidence.std() / np.sqrt(streams)
        assert abs(evidence.mean() - n) < 4.5 * spread + 1e-9


def test_false_alarms_are_as_rare_as_said() -> None:
    """Among n values in whose law nothing changes, at most n / c alarms at a threshold of c (here: well below)."""
    rng = np.random.default_rng(3)
    streams, steps, threshold = 1_500, 400, 2_000.0
    detectors, bets = new_detectors(streams, 9, len(shift_bets())), shift_bets()
    alarms = 0
    for _ in range(steps):
        evidence = watch(detectors, np.arange(streams), rng.integers(0, 9, streams), rng.random(streams), bets)
        for i in np.flatnonzero(evidence >= threshold):
            alarms += 1
            begin_again(detectors, int(i))
    expected = streams * steps / threshold
    assert alarms <= expected + 3.0 * np.sqrt(expected)


# What changed


def test_changed_mean_by_hand() -> None:
    """0 0 0 0 1 1 1 1: the change is at the fifth value, from 0 to 1, without a doubt."""
    found = changed_mean(np.array([0.0] * 4 + [1.0] * 4), np.zeros(3))
    assert found is not None
    assert (found.first, found.before, found.after, found.low, found.high) == (4, 0.0, 1.0, 1.0, 1.0)
    assert (found.count_before, found.count_after) == (4, 4)


def test_interval_is_welchs() -> None:
    """Older values count before the change, and the interval is SciPy's for two samples of unequal variance."""
    rng = np.random.default_rng(4)
    old, before, after = rng.normal(0, 1, 300), rng.normal(0, 1, 80), rng.normal(2, 0.3, 120)
    older = np.array([len(old), old.sum(), (old**2).sum()])
    found = changed_mean(np.concatenate([before, after]), older)
    assert found is not None
    oracle = stats.ttest_ind(after, np.concatenate([old, before]), equal_var=False).confidence_interval(0.95)
    assert found.first == 80
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))


@given(st.integers(5, 60), st.integers(5, 60), st.integers(0, 50))
def test_split_is_the_best_one(n: int, m: int, seed: int) -> None:
    """No other split leaves less variance within its two sides."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(0, 1, n), rng.normal(0.7, 1, m)])
    found = changed_mean(values, np.zeros(3))
    assert found is not None
    within = [values[:k].var() * k + values[k:].var() * (len(values) - k) for k in range(1, len(values))]
    assert within[found.first - 1] == pytest.approx(min(within))


def test_changed_shares() -> None:
    """A part that grows from a tenth to half is found, near where it did, with an interval like that of a z-test."""
    rng = np.random.default_rng(5)
    older = np.array([500, 400, 100])
    recent = np.concatenate([rng.choice(3, 200, p=[0.5, 0.4, 0.1]), rng.choice(3, 150, p=[0.3, 0.2, 0.5])])
    found = changed_shares(recent, older)
    assert found is not None
    assert found.part == 2
    assert abs(found.first - 200) <= 10
    wald = 1.96 * np.sqrt(found.before * (1 - found.before) / found.count_before + 0.25 / found.count_after)
    assert found.low == pytest.approx(found.difference - wald, abs=0.02)
    assert found.high == pytest.approx(found.difference + wald, abs=0.02)


def test_nothing_to_compare() -> None:
    """One value alone has no before."""
    assert changed_mean(np.array([0.3]), np.zeros(3)) is None
    assert changed_shares(np.array([1]), np.zeros(3, np.int64)) is None


# Streams


def feed(streams: Streams, values: Floats, seed: int = 0, begin_s: float = 0.0) -> list[tuple[int, Ring]]:
    """(place of the value, ring) of a single stream."""
    lots = np.random.default_rng(seed).random(len(values))
    found: list[tuple[int, Ring]] = []
    for n, value in enumerate(values):
        rings = streams.see(ONE, np.array([value]), np.array([begin_s + n]), lots[n : n + 1])
        found += [(n, ring) for ring in rings]
    return found


def scores(rng: np.random.Generator, chance: float, n: int, told: float = 0.7) -> Floats:
    return np.asarray((rng.random(n) < chance) - told, np.float64)


def test_a_worse_model_rings_once_and_its_successor_again() -> None:
    """A drop rings once, with its time and size; going back rings once more, and upwards."""
    rng = np.random.default_rng(6)
    values = np.concatenate([scores(rng, 0.7, 1_500), scores(rng, 0.4, 900), scores(rng, 0.7, 900)])
    streams = Streams(KINDS["score"], ["m"])
    (n, down), (k, up) = feed(streams, values)
    assert 1_500 < n < 1_500 + 300
    assert abs(down.since_s - 1_500) < 60
    assert down.change.low < -0.3 < down.change.high
    assert 2_400 < k < 2_400 + 400
    assert up.change.difference > 0.2


def test_a_change_within_the_tolerance_never_rings() -> None:
    """Scores 0.02 lower, for ever: the evidence is there in the end, and it is no alarm."""
    rng = np.random.default_rng(7)
    values = np.concatenate([rng.normal(0.0, 0.05, 3_000), rng.normal(-0.02, 0.05, 2_000)])
    streams = Streams(KINDS["score"], ["m"], threshold=1e4)
    assert feed(streams, values) == []


def test_a_halved_rate_is_found_within_fifty_receipts() -> None:
    """With fifty receipts before it; and the factor is told."""
    rng = np.random.default_rng(8)
    values = np.concatenate([rng.normal(0, 0.01, 50), np.log(0.5) + rng.normal(0, 0.01, 50)])
    ((n, ring),) = feed(Streams(KINDS["cost"], ["m"]), values)
    assert n < 100
    assert np.exp(ring.change.difference) == pytest.approx(0.5, abs=0.01)


def test_traffic_about_something_new() -> None:
    """A part that comes to a third of the traffic is the one that is named, with its shares."""
    rng = np.random.default_rng(9)
    share = np.full(32, 1 / 31)
    share[5] = 0.0
    before = rng.choice(32, 2_000, p=share)
    after = np.where(rng.random(400) < 1 / 3, 5, rng.choice(32, 400, p=share))
    ((n, ring),) = feed(Streams(KINDS["mix"], ["traffic"]), np.concatenate([before, after]).astype(float))
    assert n < 2_150
    assert ring.change.part == 5
    assert ring.shares[0, 5] < 0.01
    assert ring.shares[1, 5] > 0.2


def test_goes_on_where_it_stood() -> None:
    """Taken over from its state, with other streams beside it, a stream rings as if nothing had been in between."""
    rng = np.random.default_rng(10)
    values = np.concatenate([scores(rng, 0.7, RECENT + 500), scores(rng, 0.3, 200)])
    lots = rng.random(len(values))

    def rung(cut: int | None) -> list[tuple[int, float]]:
        streams, found = Streams(KINDS["score"], ["m"]), []
        for n, value in enumerate(values):
            if n == cut:
                other = Streams(KINDS["score"], ["new", "m"])
                other.take_over({name: array.copy() for name, array in streams.state().items()})
                streams = other
            place = np.array([streams.place["m"]])
            rings = streams.see(place, np.array([value]), np.array([float(n)]), lots[n : n + 1])
            found += [(n, ring.evidence) for ring in rings]
        return found

    assert len(rung(None)) == 1
    assert rung(None) == rung(RECENT + 520)


def test_another_versions_state_is_refused() -> None:
    """A state with other bins can't be gone on with."""
    state = Streams(KINDS["mix"], ["m"]).state()
    with pytest.raises(InputError, match="counts"):
        Streams(KINDS["score"], ["m"]).take_over(state)


def test_the_threshold_keeps_the_promise() -> None:
    """A query feeds four streams at most, so a query has at most four in a million false alarms: one in 250,000."""
    assert len(KINDS) == STREAMS_PER_QUERY
    assert pytest.approx(250_000) == THRESHOLD / STREAMS_PER_QUERY


def test_partition_of_traffic() -> None:
    """Three clouds of vectors become parts named after their data sets; a vector falls into the nearest."""
    rng = np.random.default_rng(11)
    centre = np.eye(3, 8)
    of: Ints = np.repeat([0, 1, 2], [60, 50, 40])
    vectors = (centre[of] + 0.05 * rng.normal(size=(150, 8))).astype(np.float32)
    mix = fit_mix(vectors, [("maths", "code", "")[i] for i in of], parts=3)
    assert sorted(mix.names) == ["", "code", "maths"]
    assert mix.names[int(mix.parts(vectors[:1])[0])] == "maths"
    assert mix.counts.tolist() == np.bincount(mix.parts(vectors)).tolist()
    nearest = ((vectors[:, None] - mix.centres) ** 2).sum(axis=2).argmin(axis=1)
    assert mix.parts(vectors).tolist() == nearest.tolist()
