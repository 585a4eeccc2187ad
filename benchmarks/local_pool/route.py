"""Whether routing between the pool's models beats each of them at its own cost.

    python benchmarks/local_pool/route.py [--data local-pool] [--trials 40] [--json FILE]

In every trial half of the probes, by chance, are what the router learns from, and the other half are routed, in an
order by chance, with exactly as much money as a single model takes for all of them: one fund over the pool, answers
paid for as recorded, so nothing is ever overspent. A probe that nobody serves scores zero. A probe's difference is
its mean over the trials in which it was routed; the intervals are over probes, paired, from a bootstrap.
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


def compare(outcomes: Outcomes, prompts: Prompts, trials: int, seed: int = 0) -> list[Against]:
    """Every model against routing with its money, the cheapest first."""
    shape = (trials, len(outcomes), len(outcomes.models))
    routed = np.full(shape, np.nan)
    for trial in range(trials):
        rng = np.random.default_rng((seed, trial))
        order = rng.permutation(len(outcomes))
        past, tested = order[: len(order) // 2], order[len(order) // 2 :]
        fitted = fit_blend(outcomes.take(past), prompts.take(past), seed=seed)
        for column in range(shape[2]):
            routed[trial, tested, column] = routed_scores(outcomes, prompts, fitted, tested, column)
    by_probe = np.nanmean(routed, axis=0)
    ranked = np.argsort(outcomes.cost_usd.mean(axis=0))
    return [_against(outcomes, by_probe[:, column], int(column), seed) for column in ranked]


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


def _against(outcomes: Outcomes, routed: Floats, column: int, seed: int) -> Against:
    there = np.isfinite(routed)
    alone = outcomes.score[there, column]
    low, high = interval(routed[there] - alone, np.random.default_rng((seed, 1)))
    return Against(
        outcomes.models[column],
        float(outcomes.cost_usd[there, column].mean() * 1_000),
        float(alone.mean()),
        float(routed[there].mean()),
        float((routed[there] - alone).mean()),
        low,
        high,
    )


def interval(differences: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """95 % of the means of as many probes drawn again, with replacement."""
    drawn = rng.integers(len(differences), size=(DRAWS, len(differences)))
    low, high = np.quantile(differences[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def table(found: Sequence[Against]) -> str:
    """For people, in Markdown."""
    head = "| money of | USD per 1,000 probes | alone | routed | difference, 95 % interval |\n|---|---|---|---|---|"
    lines = [
        f"| `{one.model}` | {one.cost_usd:.4f} | {one.alone:.3f} | {one.routed:.3f} "
        f"| {one.gain:+.3f} ({one.low:+.3f} to {one.high:+.3f}) |"
        for one in found
    ]
    return "\n".join([head, *lines])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="local-pool")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    outcomes, left_out = complete(outcomes_at(given.data), 0.9)
    vectors = load_embedder("wordllama").embed(outcomes.texts)
    found = compare(outcomes, Prompts(outcomes.texts, vectors, outcomes.input_tokens), given.trials)
    print(
        f"{outcomes.title}: {len(outcomes)} probes x {len(outcomes.models)} models, {given.trials} trials; {left_out}"
    )
    print(table(found))
    best = max(found, key=lambda one: one.alone)
    ceiling = float(outcomes.score.max(axis=1).mean())
    print(f"best single model: {best.model}; the best of all answers to each probe: {ceiling:.3f}")
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in found], indent=1))


if __name__ == "__main__":
    main()
