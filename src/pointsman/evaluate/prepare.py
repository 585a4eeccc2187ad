"""From an outcome set to what replays need: tested rows, history, and every source's estimates, made once.

Takes complete outcomes and a `Setting`, gives a `Bench`: a plain value that worker processes load from a file. The
tested rows never reach a fit.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pointsman.decide.policies import Source
from pointsman.errors import InputError
from pointsman.estimate.blend import fit_blend
from pointsman.estimate.embedders import load_embedder
from pointsman.estimate.fitted import Fitted
from pointsman.estimate.neighbours import fit_neighbours
from pointsman.estimate.text_model import fit_text_model
from pointsman.records import Estimates, Ints, Outcomes, Prompts, Vectors

MOST_TESTED = 10_000
TESTED_SHARE = 0.55


@dataclass(frozen=True, slots=True)
class Setting:
    """What estimates depend on.

    Attributes:
        test: queries tested.
        history: rows that estimators may see; None for all that are left.
        models: how many models, a random choice by seed; None for all.
        k: neighbours of PORT's estimator.
        embedder: see `estimate.embedders`.
        seed: of the split into history and test, and of every fit.
    """

    test: int
    history: int | None = None
    models: int | None = None
    k: int = 5
    embedder: str = "wordllama"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Bench:
    """What a worker needs for any run in a setting.

    Attributes:
        test: the tested outcomes; without texts, which no replay reads.
        history: the history's outcomes, likewise.
        estimates: of the tested queries, by source.
        held_out: of the history's queries, by source.
    """

    setting: Setting
    test: Outcomes
    history: Outcomes
    estimates: dict[Source, Estimates]
    held_out: dict[Source, Estimates]


def default_test(rows: int) -> int:
    """How many rows are tested if nobody says: 10,000, or 55 % where that would leave a history under a third."""
    return MOST_TESTED if rows >= 1.5 * MOST_TESTED else max(1, int(TESTED_SHARE * rows))


def split_rows(rows: int, setting: Setting) -> tuple[Ints, Ints]:
    """Rows tested and rows of history, by seed.

    Raises:
        InputError: no row is left for one of them.
    """
    if not 0 < setting.test < rows:
        raise InputError(
            f"{setting.test} tested queries of {rows} rows leave no history or nothing to test",
            place="--test",
            remedy=f"use 1 to {rows - 1}; the default is {default_test(rows)}",
        )
    order = np.random.default_rng((setting.seed, 0)).permutation(rows)
    left = rows - setting.test
    history = left if setting.history is None else setting.history
    if not 0 < history <= left:
        raise InputError(f"a history of {history} rows is asked, {left} are left", place="--sweep history")
    # Counted from the end, so that a sweep over volume or history keeps the rows that two settings share.
    return order[: setting.test], order[rows - history :]


class Preparer:
    """Makes benches from one outcome set, and keeps what several settings share: vectors and fits.

    Args:
        outcomes: complete in score and cost.
        cache: a folder for embeddings; None computes them anew.
    """

    def __init__(self, outcomes: Outcomes, cache: Path | None = None) -> None:
        self._outcomes, self._cache = outcomes, cache
        self._vectors: dict[str, Vectors] = {}
        self._fits: dict[tuple[object, ...], Fitted] = {}

    def prepare(self, setting: Setting, sources: Iterable[Source]) -> Bench:
        """Splits, embeds, fits and estimates: the slow part of a bench.

        Args:
            sources: which estimates the policies ask for.

        Raises:
            InputError: a split that can't be made, more models than there are, fewer than one.
        """
        tested, past = split_rows(len(self._outcomes), setting)
        return self.prepare_rows(setting, sources, tested, past)

    def prepare_rows(self, setting: Setting, sources: Iterable[Source], tested: Ints, past: Ints) -> Bench:
        """The same for rows that somebody else has parted, each in the order given."""
        outcomes = _choose_models(self._outcomes, setting)
        test, history = outcomes.take(tested), outcomes.take(past)
        estimates: dict[Source, Estimates] = {}
        held_out: dict[Source, Estimates] = {}
        for source in dict.fromkeys(sources):
            if source == "truth":
                estimates[source], held_out[source] = truth_of(test), truth_of(history)
            else:
                fitted = self._fitted(source, setting, history, past)
                estimates[source] = fitted.estimator.estimate(self._prompts(test, setting, tested))
                held_out[source] = fitted.held_out
        return Bench(setting, without_texts(test), without_texts(history), estimates, held_out)

    def _fitted(self, source: Source, setting: Setting, history: Outcomes, past: Ints) -> Fitted:
        """The source's fit on the history; a sweep over anything else than its own parameters finds it made."""
        k = setting.k if source.startswith("neighbours") else None
        key = (source, past.tobytes(), history.models, setting.embedder, setting.seed, k)
        if key not in self._fits:
            self._fits[key] = _fit(source, history, self._prompts(history, setting, past), setting)
        return self._fits[key]

    def _prompts(self, outcomes: Outcomes, setting: Setting, rows: Ints) -> Prompts:
        name = setting.embedder
        if name not in self._vectors:
            self._vectors[name] = load_embedder(name, cache=self._cache).embed(self._outcomes.texts)
        return Prompts(outcomes.texts, self._vectors[name][rows], outcomes.input_tokens)


def truth_of(outcomes: Outcomes) -> Estimates:
    """The recorded outcomes in the shape of estimates, with no spread."""
    tokens = outcomes.input_tokens[:, None] + np.nan_to_num(outcomes.output_tokens)
    return Estimates(outcomes.score, outcomes.cost_usd, tokens, np.zeros_like(outcomes.score))


def without_texts(outcomes: Outcomes) -> Outcomes:
    """The same outcomes with empty texts."""
    return replace(outcomes, texts=[""] * len(outcomes))


def _choose_models(outcomes: Outcomes, setting: Setting) -> Outcomes:
    there = len(outcomes.models)
    if setting.models is None or setting.models == there:
        return outcomes
    if not 0 < setting.models < there:
        raise InputError(f"{setting.models} models are asked, {there} are there", place="--sweep models")
    chosen = np.random.default_rng((setting.seed, 3)).permutation(there)[: setting.models]
    return outcomes.only(np.sort(chosen))


def _fit(source: Source, history: Outcomes, prompts: Prompts, setting: Setting) -> Fitted:
    match source:
        case "blend":
            return fit_blend(history, prompts, seed=setting.seed)
        case "neighbours-hnsw":
            return fit_neighbours(history, prompts, k=setting.k, index="hnsw")
        case "neighbours":
            return fit_neighbours(history, prompts, k=setting.k, index="exact")
        case _:
            model = fit_text_model(history, prompts, seed=setting.seed)
            # In-sample, so too sure of itself: good for the greedy rules, which read only its means.
            return Fitted(model, model.estimate(prompts))


def save_bench(bench: Bench, path: Path) -> None:
    """Writes a bench for worker processes of this command alone; the file is not an exchange format."""
    path.write_bytes(pickle.dumps(bench))


def load_bench(path: Path) -> Bench:
    """Reads what `save_bench` wrote in the same command."""
    bench = pickle.loads(path.read_bytes())  # noqa: S301 (written a moment ago by the parent, in its own folder)
    assert isinstance(bench, Bench)  # noqa: S101
    return bench
