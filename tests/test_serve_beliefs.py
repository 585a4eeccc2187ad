"""What estimators added to a fit, kept by name: the latest alone, and the same estimates back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_serving import DAY, Dot, model, settings_of
from pointsman.records import Prompts
from pointsman.serve.again import beliefs as module
from pointsman.serve.again.beliefs import Beliefs, estimator_of
from pointsman.serve.build import build_scheme
from pointsman.serve.journal_file import ModelTally
from pointsman.serve.scheme import Scheme

MODELS = (model("p/a", quality=0.9), model("p/b", quality=0.4))
PROMPTS = Prompts(["?", "!"], np.ones((2, 1), np.float32), np.array([100.0, 7.0]))


def scheme_after(answers: int) -> Scheme:
    tally = ModelTally("p/a", answers, 300 * answers, answers, 0.2 * answers, 90 * answers, 400 * answers)
    return build_scheme(settings_of(*MODELS), Dot(), None, (), {"p/a": tally}, DAY)


def test_the_same_estimates_come_back(tmp_path: Path) -> None:
    """Tallies change what is expected and the name; by each name the estimates of then come back exactly."""
    hand = Beliefs(tmp_path)
    one, two = hand.keep(scheme_after(5)), hand.keep(scheme_after(50))
    assert one.beliefs != two.beliefs
    for scheme in (one, two):
        again = estimator_of(tmp_path, scheme.beliefs)
        assert again is not None
        then = scheme.snapshot.estimator.estimate(PROMPTS)
        for name in ("quality", "cost_usd", "tokens", "spread"):
            np.testing.assert_array_equal(getattr(again.estimate(PROMPTS), name), getattr(then, name))
    assert Beliefs(tmp_path).keep(scheme_after(5)).beliefs == one.beliefs


def test_the_latest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of six the last three are there, nothing is left aside, and what is gone is None."""
    monkeypatch.setattr(module, "MOST", 3)
    hand = Beliefs(tmp_path)
    names = [hand.keep(scheme_after(answers)).beliefs for answers in range(1, 7)]
    assert sorted(path.name for path in (tmp_path / module.FOLDER).iterdir()) == sorted(names[-3:])
    assert estimator_of(tmp_path, names[0]) is None
    (tmp_path / module.FOLDER / names[-1]).write_bytes(b"torn")
    assert estimator_of(tmp_path, names[-1]) is None


def test_a_fit_that_is_gone_gives_nothing(tmp_path: Path) -> None:
    """Estimates of a fit need the fit's file."""
    named = Beliefs(tmp_path).keep(replace(scheme_after(1), fit="gone"))
    assert estimator_of(tmp_path, named.beliefs) is None
