"""Settings, outcomes and answers put together into a scheme."""

from __future__ import annotations

import numpy as np
import pytest

from made_serving import DAY, USD, Dot, Told, model, rates, settings_of
from pointsman.errors import InputError
from pointsman.estimate.lengths import DEFAULT_FACTOR, Lengths
from pointsman.estimate.prior import TIER_QUALITY
from pointsman.pool.settings import FundRule, Settings
from pointsman.records import Estimates
from pointsman.router import embed
from pointsman.serve.build import RATIO_ANSWERS, SEEN_RATIO, UNSEEN_RATIO, build_scheme
from pointsman.serve.fitting import Learned
from pointsman.serve.journal_file import ModelTally
from pointsman.serve.learn import prices_of
from pointsman.serve.scheme import Scheme

ASK = FundRule("all", 10 * USD)


@pytest.fixture
def settings() -> Settings:
    return settings_of(
        model("a/big", tier="frontier", price=rates(5, 20), output_tokens=200),
        model("a/small", quality=0.4, price=rates(1, 4), history="small-of-old"),
        funds=(ASK,),
    )


def learned(*names: str) -> Learned:
    """A fit that says .9 of every model, at lengths of 50 tokens that double at most."""
    told = Told(names, (0.9,) * len(names), (0.5,) * len(names), 50.0)
    prompts = embed(["x"] * 3, Dot(), np.array([10.0, 20.0, 30.0]))
    lengths = Lengths(np.full(len(names), 2.0))
    return Learned("print", told, told.estimate(prompts), prompts.input_tokens, lengths, 3)


def estimates(scheme: Scheme, tokens: float = 100.0) -> Estimates:
    return scheme.snapshot.estimator.estimate(embed(["?"], Dot(), np.array([tokens])))


def test_without_outcomes_declarations_count(settings: Settings) -> None:
    """A tier and a declared quality, today's rates and the declared answer length make the estimates."""
    scheme = build_scheme(settings, Dot(), None, (), {}, DAY)
    found = estimates(scheme)
    assert found.quality[0] == pytest.approx([TIER_QUALITY["frontier"], 0.4])
    assert found.cost_usd[0, 0] == pytest.approx(100 * 5e-6 + 200 * 20e-6)
    assert found.tokens[0, 0] == 300.0
    assert scheme.origin.startswith("declared")
    assert len(scheme.typical) == 1
    assert scheme.counting.ceiling.tolist() == [DEFAULT_FACTOR] * 2


def test_outcomes_count_where_there_are_any(settings: Settings) -> None:
    """The model with a name in the history has its quality and lengths, at today's rates; the other its tier's."""
    scheme = build_scheme(settings, Dot(), learned("small-of-old", "retired"), (), {}, DAY)
    found = estimates(scheme)
    assert found.quality[0] == pytest.approx([TIER_QUALITY["frontier"], 0.9])
    assert found.cost_usd[0, 1] == pytest.approx(100 * 1e-6 + 50 * 4e-6)
    assert scheme.counting.ceiling.tolist() == [DEFAULT_FACTOR, 2.0]
    assert scheme.origin == "recorded outcomes of 1 of 2 models, declarations for the others"
    assert len(scheme.typical) == 3


def test_where_estimates_come_from_is_told(settings: Settings) -> None:
    """All models recorded, some, or none: each is said in words."""
    assert build_scheme(settings, Dot(), learned("small-of-old", "a/big"), (), {}, DAY).origin == (
        "recorded outcomes of all 2 models"
    )
    assert build_scheme(settings, Dot(), learned("retired"), (), {}, DAY).origin.startswith("declared")


def test_real_counts_correct_ours(settings: Settings) -> None:
    """4,000 characters in 20 answers that count 2,000 tokens: half way from our 1 to their 2, held a tenth higher."""
    tallies = {"a/big": ModelTally("a/big", answered=20, input_tokens=2_000, input_chars=4_000)}
    counting = build_scheme(settings, Dot(), None, (), tallies, DAY).counting
    extra = 1_000 / 20 * RATIO_ANSWERS
    assert counting.ratio[0] == pytest.approx((2_000 + extra) / (1_000 + extra)) == pytest.approx(1.5)
    assert counting.most[0] == pytest.approx(1.5 * SEEN_RATIO)
    assert (counting.ratio[1], counting.most[1]) == (1.0, UNSEEN_RATIO)


def test_one_odd_answer_changes_little(settings: Settings) -> None:
    """A single answer with ten times the tokens moves the ratio by less than half, and holds stay on the safe side."""
    tallies = {"a/big": ModelTally("a/big", answered=1, input_tokens=1_000, input_chars=400)}
    counting = build_scheme(settings, Dot(), None, (), tallies, DAY).counting
    assert 1.0 < counting.ratio[0] < 1.5
    assert counting.most[0] == pytest.approx(counting.ratio[0] * UNSEEN_RATIO)


def test_answers_move_what_is_believed(settings: Settings) -> None:
    """Many bad scores pull a declared quality down, and long answers its expected length up."""
    tallies = {"a/small": ModelTally("a/small", answered=500, output_tokens=500_000, scored=500, score_sum=50.0)}
    before = estimates(build_scheme(settings, Dot(), None, (), {}, DAY))
    after = estimates(build_scheme(settings, Dot(), None, (), tallies, DAY))
    assert after.quality[0, 1] == pytest.approx(0.1, abs=0.03)
    assert after.quality[0, 0] == before.quality[0, 0]
    assert after.cost_usd[0, 1] > 2 * before.cost_usd[0, 1]


def test_keys_funds_come_after_the_files(settings: Settings) -> None:
    """A key's fund is a further row that its key alone draws on; prices are kept by name, 0 for those that are new."""
    mine = FundRule("key:a:budget", USD, keys=("a",))
    scheme = build_scheme(settings, Dot(), None, (mine,), {}, DAY, {"all": 0.25, "gone": 1.0})
    assert [rule.name for rule in scheme.funds] == ["all", "key:a:budget"]
    assert scheme.drawn("a", ()) == (0, 1)
    assert scheme.drawn("b", ()) == (0,)
    assert prices_of(scheme) == {"all": 0.25, "key:a:budget": 0.0}


def test_two_funds_of_one_name_are_refused(settings: Settings) -> None:
    """A key's fund with the name of the file's is an error that names it."""
    with pytest.raises(InputError, match="all"):
        build_scheme(settings, Dot(), None, (FundRule("all", 1),), {}, DAY)


def test_the_same_makes_the_same(settings: Settings) -> None:
    """Nothing but its arguments goes into a scheme."""
    one, other = (build_scheme(settings, Dot(), None, (), {}, DAY) for _ in range(2))
    assert np.array_equal(estimates(one).quality, estimates(other).quality)
    assert (one.funds, one.origin, one.day) == (other.funds, other.origin, other.day)
