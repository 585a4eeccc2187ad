"""Why a model was chosen and the others weren't, what a charge is made of, and what lies near a prompt."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from made_serving import ADMIN, USD, Board, chat, model, priced, scheme_of, settings_of
from pointsman.estimate.drift.mix import Mix
from pointsman.pool.settings import FundRule
from pointsman.serve.again.basis import Basis
from pointsman.serve.ui.neighbours import nearest, neighbours_json
from pointsman.serve.ui.opened import candidates_of, prompt_json, topic_json
from pointsman.serve.ui.past import Past
from pointsman.serve.ui.session import Visitor
from pointsman.serve.ui.why import STAYING, TRADE_OFF, Case, candidates_json, funds_json, outsiders_json, parts_of

FUNDS = {"all": ["usd", 100.0, None], "calls": ["requests", 0.01, [1]], "words": ["tokens", 0.0001, [0, 1]]}


def candidate(name: str, quality: float, cost_usd: float, charge: float, **more: float) -> dict[str, Any]:
    figures = {"spread": 0.1, "cost_usd": cost_usd, "tokens": 500.0, "charge": charge, "score": quality - charge}
    return {"model": name, "quality": quality} | figures | more


def whys(case: Case) -> dict[str, str]:
    return {one["model"]: one["why"] for one in candidates_json(case)}


GOOD, DEAR, PLAIN = (
    candidate("p/good", 0.8, 0.002, 0.25),
    candidate("p/dear", 0.9, 0.006, 0.65),
    candidate("p/plain", 0.2, 0.001, 0.16),
)
BASIS = {"funds": FUNDS, "scarcity": "serve-cheapest", "ranked": [0, 1, 2], "place": 0}


def test_a_charge_is_the_sum_of_price_times_amount() -> None:
    """By hand: 0.002 dollars at 100, one request at 0.01 that only the second model draws on, 500 tokens at 0.0001."""
    assert [part["charge"] for part in parts_of(GOOD, 0, BASIS)] == pytest.approx([0.2, 0.05])
    assert [part["charge"] for part in parts_of(GOOD, 1, BASIS)] == pytest.approx([0.2, 0.01, 0.05])
    leaning = BASIS | {"money": 50.0, "stays": [0, 0.0001, 0.02]}
    found = parts_of(GOOD, 0, leaning)
    assert [part["fund"] for part in found[2:]] == [TRADE_OFF, STAYING]
    assert [part["charge"] for part in found[2:]] == pytest.approx([0.1, -0.02])
    assert funds_json(BASIS)[1] == {"fund": "calls", "unit": "requests", "price": 0.01}
    assert parts_of(GOOD, 0, {}) == []


def test_an_interval_is_ninety_per_cent_and_stays_within_scores() -> None:
    """0.8 ± 1.645 × 0.1, and never beyond 1."""
    one, other = candidates_json(Case([GOOD, candidate("p/sure", 0.95, 0.001, 0.0)]))
    assert (one["low"], one["high"]) == pytest.approx((0.6355, 0.9645))
    assert (other["low"], other["high"]) == pytest.approx((0.7855, 1.0))


def test_why_a_runner_up_lost() -> None:
    """The higher quality was dearer than it is worth; the cheaper one isn't good enough; the sum is the gap."""
    found = whys(Case([GOOD, DEAR, PLAIN], BASIS, "p/good"))
    assert found["p/good"] == "chosen"
    dear, plain = found["p/dear"], found["p/plain"]
    assert dear.startswith("It scored 0.300 less: dearer, its charge is 0.400 higher")
    assert dear.endswith("more than its 0.100 better quality is worth.")
    assert plain == "It scored 0.510 less: its quality is 0.600 lower, more than its 0.090 lower charge makes up for."
    worse = candidate("p/worse", 0.7, 0.003, 0.3)
    found = whys(Case([GOOD, worse], BASIS, "p/good"))
    assert found["p/worse"].endswith("0.100 lower quality, and a charge 0.050 higher.")


def test_why_a_model_was_passed_over() -> None:
    """A fault, a fund, a limit, a price, chance: each says itself, whatever the scores."""
    candidates = [GOOD, DEAR, PLAIN]
    case = Case(candidates, BASIS, "p/dear", {"p/good": "first_token_timeout"})
    assert whys(case)["p/good"] == "It was asked and failed: first token timeout."
    passed = BASIS | {"passed": [["p/good", [["all", 5]]]], "place": 1}
    assert whys(Case(candidates, passed, "p/dear"))["p/good"] == "Refused by fund all: it could not pay for it."
    either = BASIS | {"passed": [["p/good", [["all", 5], ["words", 9]]]]}
    assert "one of the funds all, words" in whys(Case(candidates, either, "p/dear"))["p/good"]
    limited = BASIS | {"limit_usd": 0.003}
    assert "above the query's limit of $0.003000" in whys(Case(candidates, limited, "p/good"))["p/dear"]
    drawn = BASIS | {"explored": [0.1, 3], "ranked": [2, 0, 1]}
    assert whys(Case(candidates, drawn, "p/plain"))["p/good"].startswith("Chance chose another model")
    assert whys(Case(candidates, BASIS, "p/plain"))["p/good"].startswith("It scored 0.510 more, but")
    assert whys(Case(candidates, BASIS, None))["p/good"] == "Nobody answered."


def test_what_isnt_worth_its_price_says_so() -> None:
    """By the funds' charges alone: a lean to cheap models takes nobody's worth."""
    spent = candidate("p/spent", 0.5, 0.01, 0.9)
    assert whys(Case([GOOD, spent], BASIS, "p/good"))["p/spent"].startswith("Not worth its price")
    leaning = BASIS | {"money": 100.0}
    leant = candidate("p/leant", 0.5, 0.01, 0.6)  # of the 0.6 one dollar-lean takes all
    assert "It scored" in whys(Case([GOOD, leant | {"charge": 0.6}], leaning, "p/good"))["p/leant"]
    worse = candidate("p/worse", 0.1, 0.02, 0.9)
    assert "the cheapest was asked first" in whys(Case([spent, worse], BASIS, "p/spent"))["p/worse"]


def test_models_that_were_no_candidates_are_shown_without_figures() -> None:
    """A blank row, with a reason where one is known."""
    found = outsiders_json(["p/good", "p/out", "p/off"], Case([GOOD]), {"p/off": "Not serving."})
    assert [(one["model"], one["score"], one["parts"]) for one in found] == [("p/out", None, []), ("p/off", None, [])]
    assert found[0]["why"].startswith("Not allowed")
    assert found[1]["why"] == "Not serving."


def test_parts_add_up_to_the_charge_of_a_real_decision() -> None:
    """A decision by the switchboard: for every candidate the parts' sum is the charge in its score."""
    funds = (FundRule("all", 100 * USD), FundRule("a-only", 1000, "requests", models=("p/a",)))
    settings = settings_of(model("p/a"), model("p/b"), funds=funds)
    scheme = priced(scheme_of(settings, quality=[0.9, 0.6], cost_usd=[0.01, 0.001]), all=7.0, **{"a-only": 0.125})
    plan = asyncio.run(Board(scheme).switchboard.consider(chat(), ADMIN))
    basis = Basis(plan).columns()
    for place, one in enumerate(plan.candidates):
        assert sum(part["charge"] for part in parts_of(asdict(one), place, basis)) == pytest.approx(one.charge)


def test_a_kept_decision_is_shown_by_what_it_kept() -> None:
    """Who failed, who answered, and models of today's configuration that were no candidates then."""
    scheme = scheme_of(settings_of(model("p/good"), model("p/dear"), model("p/new")))
    body = {
        "model": "p/dear",
        "outcome": "served",
        "candidates": [GOOD, DEAR],
        "basis": BASIS,
        "hops": [{"model": "p/good", "fault": "overloaded"}, {"model": "p/dear", "fault": None}],
    }
    found = candidates_of(body, scheme)
    assert [(one["model"], one["why"][:12]) for one in found["candidates"]] == [
        ("p/good", "It was asked"),
        ("p/dear", "chosen"),
        ("p/new", "Not allowed:"),
    ]
    named = candidates_of(body | {"asked": "p/dear", "basis": BASIS | {"scarcity": None}}, scheme)
    assert named["candidates"][2]["why"] == "The client named p/dear."
    gone = candidates_of(body | {"outcome": "upstream_failed", "basis": None}, scheme)
    assert (gone["candidates"][1]["why"], gone["funds"]) == ("Nobody answered.", [])


def test_prompts_are_for_those_who_may_see_them() -> None:
    """A viewer gets the reason and no text, even where the text is there."""
    admin, viewer = Visitor("admin", False, True, ADMIN), Visitor("viewer", False, False, ADMIN)
    assert prompt_json("secret", viewer, stored=True)["text"] is None
    assert prompt_json("secret", admin, stored=True) == {"text": "secret", "why": ""}
    assert "store_prompts" in prompt_json(None, admin, stored=False)["why"]
    assert "isn't kept" in prompt_json(None, admin, stored=True)["why"]


def test_the_topic_is_named_after_its_data_set() -> None:
    """Its number, its name and its share of the first history; nothing where there is no partition."""
    mix = Mix(np.zeros((2, 1), np.float32), np.array([30, 10]), ("maths", ""))
    scheme = replace(scheme_of(settings_of(model("p/a"))), mix=mix)
    assert topic_json(0, scheme, None) == {"number": 0, "label": "maths", "share": 0.75}
    assert topic_json(1, scheme, None) == {"number": 1, "label": "topic 2", "share": 0.25}
    assert topic_json(7, scheme, None) is None
    assert topic_json(0, scheme_of(settings_of(model("p/a"))), None) is None


def past(vectors: Any, score: Any) -> Past:
    count = len(vectors)
    names = [f"q{i}" for i in range(count)]
    texts = [f"text {i}" for i in range(count)]
    return Past(names, texts, ["d"] * count, vectors, np.arange(count), None, ("p/a", "p/b"), score)


def test_neighbours_by_hand() -> None:
    """Three directions in a plane: the nearest comes first, scores that aren't there are left out, texts if allowed."""
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    found = past(vectors, np.array([[1.0, np.nan], [0.0, 0.5], [np.nan, np.nan]]))
    rows = neighbours_json(found, np.array([1, 0], np.float32), prompts=True, k=2)
    assert [(row["prompt_id"], row["similarity"], row["scores"]) for row in rows] == [
        ("q0", 1.0, {"p/a": 1.0}),
        ("q2", pytest.approx(0.6), {}),
    ]
    assert [row["text"] for row in rows] == ["text 0", "text 2"]
    hidden = neighbours_json(found, np.array([1, 0], np.float32), prompts=False)
    assert [row["text"] for row in hidden] == [None, None, None]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**31))
def test_neighbours_are_those_of_scikit_learn(count: int, k: int, seed: int) -> None:
    """The same prompts, in the same order, at the same cosines."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    asked = vectors[0] + rng.normal(size=6).astype(np.float32) * 0.1
    asked /= np.linalg.norm(asked)
    rows, similarity = nearest(past(vectors, np.zeros((count, 2))), asked, k)
    oracle = NearestNeighbors(n_neighbors=min(k, count), metric="cosine", algorithm="brute").fit(vectors)
    distance, expected = oracle.kneighbors(asked[None, :])
    assert [each.tolist() for each in rows] == [[i] for i in expected[0].tolist()]
    assert similarity == pytest.approx(1.0 - distance[0], abs=1e-5)


def test_a_text_that_was_asked_often_is_one_row() -> None:
    """Three times the same text, one of them the query itself: one row of the other two, with the means of scores."""
    vectors = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    score = np.array([[0.0, np.nan], [1.0, np.nan], [0.5, 0.5], [1.0, 1.0]])
    often = replace(past(vectors, score), group=np.array([0, 0, 0, 1]))
    first, second = neighbours_json(often, np.array([1, 0], np.float32), prompts=True, but="q0")
    assert (first["prompt_id"], first["scores"]) == ("q1", {"p/a": 0.75, "p/b": 0.5})
    assert (second["prompt_id"], second["scores"]) == ("q3", {"p/a": 1.0, "p/b": 1.0})


def test_equal_neighbours_are_taken_from_the_first() -> None:
    """Texts that are equally near: the first of them, so that the same page comes twice."""
    equal = past(np.ones((9, 1), np.float32), np.zeros((9, 2)))
    assert [rows.tolist() for rows in nearest(equal, np.ones(1, np.float32), 3)[0]] == [[0], [1], [2]]
    assert nearest(equal, np.ones(1, np.float32), 0) == ([], [])
