"""What the models' page adds up: skills, topics, likeness, calibration, and what each model did lately."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from made_finished import finished
from pointsman.estimate.drift.mix import Mix
from pointsman.records import Candidate
from pointsman.serve.finished import Hop
from pointsman.serve.journal_file import body_of
from pointsman.serve.ui.calibration import bins_of, calibration_error, wilson
from pointsman.serve.ui.likeness import comparable, likeness, scaled, squared_distances
from pointsman.serve.ui.models import calibration_json, health_of, likeness_json
from pointsman.serve.ui.past import Past
from pointsman.serve.ui.profile import Scored, labels_of, skills_json, sums_by_part, topics_json
from pointsman.serve.ui.recent import recent_of

NAN = float("nan")


# Likeness


def test_the_distance_of_two_models_is_of_the_prompts_they_share() -> None:
    """By hand: they differ by 1 and by 0 on two of three prompts, so half a square on average."""
    score = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, NAN]])
    squared, shared = squared_distances(score)
    assert squared[0, 1] == squared[1, 0] == 0.5
    assert shared.tolist() == [[3.0, 2.0], [2.0, 2.0]]


def test_three_models_on_a_line_stay_on_a_line() -> None:
    """Distances 1, 2 and 3: the map gives them back, and its largest coordinate is positive."""
    at = np.array([0.0, 1.0, 3.0])
    points = scaled((at[:, None] - at[None, :]) ** 2)
    assert np.abs(points[:, 1]).max() == pytest.approx(0.0, abs=1e-7)
    assert points[:, 0] == pytest.approx(at - at.mean())


@given(st.integers(3, 8), st.integers(25, 60), st.integers(0, 2**31))
def test_with_no_gaps_the_map_is_that_of_principal_components(models: int, prompts: int, seed: int) -> None:
    """Classical scaling of Euclidean distances is the projection on the first two components (scikit-learn's)."""
    score = np.random.default_rng(seed).random((prompts, models))
    kept, points = likeness(score)
    expected = PCA(2).fit_transform(score.T) / np.sqrt(prompts)
    assert kept.tolist() == list(range(models))
    assert np.abs(points) == pytest.approx(np.abs(expected), abs=1e-6)


def test_a_model_that_shares_too_little_has_no_place() -> None:
    """Four models; the last was asked other prompts: three are compared, in order."""
    score = np.random.default_rng(0).random((60, 4))
    score[:30, 3] = NAN
    score[30:, :3] = NAN
    kept, points = likeness(np.vstack([score, score]))
    assert (kept.tolist(), points.shape) == ([0, 1, 2], (3, 2))
    assert comparable(np.zeros((3, 3))).tolist() == []


def test_why_there_is_no_map() -> None:
    """Two models make none; nor does a history that isn't there; each says what is lacking."""
    assert likeness_json(None, "Not yet.") == ([], "Not yet.")
    points, why = likeness_json(past(np.random.default_rng(0).random((40, 2))), "")
    assert points == []
    assert "3 models" in why
    points, why = likeness_json(past(np.random.default_rng(0).random((40, 3))), "")
    assert [one["id"] for one in points] == ["p/m0", "p/m1", "p/m2"]
    assert why == ""


# Calibration


def test_wilsons_interval_by_the_book() -> None:
    """5 of 10: 0.2366 to 0.7634; none of 10: 0 to 0.2775; all of them the other way round."""
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_twenty_answers_make_two_bins() -> None:
    """By hand: ten expected at 0.2 of which one was good, ten at 0.9 that all were; the error is the mean gap."""
    expected = np.array([0.9] * 10 + [0.2] * 10)
    got = np.array([1.0] * 10 + [1.0] + [0.0] * 9)
    low, high = bins_of(expected, got)
    assert (low.expected, low.got, low.count) == pytest.approx((0.2, 0.1, 10))
    assert (high.expected, high.got, high.count) == pytest.approx((0.9, 1.0, 10))
    assert calibration_error([low, high]) == pytest.approx(0.1)
    assert bins_of(expected[:9], got[:9]) == []
    assert calibration_error([]) is None


@given(st.integers(10, 400), st.integers(0, 2**31))
def test_bins_hold_every_answer_once_in_order(count: int, seed: int) -> None:
    """Counts add up and differ by at most one, means rise, every interval holds its mean; the mean of all is kept."""
    rng = np.random.default_rng(seed)
    expected, got = rng.random(count), rng.random(count)
    bins = bins_of(expected, got)
    counts = [one.count for one in bins]
    assert (sum(counts), max(counts) - min(counts) <= 1, len(bins) <= 10) == (count, True, True)
    assert sorted(one.expected for one in bins) == [one.expected for one in bins]
    assert all(0.0 <= one.low <= one.got <= one.high <= 1.0 for one in bins)
    assert sum(one.got * one.count for one in bins) == pytest.approx(got.sum())


# Skills and topics


def past(score: Any, parts: Any = None) -> Past:
    count, models = score.shape
    return Past(
        [f"q{i}" for i in range(count)],
        ["?"] * count,
        ["maths" if i % 2 else "facts" for i in range(count)],
        np.ones((count, 1), np.float32),
        np.arange(count),
        parts,
        tuple(f"p/m{i}" for i in range(models)),
        score,
    )


def test_skills_come_from_the_probes() -> None:
    """Two onboarded models; a skill that one of them wasn't asked about is empty there."""
    profiles: dict[str, dict[str, Any]] = {
        "p/a": {"skills": {"maths": {"mean": 0.5, "n": 8}, "sql": {"mean": 1.0, "n": 4}}},
        "p/b": {"skills": {"maths": {"mean": 0.25, "n": 4}}},
        "p/c": {"skills": {}},
    }
    found = skills_json(profiles)
    assert [row["label"] for row in found["rows"]] == ["maths", "sql"]
    assert [row["note"] for row in found["rows"]] == ["12 graded probes of 2 models", "4 graded probes of 1 model"]
    assert found["cells"] == {"p/a": [0.5, 1.0], "p/b": [0.25, None]}
    assert skills_json({}) == {"rows": [], "cells": {}}


MIX = Mix(np.zeros((3, 1), np.float32), np.array([6, 3, 1]), ("maths", "", "maths"))


def test_topics_are_means_of_what_was_recorded_and_of_feedback() -> None:
    """By hand: two recorded scores and one of feedback in the first part; feedback that is recorded counts once."""
    seen = past(np.array([[1.0, NAN], [0.0, 0.5]]), np.array([0, 0]))
    scored = [Scored("d1", 0, "p/m0", 0.5), Scored("q1", 0, "p/m1", 0.5), Scored("d2", 1, "p/m1", 1.0)]
    found = topics_json(seen, MIX, scored, {}, ("p/m0", "p/m1"))
    assert [row["label"] for row in found["rows"]] == ["maths 1", "topic 2", "maths 2"]
    assert [row["share"] for row in found["rows"]] == [0.6, 0.3, 0.1]
    assert found["cells"] == {"p/m0": [0.5, None, None], "p/m1": [0.5, 1.0, None]}
    assert found["rows"][0]["note"] == "6 prompts: facts 50%, maths 50%"
    assert found["rows"][2]["note"] == "1 prompt"
    now = topics_json(seen, MIX, scored, {1: 300, 0: 100}, ("p/m0", "p/m1"))
    assert topics_json(seen, MIX, scored, {1: 30, 0: 10}, ("p/m0", "p/m1")) == found
    assert [(row["label"], row["share"]) for row in now["rows"]] == [("maths 1", 0.25), ("topic 2", 0.75)]


def test_no_partition_no_topics() -> None:
    """And without recorded outcomes feedback alone fills the map; a model of another configuration isn't there."""
    assert topics_json(None, None, [], {}, ()) == {"rows": [], "cells": {}}
    alone = topics_json(None, MIX, [Scored("d", 2, "p/m0", 1.0), Scored("e", 0, "p/gone", 1.0)], {}, ("p/m0",))
    assert alone["cells"] == {"p/m0": [None, None, 1.0]}
    assert labels_of(MIX, None) == ["maths 1", "topic 2", "maths 2"]
    seen = past(np.ones((3, 1)), np.array([1, 1, 1]))
    assert labels_of(MIX, seen) == ["maths 1", "facts, maths", "maths 2"]


def test_what_all_data_sets_begin_with_is_left_out() -> None:
    """Up to a slash, and only where there are several; a data set's own name stays whole."""
    mix = Mix(np.zeros((2, 1), np.float32), np.array([1, 1]), ("bench/maths", "bench/many"))
    assert labels_of(mix, None) == ["maths", "many"]
    assert labels_of(Mix(mix.centres, mix.counts, ("bench/maths", "")), None) == ["bench/maths", "topic 2"]


@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 2**31))
def test_sums_by_topic_are_those_of_a_loop(count: int, models: int, seed: int) -> None:
    """Brute force: every recorded score lands in its prompt's part and its model's column, and no other."""
    rng = np.random.default_rng(seed)
    score = np.where(rng.random((count, models)) < 0.3, NAN, rng.random((count, models)))
    parts = rng.integers(0, 3, count)
    total, counts = sums_by_part(past(score, parts), 3, [], [f"p/m{i}" for i in range(models)])
    for part in range(3):
        for column in range(models):
            here = score[parts == part, column]
            here = here[np.isfinite(here)]
            assert counts[part, column] == len(here)
            assert total[part, column] == pytest.approx(here.sum())


# Lately


def candidates(**quality: float) -> tuple[Candidate, ...]:
    return tuple(Candidate(f"p/{name}", each, 0.1, 0.001, 100.0, 0.0, each) for name, each in quality.items())


def test_what_the_latest_exchanges_say() -> None:
    """By hand: two served, one of them after a fault; a mirrored one counts for its feedback alone."""
    hops = (Hop("p/a", "p/a@1", "overloaded", 0, 0.1), Hop("p/b", "p/b@1", None, 7, 0.2))
    quick = {"hops": (Hop("p/b", "p/b@1", None, 9, 0.1),), "total_s": 0.1, "cost_nano": 9}
    expected = candidates(a=0.9, b=0.6)
    rows = [
        finished(model="p/b", hops=hops, total_s=0.3, cost_nano=7, part=2, candidates=expected),
        finished(model="p/b", part=2, candidates=expected, **quick),
        finished(model="p/a", key_id="shadow", part=1, candidates=expected, **quick),
        finished(model="p/a", key_id="onboard-x", **quick),
    ]
    found = recent_of((body_of(row), score) for row, score in zip(rows, (None, 0.5, 1.0, None), strict=True))
    assert (found.served, found.parts) == (Counter({"p/b": 2}), Counter({2: 2}))
    assert found.models["p/a"].figures() == {
        "cost_nano": None,
        "total_p50_ms": None,
        "total_p99_ms": None,
        "failed_share": 1.0,
    }
    b = found.models["p/b"].figures()
    assert b["total_p50_ms"] == pytest.approx(200.0)
    assert (b["cost_nano"], b["failed_share"]) == (8.0, 0.0)
    assert found.pairs == {"p/b": ([0.6], [0.5]), "p/a": ([0.9], [1.0])}
    assert [(one.part, one.model, one.score) for one in found.scored] == [(2, "p/b", 0.5), (1, "p/a", 1.0)]


def test_calibration_is_of_models_with_feedback_enough() -> None:
    """Ten answers make a bin, nine none."""
    rows = [(body_of(finished(model="p/a", decision_id=f"d{i}", candidates=candidates(a=0.5))), 1.0) for i in range(10)]
    rows += [(body_of(finished(model="p/b", decision_id=f"e{i}", candidates=candidates(b=0.5))), 1.0) for i in range(9)]
    (only,) = calibration_json(recent_of(rows), ["p/a", "p/b", "p/c"])
    assert (only["id"], only["error"], only["bins"][0]["count"]) == ("p/a", 0.5, 10)


def test_health_in_a_word() -> None:
    """Up while any endpoint may be asked and somebody did; resting when none may."""
    up, down = ("one", True, None), ("two", False, 12.0)
    assert health_of([up, down], asked=True) == "up"
    assert health_of([up], asked=False) == "unknown"
    assert health_of([down], asked=True) == "resting"
