"""The profile of a newcomer: how it scores by skill, what its answers cost, whom it resembles, what it changes.

Takes kept answers with their probes and what is known of the pool; gives a `Profile`, a plain value that `as_json`
writes. Every mean has a 90 % interval (`intervals`): few answers make wide ones. An answer that its grader can't tell
counts as none, never as wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pointsman.onboard.folder import Kept
from pointsman.onboard.ground import Ground
from pointsman.onboard.intervals import Change, Interval, correlation_interval, mean_interval
from pointsman.onboard.stopping import Outlook
from pointsman.pool.probes.probe import DIFFICULTIES, Probe
from pointsman.records import Floats

LEAST_SHARED = 8  # probes, before two models are compared
MOST_RESEMBLED = 5
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Resemblance:
    """A known model beside the newcomer, on the probes that both have scores for.

    Attributes:
        model: its name in outcomes.
        correlation: of their scores; None where one of them never varies.
        mean: the known model's mean score on these probes.
        newcomer_mean: the newcomer's.
        shared: how many probes.
    """

    model: str
    correlation: Interval | None
    mean: float
    newcomer_mean: float
    shared: int


@dataclass(frozen=True, slots=True)
class Share:
    """A model's share of typical traffic, without the newcomer and with it."""

    model: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Effect:
    """What the newcomer changes in the routing of typical queries, with the same money.

    Attributes:
        shares: by model, the newcomer last.
        low, high: the newcomer's share at the ends of its interval.
        newcomer: its expected score on the typical queries.
        quality_before: expected score a query without it.
        quality: with it, and at the ends of its interval.
        cost_before_usd, cost_usd: a query.
        typical: queries that stand for the traffic.
        from_outcomes: whether they and the pool's scores are recorded; else declarations, and the probes themselves.
    """

    shares: tuple[Share, ...]
    low: float
    high: float
    newcomer: Interval
    quality_before: float
    quality: Interval
    cost_before_usd: float
    cost_usd: float
    typical: int
    from_outcomes: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """What was found; see the module.

    Attributes:
        model: its id.
        overall, skills, difficulties, languages: mean scores on the probes.
        asked, graded, untold, failed: answers, those with a score, those that the grader couldn't tell, and probes
            that three tries brought no answer to.
        cost_usd: mean of an answer; None where nobody told.
        spent_usd: on all answers.
        output_tokens: mean and 95th percentile of an answer's length; None where nobody told.
        latency_ms: median and 95th percentile; None where it wasn't measured.
        resembles: known models, the most alike first.
        effect: None where there is no score, or no other model in the pool.
        ended: why asking ended.
        chosen_by: how the probes were chosen.
        failures: why probes brought no answer, with how often.
        change: where known probes were asked again.
    """

    model: str
    overall: Interval
    skills: Mapping[str, Interval]
    difficulties: Mapping[str, Interval]
    languages: Mapping[str, Interval]
    asked: int
    graded: int
    untold: int
    failed: int
    cost_usd: float | None
    spent_usd: float
    output_tokens: tuple[float, float] | None
    latency_ms: tuple[float, float] | None
    resembles: tuple[Resemblance, ...]
    effect: Effect | None
    ended: str
    chosen_by: str
    failures: Mapping[str, int]
    change: Change | None = None


def make_profile(
    model: str,
    probes: Sequence[Probe],
    kept: Sequence[Kept],
    ground: Ground | None,
    outlook: Outlook | None,
    *,
    ended: str = "",
    chosen_by: str = "",
    change: Change | None = None,
) -> Profile:
    """The profile from what is kept.

    Args:
        probes: n of them, in the plan's order (that of `ground.probes`).
        kept: of some of them, in any order.
        ground: None where nothing of the pool is known.
        outlook: of all answers; None where there is none.
    """
    by_id = {probe.id: probe for probe in probes}
    graded = [(by_id[one.probe_id], one.grade.score) for one in kept if one.grade and one.grade.score is not None]
    answers = [one.answer for one in kept if one.answer is not None]
    costs = [answer.cost_nano for answer in answers if answer.cost_nano is not None]
    failures = [one.failure for one in kept if one.answer is None]
    return Profile(
        model=model,
        overall=mean_interval(np.array([score for _, score in graded])),
        skills=_by(graded, lambda probe: probe.skill),
        difficulties=_in_order(_by(graded, lambda probe: probe.difficulty)),
        languages=_by(graded, lambda probe: probe.language),
        asked=len(answers),
        graded=len(graded),
        untold=sum(one.grade is not None and one.grade.score is None for one in kept),
        failed=len(failures),
        cost_usd=sum(costs) / len(costs) / NANO if costs else None,
        spent_usd=sum(costs) / NANO,
        output_tokens=_mean_and_high([answer.output_tokens for answer in answers]),
        latency_ms=_middle_and_high([answer.latency_ms for answer in answers]),
        resembles=_resembled(probes, kept, ground),
        effect=None if ground is None or outlook is None else effect_of(ground, outlook),
        ended=ended,
        chosen_by=chosen_by,
        failures={why: failures.count(why) for why in dict.fromkeys(failures)},
        change=change,
    )


def as_json(profile: Profile) -> dict[str, Any]:
    """Plain values for a file."""
    return asdict(profile)


def _by(graded: Sequence[tuple[Probe, float]], kind: Callable[[Probe], str]) -> dict[str, Interval]:
    scores: dict[str, list[float]] = {}
    for probe, score in graded:
        scores.setdefault(kind(probe), []).append(score)
    return {name: mean_interval(np.array(each)) for name, each in sorted(scores.items())}


def _in_order(found: Mapping[str, Interval]) -> dict[str, Interval]:
    return {name: found[name] for name in DIFFICULTIES if name in found}


def _mean_and_high(values: Sequence[float | None]) -> tuple[float, float] | None:
    there = np.array([value for value in values if value is not None], np.float64)
    return (float(there.mean()), float(np.quantile(there, 0.95))) if len(there) else None


def _middle_and_high(values: Sequence[float | None]) -> tuple[float, float] | None:
    there = np.array([value for value in values if value is not None], np.float64)
    return (float(np.median(there)), float(np.quantile(there, 0.95))) if len(there) else None


def scores_on(probes: Sequence[Probe], kept: Sequence[Kept]) -> Floats:
    """Float [n], the newcomer's score on each probe, NaN where it has none."""
    score_of = {one.probe_id: one.grade.score for one in kept if one.grade and one.grade.score is not None}
    return np.array([score_of.get(probe.id, np.nan) for probe in probes], np.float64)


def _resembled(probes: Sequence[Probe], kept: Sequence[Kept], ground: Ground | None) -> tuple[Resemblance, ...]:
    if ground is None or ground.answered is None:
        return ()
    mine, found = scores_on(probes, kept), []
    for column, name in enumerate(ground.answered.models):
        theirs = ground.answered.score[:, column]
        both = np.isfinite(mine) & np.isfinite(theirs)
        if both.sum() >= LEAST_SHARED:
            one, other = mine[both], theirs[both]
            alike = correlation_interval(one, other)
            found.append(Resemblance(name, alike, float(other.mean()), float(one.mean()), int(both.sum())))
    found.sort(key=lambda each: -np.inf if each.correlation is None else each.correlation.mean, reverse=True)
    return tuple(found[:MOST_RESEMBLED])


def effect_of(ground: Ground, outlook: Outlook) -> Effect:
    """The outlook by model's name."""
    before = [*outlook.without.share.tolist(), 0.0]
    after = outlook.expected.share.tolist()
    names = (*ground.models, ground.newcomer)
    return Effect(
        tuple(Share(*each) for each in zip(names, before, after, strict=True)),
        float(outlook.low.share[-1]),
        float(outlook.high.share[-1]),
        outlook.newcomer,
        outlook.without.quality,
        Interval(outlook.expected.quality, outlook.low.quality, outlook.high.quality, len(ground.prompts)),
        outlook.without.cost_usd,
        outlook.expected.cost_usd,
        len(ground.prompts),
        ground.known is not None,
    )
