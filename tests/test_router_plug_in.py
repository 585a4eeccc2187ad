"""A model plugged into a running router: placed by its probes, paid from its fund, nothing else disturbed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pointsman import Fund, InputError, Router
from pointsman.evaluate.simulated import simulate
from pointsman.records import Outcomes

EVERYTHING = simulate(700, seed=6)
KNOWN, NEW = np.array([0, 2, 5, 9]), 7
HISTORY = EVERYTHING.take(np.arange(300)).only(KNOWN)
PROBES = EVERYTHING.take(np.arange(300, 360))
LATER = EVERYTHING.take(np.arange(400, 700))
POOL = Fund("pool", 0.05 * 300 * float(np.nanmean(HISTORY.cost_usd)))


@cache
def fitted_once() -> Router:
    return Router.fit(HISTORY, [POOL, *(Fund(m, POOL.amount, models=(m,)) for m in HISTORY.models)], volume=300)


def fitted() -> Router:
    """A fresh router on the same fit."""
    one = fitted_once()
    return Router(one.snapshot, volume=300, funds=one._funds, past=one._past)


def newcomer(name: str = "new/model", *, score: float | None = None) -> Outcomes:
    """The newcomer's outcomes on the probes, or the same with every score as given."""
    asked = replace(PROBES.only(np.array([NEW])), models=(name,))
    return asked if score is None else replace(asked, score=np.full(asked.score.shape, score))


def known() -> Outcomes:
    return PROBES.only(KNOWN)


def test_a_good_and_cheap_newcomer_is_used() -> None:
    """A model that is right on every probe and costs next to nothing serves most queries; before, it served none."""
    router = fitted()
    before = router.route(LATER.texts[:100])
    asked = newcomer(score=1.0)
    asked = replace(asked, cost_usd=asked.cost_usd * 0 + 1e-9)
    router.plug_in(asked, known(), [Fund("new", 1.0, models=("new/model",))])
    after = router.route(LATER.texts[100:200])
    assert not any(decision.model == "new/model" for decision in before)
    assert sum(decision.model == "new/model" for decision in after) > 80
    assert len(after[0].candidates) == len(KNOWN) + 1


def test_a_newcomer_that_is_always_wrong_is_left_alone() -> None:
    """Plugging in a bad and dear model takes nothing from the others."""
    router = fitted()
    asked = newcomer(score=0.0)
    router.plug_in(replace(asked, cost_usd=asked.cost_usd + 1.0), known(), [Fund("new", 1.0, models=("new/model",))])
    assert not any(decision.model == "new/model" for decision in router.route(LATER.texts[:100]))


def test_money_goes_on() -> None:
    """What the funds had left they still have, a new fund has its amount, and the pool is the newcomer's too."""
    router = fitted()
    router.route(LATER.texts[:50])
    left = router.balances.copy()
    router.plug_in(newcomer(), known(), [Fund("new", 0.25, models=("new/model",))])
    np.testing.assert_array_equal(router.balances, [*left, 0.25])
    draws = router.snapshot.funds.draws[:, router.snapshot.models.index("new/model")]
    assert draws.tolist() == [True, *(False for _ in KNOWN), True]
    decisions = router.route(LATER.texts[50:300])
    assert (router.balances >= 0).all()
    held = sum(d.chosen.cost_usd for d in decisions if d.chosen)
    assert held == pytest.approx(left[0] - router.balances[0])


def test_two_after_each_other() -> None:
    """A second newcomer joins the first; the known models' estimates stay what they were."""
    router = fitted()
    base = router.snapshot.estimator
    router.plug_in(newcomer("new/a"), known())
    router.plug_in(newcomer("new/b"), known())
    assert router.snapshot.models == (*HISTORY.models, "new/a", "new/b")
    from_router = router.route(LATER.texts[:20])
    assert {candidate.model for candidate in from_router[0].candidates} == set(router.snapshot.models)
    assert base.models == HISTORY.models


def test_the_horizon_goes_on() -> None:
    """Half the volume has come, so prices are solved for the other half, in a share of the time that is left."""
    router = fitted()
    router.route(LATER.texts[:150], elapsed=0.5)
    router.plug_in(newcomer(), known())
    assert router._volume == 150
    router.route(LATER.texts[150:200], elapsed=0.75)
    assert router._passed == pytest.approx(0.5)


def test_refused() -> None:
    """A model that is there already, probes of other known models, and a router without a history say so."""
    router = fitted()
    with pytest.raises(InputError, match="is there already"):
        router.plug_in(newcomer(HISTORY.models[0]), known())
    with pytest.raises(InputError, match="known models"):
        router.plug_in(newcomer(), PROBES.only(KNOWN[:2]))
    with pytest.raises(InputError, match="no history"):
        Router(router.snapshot, volume=10).plug_in(newcomer(), known())
    assert router.snapshot.models == HISTORY.models


def test_probes_are_picked_and_then_asked() -> None:
    """The picked rows are distinct candidates, and a model placed by them joins."""
    router = fitted()
    rows = router.pick_probes(known(), 20)
    assert len(set(rows.tolist())) == 20
    assert rows.max() < len(PROBES)
    router.plug_in(newcomer().take(rows), known().take(rows))
    assert router.snapshot.models[-1] == "new/model"
