"""Vocabulary and counts of hashed words."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.estimate.features import joined
from pointsman.estimate.tokens import Vocabulary, _tally, fit_vocabulary

# Six texts of twelve say "cat", all say "the": only "cat", the stop and the tokens of place can be kept.
TEXTS = ["the Cat sat. cat", "the dog ran far"] * 6


def fitted(texts: list[str]) -> Vocabulary:
    return fit_vocabulary(*joined(texts))


def test_counts_by_hand() -> None:
    """A word in half of the texts is counted without regard to case; a word in every text is not in the vocabulary."""
    counts = fitted(TEXTS).counts(*joined(["cat CAT cat", "zebra", "the the", ""]))
    assert counts[0].max() == 3
    assert not counts[1].any()
    assert not counts[3].any()
    assert counts[2].sum() == 0  # "the" is too common, and so is its first place; "the" is no text's second or last


def test_places_are_counted_apart_from_words() -> None:
    """The first and the last word count as tokens of their own: moving a word changes the counts."""
    vocabulary = fitted(TEXTS)
    last, middle = vocabulary.counts(*joined(["a b c d cat", "a b c cat d"]))
    assert last.sum() > middle.sum()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["ab", "cd", "12", "7", "+", ".", "Xy"]), max_size=9).map(" ".join),
        min_size=8,
        max_size=20,
    )
)
def test_as_many_kept_tokens_as_plain_python_finds(texts: list[str]) -> None:
    """Tokens of at least five and at most nine tenths of the texts are kept, like a count over Python's own sets."""
    bags = []
    for text in texts:
        tokens = re.findall(r"[a-z]+|[0-9]+|[^a-z0-9\s]", text.lower())
        places = [(i, token) for i, token in enumerate(tokens[:3])] + [(-1, token) for token in tokens[-1:]]
        bags.append(set(tokens) | set(places))
    frequency = Counter(token for bag in bags for token in bag)
    wanted = sum(5 <= count <= 0.9 * len(texts) for count in frequency.values())
    assert fitted(texts).size == wanted


def test_the_most_widely_used_are_kept_when_there_are_too_many() -> None:
    """A limit keeps the tokens of most texts."""
    buffer, starts = joined([*TEXTS, "cat mouse"])
    small = fit_vocabulary(buffer, starts, limit=1)
    assert small.size == 1
    assert fit_vocabulary(buffer, starts, limit=0).counts(buffer, starts).shape == (13, 0)


def test_counts_saturate() -> None:
    """More than 255 times counts as 255."""
    assert fitted(TEXTS).counts(*joined(["cat " * 400])).max() == np.uint8(255)


def test_a_table_that_outgrows_its_first_size_counts_the_same() -> None:
    """With forty thousand different tokens, the texts that each is in are those that sorting all pairs gives."""
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 40_000, 120_000).astype(np.uint32) * np.uint32(2654435761)
    rows = np.sort(rng.integers(0, 500, 120_000)).astype(np.uint32)
    found, texts = _tally(codes, rows)
    order = np.argsort(found)
    pairs = np.unique(np.column_stack([codes, rows]), axis=0)
    expected, counts = np.unique(pairs[:, 0], return_counts=True)
    np.testing.assert_array_equal(found[order], expected)
    np.testing.assert_array_equal(texts[order], counts)
