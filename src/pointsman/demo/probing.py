"""What the simulated models make of the probe suite: the same latent skills, asked in another way.

Takes a seed; gives outcomes on every probe of the suite, so that a simulated model can be onboarded in earnest. Each of
the suite's skills needs the eight latent ones in the shares below; a prompt in another language than English needs
languages too. A right answer is the suite's own right reply and a wrong one its wrong reply: the graders grade them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pointsman.evaluate.simulated import MODELS, TITLE, asking
from pointsman.evaluate.simulated.answers import Queries, answer_tokens, chances, costs_usd, scores
from pointsman.evaluate.simulated.topics import Topic
from pointsman.outcomes import prompt_id_of, token_estimates
from pointsman.pool.probes.drafts import Item
from pointsman.pool.probes.suite import items
from pointsman.records import Floats, Outcomes

NEEDS: Mapping[str, Mapping[str, float]] = {
    "arithmetic": {"maths": 0.9, "care": 0.1},
    "algebra": {"maths": 1.0},
    "word problems": {"maths": 0.6, "logic": 0.4},
    "logic": {"logic": 0.9, "care": 0.1},
    "state tracking": {"logic": 0.7, "context": 0.3},
    "letters and words": {"care": 0.6, "logic": 0.4},
    "ordering": {"logic": 0.6, "care": 0.4},
    "dates and times": {"maths": 0.5, "logic": 0.5},
    "units": {"maths": 0.6, "knowledge": 0.4},
    "tables": {"maths": 0.4, "context": 0.4, "care": 0.2},
    "code reading": {"code": 0.7, "logic": 0.3},
    "code writing": {"code": 0.8, "care": 0.2},
    "sql": {"code": 0.75, "logic": 0.1, "care": 0.15},
    "extraction": {"care": 0.6, "context": 0.25, "writing": 0.15},
    "tool choice": {"care": 0.6, "code": 0.4},
    "instructions": {"care": 0.7, "writing": 0.3},
    "long context": {"context": 0.85, "care": 0.15},
    "factual recall": {"knowledge": 1.0},
    "everyday reasoning": {"logic": 0.7, "knowledge": 0.3},
    "classification": {"writing": 0.7, "care": 0.3},
    "summarising": {"writing": 0.6, "context": 0.4},
    "translation": {"languages": 0.85, "writing": 0.15},
    "refusals": {"care": 0.7, "knowledge": 0.3},
}
DIFFICULTY: Mapping[str, float] = {"easy": -1.0, "medium": 0.3, "hard": 1.4}
FOREIGN = 0.3  # of what a prompt in another language needs is languages


def probe_outcomes(seed: int = 0) -> Outcomes:
    """What the twelve simulated models make of the suite: 0 or 1, with cost and length; data sets `probe:<skill>`."""
    suite = items()
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence((seed, 1)).spawn(3)]
    texts = [item.probe.prompt for item in suite]
    topics, topic = _topics(suite)
    asked = Queries(
        topic=topic,
        difficulty=np.array([DIFFICULTY[item.probe.difficulty] for item in suite]),
        answer_tokens=token_estimates([item.right.text for item in suite]),
        input_tokens=token_estimates(texts),
    )
    score = scores(chances(asked, topics, MODELS, streams[0]), np.zeros(len(suite), np.bool_), streams[1])
    tokens = _within_limits(answer_tokens(asked, MODELS, streams[2]), suite)
    return Outcomes(
        prompt_ids=[prompt_id_of(text) for text in texts],
        texts=texts,
        datasets=[f"probe:{item.probe.skill}" for item in suite],
        models=tuple(model.id for model in MODELS),
        score=score,
        cost_usd=costs_usd(asked.input_tokens, tokens, MODELS),
        output_tokens=tokens,
        input_tokens=asked.input_tokens,
        title=TITLE,
        simulated=True,
    )


def _topics(suite: Sequence[Item]) -> tuple[tuple[Topic, ...], np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """Every skill as a topic, in English and in other languages, and which of them each probe is."""
    kinds = [(item.probe.skill, item.probe.language != "en") for item in suite]
    known = list(dict.fromkeys(kinds))
    made = tuple(Topic(skill, 0.0, _needs(skill, foreign=foreign), asking.facts) for skill, foreign in known)
    return made, np.array([known.index(kind) for kind in kinds], np.int64)


def _needs(skill: str, *, foreign: bool) -> dict[str, float]:
    needs = dict(NEEDS[skill])
    if foreign:
        needs = {name: share * (1 - FOREIGN) for name, share in needs.items()}
        needs["languages"] = needs.get("languages", 0.0) + FOREIGN
    return needs


def _within_limits(tokens: Floats, suite: Sequence[Item]) -> Floats:
    """No answer longer than its probe allows: what would be cut off is said in fewer words."""
    return np.minimum(tokens, np.array([item.probe.max_output_tokens for item in suite], np.float64)[:, None])
