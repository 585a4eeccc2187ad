"""What is believed of a model that no outcome is recorded for, and what its first answers make of that.

Takes declared qualities, tiers and answer lengths, gives an `Estimator` that says the same of every prompt; tallies of
real answers turn it into their mean, at the pace at which they are worth more than the declaration. It looks at no
text, and it knows no rates: its costs are NaN until `registered` computes them, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pointsman.errors import InputError
from pointsman.records import Estimates, Floats, Prompts

# Expected scores by tier. Mean scores of the models of public benchmarks lie about here (small open models a little
# over half, the strongest a little over four fifths), and even steps would do as well: what counts is the order, a
# distance that a fund's price can weigh, and a spread wide enough that twenty answers overrule them.
TIER_QUALITY: Mapping[str, float] = {"small": 0.55, "medium": 0.65, "large": 0.75, "frontier": 0.82}
DECLARED_SPREAD = 0.1  # as sure as some 20 outcomes
TIER_SPREAD = 0.2  # as sure as some 5
OUTPUT_TOKENS = 400.0
ANSWERS = 5.0  # a declared answer length counts as many answers
_LEAST_VARIANCE = 0.01  # of one outcome: near 0 and 1 q (1 − q) would make a guess look certain


@dataclass(frozen=True, slots=True)
class Tally:
    """What one model's real answers add up to.

    Attributes:
        model: its id.
        scored: answers with a score.
        score_sum: of these.
        answered: answers with a known length.
        output_token_sum: of these.
    """

    model: str
    scored: int = 0
    score_sum: float = 0.0
    answered: int = 0
    output_token_sum: float = 0.0

    def __post_init__(self) -> None:
        fine = 0 <= self.score_sum <= self.scored and self.answered >= 0 and 0 <= self.output_token_sum < np.inf
        if not fine:
            raise InputError(
                f"{self.scored} scores sum to {self.score_sum}, {self.answered} answers to {self.output_token_sum}",
                place=f"tally of {self.model!r}",
                remedy="give scores between 0 and 1 and lengths of at least 0",
            )


@dataclass(frozen=True)
class Prior:
    """The same belief for every prompt; an `Estimator`.

    Attributes:
        models: M ids.
        quality: float [M], expected score.
        spread: float [M], its standard error. A belief is worth q (1 − q) / spread² outcomes.
        output_tokens: float [M], expected answer length.
        answers: float [M] (or one for all), how many answers that length is worth.
    """

    models: tuple[str, ...]
    quality: Floats
    spread: Floats
    output_tokens: Floats
    answers: Floats = field(default_factory=lambda: np.array(ANSWERS))

    def __post_init__(self) -> None:
        for name in ("quality", "spread", "output_tokens"):
            given = getattr(self, name)
            if given.shape != (len(self.models),) or not (np.isfinite(given).all() and (given >= 0).all()):
                raise InputError(
                    f"`{name}` is {given}", place="prior", remedy="one number of at least 0 for each model"
                )

    def estimate(self, prompts: Prompts) -> Estimates:
        """Quality, cost (NaN: rates aren't known here), tokens and spread for Q prompts, each [Q, M]."""
        shape = (len(prompts), len(self.models))
        return Estimates(
            np.broadcast_to(self.quality, shape).copy(),
            np.full(shape, np.nan),
            prompts.input_tokens[:, None] + self.output_tokens,
            np.broadcast_to(self.spread, shape).copy(),
        )

    def updated(self, tallies: Sequence[Tally]) -> Prior:
        """The belief after these answers; tallies of models that aren't here are left out.

        Conjugate means: the belief counts as some imagined outcomes, and real ones join them, so two updates give
        what one with both gives. Means and not medians or geometric means, of lengths too: budgets add up.
        """
        own = np.zeros((4, len(self.models)))
        column = {model: i for i, model in enumerate(self.models)}
        for tally in tallies:
            if (i := column.get(tally.model)) is not None:
                own[:, i] += tally.scored, tally.score_sum, tally.answered, tally.output_token_sum
        scored, score_sum, answered, length_sum = own
        outcomes = _variance(self.quality) / np.maximum(self.spread, 1e-6) ** 2
        quality = (outcomes * self.quality + score_sum) / (outcomes + scored)
        answers = self.answers + answered
        return Prior(
            self.models,
            quality,
            np.sqrt(_variance(quality) / (outcomes + scored)),
            (self.answers * self.output_tokens + length_sum) / answers,
            answers,
        )


def _variance(quality: Floats) -> Floats:
    return np.maximum(quality * (1.0 - quality), _LEAST_VARIANCE)


def declared_prior(
    models: Sequence[str],
    *,
    quality: Sequence[float | None],
    tier: Sequence[str | None],
    output_tokens: Sequence[float | None],
    known_quality: Floats | None = None,
    known_output_tokens: Floats | None = None,
) -> Prior:
    """A prior from what a configuration declares, one entry a model.

    Quality is the declared one, else the tier's, else the mean of all others that are known; length likewise.

    Args:
        models: M ids.
        quality: declared expected scores in [0, 1].
        tier: "small", "medium", "large" or "frontier".
        output_tokens: declared expected answer lengths.
        known_quality, known_output_tokens: float [M], means of recorded outcomes, NaN where there are none; they
            join the others, and stand where nothing is declared.

    Raises:
        InputError: a quality outside [0, 1], an unknown tier, a length that isn't above zero.
    """
    nothing = np.full(len(models), np.nan)
    for model, one, name, length in zip(models, quality, tier, output_tokens, strict=True):
        _check_declared(model, one, name, length)
    declared = _numbers(quality)
    of_tier = np.array([TIER_QUALITY.get(name or "", np.nan) for name in tier], dtype=np.float64)
    recorded = nothing if known_quality is None else known_quality
    lengths = _first(_numbers(output_tokens), nothing if known_output_tokens is None else known_output_tokens)
    return Prior(
        tuple(models),
        _filled(_first(declared, of_tier, recorded), TIER_QUALITY["medium"]),
        np.where(np.isfinite(declared), DECLARED_SPREAD, TIER_SPREAD),
        _filled(lengths, OUTPUT_TOKENS),
    )


def _check_declared(model: str, quality: float | None, tier: str | None, length: float | None) -> None:
    place = f"model {model!r}"
    if quality is not None and not 0.0 <= quality <= 1.0:
        raise InputError(f"quality is {quality}", place=place, remedy="give an expected score between 0 and 1")
    if tier is not None and tier not in TIER_QUALITY:
        raise InputError(f"tier {tier!r} is unknown", place=place, remedy=f"use one of {', '.join(TIER_QUALITY)}")
    if length is not None and not 0.0 < length < np.inf:
        raise InputError(f"output_tokens is {length}", place=place, remedy="give a length above zero")


def _numbers(given: Sequence[float | None]) -> Floats:
    return np.array([np.nan if one is None else one for one in given], dtype=np.float64)


def _first(*choices: Floats) -> Floats:
    """Entry by entry the first that is known."""
    found = choices[-1]
    for choice in reversed(choices[:-1]):
        found = np.where(np.isfinite(choice), choice, found)
    return found


def _filled(values: Floats, default: float) -> Floats:
    """The unknown ones at the mean of the known, or at `default` where none is."""
    known = np.isfinite(values)
    return np.where(known, values, values[known].mean() if known.any() else default)
