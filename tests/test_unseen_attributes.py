"""Readable attributes of prompts: by hand, as properties of any text, and as a space that models are placed in."""

from __future__ import annotations

import functools
import json
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from pointsman.errors import InputError
from pointsman.estimate.unseen.attributes import (
    ABOUT,
    ASKED,
    NAMES,
    PROMPT,
    ask_llm,
    attribute_vectors,
    choose_k,
    fit_attributes,
)
from pointsman.estimate.unseen.means import place_means
from pointsman.estimate.unseen.place import Probes
from pointsman.records import Floats, Outcomes, Prompts
from unseen_worlds import check_same, check_sound, made_outcomes, only_models

LAW = "The court must judge whether the defendant is liable under the contract and the statute of the state."
SUM = "Calculate 12 * 3 + 4 = x. How many is it?\nA. 40\nB. 36\nC. 48"
CODE = "```python\ndef first(items):\n    return items[0]\n```\nWhy does the compiler print an error?"
RUSSIAN = "Сколько будет два плюс два?"


def attribute(text: str, name: str) -> float:
    return float(attribute_vectors([text])[0, NAMES.index(name)])


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (SUM, "length", np.log1p(len(SUM))),
        (SUM, "numbers", np.log1p(6)),  # 12 3 4 40 36 48
        (SUM, "options", np.log1p(3)),
        (SUM, "calculation", np.log1p(2)),  # calculate, many
        (SUM, "mathematics", np.log1p(3)),  # * + =
        (SUM, "explanation", np.log1p(1)),  # how
        (SUM, "blanks", 0.0),
        (SUM, "law", 0.0),
        (LAW, "law", np.log1p(6)),  # court judge defendant liable contract statute
        (LAW, "english", 8 / 18),  # five times "the", then is, and, of
        (CODE, "code", np.log1p(11)),  # python def return compiler print, and six back ticks
        (CODE, "computing", np.log1p(1)),  # compiler
        (RUSSIAN, "english", 0.0),
        (LAW, "other_script", 0.0),
        ("", "length", 0.0),
    ],
)
def test_small_prompts_counted_by_hand(text: str, name: str, expected: float) -> None:
    """Each attribute of a small prompt is what a person counts."""
    assert attribute(text, name) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ("The capital of France is __.", True),
        ("Sarah was better than Maria so _ got the easier cases.", True),
        ("The energy of the electrons is higher because\nA. they are hot\nB. they are many", True),
        ("Complete: once upon a time,", True),
        ("What is the capital of France?", False),
        ("Name the capital of France.\nA. Paris\nB. ____", False),
        ("my_variable is 3.", False),
        ("", False),
    ],
)
def test_gaps_and_unfinished_sentences(text: str, blank: bool) -> None:
    """A gap or a sentence that breaks off before the options asks to be completed; a finished one doesn't."""
    assert attribute(text, "blanks") == blank


def test_words_count_in_the_plural_and_in_capitals_and_on_every_list() -> None:
    """A word is recognised with an s and in any case, inside no longer word, and by all subjects that share it."""
    assert attribute("ENZYMES and an Enzyme", "biology") == pytest.approx(np.log1p(2))
    assert attribute("enzymelike", "biology") == 0.0
    assert attribute("a bond", "money") == attribute("a bond", "chemistry") == pytest.approx(np.log1p(1))


def test_every_attribute_has_a_name_and_a_meaning() -> None:
    """About 25 numbers, each explained, and each found in some prompt."""
    assert tuple(ABOUT) == NAMES
    assert 15 <= len(NAMES) <= 25
    assert set(ASKED) < set(NAMES)
    prose = " ".join(ABOUT.values()).split()
    subjects = ["law", "patient", "war", "price", "force", "molecule", "gene", "computer", "memory", "write", "except"]
    everything = " ".join([*prose, *subjects, "if", "def", "who", "calculate", "equation", "12 __ Ж\nA. b\nB. c"])
    assert (attribute_vectors([everything])[0] > 0).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=5))
def test_any_text_has_finite_attributes_alone_as_in_company(texts: list[str]) -> None:
    """Finite, at least zero, and those of a batch are those of its texts one by one."""
    together = attribute_vectors(texts)
    assert together.shape == (len(texts), len(NAMES))
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    assert (together >= 0).all()
    for row, text in enumerate(texts):
        np.testing.assert_array_equal(together[row], attribute_vectors([text])[0])


def test_only_the_beginning_of_a_huge_text_is_read() -> None:
    """Words beyond the cap aren't looked for; the length still counts."""
    text = "a " * 8_192 + "court " * 1000
    assert attribute(text, "law") == 0.0
    assert attribute(text, "length") == pytest.approx(np.log1p(len(text)), rel=1e-6)


def subjects(rows: int, seed: int) -> tuple[Outcomes, Prompts]:
    """Half questions of law and half sums; the first model knows the law, the second can count; vectors are noise."""
    rng = np.random.default_rng(seed)
    legal = np.arange(rows) % 2 == 0
    texts = [f"{LAW} {'Explain. ' * int(rng.integers(3))}" if law else f"{SUM} {rng.integers(99)}" for law in legal]
    score = np.stack([np.where(legal, 0.9, 0.2), np.where(legal, 0.1, 0.8)], axis=1)
    vectors = rng.normal(size=(rows, 3)).astype(np.float32)
    outcomes = replace(made_outcomes(score), texts=texts)
    return outcomes, Prompts(texts, vectors, np.full(rows, 20.0))


def probes_of(rows: int, seed: int) -> Probes:
    outcomes, prompts = subjects(rows, seed)
    return Probes(prompts, outcomes, outcomes)


def test_models_are_told_apart_by_what_prompts_are_about() -> None:
    """With two clusters of attributes each model gets its score on law and on sums, though the vectors are noise."""
    history, prompts = subjects(60, 0)
    placed = fit_attributes(history, prompts, 2, 0).place(probes_of(10, 1))
    new, asked = subjects(7, 2)
    found = placed.estimate(asked)
    check_sound(found, 7, 2)
    assert placed.models == history.models
    np.testing.assert_allclose(found.quality, new.score, atol=1e-12)


def test_standardised_clusters_are_scikit_learns() -> None:
    """The prompts are grouped as scikit-learn groups their scaled attributes."""
    history, prompts = subjects(60, 0)
    space = fit_attributes(history, prompts, 2, 0)
    scaled = np.clip(StandardScaler().fit_transform(attribute_vectors(prompts.texts).astype(np.float64)), -4, 4)
    np.testing.assert_allclose(space.look(prompts).vectors, scaled, atol=1e-4)
    theirs = KMeans(2, n_init=5, random_state=0).fit_predict(scaled)
    ours = space.clusters.assign(space.look(prompts).vectors)
    assert (ours == theirs).all() or (ours != theirs).all()


def test_one_cluster_is_the_plain_mean_and_columns_move_with_their_models() -> None:
    """K = 1 is the zero router; a model is estimated alike in any company."""
    history, prompts = subjects(30, 0)
    probes = probes_of(9, 1)
    one = fit_attributes(history, prompts, 1, 0).place(probes)
    check_same(one.estimate(prompts), place_means(probes).estimate(prompts))
    space = fit_attributes(history, prompts, 4, 0)
    whole = space.place(probes).estimate(prompts).quality
    np.testing.assert_array_equal(space.place(only_models(probes, [1, 0])).estimate(prompts).quality, whole[:, [1, 0]])


def test_k_is_chosen_by_the_same_rule() -> None:
    """The known models are routed by attributes: with two subjects, two clusters are the fewest that do it best."""

    def judge(quality: Floats, outcomes: Outcomes) -> float:
        return -round(float(((quality - outcomes.score) ** 2).mean()), 9)

    (history, prompts), (validation, new) = subjects(60, 0), subjects(20, 1)
    assert choose_k(history, prompts, validation, new, 30, 0, judge, (1, 2, 5)) == 2


def rated(prompt: str) -> str:
    """A language model that finds ten parts law wherever it reads "court", and five of everything else."""
    text = prompt.removeprefix(PROMPT)
    return json.dumps({name: 10 if name == "law" and "court" in text else 5 for name in ASKED})


def test_a_language_model_can_be_asked_instead() -> None:
    """Its ratings take the place of the counted words; what is plain to count is still counted."""
    found, counted = ask_llm([LAW, SUM], rated), attribute_vectors([LAW, SUM])
    assert found[:, NAMES.index("law")].tolist() == [10.0, 5.0]
    assert found[:, NAMES.index("creativity")].tolist() == [5.0, 5.0]
    others = [NAMES.index(name) for name in NAMES if name not in ASKED]
    np.testing.assert_array_equal(found[:, others], counted[:, others])
    assert found.dtype == np.float32
    assert ask_llm([], rated).shape == (0, len(NAMES))


def test_what_the_language_model_says_is_what_prompts_are_clustered_by() -> None:
    """Any way of reading can be put into the fit, and is used for probes and new prompts too."""
    history, prompts = subjects(30, 0)
    read = functools.partial(ask_llm, ask=rated)
    space = fit_attributes(history, prompts, 2, 0, read=read)
    np.testing.assert_allclose(space.place(probes_of(10, 1)).estimate(prompts).quality, history.score, atol=1e-12)


def test_the_question_names_every_attribute_that_is_asked_for() -> None:
    """Each asked attribute stands in the question once, with its meaning."""
    for name in ASKED:
        assert len(re.findall(f"^- {name}: {re.escape(ABOUT[name])}$", PROMPT, re.MULTILINE)) == 1


GOOD = dict.fromkeys(ASKED, 3)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("Certainly! {}", "is not JSON"),
        ("[1, 2]", "exactly the 18 names"),
        (json.dumps({"law": 3}), "exactly the 18 names"),
        (json.dumps(GOOD | {"humour": 3}), "exactly the 18 names"),
        (json.dumps(GOOD | {"law": 11}), "'law' by a whole number"),
        (json.dumps(GOOD | {"law": -1}), "'law' by a whole number"),
        (json.dumps(GOOD | {"law": 2.5}), "'law' by a whole number"),
        (json.dumps(GOOD | {"law": True}), "'law' by a whole number"),
        (json.dumps(GOOD | {"law": "3"}), "'law' by a whole number"),
        (json.dumps(GOOD | {"law": None}), "'law' by a whole number"),
    ],
)
def test_other_answers_are_refused(answer: str, complaint: str) -> None:
    """Anything but the object asked for is refused, naming the text by its number and showing nothing of it."""
    answers = iter([json.dumps(GOOD), answer])
    with pytest.raises(InputError, match=complaint) as caught:
        ask_llm(["fine", "a secret"], lambda _: next(answers))
    assert caught.value.place == "attributes, text 1"
    assert "secret" not in str(caught.value)


def test_bad_input_is_refused() -> None:
    """No rows, and more clusters than prompts."""
    history, prompts = subjects(6, 0)
    none = np.zeros(0, np.int64)
    with pytest.raises(InputError, match="history is empty"):
        fit_attributes(history.take(none), prompts.take(none), 1, 0)
    with pytest.raises(InputError, match="7 clusters of 6 prompts"):
        fit_attributes(history, prompts, 7, 0)


def test_survives_pickling() -> None:
    """A placed model can be sent to another process."""
    history, prompts = subjects(20, 0)
    placed = fit_attributes(history, prompts, 3, 0).place(probes_of(8, 1))
    check_same(pickle.loads(pickle.dumps(placed)).estimate(prompts), placed.estimate(prompts))
