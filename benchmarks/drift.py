"""How often the drift watch cries wolf, and how soon it finds what really changed.

    python benchmarks/drift.py [--data DIR ...] [--queries N] [--trials N] [--json FILE]

Two kinds of streams. Simulated: 18 models whose estimates are off by a constant and a slope of their own, scores of 0
and 1, lengths with heavy tails, costs that wobble by two percent, traffic over 32 topics. Recorded (--data, outcome
folders): 45 % of the complete rows are the history that estimators, rates and the partition of traffic are fitted on;
live queries are drawn from the other rows, with replacement, so that they can go on for ever. The one who serves is the
best at a price of money that is drawn anew for every query. Costs are held against the rates at the tokens of the
answer, lengths against the estimate.

Shifts: a model silently replaced by one that is worse (simulated: by so much; recorded: by the column of another model
whose mean is lower by at least 0.15), a halved and a doubled rate, answers that get longer, a topic that comes to one
tenth and to one third of the traffic. A trial that isn't found within the horizon counts as infinite. Delays are
counted in values of the stream from the change on: feedbacks, receipts, answers, queries.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from scipy.optimize import nnls

from pointsman.estimate.blend import fit_blend
from pointsman.estimate.drift.mix import fit_mix
from pointsman.estimate.drift.streams import KINDS, QUERIES_PER_FALSE_ALARM, THRESHOLD, Streams
from pointsman.estimate.embedders import load_embedder
from pointsman.outcomes import complete, read
from pointsman.records import Floats, Ints, Outcomes, Prompts

MODELS = 18
KINDS_OF_A_MODEL = ("score", "cost", "length")
REFERENCES = (300, 1_000, 2_000)
HORIZON = 3_000
WORSE = 0.15
MOST_PAIRS = 60

Draw = Callable[[np.random.Generator, int], Floats]


class Simulated:
    """18 models; see the module."""

    title = "simulated"

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        self.models = tuple(f"m{i}" for i in range(MODELS))
        self.level = rng.uniform(0.45, 0.9, MODELS)
        self.offset, self.slope = rng.normal(0.0, 0.04, MODELS), rng.uniform(0.7, 1.1, MODELS)
        self.share = rng.dirichlet(np.ones(32))

    def values(self, rng: np.random.Generator, models: Ints) -> dict[str, Floats]:
        """Residuals of one query for each of some models."""
        n = len(models)
        told = np.clip(rng.normal(self.level[models], 0.15), 0.02, 0.98)
        true = np.clip(
            self.level[models] + self.slope[models] * (told - self.level[models]) + self.offset[models], 0, 1
        )
        return {
            "score": (rng.random(n) < true) - told,
            "cost": rng.normal(0.0, 0.02, n),
            "length": 0.5 * rng.standard_t(3, n),
        }

    def chance(self, told: Floats, models: Ints) -> Floats:
        """Of a score of 1 where so much is told."""
        level = self.level[models]
        return np.clip(level + self.slope[models] * (told - level) + self.offset[models], 0.0, 1.0)

    def parts(self, rng: np.random.Generator, n: int) -> Ints:
        """What so many queries are about."""
        return rng.choice(len(self.share), n, p=self.share)

    def servers(self, rng: np.random.Generator, n: int) -> Ints:
        """Who serves so many queries."""
        return rng.integers(0, MODELS, n)


class Recorded:
    """The live rows of an outcome folder; see the module."""

    def __init__(self, folder: Path, seed: int) -> None:
        outcomes, _ = complete(read(folder))
        order = np.random.default_rng([seed, 2]).permutation(len(outcomes))
        cut = int(0.45 * len(outcomes))
        history, live = outcomes.take(np.sort(order[:cut])), outcomes.take(np.sort(order[cut:]))
        embedder = load_embedder("wordllama")
        past, now = (Prompts(o.texts, embedder.embed(o.texts), o.input_tokens) for o in (history, live))
        self.title, self.models = folder.name, outcomes.models
        self.estimates = fit_blend(history, past, seed=0).estimator.estimate(now)
        self.mix = fit_mix(past.vectors, history.datasets)
        self.part = self.mix.parts(now.vectors)
        self.live = live
        self.residual = live.score - np.clip(self.estimates.quality, 0.0, 1.0)
        self.cost = _log_ratio(live.cost_usd, _expected_costs(history, live))
        answers = np.maximum(0.0, self.estimates.tokens - now.input_tokens[:, None])
        self.length = _log_ratio(live.output_tokens + 1.0, answers + 1.0)
        self._steep = float(np.median(live.cost_usd))

    def values(self, rng: np.random.Generator, models: Ints) -> dict[str, Floats]:
        """Residuals of a random query for each of some models."""
        return self.at(rng.integers(0, len(self.live), len(models)), models)

    def at(self, rows: Ints, models: Ints) -> dict[str, Floats]:
        """Residuals at these rows."""
        return {
            "score": self.residual[rows, models],
            "cost": self.cost[rows, models],
            "length": self.length[rows, models],
        }

    def served(self, rng: np.random.Generator, n: int) -> tuple[Ints, Ints]:
        """Rows and who serves them at a price that is drawn for each."""
        rows = rng.integers(0, len(self.live), n)
        price = 10 ** rng.uniform(-2.5, 0.5, n) / self._steep
        return rows, (self.estimates.quality[rows] - price[:, None] * self.estimates.cost_usd[rows]).argmax(axis=1)

    def worse(self) -> list[tuple[int, int, float]]:
        """Pairs of a model and one that is clearly worse, with the drop of the mean."""
        mean = self.live.score.mean(axis=0)
        found = [(a, b, float(mean[a] - mean[b])) for a in range(len(mean)) for b in range(len(mean))]
        return [pair for pair in found if pair[2] >= WORSE]


def _expected_costs(history: Outcomes, live: Outcomes) -> Floats:
    """What answers cost at rates per token that are fitted on the history."""
    costs = np.zeros(live.cost_usd.shape)
    for m in range(len(history.models)):
        scale = max(float(history.cost_usd[:, m].mean()), 1e-12)
        tokens = np.stack([history.input_tokens, history.output_tokens[:, m]], axis=1)
        rates, _ = nnls(tokens / history.cost_usd[:, m : m + 1].clip(1e-12), np.ones(len(tokens)))
        costs[:, m] = np.maximum(live.input_tokens * rates[0] + live.output_tokens[:, m] * rates[1], 1e-3 * scale)
    return costs


def _log_ratio(real: Floats, expected: Floats) -> Floats:
    return np.log(np.maximum(real, 1e-12)) - np.log(np.maximum(expected, 1e-12))


Source = TypeVar("Source", Simulated, Recorded)

# False alarms


def stationary(source: Simulated | Recorded, queries: int, seed: int) -> dict[str, object]:
    """False alarms among so many queries in whose law nothing changes, all streams together."""
    rng = np.random.default_rng([seed, 3])
    streams = {kind: Streams(KINDS[kind], source.models) for kind in KINDS_OF_A_MODEL}
    mix = Streams(KINDS["mix"], ("traffic",))
    alarms = dict.fromkeys((*KINDS_OF_A_MODEL, "mix"), 0)
    begun, done = time.perf_counter(), 0
    while done < queries:
        values, parts, batches = _block(source, rng, min(50_000, queries - done))
        done += len(parts)
        for rows, models in batches:
            for kind, stream in streams.items():
                alarms[kind] += len(stream.see(models, values[kind][rows], np.zeros(len(rows)), rng.random(len(rows))))
        alarms["mix"] += _mixed(mix, parts, rng)
    return {"queries": queries, "models": len(source.models), "alarms": alarms, "seconds": time.perf_counter() - begun}


def _block(
    source: Simulated | Recorded, rng: np.random.Generator, n: int
) -> tuple[dict[str, Floats], Ints, list[tuple[Ints, Ints]]]:
    """Residuals and parts of n queries, and batches of (rows, models) in which each model is once."""
    if isinstance(source, Simulated):
        models = source.servers(rng, n)
        values, parts = source.values(rng, models), source.parts(rng, n)
    else:
        rows, models = source.served(rng, n)
        values, parts = source.at(rows, models), source.part[rows]
    turn = np.zeros(n, np.int64)
    for m in np.unique(models):
        mine = np.flatnonzero(models == m)
        turn[mine] = np.arange(len(mine))
    order = np.argsort(turn, kind="stable")
    cuts = np.flatnonzero(np.diff(turn[order])) + 1
    return values, parts, [(rows, models[rows]) for rows in np.split(order, cuts)]


def _mixed(mix: Streams, parts: Ints, rng: np.random.Generator) -> int:
    one, lots = np.zeros(1, np.int64), rng.random(len(parts))
    values, at = parts.astype(np.float64), np.zeros(1)
    return sum(len(mix.see(one, values[i : i + 1], at, lots[i : i + 1])) for i in range(len(parts)))


# Delays


def delays(kind: str, before: Draw, after: Draw, reference: int, trials: int, rng: np.random.Generator) -> Floats:
    """Values from the change to the alarm [T]; infinite where none came within the horizon."""
    streams = Streams(KINDS[kind], [str(i) for i in range(trials)])
    everyone = np.arange(trials)
    found = np.full(trials, np.inf)
    for t in range(reference):
        streams.see(everyone, before(rng, trials), np.full(trials, float(t)), rng.random(trials))
    for t in range(HORIZON):
        left = np.flatnonzero(np.isinf(found))
        if not len(left):
            break
        values = after(rng, trials)[left]
        for ring in streams.see(left, values, np.full(len(left), float(reference + t)), rng.random(len(left))):
            found[int(ring.stream)] = t + 1.0
    return found


def summary(found: Floats) -> dict[str, float]:
    """Median, nine in ten, and how many were found at all."""
    low, high = np.quantile(found, [0.5, 0.9], method="higher")
    return {"median": float(low), "nine_in_ten": float(high), "found": float(np.isfinite(found).mean())}


def one(values: Callable[[np.random.Generator, Ints], dict[str, Floats]], kind: str, models: Ints) -> Draw:
    """A draw of one kind of residual."""
    return lambda rng, _: values(rng, models)[kind]


def shifted(draw: Draw, by: float) -> Draw:
    """The same, moved."""
    return lambda rng, n: draw(rng, n) + by


def simulated_shifts(source: Simulated, trials: int, seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng([seed, 4])
    rows: list[dict[str, object]] = []
    models = rng.integers(0, MODELS, trials)
    for drop in (0.05, 0.1, 0.15, 0.2, 0.3):
        for reference in REFERENCES:
            after = _dropped(source, models, drop)
            found = delays("score", one(source.values, "score", models), after, reference, trials, rng)
            rows.append({"shift": f"scores {drop:g} lower", "reference": reference} | summary(found))
    for kind, name, by in (
        ("cost", "rate 10 % higher", np.log(1.1) + 0.005),
        ("cost", "rate halved", np.log(0.5)),
        ("cost", "rate doubled", np.log(2.0)),
        ("length", "answers 1.3 times as long", np.log(1.3)),
        ("length", "answers twice as long", np.log(2.0)),
    ):
        for reference in (50, *REFERENCES) if kind == "cost" else REFERENCES:
            before = one(source.values, kind, models)
            rows.append(
                {"shift": name, "reference": reference}
                | summary(delays(kind, before, shifted(before, float(by)), reference, trials, rng))
            )
    for share in (0.1, 0.33):
        found = delays("mix", _about(source), _grown(_about(source), 7, share), 2_000, trials, rng)
        rows.append({"shift": f"a new topic at {share:.0%} of the traffic", "reference": 2_000} | summary(found))
    return rows


def _dropped(source: Simulated, models: Ints, drop: float) -> Draw:
    """Scores of 0 and 1 at a lower chance, under the same estimates."""

    def draw(rng: np.random.Generator, n: int) -> Floats:
        told = np.clip(rng.normal(source.level[models], 0.15), 0.02, 0.98)
        return (rng.random(n) < source.chance(told, models) - drop) - told

    return draw


def _about(source: Simulated) -> Draw:
    return lambda rng, n: source.parts(rng, n).astype(float)


def _of(parts: Ints) -> Draw:
    return lambda rng, n: rng.choice(parts, n).astype(float)


def _mixture(one: Draw, other: Draw, share: float) -> Draw:
    return lambda rng, n: np.where(rng.random(n) < share, one(rng, n), other(rng, n))


def _grown(before: Draw, part: int, share: float) -> Draw:
    """A share of the traffic is about one part."""
    return lambda rng, n: np.where(rng.random(n) < share, float(part), before(rng, n))


def recorded_shifts(source: Recorded, trials: int, seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng([seed, 5])
    rows: list[dict[str, object]] = []
    pairs = source.worse()
    if pairs:
        chosen = [pairs[i] for i in rng.permutation(len(pairs))[:MOST_PAIRS]]
        which = np.resize(np.arange(len(chosen)), trials)
        a, b = (np.array([chosen[i][side] for i in which], np.int64) for side in (0, 1))
        drops = np.array([chosen[i][2] for i in which])
        for reference in REFERENCES:
            before, after = one(source.values, "score", a), _replacing(source, a, b)
            found = delays("score", before, after, reference, trials, rng)
            name = f"replaced by a worse model ({len(chosen)} pairs, {drops.min():.2f} to {drops.max():.2f} lower)"
            rows.append({"shift": name, "reference": reference} | summary(found))
    models = np.resize(np.arange(len(source.models)), trials)
    for name, by in (("rate halved", np.log(0.5)), ("rate doubled", np.log(2.0))):
        for reference in (50, 300):
            before = one(source.values, "cost", models)
            found = delays("cost", before, shifted(before, float(by)), reference, trials, rng)
            rows.append({"shift": name, "reference": reference} | summary(found))
    return rows + topic_shifts(source, trials, rng)


def _replacing(source: Recorded, a: Ints, b: Ints) -> Draw:
    def draw(rng: np.random.Generator, n: int) -> Floats:
        rows = rng.integers(0, len(source.live), n)
        return source.live.score[rows, b] - np.clip(source.estimates.quality[rows, a], 0.0, 1.0)

    return draw


def topic_shifts(source: Recorded, trials: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """One data set is held back from the traffic; then it comes: to a tenth, to a third, and alone."""
    names = sorted(set(source.live.datasets))
    if len(names) < 2:
        return []
    dataset = np.array(source.live.datasets)
    rows: list[dict[str, object]] = []
    for share in (0.1, 0.33, 1.0):
        found = []
        for name in names[: max(1, trials // 10)]:
            inside, outside = source.part[dataset == name], source.part[dataset != name]
            after = _mixture(_of(inside), _of(outside), share)
            found.append(delays("mix", _of(outside), after, 2_000, 10, rng))
        title = f"a new data set at {share:.0%} of the traffic ({len(names)} data sets)"
        rows.append({"shift": title, "reference": 2_000} | summary(np.concatenate(found)))
    return rows


def show(result: dict[str, object]) -> None:
    quiet, shifts = result["stationary"], result["shifts"]
    assert isinstance(quiet, dict)
    assert isinstance(shifts, list)
    alarms = quiet["alarms"]
    total = sum(alarms.values())
    print(f"\n{result['title']}: {quiet['models']} models, {quiet['queries']:,} stationary queries: ", end="")
    print(f"{total} false alarms {alarms}, {quiet['seconds']:.0f} s")
    for row in shifts:
        print(
            f"  {row['shift']:62s} after {row['reference']:>5,}: median {row['median']:>6.0f}, nine in ten "
            f"{row['nine_in_ten']:>6.0f}, found {row['found']:.0%}",
            flush=True,
        )


def measured(
    source: Source, options: argparse.Namespace, shifts: Callable[[Source, int, int], list[dict[str, object]]]
) -> dict[str, object]:
    """Everything of one source, shown."""
    result: dict[str, object] = {
        "title": source.title,
        "stationary": stationary(source, options.queries, options.seed),
        "shifts": shifts(source, options.trials, options.seed),
    }
    show(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--queries", type=int, default=1_000_000, help="stationary ones of each source")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    print(f"alarm at evidence {THRESHOLD:,.0f}: at most one false alarm in {QUERIES_PER_FALSE_ALARM:,} queries")
    results = [measured(Simulated(options.seed), options, simulated_shifts)]
    results += [measured(Recorded(folder, options.seed), options, recorded_shifts) for folder in options.data]
    if options.json:
        aside = options.json.with_suffix(".part")
        aside.write_text(json.dumps(results, indent=1) + "\n")
        aside.rename(options.json)


if __name__ == "__main__":
    main()
