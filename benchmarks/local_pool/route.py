"""Whether routing between the pool's models beats each of them at its own cost.

    cd benchmarks && python -m local_pool.route [--data local-pool] [--learn 0.5] [--trials 40] [--json FILE]

In every trial a share of the probes, by chance, is what the router learns from, and the others are routed, in an order
by chance, with exactly as much money as a single model takes for all of them: one fund over the pool, answers paid for
as recorded, so nothing is ever overspent. A probe that nobody serves scores zero. A probe's difference is its mean over
the trials in which it was routed; the intervals are over probes, paired, from a bootstrap. Which single model is the
best is known only in hindsight; the last line is therefore against the one that was best on what was learned from.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pointsman.cli.places import outcomes_at
from pointsman.decide.policies import Paced
from pointsman.decide.program import compile_funds
from pointsman.estimate.blend import fit_blend
from pointsman.estimate.embedders import load_embedder
from pointsman.estimate.fitted import Fitted
from pointsman.evaluate.prepare import truth_of
from pointsman.evaluate.replay import Case, replay
from pointsman.evaluate.scenarios import make_world
from pointsman.outcomes import complete
from pointsman.records import Floats, Fund, Ints, Outcomes, Prompts

DRAWS = 4_000
BEST_LEARNED = "best of what was learned from"


@dataclass(frozen=True, slots=True)
class Against:
    """Routing with one model's money, beside that model.

    Attributes:
        model: whose money.
        cost_usd: what it takes for a thousand probes.
        alone, routed: mean scores.
        gain, low, high: the difference with its 95 % interval, over probes.
    """

    model: str
    cost_usd: float
    alone: float
    routed: float
    gain: float
    low: float
    high: float


def compare(outcomes: Outcomes, prompts: Prompts, *, learn: float, trials: int, seed: int = 0) -> list[Against]:
    """Every model against routing with its money, the cheapest first; then the one that each trial takes for the best.

    Args:
        learn: the share of the probes that is learned from.
    """
    models = len(outcomes.models)
    routed = np.full((trials, len(outcomes), models), np.nan)
    best = np.empty(trials, np.int64)
    for trial in range(trials):
        order = np.random.default_rng((seed, trial)).permutation(len(outcomes))
        past, tested = np.split(order, [int(learn * len(order))])
        fitted = fit_blend(outcomes.take(past), prompts.take(past), seed=seed)
        best[trial] = outcomes.score[past].mean(axis=0).argmax()
        for column in range(models):
            routed[trial, tested, column] = routed_scores(outcomes, prompts, fitted, tested, column)
    there = np.isfinite(routed[:, :, 0])
    score = np.where(there[:, :, None], outcomes.score, np.nan)
    cost = np.where(there[:, :, None], outcomes.cost_usd, np.nan)
    each = (np.arange(trials), slice(None), best)
    ranked = np.argsort(outcomes.cost_usd.mean(axis=0)).tolist()
    found = [
        _against(outcomes.models[one], routed[:, :, one], score[:, :, one], cost[:, :, one], seed) for one in ranked
    ]
    return [*found, _against(BEST_LEARNED, routed[each], score[each], cost[each], seed)]


def routed_scores(outcomes: Outcomes, prompts: Prompts, fitted: Fitted, tested: Ints, column: int) -> Floats:
    """Score of each tested probe, routed with the money that one model takes for all of them; zero if unserved."""
    test = outcomes.take(tested)
    funds = compile_funds([Fund("all", float(test.cost_usd[:, column].sum()))], outcomes.models)
    estimates = fitted.estimator.estimate(prompts.take(tested))
    truth = truth_of(test)
    # The rows come in an order by chance already, so the world's own isn't needed.
    world = make_world("iid", test, np.random.default_rng(0))
    result = replay(Paced(), Case(estimates, fitted.held_out, truth, funds, world, 0))
    served = result.model >= 0
    return np.where(served, test.score[np.arange(len(tested)), np.maximum(result.model, 0)], 0.0)


def _against(name: str, routed: Floats, score: Floats, cost: Floats, seed: int) -> Against:
    """From [trials, probes], NaN where a probe was learned from."""
    tested = np.isfinite(routed).any(axis=0)
    served, alone, usd = (np.nanmean(one[:, tested], axis=0) for one in (routed, score, cost))
    low, high = interval(served - alone, np.random.default_rng((seed, 1)))
    means = (float(usd.mean() * 1_000), float(alone.mean()), float(served.mean()), float((served - alone).mean()))
    return Against(name, means[0], means[1], means[2], means[3], low, high)


def interval(differences: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """95 % of the means of as many probes drawn again, with replacement."""
    drawn = rng.integers(len(differences), size=(DRAWS, len(differences)))
    low, high = np.quantile(differences[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def table(found: Sequence[Against]) -> str:
    """For people, in Markdown."""
    head = "| money of | USD per 1,000 probes | alone | routed | difference, 95 % interval |\n|---|---|---|---|---|"
    lines = [
        f"| {one.model} | {one.cost_usd:.4f} | {one.alone:.3f} | {one.routed:.3f} "
        f"| {one.gain:+.3f} ({one.low:+.3f} to {one.high:+.3f}) |"
        for one in found
    ]
    return "\n".join([head, *lines])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="local-pool")
    parser.add_argument("--learn", type=float, default=0.5, help="share of the probes that is learned from")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    outcomes, left_out = complete(outcomes_at(given.data), 0.9)
    vectors = load_embedder("wordllama").embed(outcomes.texts)
    prompts = Prompts(outcomes.texts, vectors, outcomes.input_tokens)
    found = compare(outcomes, prompts, learn=given.learn, trials=given.trials)
    size = f"{len(outcomes)} probes x {len(outcomes.models)} models, {given.learn:.0%} learned from"
    print(f"{outcomes.title}: {size}, {given.trials} trials; {left_out}")
    print(table(found))
    solved = outcomes.score.max(axis=1)
    print(f"the best of all answers to each probe: {solved.mean():.3f}; nobody scores on {(solved == 0).mean():.0%}")
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in found], indent=1))


if __name__ == "__main__":
    main()
