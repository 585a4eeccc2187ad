"""The suite of probes: every one is graded as its keys say; what it holds; how few are picked of many."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.outcomes.texts import prompt_id_of
from pointsman.pool.graders import Reply, grader_of
from pointsman.pool.probes import DIFFICULTIES, Probe, describe, spread_probes, suite, table
from pointsman.pool.probes.drafts import Item
from pointsman.pool.probes.suite import TEMPLATES, items

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "zh", "ja")
RUN = {"code", "sql"}  # graded in a process of their own


def made(count: int, skill: str = "a", difficulty: str = "easy") -> list[Probe]:
    grader = {"kind": "numeric", "answer": 1}
    return [Probe(f"{skill}-{difficulty}-{n}", skill, difficulty, "en", "?", grader) for n in range(count)]  # type: ignore[arg-type]


def check(item: Item) -> None:
    grader = grader_of(item.probe.grader)
    right, wrong, empty = (grader.grade(reply) for reply in (item.right, item.wrong, Reply("")))
    if right.score is None:
        pytest.skip(f"can't be graded here: {right.why}")
    assert right.score >= 0.99, right.why
    assert wrong.score is not None
    assert wrong.score < 0.5, wrong.why
    assert not empty.score, empty.why


@pytest.mark.parametrize("skill", sorted({item.probe.skill for item in items()}))
def test_every_probe_tells_right_from_wrong(skill: str) -> None:
    """The right reply to each probe earns everything, a wrong one less than half, an empty one nothing."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(check, [item for item in items() if item.probe.skill == skill]))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_seeds_tell_right_from_wrong(seed: int) -> None:
    """So it is with the templates' other instances."""
    for item in items(seed):
        if item.probe.grader["kind"] not in RUN:
            check(item)


def test_the_same_seed_is_the_same_suite() -> None:
    """A seed gives the same probes each time, another other instances under other ids, hand-written ones alike."""
    items.cache_clear()
    first = suite(7)
    items.cache_clear()
    assert suite(7) == first
    other = suite(8)
    assert len(other) == len(first)
    for one, two in zip(first, other, strict=True):
        assert (one.skill, one.difficulty, one.language) == (two.skill, two.difficulty, two.language)
        assert one == two or (one.id.removesuffix("@7") == two.id.removesuffix("@8") != one.id)
    fresh = sum(one.prompt != two.prompt for one, two in zip(first, other, strict=True))
    assert fresh >= 0.95 * sum(len(template.languages.split()) for template in TEMPLATES) - 30


def test_ids_of_the_first_seed_do_not_change() -> None:
    """Ids and prompts of the shipped suite are what they were: outcomes are kept by prompt."""
    by_id = {probe.id: probe for probe in suite()}
    assert by_id["arithmetic/add-1"].prompt == "What is 29 + 36? Answer with the number alone."
    assert by_id["factual-recall/spider"].prompt == "How many legs does a spider have? Answer briefly."


def test_a_negative_seed_is_refused() -> None:
    """A seed below zero is no seed."""
    with pytest.raises(InputError, match="seed is -1"):
        suite(-1)


@pytest.mark.parametrize("seed", range(4))
def test_no_id_and_no_prompt_stands_twice(seed: int) -> None:
    """Ids and prompts are unlike, so that each probe has outcomes of its own."""
    probes = suite(seed)
    assert len({probe.id for probe in probes}) == len(probes)
    assert len({prompt_id_of(probe.prompt) for probe in probes}) == len(probes)


def test_what_the_suite_holds() -> None:
    """At least 400 probes, 14 skills in three difficulties each, nine languages, a quarter not English, half short."""
    probes = suite()
    assert len(probes) >= 400
    rows = describe(probes)
    assert len(rows) >= 14
    assert all(min(row.difficulties.values()) >= 4 for row in rows)
    spoken = Counter(probe.language for probe in probes)
    assert set(spoken) == set(LANGUAGES)
    assert sum(spoken.values()) - spoken["en"] >= len(probes) / 4
    assert sum(len(probe.prompt) <= 240 for probe in probes) >= len(probes) / 2
    assert sum(probe.max_output_tokens <= 32 for probe in probes) >= len(probes) / 2
    assert all(probe.origin == "pointsman" for probe in probes)


def test_long_prompts_are_one_to_three_thousand_tokens() -> None:
    """The long-context group is as long as it says, at four characters a token."""
    sizes = [len(probe.prompt) / 4 for probe in suite() if probe.skill == "long context"]
    assert min(sizes) > 900
    assert max(sizes) < 3_000


def test_no_letter_is_the_right_one_too_often() -> None:
    """Choices don't favour a letter: a model that always says A is right no more than two times in five."""
    picked = Counter(probe.grader["answer"] for probe in suite() if probe.grader["kind"] == "choice")
    assert max(picked.values()) <= 0.4 * picked.total()


def test_another_good_translation_passes() -> None:
    """Each reference of a translation passes by the others alone; a translation of another item doesn't."""
    translations = [probe for probe in suite() if probe.skill == "translation"]
    for probe in translations:
        references = probe.grader["references"]
        for held_out in references if len(references) > 1 else []:
            others = [one for one in references if one != held_out]
            assert grader_of({**probe.grader, "references": others}).grade(Reply(held_out)).score == 1.0, probe.id
        strangers = [other.grader["references"][0] for other in translations if other is not probe]
        assert not any(grader_of(probe.grader).grade(Reply(one)).score for one in strangers), probe.id


def test_counts_by_hand() -> None:
    """Two skills, counted on the fingers."""
    probes = [*made(2), *made(1, difficulty="hard"), *made(1, "b", "medium")]
    first, second = describe(probes)
    assert (first.skill, first.probes, dict(first.difficulties)) == ("a", 3, {"easy": 2, "medium": 0, "hard": 1})
    assert (second.skill, second.probes, second.languages, second.kinds) == ("b", 1, {"en": 1}, ("numeric",))
    assert table(probes).splitlines()[-1] == "| all | 4 | 2 | 1 | 1 | en 4 | 1 | numeric |"
    assert describe([]) == ()
    assert len(table([]).splitlines()) == 2


def test_spread_by_hand() -> None:
    """Skills take turns, and so do difficulties within a skill; where one is used up, the others go on."""
    probes = [*made(2), *made(2, difficulty="hard"), *made(1, "b", "medium")]
    found = spread_probes(probes, 5)
    assert sorted(probe.skill for probe in found[:2]) == ["a", "b"]
    assert [probe.difficulty for probe in found if probe.skill == "a"] in (["easy", "hard"] * 2, ["hard", "easy"] * 2)
    assert spread_probes(probes, 99) == found
    assert spread_probes(probes, 0) == ()
    with pytest.raises(InputError, match="0 or more"):
        spread_probes(probes, -1)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(0, 250), more=st.integers(0, 250), seed=st.integers(0, 50), turned=st.booleans())
def test_fewer_is_a_prefix_of_more(n: int, more: int, seed: int, turned: bool) -> None:
    """n probes are the first n of more probes, in whatever order they were given, none twice, evenly over skills."""
    probes = suite()
    few = spread_probes(probes[::-1] if turned else probes, n, seed)
    assert few == spread_probes(probes, n + more, seed)[:n]
    assert len({probe.id for probe in few}) == n
    skills = Counter(probe.skill for probe in few)
    counts = [skills[row.skill] for row in describe(probes)]
    scarce = min(row.probes for row in describe(probes))
    assert max(counts) - min(counts) <= 1 or min(counts) >= scarce


@pytest.mark.parametrize("n", [24, 48, 69, 120])
def test_difficulties_are_even_too(n: int) -> None:
    """A spread holds about a third of each difficulty."""
    levels = Counter(probe.difficulty for probe in spread_probes(suite(), n))
    assert all(abs(levels[level] - n / 3) <= max(3, 0.1 * n) for level in DIFFICULTIES)


def test_every_template_has_room() -> None:
    """A template's instances differ: a suite of another seed isn't the same questions again."""
    for template in TEMPLATES:
        language = template.languages.split()[0]
        drafts = [template.make(np.random.default_rng(seed), language) for seed in range(12)]
        unlike = {(draft.prompt, str(draft.grader), str(draft.tools)) for draft in drafts}
        assert len(unlike) >= 6, template.name


def test_the_page_has_the_table() -> None:
    """docs/probes.md shows what the command prints."""
    page = (Path(__file__).parent.parent / "docs" / "probes.md").read_text(encoding="utf-8")
    assert table(suite()) in page
