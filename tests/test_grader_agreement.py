"""How a grader's agreement with a person is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from pointsman.errors import InputError
from pointsman.pool.graders import KINDS
from pointsman.pool.graders.agreement import agreement, kappa, measure, read_labelled, wilson

LABELLED = Path(__file__).parent.parent / "benchmarks" / "graders_labelled.yaml"


def test_agreement_by_hand() -> None:
    """Of ten replies two can't be told; of the other eight, one is a false pass, one a false fail, six agree."""
    pairs = [(True, True)] * 4 + [(False, False)] * 2 + [(False, True), (True, False), (True, None), (False, None)]
    found = agreement(pairs, np.random.default_rng(0))
    assert (found.items, found.unclear, found.false_passes, found.false_fails) == (10, 2, 1, 1)
    assert found.share[0] == 0.75
    # Chance: 5/8 · 5/8 + 3/8 · 3/8 = 34/64, so (48 − 34) / (64 − 34).
    assert found.kappa[0] == pytest.approx(14 / 30)
    assert found.kappa[1] < found.kappa[0] < found.kappa[2]


@given(st.integers(1, 60).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    """Oracle: scipy.stats."""
    hits, of = counts
    ends = binomtest(hits, of).proportion_ci(method="wilson")
    assert wilson(hits, of) == pytest.approx((hits / of, ends.low, ends.high), abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_kappa_is_scikit_learns(pairs: list[tuple[bool, bool]]) -> None:
    """Oracle: sklearn.metrics, where either varies."""
    right, found = np.array(pairs).T
    if right.all() == right.any() and found.all() == found.any() and right[0] == found[0]:
        assert np.isnan(kappa(right, found))
    else:
        assert float(kappa(right, found)) == pytest.approx(cohen_kappa_score(right, found), abs=1e-12)


def test_nothing_told_is_nothing_known() -> None:
    """No reply told gives no share, instead of a perfect one."""
    found = agreement([(True, None)], np.random.default_rng(0))
    assert np.isnan(found.share[0])
    assert np.isnan(found.kappa[0])


def test_the_labelled_replies_cover_every_kind() -> None:
    """At least 150, both labels in each kind; and the graders agree with nine in ten of those that they tell."""
    items = read_labelled(LABELLED)
    assert len(items) >= 150
    assert {(str(one.spec["kind"]), one.right) for one in items} >= {
        (kind, label) for kind in KINDS for label in (True, False)
    }
    quick = [one for one in items if one.spec["kind"] not in {"code", "sql", "regex"}]
    assert measure(quick, np.random.default_rng(0))["all kinds"].share[0] > 0.9


@pytest.mark.parametrize("text", ["{", "a: 1", "- right: [x]", "- {spec: {kind: exact, answer: a}, right: [3]}"])
def test_a_file_of_other_things_is_refused(tmp_path: Path, text: str) -> None:
    """By the entry's number where there is one."""
    path = tmp_path / "labelled.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"labelled\.yaml"):
        read_labelled(path)
