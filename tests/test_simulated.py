"""The simulated workload: the same everywhere, labelled everywhere, of a real shape, and with no best model."""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.metrics import roc_auc_score

from pointsman.errors import InputError
from pointsman.evaluate.simulated import MODELS, TOPICS, count_tokens, simulate
from pointsman.evaluate.simulated.answers import Queries, abilities, chances, costs_usd, scores
from pointsman.evaluate.simulated.draws import Draws, Slots
from pointsman.evaluate.simulated.models import SKILLS, SimulatedModel
from pointsman.evaluate.simulated.topics import Topic
from pointsman.evaluate.simulated.written import Written
from pointsman.records import Floats, Outcomes


def fingerprint(outcomes: Outcomes) -> str:
    """A hash of every byte of the outcomes."""
    digest = hashlib.sha256()
    for strings in (outcomes.prompt_ids, outcomes.texts, outcomes.datasets, outcomes.models, [outcomes.title]):
        digest.update("\x00".join(strings).encode())
    for array in (outcomes.score, outcomes.cost_usd, outcomes.output_tokens, outcomes.input_tokens):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def workload() -> Outcomes:
    """The workload as it ships: 6,000 queries, seed 0."""
    return simulate()


def topic_means(outcomes: Outcomes) -> Floats:
    """Mean score by topic and model, topics in the order of `TOPICS`."""
    names = np.array(outcomes.datasets)
    return np.array([outcomes.score[names == f"simulated/{topic.name}"].mean(axis=0) for topic in TOPICS])


# --- by hand -------------------------------------------------------------------------------------------------


def test_chance_by_hand() -> None:
    """With no noise, a model of skill 2 on a query it needs 0.5 of has floor + (1 - floor) * logistic(...)."""

    class Quiet:
        def normal(self, size: tuple[int, int]) -> Floats:
            return np.zeros(size)

    topic = Topic("t", 1.0, {"maths": 1.0}, lambda _: Written("", 0.0, 1.0), floor=0.2, discrimination=2.0)
    model = SimulatedModel("simulated/m", 1.0, 2.0, (2.0,) + (0.0,) * (len(SKILLS) - 1), 1.0)
    queries = Queries(np.array([0]), np.array([1.0]), np.array([10.0]), np.array([5.0]))
    quirk = abilities([topic], [model])[0, 0] - 2.0
    found = chances(queries, [topic], [model], Quiet())  # type: ignore[arg-type]
    # Difficulty 0.3 + 1.35 * 1 = 1.65; 2 * (2 + quirk - 1.65) is what the logistic sees.
    assert found[0, 0] == pytest.approx(0.2 + 0.8 / (1 + np.exp(-2 * (0.35 + quirk))))


def test_cost_by_hand() -> None:
    """1,000 tokens in at 15 and 200 out at 60 USD a million cost 0.015 + 0.012 USD."""
    assert costs_usd(np.array([1000.0]), np.array([[200.0]]), MODELS[-1:])[0, 0] == pytest.approx(0.027)


def test_count_tokens_by_hand() -> None:
    """Six letters, three digits, any other sign or a line's end are a token each; nothing is at least one."""
    assert count_tokens("Hello, 12345 people!\n") == 7  # Hello | , | 123 | 45 | people | ! | \n
    assert count_tokens("请用个字") == 4
    assert count_tokens("") == 1


def test_slots_keep_what_ends_in_a_digit() -> None:
    """`{x1}` is drawn once for all templates filled by one `Slots`; `{x}` and `{n:a-b}` are drawn each time."""
    slots = Slots(Draws(np.random.default_rng(0)), {"x": tuple("abcdefghij"), "y": ("<{x1}>",)})
    first, again = slots.fill("{x1}{n1:100-999}"), slots.fill("{x1}{n1}")
    assert first == again
    assert slots.fill("{y}") == f"<{first[0]}>"
    assert len({slots.fill("{x}{n:0-9}") for _ in range(50)}) > 20
    assert slots.fill("{{x}}") == "{x}"


# --- the same everywhere ---------------------------------------------------------------------------------------


def test_same_bytes_in_other_processes() -> None:
    """Processes with other hash seeds make the same bytes, which are those made here."""
    imports = "import hashlib\nimport numpy as np\nfrom pointsman.evaluate.simulated import simulate\n"
    # Without its annotations the function runs where this file isn't imported.
    source = inspect.getsource(fingerprint).replace("outcomes: Outcomes) -> str", "outcomes)")
    script = f"{imports}\n{source}\nprint(fingerprint(simulate(300, seed=7)))"
    found = set()
    for hash_seed in ("0", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", script]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.add(ran.stdout.strip())
    assert found == {fingerprint(simulate(300, seed=7))}


@settings(max_examples=10, deadline=None)
@given(short=st.integers(1, 80), extra=st.integers(0, 80), seed=st.integers(0, 2**63))
def test_a_shorter_workload_starts_a_longer_one(short: int, extra: int, seed: int) -> None:
    """The first n queries and outcomes don't depend on how many follow."""
    longer = simulate(short + extra, seed=seed).take(np.arange(short))
    assert fingerprint(longer) == fingerprint(simulate(short, seed=seed))


def test_other_seeds_give_other_queries(workload: Outcomes) -> None:
    """Two seeds share hardly any prompt, and the models are equally good on both within a few hundredths."""
    other = simulate(seed=1)
    assert len(set(other.texts) & set(workload.texts)) < 60
    assert np.abs(other.score.mean(axis=0) - workload.score.mean(axis=0)).max() < 0.04


# --- labels --------------------------------------------------------------------------------------------------


def test_labelled_simulated_everywhere(workload: Outcomes) -> None:
    """The flag, the title, every model, every data set and every prompt id say that this is simulated."""
    assert workload.simulated
    assert "simulated" in workload.title
    for names in (workload.models, workload.datasets):
        assert all(name.startswith("simulated/") for name in names)
    assert all(prompt_id.startswith("simulated-") for prompt_id in workload.prompt_ids)
    assert len(set(workload.prompt_ids)) == len(workload)


@pytest.mark.parametrize("queries", [0, -3, 2.5, "ten", None, True])
def test_refuses_bad_counts(queries: object) -> None:
    """Anything but a whole number of at least one is one clear error."""
    with pytest.raises(InputError, match="queries"):
        simulate(queries)  # type: ignore[arg-type]


def test_refuses_bad_seeds() -> None:
    """A negative seed is one clear error."""
    with pytest.raises(InputError, match="seed"):
        simulate(10, seed=-1)


# --- shape ---------------------------------------------------------------------------------------------------


def test_shares_and_ranges(workload: Outcomes) -> None:
    """Every topic has its share; scores, tokens and costs are complete, in range and consistent with the rates."""
    assert sum(topic.share for topic in TOPICS) == pytest.approx(1)
    assert all(sum(topic.needs.values()) == pytest.approx(1) for topic in TOPICS)
    assert all(set(topic.needs) <= set(SKILLS) for topic in TOPICS)
    names = np.array(workload.datasets)
    for topic in TOPICS:
        share = (names == f"simulated/{topic.name}").mean()
        assert share == pytest.approx(topic.share, abs=0.012)
        values = np.unique(workload.score[names == f"simulated/{topic.name}"])
        assert (len(values) > 20) if topic.graded else set(values) == {0.0, 1.0}
    assert workload.score.shape == (6000, 12)
    assert workload.score.min() >= 0
    assert workload.score.max() <= 1
    assert workload.output_tokens.min() >= 1
    assert np.array_equal(workload.output_tokens, np.round(workload.output_tokens))
    assert workload.cost_usd.min() > 0
    assert np.isfinite(workload.cost_usd).all()


def test_prompts_are_of_a_real_shape(workload: Outcomes) -> None:
    """Lengths run from a handful to thousands of tokens with a heavy tail; fewer than one prompt in 100 repeats."""
    p5, p50, p95, p100 = np.percentile(workload.input_tokens, [5, 50, 95, 100])
    assert p5 < 25
    assert 50 < p50 < 150
    assert p95 > 500
    assert 2500 < p100 < 8000
    assert workload.input_tokens.mean() > 1.7 * p50
    assert len(set(workload.texts)) > 0.99 * len(workload)
    assert all(text == text.strip() and text for text in workload.texts)
    # No slot was left unfilled: braces appear in program text alone.
    assert not any(re.search(r"\{\w+:?[\d-]*\d?\}", text) for text in workload.texts)


def test_no_model_is_best_everywhere(workload: Outcomes) -> None:
    """At least three models lead some topic; every dear model loses one to a model at a quarter of its rate."""
    means = topic_means(workload)
    assert len(set(means.argmax(axis=1))) >= 3
    rates = np.array([model.output_rate for model in MODELS])
    for dear in np.flatnonzero(rates >= 4):
        cheap = np.flatnonzero(rates < rates[dear] / 4)
        assert (means[:, cheap].max(axis=1) > means[:, dear] + 0.01).any()
    overall = workload.score.mean(axis=0)
    assert 0.25 < overall.min() < 0.5
    assert 0.65 < overall.max() < 0.9
    assert workload.score.max(axis=1).mean() > overall.max() + 0.08


def test_specialists_are_worth_it(workload: Outcomes) -> None:
    """The small code and maths models beat every other model under 1 USD a million on their own topics only."""
    means, ids = topic_means(workload), [model.id for model in MODELS]
    small = [i for i, model in enumerate(MODELS) if model.output_rate < 1]
    names = [topic.name for topic in TOPICS]
    for specialist, topic in (("code-small", "code-writing"), ("maths-small", "arithmetic")):
        column = ids.index(f"simulated/{specialist}")
        others = [i for i in small if i != column]
        assert means[names.index(topic), column] > means[names.index(topic), others].max() + 0.1
        assert means[names.index("facts"), column] < means[names.index("facts"), others].max()


def test_rates_span_real_lists() -> None:
    """Rates run from 0.05 / 0.08 to 15 / 60 USD a million, and only the reasoning models think at length."""
    assert (MODELS[0].input_rate, MODELS[0].output_rate) == (0.05, 0.08)
    assert (MODELS[-1].input_rate, MODELS[-1].output_rate) == (15.0, 60.0)
    assert [model.id for model in MODELS if model.thinking_tokens] == [
        "simulated/reasoning-small",
        "simulated/reasoning-large",
    ]
    assert len({model.id for model in MODELS}) == len(MODELS) == 12


# --- signal --------------------------------------------------------------------------------------------------


def counts(text: str) -> list[float]:
    """Thirteen counts that need no knowledge of the generator."""
    words = text.split()
    patterns = (r"\d", r"\n", r"[()\[\]{}]", r"[-+*/=<>]", r"\?", r",", r"\.", r":", r"[A-Z]", r"[^\x00-\x7f]")
    found = [float(len(re.findall(pattern, text))) for pattern in patterns]
    return [float(len(text)), float(len(words)), float(np.mean([len(word) for word in words])), *found]


def aucs(score: Floats, predicted: Floats) -> NDArray[np.float64]:
    """Area under the ROC curve of each model's `score > 0.5`."""
    return np.array([roc_auc_score(score[:, m] > 0.5, predicted[:, m]) for m in range(score.shape[1])])


def test_text_carries_signal_but_not_all(workload: Outcomes) -> None:
    """A ridge on thirteen plain counts gets an AUC above .6 for every model, yet what it can't see matters more."""
    raw = np.array([counts(text) for text in workload.texts])
    features = np.hstack([raw, np.log1p(raw)])
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    ridge = RidgeCV(np.logspace(-1, 4, 8)).fit(features[:4000], workload.score[:4000])
    found = aucs(workload.score[4000:], ridge.predict(features[4000:]))
    assert (found > 0.6).all()
    assert np.median(found) > 0.63
    assert found.max() < 0.75


def test_scores_follow_their_chances() -> None:
    """Of 20,000 cells with chance 0.7 about 70 % are right, and grades around 0.7 average near it."""
    chance = np.full((20_000, 2), 0.7)
    drawn = scores(chance, np.arange(20_000) < 10_000, np.random.default_rng(0))
    assert drawn[10_000:].mean() == pytest.approx(0.7, abs=0.01)
    assert drawn[:10_000].mean() == pytest.approx(0.7, abs=0.02)
    assert 0.05 < drawn[:10_000].std() < 0.2
