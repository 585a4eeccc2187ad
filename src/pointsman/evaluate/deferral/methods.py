"""What every method of `bench deferral` makes of a trial: estimates of the unseen models on prompts nobody asked them.

A method is fitted on a `Trial` once, which gives a function from probes to an estimator; nothing is fitted twice for
several numbers of probes unless it depends on that number. Hyperparameters (K, k) are chosen on known models alone.
`clairvoyant` methods look at what the others mustn't. Judges nothing (`curve`), draws no prompt (`protocol`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.fitted import Estimator
from pointsman.estimate.unseen import attributes
from pointsman.estimate.unseen.clusters import choose_k, fit_clusters
from pointsman.estimate.unseen.consensus import soft_scores
from pointsman.estimate.unseen.factorisation import fit_factorisation
from pointsman.estimate.unseen.learned_map import fit_learned_map
from pointsman.estimate.unseen.means import place_means
from pointsman.estimate.unseen.nearest import choose_neighbours, place_nearest
from pointsman.estimate.unseen.perceptron import fit_perceptron
from pointsman.estimate.unseen.place import Probes
from pointsman.estimate.unseen.transfer import Transfer, fit_transfer
from pointsman.evaluate.deferral.answers import written_answers
from pointsman.evaluate.deferral.curve import area, deferral_curve
from pointsman.evaluate.deferral.protocol import Trial
from pointsman.evaluate.deferral.roster import ROSTER
from pointsman.records import Estimates, Floats, Ints, Outcomes, Prompts, Vectors

Place = Callable[[Probes], Estimator]


@dataclass(frozen=True, slots=True)
class Method:
    """How a method is run.

    Attributes:
        fit: from a trial to the function that places the unseen models by their probes.
        mixes: its curve is made of random mixtures of neighbouring models that no other one dominates, instead of
            a choice for every prompt.
    """

    fit: Callable[[Trial], Place]
    mixes: bool = False


@dataclass(frozen=True)
class Told:
    """An estimator that was told the answers for one list of prompts, and knows no others.

    Attributes:
        models: ids of the N models.
        answers: what it says, each [Q, N].
    """

    models: tuple[str, ...]
    answers: Estimates

    def estimate(self, prompts: Prompts) -> Estimates:
        """The answers.

        Raises:
            InputError: for another number of prompts.
        """
        if len(prompts) != len(self.answers):
            raise InputError(f"{len(prompts)} prompts, answers to {len(self.answers)}", place="oracle")
        return self.answers


@dataclass(frozen=True)
class Columns:
    """Some of an estimator's models.

    Attributes:
        whole: the estimator.
        columns: int [N], which of its models.
    """

    whole: Estimator
    columns: Ints

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the N models."""
        return tuple(self.whole.models[i] for i in self.columns)

    def estimate(self, prompts: Prompts) -> Estimates:
        """Their columns of the whole estimate."""
        found = self.whole.estimate(prompts)
        parts = (found.quality, found.cost_usd, found.tokens, found.spread)
        return Estimates(*(cells[:, self.columns] for cells in parts))


class Reader:
    """Attributes of texts, each text read once: all trials of a process are about the same ones."""

    def __init__(self) -> None:
        self._known: dict[str, Vectors] = {}

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """float32 [Q, A], Q at least 1."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        if fresh:
            self._known |= zip(fresh, attributes.attribute_vectors(fresh), strict=True)
        return np.array([self._known[text] for text in texts], dtype=np.float32)


_READER = Reader()


def judge_area(quality: Floats, outcomes: Outcomes) -> float:
    """Area of the deferral curve of estimates [Q, M] on recorded outcomes, every model at its mean cost."""
    return area(deferral_curve(quality, outcomes.cost_usd.mean(axis=0), outcomes.score, outcomes.cost_usd))


def _means(_trial: Trial) -> Place:
    return place_means


def _nearest(trial: Trial) -> Place:
    def place(probes: Probes) -> Estimator:
        k = choose_neighbours(trial.tuning, trial.tuning_prompts, len(probes), trial.seed, judge=judge_area)
        return place_nearest(probes, k)

    return place


def _tuning(trial: Trial) -> tuple[Outcomes, Prompts, Outcomes, Prompts]:
    return trial.tuning, trial.tuning_prompts, trial.validation, trial.validation_prompts


def _chosen_k(trial: Trial, probes: int) -> int:
    return choose_k(*_tuning(trial), probes, trial.seed, judge_area)


def _clusters(trial: Trial) -> Place:
    def place(probes: Probes) -> Estimator:
        k = _chosen_k(trial, len(probes))
        return fit_clusters(trial.history, trial.prompts, k, trial.seed).place(probes)

    return place


def _learned_map(trial: Trial) -> Place:
    def place(probes: Probes) -> Estimator:
        k = _chosen_k(trial, len(probes))
        return fit_learned_map(trial.history, trial.prompts, k, trial.seed).place(probes)

    return place


def _attributes(trial: Trial) -> Place:
    def place(probes: Probes) -> Estimator:
        k = attributes.choose_k(*_tuning(trial), len(probes), trial.seed, judge_area, read=_READER)
        return attributes.fit_attributes(trial.history, trial.prompts, k, trial.seed, read=_READER).place(probes)

    return place


@lru_cache(maxsize=1)
def transfer_of(trial: Trial) -> Transfer:
    """What `transfer` learns before any probe; fitted once a trial."""
    return fit_transfer(trial.history, trial.prompts, seed=trial.seed)


def _transfer(trial: Trial) -> Place:
    return transfer_of(trial).place


def _consensus(trial: Trial) -> Place:
    """`transfer` on probes that nobody graded: all scores on them are replaced by the consensus about the answers."""
    space = transfer_of(trial)

    def place(probes: Probes) -> Estimator:
        if trial.static:
            return space.place(probes)
        scores = np.hstack([probes.known.score, probes.asked.score])
        answers = written_answers(scores, np.random.default_rng((trial.seed, trial.number, 50)))
        voters = len(space.models)
        known, asked = [row[:voters] for row in answers], [row[voters:] for row in answers]
        soft = soft_scores(known, asked, space.known.expect(probes.prompts)[0], space.correlation)
        return space.place(
            Probes(probes.prompts, replace(probes.asked, score=soft.asked), replace(probes.known, score=soft.known))
        )

    return place


Retrain = Callable[[Outcomes, Prompts, int], Estimator]


def _retrained(fit: Retrain, trial: Trial) -> Place:
    return lambda probes: fit(probes.asked, probes.prompts, trial.seed)


def _clairvoyant(fit: Retrain, trial: Trial) -> Place:
    fitted = Columns(fit(trial.everything, trial.every_prompt, trial.seed), trial.split.unseen)
    return lambda _probes: fitted


def _oracle(trial: Trial) -> Place:
    test = trial.test
    tokens = test.input_tokens[:, None] + np.nan_to_num(test.output_tokens)
    told = Told(test.models, Estimates(test.score, test.cost_usd, tokens, np.zeros_like(test.score)))
    return lambda _probes: told


_ALL = {
    "zero": Method(_means),
    "pareto-random": Method(_means, mixes=True),
    "knn": Method(_nearest),
    "kmeans": Method(_clusters),
    "learned-map": Method(_learned_map),
    "attributes": Method(_attributes),
    "mlp-retrained": Method(partial(_retrained, fit_perceptron)),
    "matfac-retrained": Method(partial(_retrained, fit_factorisation)),
    "transfer": Method(_transfer),
    "transfer-consensus": Method(_consensus),
    "mlp-clairvoyant": Method(partial(_clairvoyant, fit_perceptron)),
    "matfac-clairvoyant": Method(partial(_clairvoyant, fit_factorisation)),
    "oracle": Method(_oracle),
}
METHODS = {entry.name: _ALL[entry.name] for entry in ROSTER}


def parse_methods(text: str) -> tuple[str, ...]:
    """Method names from a comma-separated list, in their order there; `all` is every method.

    Raises:
        InputError: an unknown name, or none.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    known = f"use all, or some of {', '.join(METHODS)}"
    if not names:
        raise InputError("no method is named", place="--methods", remedy=known)
    named = tuple(dict.fromkeys(each for name in names for each in (METHODS if name == "all" else (name,))))
    for name in named:
        if name not in METHODS:
            raise InputError(f"method {name!r} is unknown", place="--methods", remedy=known)
    return named


def not_dominated(quality: Floats, cost_usd: Floats) -> Ints:
    """Models that no other one beats in quality at no more cost, from the cheapest on: quality rises along them.

    Args:
        quality, cost_usd: float [N]; of equal models the first counts.
    """
    kept: list[int] = []
    for model in np.lexsort((-quality, cost_usd)):
        if not kept or quality[model] > quality[kept[-1]]:
            kept.append(int(model))
    return np.array(kept, dtype=np.int64)
