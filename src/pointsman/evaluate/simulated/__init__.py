"""A sample workload that ships with the package: *simulated* queries, *simulated* models, *simulated* outcomes.

Gives `simulate(queries, seed=...)`, an `Outcomes` marked as simulated. It's there so that the demo and the quick
tests have queries of a real shape and budgets that bind, without a download. It refuses to stand for anything
else: no real model answered, and no figure on it says how a policy does on real traffic (docs/simulated.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pointsman.errors import InputError
from pointsman.evaluate.simulated.answers import Queries, answer_tokens, chances, costs_usd, scores
from pointsman.evaluate.simulated.draws import Draws
from pointsman.evaluate.simulated.frames import framed
from pointsman.evaluate.simulated.models import MODELS
from pointsman.evaluate.simulated.topics import TOPICS
from pointsman.evaluate.simulated.written import Written
from pointsman.records import Ints, Outcomes

__all__ = ["MODELS", "TITLE", "TOPICS", "count_tokens", "simulate"]

TITLE = "simulated workload (no real model answered)"

# Six letters, three digits, any other sign or a line's end: near what byte-pair tokenizers count for such text.
_TOKEN = re.compile(r"[A-Za-z]{1,6}|[0-9]{1,3}|[^\sA-Za-z0-9]|\n")


def count_tokens(text: str) -> int:
    """Input tokens of a simulated prompt, at least one."""
    return max(1, len(_TOKEN.findall(text)))


def simulate(queries: int = 6000, *, seed: int = 0) -> Outcomes:
    """A simulated workload: `queries` prompts of seventeen topics, each answered by the twelve simulated models.

    The same `seed` gives the same outcomes in every process, and the first n queries of a longer workload are
    those of a shorter one. Queries are independent draws: no topic drifts over the sequence.

    Args:
        queries: how many, at least 1.
        seed: a whole number of at least 0.

    Returns:
        Outcomes with score, cost_usd and output_tokens of shape (queries, 12), no missing cell,
        `simulated` True, datasets named `simulated/<topic>`.

    Raises:
        InputError: `queries` or `seed` is out of range.
    """
    _check("queries", queries, 1)
    _check("seed", seed, 0)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)]
    topic, written = _write(queries, Draws(streams[0]))
    asked = Queries(
        topic=topic,
        difficulty=np.array([w.difficulty for w in written]),
        answer_tokens=np.array([w.answer_tokens for w in written]),
        input_tokens=np.array([count_tokens(w.text) for w in written], dtype=np.float64),
    )
    chance = chances(asked, TOPICS, MODELS, streams[1])
    tokens = answer_tokens(asked, MODELS, streams[3])
    return Outcomes(
        prompt_ids=[f"simulated-{seed}-{i:06d}" for i in range(queries)],
        texts=[w.text for w in written],
        datasets=[f"simulated/{TOPICS[t].name}" for t in topic],
        models=tuple(model.id for model in MODELS),
        score=scores(chance, np.array([TOPICS[t].graded for t in topic]), streams[2]),
        cost_usd=costs_usd(asked.input_tokens, tokens, MODELS),
        output_tokens=tokens,
        input_tokens=asked.input_tokens,
        title=TITLE,
        simulated=True,
    )


def _check(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(
            f"{value!r} is not a whole number of at least {least}",
            place=f"simulate: {name}",
            remedy=f"give {name} of {least} or more",
        )


def _write(queries: int, draws: Draws) -> tuple[Ints, Sequence[Written]]:
    """The topic [Q] and the prompt of every query, drawn one after the other."""
    bounds = np.cumsum([topic.share for topic in TOPICS])
    topics, written = [], []
    for _ in range(queries):
        topic = int(np.searchsorted(bounds, draws.unit() * bounds[-1], side="right"))
        topics.append(topic)
        request = TOPICS[topic].write(draws)
        written.append(replace(request, text=framed(draws, request.text)))
    return np.array(topics, dtype=np.int64), written
